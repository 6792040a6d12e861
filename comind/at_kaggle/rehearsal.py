"""A pushed notebook's rehearsal: from the top, in a fresh sandbox, on the sample, before it costs quota.

It catches what would fail at Kaggle as well: errors, cells that need variables of a cell that was left out,
files that are missing or ill-formed. Scores on a sample say little and are not measured.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comind.evaluator.evaluator import most_bytes
from kaggle_runner.files import UnsafeFile, safe_read_bytes
from kaggle_runner.notebook.session import CellLimits, NotebookSession
from kaggle_runner.predictions.judge import Flaw, Form, judge

_FIXED_SECONDS = 2.0
"""Of a cell's time, what is taken as independent of the number of rows: imports, first calls."""
_START_SECONDS = 15.0
"""A session's own start at Kaggle, apart from the queue."""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """How it went. `fault` is empty where the notebook may be pushed."""

    fault: str
    """One sentence."""
    output: str
    """What the failed cell printed, with its traceback; empty otherwise."""
    seconds: float
    cell_seconds: tuple[float, ...]

    def expected_seconds(self, ratio: float, *, carried: int = 0) -> float:
        """What the notebook takes on `ratio` times as many rows on such a machine, if cost is linear in rows.

        The first `carried` cells are not run again.
        """
        new = self.cell_seconds[carried:]
        cells = (min(s, _FIXED_SECONDS) + max(0.0, s - _FIXED_SECONDS) * ratio for s in new)
        return _START_SECONDS + sum(cells)


def code_cells(notebook: str) -> list[str]:
    """The code cells of a notebook's JSON text, in order."""
    cells = json.loads(notebook)["cells"]
    sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return ["".join(source) if isinstance(source, list) else str(source) for source in sources]


async def rehearse(
    session: NotebookSession,
    cells: Sequence[str],
    *,
    log: Path,
    seconds: float,
    memory_bytes: int | None,
    workspace: Path,
    predictions: Sequence[tuple[str, Path]],
    form_of: Callable[[Path], Form],
) -> Rehearsed:
    """Run the cells in `session` (a fresh one, which stays open), for at most `seconds`, to the first error.

    Then each file of `predictions` must lie in `workspace`, in the form of its sample.
    """
    spent: list[float] = []
    for number, code in enumerate(cells, start=1):
        left = seconds - sum(spent)
        if left <= 0:
            return _failed(f"the rehearsal on sampled data took more than {seconds:.0f} s", "", spent)
        limits = CellLimits(seconds=left, memory_bytes=memory_bytes)
        result = await session.execute(code, log_path=log.with_suffix(f".{number:02d}.log"), limits=limits)
        spent.append(result.seconds)
        if result.status == "timeout":
            fault = f"the rehearsal on sampled data took more than {seconds:.0f} s, in {_first_line(code)}"
            return _failed(fault, result.text, spent)
        if result.status != "ok":
            what = result.error_name or result.status
            fault = f"run from the top, the notebook fails with {what} in {_first_line(code)}"
            return _failed(fault, result.text, spent)
    for name, sample in predictions:
        form = await asyncio.to_thread(form_of, sample)
        fault = await asyncio.to_thread(prediction_fault, workspace, name, form, limit=most_bytes(sample))
        if fault:
            return _failed(f"in the rehearsal {fault}", "", spent)
    return Rehearsed("", "", sum(spent), tuple(spent))


def prediction_fault(workspace: Path, name: str, form: Form, *, limit: int) -> str:
    """What is wrong with a prediction file of at most `limit` bytes; empty for a good one. Blocking."""
    try:
        found = judge(io.BytesIO(safe_read_bytes(workspace, name, limit)), form)
    except UnsafeFile as error:
        return f"{name} cannot be read: {error.message}"
    return f"{name} would not be scored: {found.sentence}" if isinstance(found, Flaw) else ""


def _first_line(code: str) -> str:
    line = next((line.strip() for line in code.splitlines() if line.strip()), "")
    return f"the cell that begins with `{line[:80]}`"


def _failed(fault: str, output: str, spent: list[float]) -> Rehearsed:
    return Rehearsed(fault, output, sum(spent), tuple(spent))
