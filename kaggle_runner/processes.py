"""A sandbox's process tree seen from outside: who is in it, what memory it holds, and its end.

Linux only (it reads /proc); it never looks at processes outside the tree of the pid it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

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


def over_limit(pid: int, limit: int | None) -> int:
    """The bytes held when the tree is over its limit, else 0."""
    if limit is None or memory_bytes(pid) <= limit:
        return 0
    held = private_memory_bytes(pid)
    return held if held > limit else 0


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


def holders_of(pipes: Sequence[IO[bytes]]) -> list[int]:
    """Other processes whose output or errors go into one of these pipes, as far as we may look."""
    names = set()
    for pipe in pipes:
        with contextlib.suppress(OSError, ValueError):  # it is closed
            names.add(f"pipe:[{os.fstat(pipe.fileno()).st_ino}]")
    found = []
    for entry in Path("/proc").iterdir():
        if names and entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                ends = {str((entry / "fd" / number).readlink()) for number in ("1", "2")}
            except OSError:
                continue  # ended, or not ours
            if names & ends:
                found.append(int(entry.name))
    return found


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


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
