"""What a cell may use, how it is doing, and what came of it: the records of a notebook session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from kaggle_runner.sandbox.batch import BatchLimits

EndStatus = Literal["ok", "error", "stopped", "timeout", "died"]


@dataclass(frozen=True, slots=True)
class CellLimits(BatchLimits):
    """A cell that breaks one is ended: time by an interrupt first, the others by a kill."""

    seconds: float = 18000.0
    log_bytes: int = 64_000_000
    """The log file stops growing there; the end of the output is still followed."""


@dataclass(frozen=True, slots=True)
class CellProgress:
    """A glance at the running cell. The text is what a terminal would show, without escape codes."""

    elapsed: float
    seconds_since_output: float
    tail: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class CellResult:
    status: EndStatus
    """`stopped`: by an interrupt that was asked for; `timeout`: by its limit; `died`: with its kernel."""
    text: str
    """For the agent: bounded, folded, without escape codes; the error's traceback stands last."""
    error_name: str = ""
    error_value: str = ""
    seconds: float = 0.0
    images: int = 0
    outputs: list[dict[str, Any]] = field(default_factory=list)
    """nbformat 4 outputs, bounded."""
    execution_count: int | None = None
    kernel_generation: int = 1
    """Which kernel ran it; 1 is the first. Variables live as long as a generation."""
    state_lost: bool = False
    """Variables and imports are gone: the kernel ended in this cell, or had ended before it."""
    detail: str = ""
    """One sentence for people: why a cell was ended, or what happened to the kernel."""
