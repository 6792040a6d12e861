"""Making an environment for notebooks: a virtual environment that pip fills from a pinned list.

It can be broken off at any moment and begun again: what is there stays. What cannot be had is left out by its
name and told; nothing is put in its place.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from kaggle_runner.environments.lists import Build, Wanted, nearest
from kaggle_runner.environments.pip import Installed, Pip
from kaggle_runner.environments.record import MadeEnvironment, forget_record, read_record, write_record
from kaggle_runner.errors import MachineError, ServiceError, UsageError
from kaggle_runner.files import write_whole
from kaggle_runner.interpreter import Interpreter, examine, normal_name
from kaggle_runner.texts import one_line

_MARK = "comind-environment.json"
_ROOM = 1.4
"""So many times the packages' own files: what they need beside them, compiled files, downloads."""
_LARGE_MB = 20.0
_IMPORT_SECONDS = 300.0
_ESTIMATED_FROM_MB = 60.0
_OVERHEAD_MB = 3.0
"""A package of no size takes as long as one of this size."""
_NO_CPU_BUILD = "no CPU build is to be had here, and others bring gigabytes of CUDA (--cuda takes them)"
_REGISTRY_DOWN = "Is the network up? What is there stays: the same command goes on."

TellLine = Callable[[str], None]
Status = Literal["installed", "there", "left out"]


