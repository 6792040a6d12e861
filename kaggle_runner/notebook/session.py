"""A live notebook for one agent: cells run one after the other in a sandboxed kernel that keeps its state.

Limits hold while a cell runs, not only between cells. A kernel that ends is noticed, told, and replaced by
the next cell. What agents do with the results, and what is stored of them, is not known here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.notebook.cell import CellLimits, CellProgress, CellResult
from kaggle_runner.notebook.cell_end import CellEnd, RunningCell, died, from_reply, result_of, stubborn
from kaggle_runner.notebook.transcript import CellOutputs
from kaggle_runner.packages.overlay import installed
from kaggle_runner.sandbox.disk import DiskWatch
from kaggle_runner.sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from kaggle_runner.notebook.kernel import KernelProcess

__all__ = ["CellLimits", "CellProgress", "CellResult", "NotebookSession"]

GRACE_SECONDS = 7.0
"""How long a cell may take to obey each of its two interrupts before its kernel is killed."""
OUTPUT_SECONDS = 1.0
"""How long to wait for more of the output once the cell is done, before the kernel is asked for another end
mark: the first may have been dropped, or a busy machine needs its time."""
_ASKED_IN_VAIN = 60
"""A kernel that was asked so often and sent nothing will send nothing more."""
LAST_SECONDS = 5.0
"""The longest wait for what an ended kernel had sent: a process that it left may hold its channel open."""
_LOOKS_FOR_REPLY = 80
"""After the end mark; ten a second at most."""
LOOK_SECONDS = 0.25
FLOOD = 4
"""A kernel that sends this many times the log's bound has bypassed its own bounds and is killed."""
SLICE_CHARACTERS = 1 << 15

_LOST_PACKAGES = "The kernel did not start with the packages that were installed, so these were removed."

