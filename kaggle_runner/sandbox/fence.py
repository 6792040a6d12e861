"""The second way to confine agent code: for a Kaggle session, whose container allows no namespaces.

Landlock closes files and signals, another user closes what belongs to the engine, a filter of system calls
closes the network: each where the system has it, and `probe` tries what really holds. There are no mounts:
the code's /kaggle/… are folders in a box of its own, and paths in cells are rewritten (`localized`). It is
used only inside such a session; everywhere else confinement is bubblewrap or a refusal. The mechanics run in
`fence_boot.py`, in the process that becomes the agent's.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import site
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.sandbox import bubblewrap
from kaggle_runner.sandbox.batch import BatchLimits, run_batch
from kaggle_runner.sandbox.bubblewrap import SandboxReport
from kaggle_runner.sandbox.fence_boot import landlock_version

BOOT_PROGRAM = Path(__file__).with_name("fence_boot.py")
COMPLAINT = "fence: "
_BOXES = "boxes"
_PROBE_SECONDS = 60.0
_FIRST_USER, _USERS = 20_000, 40_000
_CAPABILITIES = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "KILL": 5, "SETGID": 6, "SETUID": 7}
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/kaggle/lib", "/proc", "/sys")
_KAGGLE_PATHS = re.compile(r"(?<![\w.~/-])/kaggle/(?=(?:input|working)\b)|(?<=[\"'])\.\./(?=input/)")

_TRIAL = """
import json, socket, sys
found = {}
for name, path in json.loads(sys.argv[1]).items():
    try:
        open(path).read()
        found[name] = True
    except OSError:
        found[name] = False
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    found["network"] = True
except OSError:
    found["network"] = False
open("working", "w").write("writable")
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What this system offers to fence a process in."""

    landlock: int
    """Its version; 0 for none."""
    other_user: bool
    """We may become another user, and Python can be run by any."""
    filter: bool
    """Sockets can be refused."""

    @property
    def enough(self) -> bool:
        return self.landlock > 0 or self.other_user

    def sentence(self) -> str:
        parts = [f"Landlock {self.landlock}"] if self.landlock else []
        parts += ["another user"] if self.other_user else []
        return " and ".join(parts) or "nothing"


def abilities(status: str = "") -> Abilities:
    """Ask the system. `status` stands for /proc/self/status."""
    said = status or Path("/proc/self/status").read_text()
    match = re.search(r"^CapEff:\s*([0-9a-f]+)$", said, re.MULTILINE)
    held = int(match[1], 16) if match else 0
    privileged = os.geteuid() == 0 and all(held >> bit & 1 for bit in _CAPABILITIES.values())
    return Abilities(
        landlock_version(),
        privileged and _for_everybody(Path(sys.executable)),
        platform.machine() in ("x86_64", "aarch64"),
    )


def _for_everybody(program: Path) -> bool:
    """Whether any user can reach and run it."""
    real = program.resolve()
    return all(one.stat().st_mode & 0o001 for one in (real, *real.parents, *program.absolute().parents))


def box_of(workspace: Path, hidden: Sequence[Path]) -> Path:
    """The box of the sandbox with this workspace: always the same, so that paths in cells stay true.

    It lies on the state folder's disk, where files can appear as hard links.
    """
    mark = hashlib.sha256(str(workspace.resolve()).encode()).hexdigest()[:16]
    return _boxes(hidden) / mark


def new_box(hidden: Sequence[Path]) -> Path:
    """A box for one process, which its caller removes. Its name cannot be guessed."""
    return _boxes(hidden) / os.urandom(8).hex()


def _boxes(hidden: Sequence[Path]) -> Path:
    return hidden[0].resolve() / _BOXES if hidden else Path(tempfile.gettempdir()) / "comind-boxes"


def localized(code: str, box: Path) -> str:
    """`code` with Kaggle's folders as they are called in this box."""
    return _KAGGLE_PATHS.sub(f"{box}/kaggle/", code)


def command(
    argv: Sequence[str],
    *,
    box: Path,
    mounts: Mapping[str, Path],
    writable: Mapping[str, Path],
    cwd: str,
    environment: Mapping[str, str],
    python: Path,
    gpus: Sequence[int] | None,
    hidden: Sequence[Path],
    offered: Abilities | None = None,
) -> list[str]:
    """`argv` fenced in. Places inside that it names are rewritten; start it as `Sandbox.command` says.

    Raises SandboxUnavailable where this system offers too little, or where the state lies in the system.
    """
    offered = offered or abilities()
    if not offered.enough:
        raise SandboxUnavailable(
            "agent code cannot be confined in this session: no namespaces, no Landlock, no other user",
            hint="run CoMind on a machine of your own, and use Kaggle's with --kaggle-push",
        )
    for outside in (*mounts.values(), *writable.values()):
        if not outside.exists():
            raise SandboxUnavailable(f"{outside} does not exist, so the sandbox cannot show it")
    system = [*_SYSTEM, *bubblewrap.SYSTEM_FILES, *_python_folders(python)]
    if offered.landlock:
        _check_hidden(system, hidden)
    inner = _Places(box, mounts, writable)
    spec = {
        "engine": os.getpid(),
        "box": str(box),
        "state": str(hidden[0].resolve() if hidden else box),
        "inputs": {inside: str(outside.resolve()) for inside, outside in mounts.items()},
        "writable": {inside: str(outside.resolve()) for inside, outside in writable.items()},
        "system": system,
        "devices": [*(f"/dev/{name}" for name in _DEVICES), *_gpu_nodes(gpus)],
        "uid": _user_of(box) if offered.other_user else None,
        "landlock": bool(offered.landlock),
        "filter": offered.filter,
        "cwd": inner.place(cwd),
        # libraries ask the system for a user's name, which a number without an account has not
        "environment": {"TMPDIR": f"{box}/tmp", "USER": "kaggle", "LOGNAME": "kaggle"}
        | {name: inner.text(value) for name, value in environment.items()},
        "argv": [inner.text(word) for word in argv],
    }
    return [sys.executable, "-I", "-S", str(BOOT_PROGRAM), json.dumps(spec)]


