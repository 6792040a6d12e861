"""An agent's notebook as files: made from recorded cells, so that it can be written again at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comind.state.reader import Reader
from comind.state.records import Agent, Cell
from kaggle_runner.notebook.file import NotebookCell, script_from_cells, write_notebook

Outputs = Mapping[int, list[dict[str, Any]]]
"""Rich outputs by step, as long as the session that made them lives; the store keeps the text."""


def recorded_cells(reader: Reader, agent: str, until: int | None = None) -> list[Cell]:
    """The agent's ended cells up to and including step `until`, in order."""
    cells = reader.all(Cell, "agent = ? AND status != 'running'", (agent,), order="step")
    return [cell for cell in cells if until is None or cell.step <= until]


def notebook_cells(cells: Sequence[Cell], outputs: Outputs | None = None) -> list[NotebookCell]:
    rich = outputs or {}
    return [
        NotebookCell(
            source=cell.code,
            outputs=rich.get(cell.step) or _text_outputs(cell.output),
            execution_count=cell.step,
            goal=cell.goal,
        )
        for cell in cells
    ]


def write_agent_notebook(
    path: Path, cells: Sequence[Cell], *, title: str, outputs: Outputs | None = None
) -> None:
    """A valid notebook with every cell, failed ones included: what happened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_notebook(path, notebook_cells(cells, outputs), title=title)


def clean_cells(cells: Sequence[Cell]) -> list[Cell]:
    """The cells that worked: what reproduces the result."""
    return [cell for cell in cells if cell.status == "ok"]


def solution_cells(reader: Reader, agent: str, until: int) -> list[Cell]:
    """The cells that reproduce what the agent had at a step; of whole scripts, that step's alone."""
    cells = clean_cells(recorded_cells(reader, agent, until))
    record = reader.get(Agent, agent)
    is_script = record is not None and record.style == "script"
    return [cell for cell in cells if cell.step == until] if is_script else cells


def solution_script(reader: Reader, agent: str, until: int) -> str:
    """The agent's working cells up to a step as one Python script."""
    return script_from_cells(notebook_cells(solution_cells(reader, agent, until)))


def _text_outputs(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
