"""What agent code holds on the disk: the real blocks of its workspace, and of files that have no name left.

It measures and judges; the cell is ended in `kaggle_runner.notebook.session`. It never follows a link out of
the workspace.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path

from kaggle_runner.sandbox import processes

_BLOCK = 512  # the unit of st_blocks, whatever the file system's own
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 200
SECONDS_BETWEEN = 0.5
_SHARE = 20  # a look at a folder of very many files may take 1/20 of the time
_SMALL = 16 << 20  # what a cell may always write, however full others made the disk


def free_bytes(folder: Path) -> int:
    """Room left on the disk of `folder`, as this process may use it."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def held_bytes(workspace: Path, pid: int) -> int:
    """Bytes on the disk under `workspace`, 200 folders deep, and in files that the tree of `pid` writes.

    A sparse file counts what it really takes, a file of several names counts once, and one that was deleted
    or lies where the engine may not look counts as long as it is open.
    """
    count = _Count()
    try:
        root = os.open(workspace, _FOLDER)
    except OSError:
        return 0
    try:
        device = os.fstat(root).st_dev
        for member in processes.tree(pid):
            count.open_files(member, device)
        count.folder(root, 0)
    finally:
        os.close(root)
    return count.bytes


class _Count:
    """The sum so far. A running program changes folders while they are read: what is gone is left out."""

    def __init__(self) -> None:
        self.bytes = 0
        self._counted: set[int] = set()

    def folder(self, descriptor: int, depth: int) -> None:
        """Names are opened from their folder: a path could be longer than the system lets one say."""
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    self._entry(descriptor, entry, depth)
        except OSError:
            return

    def _entry(self, parent: int, entry: os.DirEntry[str], depth: int) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return
        self._add(status)
        if not stat.S_ISDIR(status.st_mode) or depth == _DEEPEST:
            return
        try:
            below = os.open(entry.name, _FOLDER, dir_fd=parent)
        except OSError:
            return
        try:
            self.folder(below, depth + 1)
        finally:
            os.close(below)

    def open_files(self, pid: int, device: int) -> None:
        """Files on `device` that `pid` may write: with a name or without, they take room while it does."""
        try:
            handles = list(Path(f"/proc/{pid}/fd").iterdir())
        except OSError:
            return
        for handle in handles:
            try:
                status, writable = handle.stat(), handle.lstat().st_mode & stat.S_IWUSR
            except OSError:
                continue
            if writable and stat.S_ISREG(status.st_mode) and status.st_dev == device:
                self._add(status, open_=True)

    def _add(self, status: os.stat_result, *, open_: bool = False) -> None:
        if status.st_ino in self._counted:
            return
        if open_ or (status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)):
            self._counted.add(status.st_ino)
        self.bytes += status.st_blocks * _BLOCK


class DiskWatch:
    """One cell's disk: what it found, and whether it broke a limit. `begin` it before the cell runs."""

    def __init__(self, workspace: Path, pid: int, limit: int) -> None:
        self._workspace, self._limit = workspace, limit
        self.pid = pid
        """The process above all that write there; 0 before it is started."""
        self._before = 0
        self._next = 0.0
        self._look: asyncio.Task[str] | None = None

    async def begin(self) -> None:
        self._before = await self._held()
        self._next = time.monotonic() + SECONDS_BETWEEN

    def fault(self) -> str:
        """What the code did, to be told after its name, when it broke a limit; else empty.

        Never waits: the folder is read in a thread.
        """
        if self._look is None:
            if time.monotonic() >= self._next:
                self._look = asyncio.create_task(self._measure())
            return ""
        if not self._look.done():
            return ""
        look, self._look = self._look, None
        return look.result()

    def close(self) -> None:
        if self._look is not None:
            self._look.cancel()

    async def _measure(self) -> str:
        started = time.monotonic()
        held = await self._held()
        ended = time.monotonic()
        self._next = ended + max(SECONDS_BETWEEN, _SHARE * (ended - started))
        grown = held - self._before
        if held > self._limit and grown > 0:
            return (
                f"put more than its limit of {self._limit / 1e9:.1f} GB into the working folder. "
                "Its files are still there: delete some first."
            )
        if grown > _SMALL and grown > (free := free_bytes(self._workspace)):
            return (
                f"wrote {grown / 1e9:.1f} GB and left {free / 1e9:.1f} GB of the disk, which others "
                "need too. Its files are still there: delete some first."
            )
        return ""

    async def _held(self) -> int:
        return await asyncio.to_thread(held_bytes, self._workspace, self.pid)
