"""The cell that runs in a live notebook, and how it ended, in the words that an agent is told.

Pure functions of what the session has seen; how cells are run and watched is `session.py`.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kaggle_runner.notebook.cell import CellLimits, CellResult, EndStatus
from kaggle_runner.notebook.transcript import CellOutputs, printable_name

if TYPE_CHECKING:
    from kaggle_runner.notebook.kernel import KernelProcess

_SYSTEM_EXIT = "sys.exit() ended the cell and nothing else: the kernel goes on and its variables are there."


@dataclass(slots=True)
class RunningCell:
    """The cell that runs now."""

    outputs: CellOutputs
    limits: CellLimits
    started: float
    memory: int = 0
    stop: Literal["", "stopped", "timeout"] = ""
    reason: str = ""
    interrupts: int = 0
    next_step_at: float = 0.0
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    def ask_to_stop(self, kind: Literal["stopped", "timeout"], reason: str) -> None:
        if not self.stop:
            self.stop, self.reason = kind, reason
            self.woken.set()


@dataclass(frozen=True, slots=True)
class CellEnd:
    """How a cell's run ended, before its outputs are read."""

    status: EndStatus
    detail: str = ""
    kernel_lost: bool = False
    execution_count: int | None = None
    error_name: str = ""
    """Of an error whose traceback was printed and not sent: exception groups are."""


def from_reply(cell: RunningCell, reply: dict[str, Any]) -> CellEnd:
    count = reply.get("execution_count")
    count = count if isinstance(count, int) and 0 < count < 1 << 31 else None
    payloads = reply.get("payload")
    if isinstance(payloads, list) and any(
        isinstance(p, dict) and p.get("source") == "ask_exit" for p in payloads
    ):
        return CellEnd("died", "The cell called quit() or exit(), which ends the kernel.", True, count)
    if cell.interrupts:
        return CellEnd(cell.stop or "stopped", f"Stopped: {cell.reason}.", False, count)
    if reply.get("status") == "ok":
        return CellEnd("ok", "", False, count)
    name = cell.outputs.error_name or printable_name(reply.get("ename"))
    detail = _SYSTEM_EXIT if name == "SystemExit" else ""
    return CellEnd("error", detail, False, count, name)


def stubborn(cell: RunningCell) -> str:
    return f"Stopped: {cell.reason}. The cell did not obey two interrupts, so its kernel was killed."


def died(kernel: KernelProcess, *, closed: bool) -> CellEnd:
    code = kernel.exit_code()
    if closed or code is None:
        return CellEnd("died", "The notebook session was closed while the cell ran.", True)
    words = kernel.last_words()
    if words:
        return CellEnd("died", f"The kernel crashed (exit code {code}): {words}", True)
    if code in (137, -9):
        return CellEnd(
            "died", "The kernel was killed, most likely because the machine ran out of memory.", True
        )
    return CellEnd("died", f"The kernel's process ended with exit code {code}.", True)


def result_of(cell: RunningCell, end: CellEnd, generation: int, lost_before: str) -> CellResult:
    outputs = cell.outputs
    lost = "Variables and imports are gone; the next cell runs in a fresh kernel." if end.kernel_lost else ""
    detail = " ".join(part for part in (lost_before, end.detail, lost) if part)
    text = outputs.text()
    return CellResult(
        status=end.status,
        text=f"{text}\n[{detail}]".strip() if detail else text,
        error_name=outputs.error_name or end.error_name,
        error_value=outputs.error_value,
        seconds=time.monotonic() - cell.started,
        images=outputs.images,
        outputs=outputs.outputs(),
        execution_count=end.execution_count,
        kernel_generation=generation,
        state_lost=end.kernel_lost or bool(lost_before),
        detail=detail,
    )
