"""One run of a pushed script or notebook in the sandbox, under its limits, with its log written as it comes.

What a run may see is decided by its `Sandbox`; when it starts and what is kept of it, in `kernel_runs.py`.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import copy
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_runner import bubblewrap, processes
from kaggle_runner.disk import DiskWatch
from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.sandbox import Sandbox
from kaggle_runner.session import CellLimits, NotebookSession
from mle_live.kernel_files import KernelLog, Stream

SCRIPT_INSIDE = "/kaggle/src/script.py"
"""Where Kaggle puts a script; tracebacks name it."""

_PIECE = 1 << 18
_LOG_SECONDS = 0.1
_LINE_SECONDS = 0.3
_WATCH_SECONDS = 0.25
_KILL_SECONDS = 0.05
_LAST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class RunLimits:
    """What one run may use; whatever breaks one is ended with everything it started."""

    seconds: float
    memory_bytes: int
    working_bytes: int
    log_bytes: int
    processes: int


@dataclass(slots=True)
class Outcome:
    """How a run ended: `failure` is empty for a success. `notebook` is the executed one."""

    failure: str = ""
    notebook: dict[str, Any] | None = None


async def run_script(sandbox: Sandbox, source: Path, log: KernelLog, limits: RunLimits) -> Outcome:
    """Run a Python file as Kaggle does: from /kaggle/src, in /kaggle/working. Raises SandboxUnavailable.

    Call it from an event loop's long-lived thread. When cancelled, nothing of the script is left.
    """
    command = sandbox.command([sys.executable, "-u", SCRIPT_INSIDE], read_only={SCRIPT_INSIDE: source})
    process = await _start(command)
    assert process.stdout is not None and process.stderr is not None
    processes.prefer_for_oom(process.pid)
    pipes = (_Pipe("stdout", process.stdout), _Pipe("stderr", process.stderr))
    writing = asyncio.create_task(_write_log(pipes, log))
    ended = asyncio.create_task(process.wait())
    try:
        broken = await _watch(process.pid, sandbox.workspace, ended, limits)
    finally:
        await _end(process)
        await writing
    said = pipes[1].last
    if process.returncode == 1 and said.startswith("bwrap: "):
        raise SandboxUnavailable(f"the sandbox did not start: {said.strip()}", hint=bubblewrap.explain(said))
    if broken or process.returncode == 0:
        return Outcome(broken)
    error = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    return Outcome(f"The script ended with exit code {process.returncode}. {error[:500]}".strip())


async def _start(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Start the sandbox; when cancelled meanwhile, it is ended as a whole."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *command,
            env=bubblewrap.MINIMAL_ENVIRONMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_PIECE,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _end(await starting)
        raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill the sandbox and all in it.

    bwrap's inner process dies with the outer one only once it has asked for that. One that had just begun is
    found by its end of our pipes: while it lives they do not end, and asyncio does not tell the outer's end.
    """
    members = processes.tree(process.pid) if process.returncode is None else []
    transport: Any = process._transport  # type: ignore[attr-defined]
    pipes = [transport.get_pipe_transport(number).get_extra_info("pipe") for number in (1, 2)]
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    ending = asyncio.ensure_future(process.wait())
    while not (await asyncio.wait({ending}, timeout=_KILL_SECONDS))[0]:
        for holder in processes.holders_of(pipes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(holder, signal.SIGKILL)
    await processes.gone(members)


async def run_notebook(
    sandbox: Sandbox, notebook: dict[str, Any], log: KernelLog, limits: RunLimits, folder: Path
) -> Outcome:
    """Run the cells one after another until one fails. Raises SandboxUnavailable.

    `folder` takes what the session writes while it runs. The outcome's notebook has the outputs.
    """
    executed = copy.deepcopy(notebook)
    started = time.monotonic()
    async with _watched_session(sandbox, folder, limits) as (session, crowded):
        for number, cell in enumerate(executed["cells"]):
            source = _joined(cell.get("source"))
            if cell.get("cell_type") != "code" or not source.strip():
                continue
            left = limits.seconds - (time.monotonic() - started)
            if left <= 0:
                return Outcome(_too_long(limits), executed)
            cell_log = folder / f"cell-{number}.log"
            cell_limits = CellLimits(left, limits.memory_bytes, limits.working_bytes, limits.log_bytes)
            async with _Follower(cell_log, log):
                result = await session.execute(source, log_path=cell_log, limits=cell_limits)
            cell["outputs"], cell["execution_count"] = result.outputs, result.execution_count
            if crowded.is_set():
                return Outcome(_too_many(limits), executed)
            if result.status == "timeout":
                return Outcome(_too_long(limits), executed)
            if result.status != "ok" and not _may_fail(cell):
                error = f"{result.error_name}: {result.error_value}" if result.error_name else result.detail
                return Outcome(f"Cell {number + 1} failed. {error[:500]}", executed)
    return Outcome("", executed)


@contextlib.asynccontextmanager
async def _watched_session(
    sandbox: Sandbox, folder: Path, limits: RunLimits
) -> AsyncIterator[tuple[NotebookSession, asyncio.Event]]:
    """A session, and an event that is set when it was closed for starting too many processes."""
    session = NotebookSession(sandbox, log_dir=folder, name="kernel")
    crowded = asyncio.Event()

    async def watch() -> None:
        while not _is_crowded(session.pid, limits):
            await asyncio.sleep(_WATCH_SECONDS)
        crowded.set()
        await session.close()

    async with session:
        watching = asyncio.create_task(watch())
        try:
            yield session, crowded
        finally:
            if not crowded.is_set():  # else it is closing the session, and must come to its end
                watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def _is_crowded(pid: int, limits: RunLimits) -> bool:
    """True with too many processes, or threads: those are what a machine runs out of, for everybody."""
    members = processes.tree(pid)
    return len(members) > limits.processes or sum(map(_threads, members)) > 4 * limits.processes


def _threads(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}/task").stat().st_nlink - 2
    except OSError:  # it ended
        return 0


async def _watch(pid: int, workspace: Path, ended: asyncio.Task[int], limits: RunLimits) -> str:
    """Wait for the end; the sentence to tell when a limit was broken first."""
    deadline = time.monotonic() + limits.seconds
    disk = DiskWatch(workspace, pid, limits.working_bytes)
    try:
        await disk.begin()
        while True:
            done, _ = await asyncio.wait({ended}, timeout=_WATCH_SECONDS)
            if done:
                return ""
            if time.monotonic() >= deadline:
                return _too_long(limits)
            if _is_crowded(pid, limits):
                return _too_many(limits)
            if processes.over_limit(pid, limits.memory_bytes):
                return f"The kernel used more than its {limits.memory_bytes / 2**30:.1f} GiB of memory."
            if fault := disk.broken():
                return fault
    finally:
        disk.close()


class _Pipe:
    """What came through one of a script's streams and is not in the log yet."""

    def __init__(self, name: Stream, stream: asyncio.StreamReader) -> None:
        self.name, self._stream = name, stream
        self.since = 0.0
        self._waiting = self.last = ""

    async def read(self) -> None:
        """Take all that comes, and let the script wait when it is too fast for the log."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        while chunk := await self._stream.read(_PIECE):
            self._add(decoder.decode(chunk))
            while len(self._waiting) > _PIECE:
                await asyncio.sleep(_LOG_SECONDS)
        self._add(decoder.decode(b"", final=True))

    def _add(self, text: str) -> None:
        if not self._waiting:
            self.since = time.monotonic()
        self._waiting += text
        self.last = (self.last + text)[-_LAST_WORDS:]

    def take(self, *, everything: bool) -> str:
        """Whole lines; also the rest when it is long, or has waited long, as progress bars do."""
        late = time.monotonic() - self.since > _LINE_SECONDS
        if everything or late or len(self._waiting) > _PIECE:
            taken, self._waiting = self._waiting, ""
        else:
            lines, end, self._waiting = self._waiting.rpartition("\n")
            taken = lines + end
        return taken


async def _write_log(pipes: Sequence[_Pipe], log: KernelLog) -> None:
    """Until both streams end: what came first is written first, a few times a second."""
    reading = asyncio.gather(*(pipe.read() for pipe in pipes))
    while not reading.done():
        await asyncio.wait({reading}, timeout=_LOG_SECONDS)
        for pipe in sorted(pipes, key=lambda pipe: pipe.since):
            log.write(pipe.name, pipe.take(everything=reading.done()))
    await reading


class _Follower:
    """Copies a cell's log to the kernel's as it grows; the file is removed at the end."""

    def __init__(self, path: Path, log: KernelLog) -> None:
        self._path, self._log = path, log
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._follow())

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        while self._copy():
            pass
        self._path.unlink(missing_ok=True)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOG_SECONDS)
            self._copy()

    def _copy(self) -> bool:
        if not self._path.exists():
            return False
        with self._path.open("rb") as file:
            file.seek(self._offset)
            piece = file.read(_PIECE)
        self._offset += len(piece)
        self._log.write("stdout", self._decoder.decode(piece))
        return bool(piece)


def read_notebook(text: str) -> dict[str, Any]:
    """The notebook in `text` (nbformat 4). Raises ValueError with a reason when it is none that runs here."""
    notebook: Any = json.loads(text)
    if not isinstance(notebook, dict):
        raise ValueError("it is no JSON object")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("it has no list of cells")
    metadata: Any = notebook.get("metadata")
    spec: Any = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = str(spec.get("language") or "python") if isinstance(spec, dict) else "python"
    if language.lower() != "python":
        raise ValueError(f"its language is {language!r}; Python runs here")
    return notebook


def _may_fail(cell: dict[str, Any]) -> bool:
    """True for a cell with Jupyter's tag for an error that is meant."""
    metadata: Any = cell.get("metadata")
    tags: Any = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and "raises-exception" in tags


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")


def _too_long(limits: RunLimits) -> str:
    return f"The kernel ran longer than its limit of {limits.seconds:.0f} s and was ended."


def _too_many(limits: RunLimits) -> str:
    most = f"more than {limits.processes} processes, or four times as many threads,"
    return f"The kernel started {most} and was ended."
