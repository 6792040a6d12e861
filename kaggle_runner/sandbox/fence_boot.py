"""The program that fences one process in where namespaces are forbidden: `fence_boot.py SPEC` (JSON).

Three processes: the one that is started and may be killed at any time, a keeper that then ends everything
inside (nothing inside can outlive or leave it), and the fenced process itself, behind Landlock, another user
and a filter of system calls, as far as this system has them. It stands alone and knows nothing of agents:
`fence.py` decides what is fenced, and how.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import select
import shutil
import signal
import struct
import sys
from pathlib import Path
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_PDEATHSIG, _NO_NEW_PRIVS, _SECCOMP, _SUBREAPER, _BOUNDING_DROP = 1, 38, 22, 36, 24
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_CAPSET = {"x86_64": 126, "aarch64": 91}
_LAST_CAPABILITY = 40

_EXECUTE, _WRITE, _READ, _LIST, _TRUNCATE, _IOCTL = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _IOCTL
_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many of the rights to files each version of Landlock knows; later ones know as many as the fifth."""
_NET_ALL, _SCOPE_ALL = 0b11, 0b11  # TCP bind and connect; abstract sockets and signals

_ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""Name → (as the filter sees it, number of socket(2))."""
_IO_URING = 425
_X32 = 0x40000000
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | 13  # SECCOMP_RET_ERRNO with EACCES
_LOCAL_FAMILIES = (1, 16)  # Unix, netlink


def landlock_version() -> int:
    """Of the running kernel; 0 where there is no Landlock."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def main(spec: dict[str, Any]) -> int:
    """Build the box, run the fenced process, and return its exit code (128 + the signal that killed it)."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    _prctl(_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != spec["engine"]:
        return 1  # the engine ended before this line could follow it
    os.umask(0o022)
    _build(spec)
    alive, held = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(held)
        os._exit(_keep(spec, alive))
    os.close(alive)
    return _code(os.waitpid(keeper, 0)[1])


# --- the box: the folders that the fenced process sees as /kaggle/…


def _build(spec: dict[str, Any]) -> None:
    """Lay out the box anew. With another user, only that user may enter it, and own what it may write."""
    box, uid = Path(spec["box"]), spec["uid"]
    shutil.rmtree(box, ignore_errors=True)
    box.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    if box.parent.is_symlink() or box.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{box.parent} belongs to somebody else")
    box.mkdir(mode=0o750)
    for inside, outside in sorted(spec["inputs"].items()):
        _show(Path(outside), Path(f"{box}{inside}"), hard=uid is not None)
    for inside, outside in spec["writable"].items():
        if inside != outside:
            Path(f"{box}{inside}").parent.mkdir(parents=True, exist_ok=True)
            Path(f"{box}{inside}").symlink_to(outside)
    home = box / "tmp" / "home"
    home.mkdir(parents=True, exist_ok=True)
    if uid is None:
        return
    os.chown(box, -1, uid)
    for folder in (box / "tmp", *map(Path, spec["writable"].values())):
        _give(folder, uid)
    for way in (box.parent, *(Path(folder).parent for folder in spec["writable"].values())):
        _let_pass(way, spec["state"], box.parent)


def _show(source: Path, target: Path, *, hard: bool) -> None:
    """Make `source` appear as `target`. Hard links give another user the files without the way to them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        target.mkdir(exist_ok=True)
        for entry in source.iterdir():
            if hard:
                _show(entry, target / entry.name, hard=True)
            else:
                (target / entry.name).symlink_to(entry)
    elif hard and _linked(source, target):
        target.chmod(source.stat().st_mode | 0o444)
    else:
        target.symlink_to(source)


def _linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:  # another disk: the user must be able to reach it there
        return False
    return True


def _give(folder: Path, uid: int) -> None:
    """All of `folder` to the user; links are not followed."""
    os.chown(folder, uid, uid)
    folder.chmod(0o700)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(place, name), uid, uid, follow_symlinks=False)


def _let_pass(folder: Path, state: str, boxes: Path) -> None:
    """Everybody may pass through to what is below, list nothing, and reach nothing else of the state."""
    for one in (folder, *folder.parents):
        if one.is_relative_to(state) and one != boxes:
            _close_beside(one)
        mode = one.stat().st_mode
        if not mode & 0o001:
            one.chmod(mode | 0o001)


def _close_beside(folder: Path) -> None:
    """What lies in `folder` is for its owner; folders that others may only pass through are left."""
    for entry in os.scandir(folder):
        status = entry.stat(follow_symlinks=False)
        ours = status.st_uid == os.getuid() and not entry.is_symlink()
        if ours and status.st_mode & 0o066:
            os.chmod(entry.path, status.st_mode & ~0o077)  # noqa: PTH101 (no object for each of many entries)


# --- the keeper