@dataclass(frozen=True, slots=True)
class ListedPackage:
    """What became of one line of the list."""

    name: str
    wanted: str
    version: str = ""
    status: Status = "installed"
    why: str = ""
    """Why it was left out, or is of another version."""
    megabytes: float = 0.0
    """Of the wheels that it brought, its own and those of what it needs."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Made:
    """What `make` made."""

    environment: MadeEnvironment
    python: str
    """Its version."""
    packages: list[ListedPackage] = field(default_factory=list)
    bytes: int = 0
    seconds: float = 0.0


def make(
    folder: Path, state: Path, wanted: Iterable[Wanted], build: Build, *, base: Path | None, tell: TellLine
) -> Made:
    """Make the environment in `folder`, or go on with it, and record it as the one of `state`.

    `base` is the Python that it is made of; None: the engine's. Raises UsageError for a folder that is
    something else, MachineError where there is no room or no pip, ServiceError where the registry is away.
    """
    started = time.monotonic()
    folder, lines = folder.absolute(), list(wanted)
    earlier = _earlier(folder, build)
    missing = lines if earlier is None else [one for one in lines if not _is_there(earlier, one)]
    _check_room(folder, sum(one.megabytes for one in missing))
    python = earlier or _new(folder, build, base, tell)
    record = MadeEnvironment(str(folder), str(python.path), build)
    known = read_record(state)
    if known is None or known.folder != record.folder or missing:
        write_record(state, record)
    pip = Pip(python.path, own="pip" in python.packages)
    packages = _Filling(pip, folder / "constraints.txt", build, tell).fill(lines, python)
    left_out = {one.name: one.why for one in packages if one.status == "left out"}
    record = MadeEnvironment(str(folder), str(python.path), build, finished=True, left_out=left_out)
    write_record(state, record)
    return Made(record, python.told_version, packages, size_of(folder), time.monotonic() - started)


def remove(state: Path) -> tuple[Path, int]:
    """Remove the state's environment and forget it: its folder, and the bytes that it had.

    UsageError where none was made. A folder that `make` did not mark is forgotten only.
    """
    made = read_record(state)
    if made is None:
        raise UsageError("No environment was made here.", hint="comind-tui env create makes one.")
    folder, size = Path(made.folder), 0
    if (folder / _MARK).is_file():
        size = size_of(folder)
        shutil.rmtree(folder)
    forget_record(state)
    return folder, size


def size_of(folder: Path) -> int:
    """Bytes of its files, each counted once."""
    seen = {(status.st_dev, status.st_ino): status.st_size for status in map(Path.lstat, folder.rglob("*"))}
    return sum(seen.values())


def _earlier(folder: Path, build: Build) -> Interpreter | None:
    """The Python of a folder that was begun, None where there is none yet. UsageError for anything else."""
    mark = folder / _MARK
    if not mark.is_file():
        if folder.exists() and any(folder.iterdir()):
            hint = (
                "Give --path a new or empty folder. An environment of yours is used with run --python PATH."
            )
            raise UsageError(f"{folder} exists and was not made by env create.", hint=hint)
        return None
    begun = json.loads(mark.read_text(encoding="utf-8")).get("build")
    if begun != build:
        hint = "comind-tui env remove, or another --path"
        raise UsageError(f"{folder} holds an environment of the {begun} build.", hint=hint)
    return examine(folder) if (folder / "bin" / "python").exists() else None


def _new(folder: Path, build: Build, base: Path | None, tell: TellLine) -> Interpreter:
    source = examine(base or sys.executable)
    tell(f"Making a virtual environment of {source.path} (Python {source.told_version}) in {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / _MARK, json.dumps({"build": build, "base": str(source.path)}) + "\n")
    command = [str(source.path), "-m", "venv", str(folder)]
    for more in (
        [],
        ["--without-pip"],
    ):  # Debian's Python may have no pip to put into it: the engine's is used
        done = subprocess.run([*command, *more], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            return examine(folder)
    said = one_line(done.stderr or done.stdout)[-200:]
    raise MachineError(f"{source.path} makes no virtual environment: {said}", hint="Try --base-python.")


def _check_room(folder: Path, megabytes: float) -> None:
    disk = next(one for one in (folder, *folder.parents) if one.exists())
    free, needed = shutil.disk_usage(disk).free / 1e9, _ROOM * megabytes / 1e3
    if free < needed:
        raise MachineError(
            f"The environment needs about {needed:.1f} GB, and {folder} has {free:.1f} GB left.",
            hint="Put it on another disk: comind-tui env create --path DIR",
        )


def _is_there(python: Interpreter, one: Wanted) -> bool:
    return python.packages.get(normal_name(one.name)) == one.version


class _Filling:
    """Goes through a list, and tells how far it is."""

    def __init__(self, pip: Pip, constraints: Path, build: Build, tell: TellLine) -> None:
        self._pip = pip
        self._constraints = constraints
        self._build = build
        self._tell = tell
        self._pins: dict[str, str] = {}
        self._without: set[str] = set()
        """What was left out, nothing else may bring in: torchvision would fetch CUDA's torch."""
        self._busy = 0.0
        self._done_mb = 0.0

    def fill(self, lines: list[Wanted], python: Interpreter) -> list[ListedPackage]:
        there = [one for one in lines if _is_there(python, one)]
        self._pins = {one.name: python.packages[normal_name(one.name)] for one in there}
        left = sum(one.megabytes + _OVERHEAD_MB for one in lines if one not in there)
        if there:
            self._tell(f"{len(there)} of {len(lines)} packages are there already")
        found: list[ListedPackage] = []
        for number, one in enumerate(lines, start=1):
            if one in there:
                found.append(ListedPackage(one.name, one.version, self._pins[one.name], "there"))
                continue
            started = time.monotonic()
            package = self._take(one)
            if package.status == "left out":
                self._without.add(one.name)
            seconds = time.monotonic() - started
            found.append(replace(package, seconds=round(seconds, 1)))
            left -= one.megabytes + _OVERHEAD_MB
            self._busy += seconds
            self._done_mb += one.megabytes + _OVERHEAD_MB
            self._tell(f"[{number:>2}/{len(lines)}] {_told(found[-1])}{self._estimate(left)}")
        return found

    def _estimate(self, left_mb: float) -> str:
        minutes = left_mb * self._busy / self._done_mb / 60
        told = minutes >= 1 and self._done_mb > _ESTIMATED_FROM_MB
        return f"; about {minutes:.0f} min left" if told else ""

    def _take(self, one: Wanted) -> ListedPackage:
        """One package: as pinned, else as near as can be had, and only if it can be imported."""
        version, why = one.version, ""
        if one.labelled and self._build == "cpu":
            version = nearest(one.version, self._pip.versions(one.name), label="cpu")
            if not version:
                return _left_out(one, _NO_CPU_BUILD)
        done = self._install(one, version)
        if done.outcome == "no version":
            version = nearest(one.version, self._pip.versions(one.name))
            if not version:
                return _left_out(one, "no wheel is to be had for this Python")
            done = self._install(one, version)
        if done.outcome != "installed":
            return _left_out(one, done.why, done.megabytes)
        if fault := self._import(one.module):
            self._pip.uninstall(one.name)
            return _left_out(one, f"{version} was installed, but cannot be imported: {fault}", done.megabytes)
        self._pins[one.name] = version
        if version != one.version:
            why = f"{one.version} is not to be had here"
        return ListedPackage(one.name, one.version, version, "installed", why, done.megabytes)

    def _install(self, one: Wanted, version: str) -> Installed:
        pins = [f"{name}=={pin}\n" for name, pin in self._pins.items() if name != one.name]
        pins += [f"{name}<0\n" for name in self._without]
        write_whole(self._constraints, "".join(pins))
        done = self._pip.install(f"{one.name}=={version}", self._constraints, self._on_download)
        if done.outcome == "no network":
            raise ServiceError(f"The package registry does not answer: {done.why}", hint=_REGISTRY_DOWN)
        if done.outcome == "no room":
            hint = "Make room, and give the same command again; what is there stays."
            raise MachineError(f"The disk is full: {done.why}", hint=hint)
        return done

    def _on_download(self, file: str, megabytes: float) -> None:
        if megabytes >= _LARGE_MB:
            self._tell(f"        downloading {file} ({megabytes:.0f} MB)")

    def _import(self, module: str) -> str:
        """Why it cannot be imported; empty where it can."""
        try:
            done = subprocess.run(
                [str(self._pip.python), "-I", "-c", f"import {module}"], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=_IMPORT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "it took too long"
        said = done.stderr.strip().splitlines()
        return "" if done.returncode == 0 else one_line(said[-1])[:200] if said else "it said nothing"


def _left_out(one: Wanted, why: str, megabytes: float = 0.0) -> ListedPackage:
    return ListedPackage(one.name, one.version, "", "left out", why, megabytes)


def _told(package: ListedPackage) -> str:
    if package.status == "left out":
        return f"{package.name} is left out: {package.why}"
    other = f" in place of {package.wanted}" if package.version != package.wanted else ""
    return f"{package.name} {package.version}{other}: {package.megabytes:.0f} MB, {package.seconds:.0f} s"