_NOT_A_MESSAGE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""Reading what does not follow the protocol raises these. Agent code holds the kernel's sockets and may send
anything, so such messages are skipped."""


class NotebookSession:
    """`async with NotebookSession(sandbox, log_dir=…, name="r1-a2") as notebook: await notebook.execute(…)`.

    Use it from one event loop. `interrupt` and `progress` may be called while `execute` runs; a second
    `execute` waits for the first. A cancelled `execute` ends the kernel.
    """

    def __init__(self, sandbox: Sandbox, *, log_dir: Path, name: str) -> None:
        self._sandbox = sandbox
        self._crash_report = log_dir / f"{name}.kernel.log"
        self._kernel: KernelProcess | None = None
        self._cell: RunningCell | None = None
        self._one_at_a_time = asyncio.Lock()
        self._closed = False
        self._guard: asyncio.Task[None] | None = None
        self._lost_because = ""
        self.generation = 0
        """How many kernels there have been; variables do not pass from one to the next."""
        self._lost_packages = False

    @property
    def alive(self) -> bool:
        """True when a kernel holds this notebook's variables."""
        return self._kernel is not None and self._kernel.exit_code() is None

    @property
    def pid(self) -> int:
        """The process above everything in the sandbox; 0 while there is none."""
        return self._kernel.pid if self._kernel is not None else 0

    async def start(self) -> float:
        """Start the first kernel; seconds until it could run a cell. Raises SandboxUnavailable."""
        return 0.0 if self.alive else await self._launch()

    async def restart(self) -> float:
        """A fresh kernel, without variables; seconds until it could run a cell."""
        async with self._one_at_a_time:
            return await self._launch()

    async def close(self) -> None:
        """End the kernel and everything that it started. Safe to call twice, and while a cell runs."""
        self._closed = True
        await self._drop_kernel()

    async def __aenter__(self) -> NotebookSession:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def progress(self) -> CellProgress | None:
        """How the running cell is doing; None between cells."""
        cell = self._cell
        if cell is None:
            return None
        now = time.monotonic()
        return CellProgress(
            now - cell.started,
            now - max(cell.started, cell.outputs.last_output_at),
            cell.outputs.tail(),
            cell.memory,
        )

    async def interrupt(self, reason: str) -> None:
        """Stop the running cell, and return when it has stopped (at once when none runs).

        Two interrupts, seven seconds apart; a cell that survives both loses its kernel.
        """
        if self._cell is not None:
            self._cell.ask_to_stop("stopped", reason)
            await self._cell.finished.wait()

    async def execute(self, code: str, *, log_path: Path, limits: CellLimits) -> CellResult:
        """Run one cell to its end or its limits; everything it prints goes to `log_path` as it comes.

        Errors of the code are results, not exceptions. Raises SandboxUnavailable when no kernel starts.
        """
        async with self._one_at_a_time:
            lost_before = await self._ensure_kernel()
            cell = self._cell = RunningCell(CellOutputs(log_path, limits.log_bytes), limits, time.monotonic())
            try:
                end = await self._run(cell, code)
            except BaseException:
                # Cancelled, or the channel broke: what still runs in that kernel belongs to nobody.
                await self._drop_kernel()
                raise
            finally:
                self._cell = None
                cell.outputs.close()
                cell.finished.set()
            generation = self.generation
            if end.kernel_lost:
                await self._drop_kernel()
            elif self._kernel is not None:
                self._guard = asyncio.create_task(self._guard_between_cells(self._kernel, limits))
            return result_of(cell, end, generation, lost_before)

    async def _ensure_kernel(self) -> str:
        """Start a kernel where none is alive; the sentence to tell when variables were lost by that."""
        self._end_guard()
        told = ""
        if not self.alive:
            first = self.generation == 0
            why, self._lost_because = self._lost_because, ""
            await self._launch()
            if not first:
                told = f"{why}A fresh kernel was started: variables and imports of earlier cells are gone."
        if self._lost_packages:
            self._lost_packages = False
            told = f"{told} {_LOST_PACKAGES}".strip()
        return told

    async def _guard_between_cells(self, kernel: KernelProcess, limits: CellLimits) -> None:
        """What a cell left running keeps the cell's limits, or the kernel is ended."""
        disk = DiskWatch(self._sandbox.workspace, kernel.pid, limits.workspace_bytes)
        try:
            await disk.begin()
            while kernel.exit_code() is None:
                await asyncio.sleep(LOOK_SECONDS)
                if fault := kernel.fault(limits) or disk.fault():
                    self._lost_because = f"What an earlier cell left running {fault} "
                    kernel.kill()
                    return
        finally:
            disk.close()

    def _end_guard(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None

    async def _launch(self) -> float:
        from kaggle_runner.notebook.kernel import KernelProcess

        started = time.monotonic()
        await self._drop_kernel()
        try:
            kernel = await KernelProcess.launch(self._sandbox, crash_report=self._crash_report)
        except SandboxUnavailable:
            if not self._sandbox.installs or not installed(self._sandbox.workspace):
                raise
            # what agent code installed may be another version of what a kernel needs
            kernel = await KernelProcess.launch(
                self._sandbox, crash_report=self._crash_report, without_installed=True
            )
            self._lost_packages = True
        if self._closed:
            await kernel.close()
            raise RuntimeError("the notebook session was closed while its kernel started")
        self._kernel = kernel
        self.generation += 1
        return time.monotonic() - started

    async def _drop_kernel(self) -> None:
        self._end_guard()
        if self._kernel is not None:
            kernel, self._kernel = self._kernel, None
            await kernel.close()

    async def _run(self, cell: RunningCell, code: str) -> CellEnd:
        assert self._kernel is not None
        kernel = self._kernel
        cell.memory = kernel.memory_bytes()
        disk = DiskWatch(self._sandbox.workspace, kernel.pid, cell.limits.workspace_bytes)
        await disk.begin()
        message = kernel.client.execute(self._sandbox.localized(code), allow_stdin=False)
        ends = {message}
        idle = asyncio.create_task(_gather_outputs(kernel.client, ends, cell.outputs))
        reply = asyncio.create_task(_await_reply(kernel.client, message))
        try:
            end = await self._watch(cell, kernel, disk, reply, idle)
            if not end.kernel_lost:
                await _rest_of_output(cell, kernel.client, ends, idle)
            else:
                await _last_of_output(cell, kernel, idle)
            return end
        finally:
            disk.close()
            for task in (idle, reply):
                task.cancel()
            await asyncio.gather(idle, reply, return_exceptions=True)

    async def _watch(
        self,
        cell: RunningCell,
        kernel: KernelProcess,
        disk: DiskWatch,
        reply: asyncio.Task[dict[str, Any]],
        idle: asyncio.Task[None],
    ) -> CellEnd:
        """Until the reply comes: deaths, limits, and the steps of a stop."""
        look_at, looks_for_reply = 0.0, 0
        fault = ""
        while not reply.done():
            await _first(reply, cell.woken.wait(), seconds=0.1)
            cell.woken.clear()
            now = time.monotonic()
            if reply.done():
                break
            if not await kernel.alive() or self._kernel is not kernel:
                return died(kernel, closed=self._closed)
            if idle.done() and (failure := idle.exception()):
                raise failure
            if now >= look_at:
                look_at = now + LOOK_SECONDS
                cell.memory = kernel.memory_bytes()
                fault = kernel.fault(cell.limits)
            if cell.outputs.received > FLOOD * cell.limits.log_bytes:
                fault = "sent far more output than its log may hold; its kernel was ended."
            if fault := fault or disk.fault():
                kernel.kill()
                return CellEnd("died", f"The cell {fault}", True)
            if now - cell.started > cell.limits.seconds:
                cell.ask_to_stop("timeout", f"the cell's limit of {cell.limits.seconds:.0f} s was reached")
            if cell.stop and await self._stop_step(cell, kernel, now):
                return CellEnd(cell.stop, stubborn(cell), True)
            # The end mark without a reply: the reply was lost, or will never fit through the channel.
            looks_for_reply += idle.done()
            if looks_for_reply > _LOOKS_FOR_REPLY:
                return CellEnd("error" if cell.outputs.error_name else "ok", "The kernel's reply was lost.")
        if self._kernel is not kernel:  # closed under the cell: its channels broke
            return died(kernel, closed=True)
        return from_reply(cell, reply.result())

    async def _stop_step(self, cell: RunningCell, kernel: KernelProcess, now: float) -> bool:
        """The next step of the ladder when it is due; True when the kernel had to be killed."""
        if now < cell.next_step_at:
            return False
        if cell.interrupts == 2:
            kernel.kill()
            return True
        await kernel.interrupt()
        cell.interrupts += 1
        cell.next_step_at = now + GRACE_SECONDS
        return False


async def _first(task: asyncio.Task[Any], other: Awaitable[object], *, seconds: float) -> None:
    """Wait for either, at most `seconds`."""
    second = asyncio.ensure_future(other)
    await asyncio.wait({task, second}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    second.cancel()


async def _rest_of_output(cell: RunningCell, client: Any, ends: set[str], idle: asyncio.Task[None]) -> None:
    """Until an end mark, or until nothing more comes: reading a flood takes longer than printing it.

    The kernel sends its output in order, so what is marked by another request's end is complete too.
    """
    in_vain = 0
    while in_vain <= _ASKED_IN_VAIN:
        received = cell.outputs.received
        await asyncio.wait({idle}, timeout=OUTPUT_SECONDS)
        if idle.done() or time.monotonic() - cell.started > cell.limits.seconds:
            return
        if cell.outputs.received == received:
            in_vain += 1
            ends.add(client.kernel_info())
        else:
            in_vain = 0


async def _last_of_output(cell: RunningCell, kernel: KernelProcess, idle: asyncio.Task[None]) -> None:
    """Until the end mark, or until the ended kernel's side has hung up and all that it had sent is read."""
    until = time.monotonic() + LAST_SECONDS
    hung_up = asyncio.create_task(kernel.hung_up())
    await asyncio.wait({idle, hung_up}, timeout=LAST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    hung_up.cancel()
    await asyncio.gather(hung_up, return_exceptions=True)
    taken = -1
    while (
        not idle.done() and (taken != cell.outputs.received or kernel.unread()) and time.monotonic() < until
    ):
        taken = cell.outputs.received
        await asyncio.wait({idle}, timeout=0.05)  # a message is taken in slices, with others in between


async def _await_reply(client: Any, message: str) -> dict[str, Any]:
    while True:
        try:
            reply = await client.get_shell_msg()
        except _NOT_A_MESSAGE:
            continue
        if _parent(reply) == message:
            content = reply.get("content")
            return content if isinstance(content, dict) else {}


async def _gather_outputs(client: Any, ends: set[str], outputs: CellOutputs) -> None:
    """Take the output messages of this cell, and of what else was asked, until one of their end marks."""
    while True:
        try:
            received = await client.get_iopub_msg()
        except _NOT_A_MESSAGE:
            continue
        content = received.get("content")
        if _parent(received) not in ends or not isinstance(content, dict):
            continue  # a thread of an earlier cell
        kind = str(received.get("msg_type"))
        if kind == "status" and content.get("execution_state") == "idle":
            return
        text = content.get("text")
        if kind == "stream" and isinstance(text, str):
            for start in range(0, len(text), SLICE_CHARACTERS):
                outputs.take(kind, {**content, "text": text[start : start + SLICE_CHARACTERS]})
                await asyncio.sleep(0)  # a megabyte at once would hold up everyone else on this loop
        else:
            outputs.take(kind, content)


def _parent(message: dict[str, Any]) -> str:
    header = message.get("parent_header")
    return str(header.get("msg_id", "")) if isinstance(header, dict) else ""
