"""A pushed notebook's rehearsal: from the top, in a fresh sandbox, on the sample, before it costs quota.

It catches what would fail at Kaggle as well: errors, cells that need variables of a cell that was left out,
files that are missing or ill-formed. Scores on a sample say little and are not measured.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.files import UnsafeFile, safe_read_bytes
from kaggle_runner.notebook.session import CellLimits, NotebookSession

_FIXED_SECONDS = 2.0
"""Of a cell's time, what is taken as independent of the number of rows: imports, first calls."""
_BYTES_BESIDE = 1_000_000
_TIMES_THE_SAMPLE = 40
"""As the evaluator's own bound on prediction files."""
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
    data: Path,
    validation_name: str,
    submission_name: str,
) -> Rehearsed:
    """Run the cells in `session` (a fresh one, which stays open), for at most `seconds`, to the first error.

    Then both prediction files must lie in `workspace`, in the form of the samples in `data`.
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
    pairs = (
        (validation_name, "sample_validation_submission.csv"),
        (submission_name, "sample_submission.csv"),
    )
    for name, sample in pairs:
        fault = await asyncio.to_thread(prediction_fault, workspace, name, data / sample)
        if fault:
            return _failed(f"in the rehearsal {fault}", "", spent)
    return Rehearsed("", "", sum(spent), tuple(spent))


def prediction_fault(workspace: Path, name: str, sample: Path) -> str:
    """What is wrong with a prediction file beside its sample: file, columns, ids, empty values. Blocking."""
    limit = _BYTES_BESIDE + _TIMES_THE_SAMPLE * sample.stat().st_size
    try:
        text = safe_read_bytes(workspace, name, limit).decode("utf-8-sig", errors="replace")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except UnsafeFile as error:
        return f"{name} cannot be read: {error.message}"
    except csv.Error as error:
        return f"{name} is not a CSV: {error}"
    with sample.open(encoding="utf-8-sig", newline="") as file:
        head, *wanted = [row for row in csv.reader(file) if row]
    if not rows or rows[0] != head:
        return f"{name} has the columns {_some(rows[0] if rows else [])}; it must have {_some(head)}"
    if any(len(row) != len(head) for row in rows):
        return f"{name} has rows that are not {len(head)} values long"
    return _ids_fault(name, rows[1:], wanted) or _values_fault(name, rows[1:], wanted)


def _ids_fault(name: str, rows: list[list[str]], wanted: list[list[str]]) -> str:
    if len(rows) != len(wanted):
        return f"{name} has {len(rows)} rows; {len(wanted)} are to be predicted"
    if Counter(_plain(row[0]) for row in rows) != Counter(_plain(row[0]) for row in wanted):
        return f"{name} has other ids than the rows that are to be predicted"
    return ""


def _values_fault(name: str, rows: list[list[str]], wanted: list[list[str]]) -> str:
    """Where the sample holds numbers, numbers are due; an empty text may be an answer elsewhere."""
    columns = [place for place in range(1, len(wanted[0])) if all(_is_finite(row[place]) for row in wanted)]
    for row in rows:
        for place in columns:
            if not _is_finite(row[place]):
                return f"{name} has {row[place][:40]!r} for the id {row[0][:80]} where a number is due"
    return ""


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _plain(id: str) -> str:
    """`7.0` is what pandas writes for the id 7 once the column was one of floats."""
    return id[:-2] if id.endswith(".0") and id[:-2].lstrip("-").isdigit() else id


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def _first_line(code: str) -> str:
    line = next((line.strip() for line in code.splitlines() if line.strip()), "")
    return f"the cell that begins with `{line[:80]}`"


def _failed(fault: str, output: str, spent: list[float]) -> Rehearsed:
    return Rehearsed(fault, output, sum(spent), tuple(spent))