def _keep(spec: dict[str, Any], alive: int) -> int:
    """Run the fenced process; when it ends, or the pipe says that our starter did, end all that is left."""
    os.setsid()
    _prctl(_SUBREAPER, 1)
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    keeper = os.getpid()
    fenced = os.fork()
    if fenced == 0:
        _run(spec, keeper)
    status: int | None = None
    while status is None:
        ready = select.select([alive, woken], [], [])[0]
        if alive in ready:
            break
        os.read(woken, 4096)
        status = _reap(fenced)
    _end_all()
    return _code(status) if status is not None else 137


def _reap(fenced: int) -> int | None:
    """Collect what has ended; the status of the fenced process when it is among that."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == fenced:
            found = status


def _end_all() -> None:
    """Orphans become children of the keeper, so this ends when nothing is left, whatever forks meanwhile."""
    while members := _descendants(os.getpid()):
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found[1:]


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# --- the fenced process


def _run(spec: dict[str, Any], keeper: int) -> None:
    """Give everything up, then become the program. Never returns."""
    try:
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        rules = _rules(spec) if spec["landlock"] else -1
        _give_up_rights(spec["uid"])
        _prctl(_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        os.chdir(spec["cwd"])
        if rules >= 0:
            _call(_RESTRICT_SELF, rules, ctypes.c_uint32(0))
            os.close(rules)
        if spec["filter"]:
            _close_network()
        os.execvpe(spec["argv"][0], spec["argv"], spec["environment"])
    except BaseException as error:  # whatever it was: no line of the engine's code may run on in here
        os.write(2, f"fence: {type(error).__name__}: {error}\n".encode())
    os._exit(1)


def _give_up_rights(uid: int | None) -> None:
    """No privilege is left, and none can be had again."""
    for capability in range(_LAST_CAPABILITY + 1):
        _LIBC.prctl(_BOUNDING_DROP, capability, 0, 0, 0)  # refused to whoever has no privilege: well enough
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    number = _CAPSET.get(platform.machine())
    if number is not None:
        header = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
        _call(number, header, ctypes.create_string_buffer(24))
    _prctl(_NO_NEW_PRIVS, 1)


def _rules(spec: dict[str, Any]) -> int:
    """A ruleset of Landlock: the system can be read, inputs too, and the working folders can be written."""
    version = landlock_version()
    everything = (1 << _RIGHTS_BY_VERSION.get(version, 16)) - 1
    scope = (_SCOPE_ALL,) if version >= 6 else ()
    parts = (everything, *((_NET_ALL,) if version >= 4 else ()), *scope)
    attributes = struct.pack(f"{len(parts)}Q", *parts)
    rules = _call(
        _CREATE_RULESET, ctypes.create_string_buffer(attributes), ctypes.c_size_t(len(attributes)), 0
    )
    box = spec["box"]
    reading = _EXECUTE | _READ | _LIST
    for path in (*spec["system"], *spec["inputs"].values(), box):
        _allow(rules, path, reading & everything)
    for path in spec["devices"]:
        _allow(rules, path, (_READ | _WRITE | _TRUNCATE | _IOCTL) & everything)
    # CUDA names its threads there. Root's /proc holds the system's switches too; another user's only its own.
    own = "/proc" if spec["uid"] is not None else "/proc/self"
    _allow(rules, own, (reading | _WRITE | _TRUNCATE) & everything)
    writing = everything & ~(_MAKE_CHAR | _MAKE_BLOCK)
    for path in (*spec["writable"].values(), f"{box}/tmp", "/dev/shm"):
        _allow(rules, path, writing)
    return rules


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not os.path.isdir(path):  # noqa: PTH112 (text: no object is made for each of many paths)
            rights &= _OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place))
        _call(_ADD_RULE, rules, 1, rule, 0)
    finally:
        os.close(place)


def _close_network() -> None:
    """No socket but Unix and netlink ones: neither TCP nor UDP, nor any other way out."""
    architecture, socket = _ARCHITECTURES[platform.machine()]
    load, equal, above, give = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4), (equal, 0, 8, architecture),
        (load, 0, 0, 0), (above, 6, 0, _X32), (equal, 5, 0, _IO_URING), (equal, 0, 3, socket),
        (load, 0, 0, 16), (equal, 1, 0, _LOCAL_FAMILIES[0]), (equal, 0, 1, _LOCAL_FAMILIES[1]),
        (give, 0, 0, _ALLOW), (give, 0, 0, _DENY),
    ]  # fmt: skip
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    pointer = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    _prctl(_SECCOMP, 2, ctypes.addressof(pointer))


def _call(number: int, *arguments: Any) -> int:
    done = int(_LIBC.syscall(ctypes.c_long(number), *arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}: {os.strerror(ctypes.get_errno())}")
    return done


def _prctl(option: int, value: int, more: int = 0) -> None:
    if _LIBC.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(more), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    try:
        _ended = main(json.loads(sys.argv[1]))
    except OSError as problem:
        sys.stderr.write(f"fence: {problem}\n")
        _ended = 1
    sys.exit(_ended)
