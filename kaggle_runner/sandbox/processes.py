"""A sandbox's process tree seen from outside: who is in it, what memory it holds, and its end.

Linux only (it reads /proc); it never looks at processes outside the tree of the pid it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from kaggle_runner.machine import stat_fields

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TMPFS = ("tmp", "dev", "dev/shm")


def tree(pid: int) -> list[int]:
    """`pid` and its descendants that are alive now, parents first."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def memory_bytes(pid: int) -> int:
    """What the tree holds at a glance: resident sizes (shared pages count in each process) and RAM disks."""
    pids = tree(pid)
    return sum(map(_resident, pids)) + _ram_disks(pids)


def private_memory_bytes(pid: int) -> int:
    """The same with shared pages counted once and file caches left out: slower, for the verdict."""
    pids = tree(pid)
    anonymous = shared = 0
    for member in pids:
        try:
            fields = dict(
                line.split(":", 1)
                for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:]
            )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        anonymous += _kilobytes(fields.get("Pss_Anon", fields.get("Pss", "0 kB")))
        shared += _kilobytes(fields.get("Pss_Shmem", "0 kB"))
    return anonymous + max(shared, _ram_disks(pids))


def fault(pid: int, memory: int | None, most: int | None) -> str:
    """What the tree did, to be told after its name, when it broke a limit; else empty.

    It may hold `memory` bytes, and be `most` processes or four times as many threads: a machine runs out of
    those for everybody.
    """
    if most is not None:
        members = tree(pid)
        if len(members) > most or sum(map(_threads, members)) > 4 * most:
            return f"started more than {most} processes, or four times as many threads, and was ended."
    if memory is not None and memory_bytes(pid) > memory and (held := private_memory_bytes(pid)) > memory:
        return f"used {held / 2**30:.1f} GiB of memory; the limit is {memory / 2**30:.1f} GiB."
    return ""


def prefer_for_oom(pid: int) -> None:
    """Ask the system's out-of-memory killer to take this tree before the engine. Children inherit it."""
    for member in tree(pid):
        try:
            Path(f"/proc/{member}/oom_score_adj").write_text("800")
        except OSError:
            continue  # ended, or not ours to set: the watchdog still guards the limit


async def gone(pids: Sequence[int], seconds: float = 5.0) -> bool:
    """Wait until none of `pids` is alive; False when some still is after `seconds`."""
    deadline = time.monotonic() + seconds
    while any(map(_alive, pids)):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def end(process: subprocess.Popen[bytes]) -> None:
    """End a sandbox and everything in it, at any moment after its start, and wait until all that is gone.

    Bubblewrap's inner process follows the outer one's end only once it has asked for that. So the outer one
    is stopped first: from then on it starts nothing that we would not see.
    """
    process.send_signal(signal.SIGSTOP)
    try:
        while process.poll() is None and _state(process.pid) not in "TtZX":
            await asyncio.sleep(0.001)
    finally:
        members = kill(process)
    await gone(members)
    process.poll()


def kill(process: subprocess.Popen[bytes]) -> list[int]:
    """Kill a sandbox that has come up, without waiting; who was in it.

    With the first process of a namespace the system ends all others there. A fence has none: its keeper
    (`fence_boot.py`) sees the end of the one that is killed here, and ends the rest.
    """
    if process.poll() is not None:
        return []  # its number may be another's by now
    members = tree(process.pid)
    for member in members:
        if _begins_namespace(member):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
    process.kill()
    return members


def _begins_namespace(pid: int) -> bool:
    """True for a process that is number 1 in a namespace of processes below ours."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    numbers = status.partition("NSpid:")[2].partition("\n")[0].split()
    return len(numbers) > 1 and numbers[-1] == "1"


def _alive(pid: int) -> bool:
    return _state(pid) not in "ZX"


def _state(pid: int) -> str:
    """The system's letter for it: T when it is stopped, Z when it ended and was not reaped, X when gone."""
    return next(iter(stat_fields(pid)), "X")


def _threads(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}/task").stat().st_nlink - 2
    except OSError:  # it ended
        return 0


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0


def _ram_disks(pids: Sequence[int]) -> int:
    """Bytes in the sandbox's own tmpfs mounts, which no process's resident size shows until mapped."""
    used: dict[int, int] = {}
    for name in _TMPFS:
        path = f"/proc/{pids[-1]}/root/{name}"
        try:
            device = os.stat(path).st_dev  # noqa: PTH116
            if device == Path("/", name).stat().st_dev:
                continue  # a fenced process has the system's own: what lies there is not its alone
            disk = os.statvfs(path)
            used[device] = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        except OSError:
            continue
    return sum(used.values())


def _kilobytes(field: str) -> int:
    return int(field.split()[0]) * 1024
