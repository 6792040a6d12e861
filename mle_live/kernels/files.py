"""A kernel version's files: its source, its log, its working folder while it runs, and its outputs after.

What a kernel left in its working folder is not trusted: only regular files with ordinary names are kept.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NamedTuple

from kaggle_runner.files import pack_whole
from kaggle_runner.sandbox.batch import Stream

_DEEPEST = 60
_LONGEST_NAME = 1000
_EVENT_BYTES = 60  # what an event takes beside its text: many short ones must not pass the bound


@dataclass(frozen=True, slots=True)
class VersionFiles:
    """Where one version's files lie; `folder` is named by numbers, never by what a client sent."""

    folder: Path
    kernel_type: Literal["script", "notebook"]

    @property
    def source(self) -> Path:
        return self.folder / ("source.ipynb" if self.kernel_type == "notebook" else "source.py")

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def working(self) -> Path:
        return self.folder / "working"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def outputs(self) -> list[OutputFile]:
        """What the run left, sorted by name. Read from the folder each time: nothing else writes there."""
        return sorted(_kept_files(self.output, ""), key=lambda file: file.name)

    def archive(self, target: Path) -> None:
        """A zip of the outputs, written to `target`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        pack_whole(target, ((file.path, file.name) for file in self.outputs()))

    def find_output(self, name: str) -> OutputFile | None:
        """The output called `name`, which is compared and never resolved."""
        return next((file for file in self.outputs() if file.name == name), None)

    def log_text(self) -> str:
        """The log as Kaggle tells it: a JSON array of `{stream_name, time, data}`, an event a line."""
        if not self.log.is_file():
            return ""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return "[" + "\n,".join(lines) + "\n]" if lines else ""


class OutputFile(NamedTuple):
    """One output: its name with `/`, its size in bytes, when it was written."""

    name: str
    path: Path
    size: int
    written: datetime


class KernelLog:
    """A run's log: events are appended as they come, up to about `most` bytes. Safe from several threads."""

    def __init__(self, path: Path, most: int) -> None:
        self._file = path.open("ab", buffering=0)
        self.most = most
        self._room = most
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def write(self, stream: Stream, text: str) -> None:
        with self._lock:
            if not text or self._room <= 0:
                return
            if len(text) > self._room:
                text = text[: self._room] + "\n[the log is full; later output is not kept]\n"
                self._room = 0
            self._room -= len(text) + _EVENT_BYTES
            seconds = round(time.monotonic() - self._started, 3)
            event = json.dumps({"stream_name": stream, "time": seconds, "data": text})
            try:
                self._file.write(event.encode() + b"\n")
            except OSError:  # a full disk ends the log, not the server
                self._room = 0

    def close(self) -> None:
        self._file.close()


class KeptOutputs(NamedTuple):
    """How a working folder became an output folder."""

    files: int
    left_out: int
    why: str


def keep_outputs(files: VersionFiles, most_files: int) -> KeptOutputs:
    """Move the regular files of the working folder to the output folder and remove the rest.

    Call it when no process of the kernel is left: names are read once. Links, pipes and devices are not
    followed and not kept, nor names that cannot be told in UTF-8, nor what lies very deep.
    """
    files.output.mkdir(exist_ok=True)
    count = left_out = 0
    why = ""
    for name, path in _untrusted_files(files.working, "", 0):
        if name is None or count >= most_files:
            left_out += 1
            why = why or (f"only {most_files} are kept" if name else "only plain files are kept")
            continue
        target = files.output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o644)
        path.replace(target)
        count += 1
    remove(files.working)
    return KeptOutputs(count, left_out, why)


def remove(folder: Path) -> None:
    """Remove a folder whatever a kernel made of it: `rm` takes any depth, shutil.rmtree recurses."""
    subprocess.run(["rm", "-rf", "--", str(folder)], check=False, stderr=subprocess.DEVNULL)


def _untrusted_files(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str | None, Path]]:
    """Each entry that is not a folder, with its name, or None when it must not be kept."""
    try:
        folder.chmod(0o700)
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        yield None, folder
        return
    for entry in entries:
        name, path = prefix + entry.name, Path(entry.path)
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(mode) and depth < _DEEPEST:
            yield from _untrusted_files(path, f"{name}/", depth + 1)
        else:
            yield (name if stat.S_ISREG(mode) and _is_tellable(name) else None), path


def _is_tellable(name: str) -> bool:
    """Names that JSON, a URL and a client's disk can carry; undecodable bytes are not printable."""
    return len(name) <= _LONGEST_NAME and name.isprintable() and "\\" not in name


def _kept_files(folder: Path, prefix: str) -> Iterator[OutputFile]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _kept_files(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                written = datetime.fromtimestamp(status.st_mtime, UTC)
                yield OutputFile(prefix + entry.name, Path(entry.path), status.st_size, written)
