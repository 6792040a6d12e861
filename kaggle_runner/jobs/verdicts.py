"""What the end of a kernel at Kaggle means: its state there, its own notes, its log. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kaggle_runner.jobs.comind_work import PROGRESS
from kaggle_runner.jobs.gathered import NotebookProgress, read_progress
from kaggle_runner.jobs.states import NotebookState
from kaggle_runner.kaggle.records import KernelOutput, KernelStatus, LogLine

_RAN_OUT = re.compile(r"longer than its limit|time.?limit|timed? ?out|timeout|exceeded", re.IGNORECASE)
_NEARLY = 0.9
_MOST_NOTE_BYTES = 4_000_000
"""Of comind_progress.json; an honest one has some hundred bytes a cell."""
_LONGEST_FAILURE = 2_000
_CARDS = {
    "NvidiaTeslaT4": "T4", "NvidiaTeslaT4Highmem": "T4", "NvidiaTeslaP100": "P100", "NvidiaL4": "L4",
    "NvidiaL4X1": "L4", "NvidiaTeslaA100": "A100", "NvidiaH100": "H100", "NvidiaRtxPro6000": "RTX PRO 6000",
}  # fmt: skip
"""Machine shapes, and what nvidia-smi calls their cards."""


def words(log: Sequence[LogLine]) -> str:
    """All text of a log."""
    return "".join(line.data for line in log)


def told(output: KernelOutput) -> NotebookProgress | None:
    """The notes that the notebook left, where it left readable ones."""
    path = output.saved.get(PROGRESS)
    if path is None or path.stat().st_size > _MOST_NOTE_BYTES:
        return None
    return read_progress(path.read_text(encoding="utf-8", errors="replace"))


def verdict(
    status: KernelStatus,
    progress: NotebookProgress | None,
    log: Sequence[LogLine],
    *,
    ran: float,
    allowed: float,
) -> tuple[NotebookState, str]:
    """Its state and why it failed. It `ran` about so many of its `allowed` seconds."""
    if progress is not None and progress.failed is not None:
        return "failed", f"Cell {progress.failed.number} failed. {progress.failed.error}"
    if progress is not None and progress.out_of_time:
        return "timed out", "Its cells took longer than its session may; it stopped a little before the end."
    if status.state == "complete":
        return "complete", ""
    if status.state == "cancelled":
        if ran >= _NEARLY * allowed:
            return "timed out", status.failure or f"Kaggle ended it at its time-out of {allowed:.0f} s."
        return "cancelled", status.failure or "It was stopped at Kaggle."
    if _RAN_OUT.search(status.failure):
        return "timed out", status.failure
    last = next((line for line in reversed(words(log).splitlines()) if line.strip()), "")
    failure = status.failure or last or "Kaggle says that it failed, and no more."
    return "failed", failure[:_LONGEST_FAILURE]


def substitute(accelerator: str, progress: NotebookProgress | None) -> str:
    """A sentence when the machine that ran was not the one that was asked for."""
    if not accelerator or progress is None:
        return ""
    machine = progress.machine
    if accelerator.lower().startswith("tpu"):
        given, right = machine.tpu or ", ".join(machine.gpus), bool(machine.tpu)
    else:
        given = ", ".join(machine.gpus)
        right = bool(machine.gpus) and _CARDS.get(accelerator, "") in given
    return (
        "" if right else f"It asked for {accelerator} and ran on {given or 'a machine without accelerator'}."
    )
