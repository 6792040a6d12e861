"""One batch process in a sandbox: run to its end or its first broken limit, with what it said.

How it is confined is the business of whoever makes its command (`sandbox.py`). However the call ends, also by
a cancellation at any moment, nothing of the process is left. Linux only.
"""

from __future__ import annotations

import asyncio
import codecs
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

from kaggle_runner.sandbox import processes
from kaggle_runner.sandbox.bubblewrap import MINIMAL_ENVIRONMENT
from kaggle_runner.sandbox.disk import DiskWatch
from kaggle_runner.texts import Ends

Stream = Literal["stdout", "stderr"]

_PIECE = 1 << 18
_KEPT = 1 << 19
_LOOK_SECONDS = 0.25
_LOG_SECONDS = 0.1
_LINE_SECONDS = 0.3
_REAP_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What a batch process may use together with all that it starts; one that breaks a limit is ended."""

    seconds: float
    memory_bytes: int | None = None
    """Of the whole sandbox, its RAM disks included; None: no limit but the machine's."""
    workspace_bytes: int = 20_000_000_000
    """What each folder that it writes to may hold, in real blocks. Nor may it add more than the disk has left
    after it. A folder that is over its limit already may shrink, or stay."""
    processes: int | None = None
    """And four times as many threads; None: no limit but the machine's."""

    @property
    def too_long(self) -> str:
        return f"ran longer than its limit of {self.seconds:.0f} s and was ended."


class Log(Protocol):
    """Takes a process's output as it comes, in whole lines where it can."""

    def write(self, stream: Stream, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Completed:
    """A batch process that ended. Its output is untrusted; each stream keeps its first and last half MB."""

    returncode: int
    """137 for one that was killed."""
    stdout: str
    stderr: str
    seconds: float
    fault: str = ""
    """What it did to be ended ("ran longer than …"), without its name; empty when it ended by itself."""


async def run_batch(
    command: Sequence[str], *, limits: BatchLimits, folders: Sequence[Path] = (), log: Log | None = None
) -> Completed:
    """Run the sandbox that `command` makes, which writes to `folders`.

    With a `log` a process that writes faster than it can be logged has to wait. Call it from the event loop's
    long-lived thread: a sandbox ends with the thread that started it.
    """
    disks = [DiskWatch(folder, 0, limits.workspace_bytes) for folder in folders]
    for disk in disks:
        await disk.begin()
    started = time.monotonic()
    # asyncio's own start of a process has steps between which a cancellation loses it; this is one step
    process = subprocess.Popen(
        command,
        env=MINIMAL_ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for disk in disks:
        disk.pid = process.pid
    assert process.stdout is not None and process.stderr is not None
    outputs = (_Output("stdout", process.stdout), _Output("stderr", process.stderr))
    ended = asyncio.create_task(_follow(process, outputs, log))
    try:
        processes.prefer_for_oom(process.pid)
        fault = await _first_fault(process.pid, ended, started, limits, disks)
    finally:
        try:
            await processes.end(process)
        finally:
            await ended
    stdout, stderr = (output.text() for output in outputs)
    code = process.returncode if process.returncode >= 0 else 137
    return Completed(code, stdout, stderr, time.monotonic() - started, fault)


async def _first_fault(
    pid: int, ended: asyncio.Task[None], started: float, limits: BatchLimits, disks: Sequence[DiskWatch]
) -> str:
    """Wait for the end, or for the first broken limit, and tell that."""
    deadline = started + limits.seconds
    try:
        while True:
            left = deadline - time.monotonic()
            await asyncio.wait({ended}, timeout=max(0.0, min(_LOOK_SECONDS, left)))
            if ended.done():
                return ""
            if time.monotonic() >= deadline:
                return limits.too_long
            used = processes.fault(pid, limits.memory_bytes, limits.processes)
            if fault := next(filter(None, (used, *(disk.fault() for disk in disks))), ""):
                return fault
    finally:
        for disk in disks:
            disk.close()


async def _follow(process: subprocess.Popen[bytes], outputs: Sequence[_Output], log: Log | None) -> None:
    """Take all that comes until both streams and the process have ended.

    In the log what came first is written first, a few times a second.
    """
    reading = asyncio.gather(*(output.read(logged=log is not None) for output in outputs))
    while log is not None and not reading.done():
        await asyncio.wait({reading}, timeout=_LOG_SECONDS)
        for output in sorted(outputs, key=lambda output: output.since):
            log.write(output.name, output.take(everything=reading.done()))
    await reading
    while process.poll() is None:
        await asyncio.sleep(_REAP_SECONDS)


class _Output:
    """What came through one stream: its beginning and end, and what is not in the log yet."""

    def __init__(self, name: Stream, pipe: IO[bytes]) -> None:
        self.name, self._pipe = name, pipe
        self._ends = Ends(2 * _KEPT, front=_KEPT)
        self._waiting = ""
        self.since = 0.0
        """When the first of what waits for the log came."""

    async def read(self, *, logged: bool) -> None:
        """Until the stream ends."""
        stream = asyncio.StreamReader(limit=_PIECE)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), self._pipe
        )
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while chunk := await stream.read(_PIECE):
            self._take_in(decoder.decode(chunk), logged=logged)
            while len(self._waiting) > _PIECE:
                await asyncio.sleep(_LOG_SECONDS)
        self._take_in(decoder.decode(b"", final=True), logged=logged)

    def _take_in(self, text: str, *, logged: bool) -> None:
        self._ends.add(text)
        if not logged:
            return
        if not self._waiting:
            self.since = time.monotonic()
        self._waiting += text

    def take(self, *, everything: bool) -> str:
        """Whole lines; also the rest when it is long, or has waited long, as progress bars do."""
        late = time.monotonic() - self.since > _LINE_SECONDS
        if everything or late or len(self._waiting) > _PIECE:
            taken, self._waiting = self._waiting, ""
        else:
            lines, end, self._waiting = self._waiting.rpartition("\n")
            taken = lines + end
        return taken

    def text(self) -> str:
        return self._ends.text()