class _Places:
    """Where the paths inside really are."""

    def __init__(self, box: Path, mounts: Mapping[str, Path], writable: Mapping[str, Path]) -> None:
        self._box = box
        moved = [inside for inside, outside in writable.items() if inside != str(outside)]
        # folders that hold nothing but mounts are in the box as well
        above = {str(one) for name in (*mounts, *moved) for one in Path(name).parents if not one.exists()}
        names = sorted({*mounts, *moved, *above, "/kaggle/input", "/tmp/home"}, key=len, reverse=True)
        self._names = re.compile(rf"(?<![\w.~/-])(?:{'|'.join(map(re.escape, names))})(?![\w-])")

    def text(self, text: str) -> str:
        return self._names.sub(lambda match: f"{self._box}{match[0]}", text)

    def place(self, inside: str) -> str:
        return f"{self._box}/tmp" if inside == "/tmp" else self.text(inside)


def give_back_links(folder: Path, box: Path) -> None:
    """Links that fenced code made to its inputs say again what they would say in a sandbox of mounts."""
    for link in (path for path in folder.rglob("*") if path.is_symlink()):
        target = str(link.readlink())
        if target.startswith(f"{box}/"):
            link.unlink()
            link.symlink_to(target.removeprefix(str(box)))


def close_to_others(state: Path) -> None:
    """Nobody but the engine's own user may read what is in the state folder, now and later in this process.

    Workspaces, which belong to their agents' users, stay as they are. One engine a state folder is assumed.
    """
    os.umask(0o077)
    state.mkdir(parents=True, exist_ok=True)
    for place, folders, files in os.walk(state):
        is_top = Path(place) == state
        folders[:] = [
            name for name in folders if not (is_top and name == _BOXES) and _is_ours(Path(place, name))
        ]
        for path in (Path(place), *(Path(place, name) for name in files)):
            if _is_ours(path) and (mode := path.stat().st_mode) & 0o077:
                path.chmod(mode & ~0o077)


def _is_ours(path: Path) -> bool:
    status = path.lstat()
    return status.st_uid == os.getuid() and not stat.S_ISLNK(status.st_mode)


def _user_of(box: Path) -> int:
    return _FIRST_USER + int(hashlib.sha256(str(box).encode()).hexdigest(), 16) % _USERS


def _python_folders(python: Path) -> list[str]:
    """What the interpreter is made of, and the packages that it imports from elsewhere."""
    own = bubblewrap.python_mounts(python)
    parts = [own[place + 1] for place, word in enumerate(own) if word == "--ro-bind"]
    elsewhere = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    return [*parts, *site.getsitepackages(), *elsewhere, str(BOOT_PROGRAM.parent / "kernel_boot.py")]


def _gpu_nodes(gpus: Sequence[int] | None) -> list[str]:
    own = bubblewrap.gpu_mounts(gpus)
    return [own[place + 1] for place, word in enumerate(own) if word == "--dev-bind-try"]


def _check_hidden(system: Sequence[str], hidden: Sequence[Path]) -> None:
    for path in hidden:
        for above in system:
            if path.resolve().is_relative_to(Path(above).resolve()):
                raise SandboxUnavailable(
                    f"{path} would be readable by agent code: the sandbox needs {above}",
                    hint="put the state into a folder of its own: --state /kaggle/working/comind-state",
                )


async def probe(offered: Abilities | None = None) -> SandboxReport:
    """Fence a trial in and see what it reaches: the engine's own files, files for everybody, a socket.

    The report says what is not cut off; it is not ok when the engine's own files can be read.
    """
    offered = offered or abilities()
    place = Path(tempfile.mkdtemp(prefix="comind-fence-"))
    try:
        own, common, work = place / "own", place / "common", place / "work"
        for folder in (own, work):
            folder.mkdir(mode=0o700)
        (own / "file").write_text("of the engine")
        common.write_text("of everybody")
        common.chmod(0o644)
        place.chmod(0o711)
        paths = {"own": str(own / "file"), "common": str(common)}
        argv = command(
            [sys.executable, "-I", "-S", "-c", _TRIAL, json.dumps(paths)],
            box=place / "boxes" / "trial", mounts={}, writable={"/kaggle/working": work},
            cwd="/kaggle/working", environment={}, python=Path(sys.executable), gpus=(), hidden=(),
            offered=offered,
        )  # fmt: skip
        done = await run_batch(argv, limits=BatchLimits(_PROBE_SECONDS))
    except SandboxUnavailable as error:
        return SandboxReport(False, "none", error.message, error.hint)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    try:
        return _report(json.loads(done.stdout), offered)
    except ValueError:
        told = done.stderr.strip() or done.fault or "no answer"
        return SandboxReport(False, "none", f"agent code cannot be fenced in here: {told}", "")


def _report(reached: dict[str, bool], offered: Abilities) -> SandboxReport:
    if reached["own"]:
        return SandboxReport(False, "none", "the fence does not hold: the engine's own files can be read", "")
    open_still = ["the network"] if reached["network"] else []
    open_still += ["files that every user may read"] if reached["common"] else []
    told = f"no namespaces here; agent code is fenced in by {offered.sentence()}"
    told += f"; not cut off: {' and '.join(open_still)}" if open_still else ", without network"
    return SandboxReport(True, "fence", told, "", labels_readable=reached["common"])
