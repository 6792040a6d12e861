"""Cells gathered into one Kaggle notebook, and what such a notebook tells when it has run.

Ours are the first cells and the last one; the author's stand between them as they are. What ours do in
the notebook is in `comind_data.py` and `comind_work.py`, which the notebook writes and imports. Nothing is
sent or run here. A session's notes come out of agents' code: they are read as text of unknown origin.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from kaggle_runner.errors import Unusable
from kaggle_runner.jobs.comind_work import PROGRESS, cell_hash
from kaggle_runner.kaggle.records import LogLine
from kaggle_runner.rows import from_json
from kaggle_runner.texts import whole_characters

CellState = Literal["ok", "error", "carried", "not run", "out of time"]
OURS = "comind_"
"""Begins the names of all files that gathered notebooks write on our behalf."""
Text = Annotated[str, Meta(max_length=20_000)]
"""What our cells write is cut well before."""

_WORTH_SECONDS = 60.0
_MOST_KEPT_BYTES = 4_000_000_000
_END = "# CoMind: keep what is left, and close the notes.\n_comind.finish()"
_LEAST_MARGIN, _LONGEST_MARGIN = 60.0, 300.0
_CELL_MARK = re.compile(r"^\[comind\] cell (\d+) (begins|carried|not run|\w[\w ]* after .*)$")


@dataclass(frozen=True, slots=True)
class CarriedWork:
    """What an earlier push kept of its first cells: attach its kernel `ref`, and they need not run again."""

    ref: str
    cells: int
    chain: str
    """The hash of these cells and of the data's name."""
    lost: tuple[str, ...] = ()
    """Variables that could not be kept. Where a later cell names one, all cells run again."""

    @property
    def source(self) -> str:
        """The folder's name under /kaggle/input."""
        return self.ref.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class CellRun:
    """What became of one of the author's cells; `seconds` is 0 where it was not run."""

    state: CellState
    seconds: float


@dataclass(frozen=True, slots=True)
class CellFailure:
    """The cell that ended the work, counted from 1."""

    number: int
    error: Text
    traceback: Text


@dataclass(frozen=True, slots=True)
class Kept:
    """The state that a session left for a later one: after its first `cells` cells, in bytes."""

    cells: int
    chain: Text
    bytes: int
    lost: dict[Text, Text]
    """Variables that could not be kept, each with the reason."""


@dataclass(frozen=True, slots=True)
class SessionMachine:
    """What a session was really given."""

    gpus: tuple[Text, ...]
    tpu: Text


@dataclass(frozen=True, slots=True)
class NotebookProgress:
    """comind_progress.json: what a session said of itself. Its author's code could have written it."""

    mark: Text
    cells: tuple[CellRun, ...]
    failed: CellFailure | None
    out_of_time: bool
    """It ended its work before Kaggle would have cut the session."""
    finished: bool
    """The last cell, ours, was reached."""
    kept: Kept | None
    not_kept: Text
    machine: SessionMachine


def gather(
    cells: Sequence[str],
    *,
    slug: str,
    carried: CarriedWork | None = None,
    title: str,
    inputs: Sequence[str] = (),
    mark: str = "",
    seconds: float | None = None,
    worth: float = _WORTH_SECONDS,
    most_bytes: int = _MOST_KEPT_BYTES,
    keep: bool = True,
    setup: Sequence[str] = (),
) -> str:
    """The JSON text of a notebook of `cells`, whose data is the source `slug` (and `inputs`, by name).

    `setup` are cells that run in every session once the data is found, before anything is carried.

    `carried` is used where it fits (see `longest`), else every cell runs. `mark` is printed by the run, to
    tell it from others. `seconds` is the session's time-out: the work ends a little before. State is kept
    once cells took `worth` seconds, `most_bytes` of it at most. Without `keep` there is only what finds the
    data: that is the notebook to submit or to publish, which runs every cell and fails where a cell fails.
    """
    sources = [cell for cell in cells if cell.strip()]
    blocks = [_markdown("title", f"# {title}"), *_data_cells([slug, *inputs])]
    blocks += [_code(f"comind-setup-{number}", cell) for number, cell in enumerate(setup, start=1)]
    if keep:
        usable = longest([carried] if carried else [], sources, slug)
        plan = {
            "mark": mark,
            "hashes": [cell_hash(source) for source in sources],
            "chain": _chain(sources, slug),
            "seconds": _working_seconds(seconds),
            "worth": worth,
            "most_bytes": most_bytes,
            "carried": [usable.source, usable.cells] if usable else None,
        }
        blocks += _work_cells(plan)
    blocks += [_code(f"cell-{number}", source) for number, source in enumerate(sources, start=1)]
    if keep:
        blocks.append(_code("comind-end", _END))
    notebook = {
        "cells": blocks,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "file_extension": ".py"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def longest(works: Iterable[CarriedWork], cells: Sequence[str], slug: str) -> CarriedWork | None:
    """The work that spares the most of `cells`, which begin with its own and do not need what it lost."""
    sources = [cell for cell in cells if cell.strip()]
    chain = _chain(sources, slug)

    def fits(work: CarriedWork) -> bool:
        if not 0 < work.cells <= len(sources) or chain[work.cells - 1] != work.chain:
            return False
        return all(_names(source).isdisjoint(work.lost) for source in sources[work.cells :])

    return max(filter(fits, works), key=lambda work: work.cells, default=None)


def carried_from(ref: str, progress: NotebookProgress) -> CarriedWork | None:
    """What a later push may carry from the kernel `ref`, which told `progress`; None when it kept nothing."""
    kept = progress.kept
    return CarriedWork(ref, kept.cells, kept.chain, tuple(kept.lost)) if kept and progress.finished else None


def read_progress(text: str) -> NotebookProgress | None:
    """The notes in comind_progress.json; None where they cannot be read, or are none of ours."""
    try:
        plain = whole_characters(json.dumps(json.loads(text), ensure_ascii=False))
        return from_json(NotebookProgress, plain, PROGRESS)
    except (ValueError, RecursionError, Unusable):
        return None


def cell_logs(log: Iterable[LogLine]) -> dict[int, str]:
    """What each of the author's cells printed, by its number from 1; 0 is what came before the first."""
    texts: dict[int, list[str]] = {0: []}
    number = 0
    for line in "".join(piece.data for piece in log).splitlines(keepends=True):
        found = _CELL_MARK.match(line.rstrip("\n"))
        if found:
            number = int(found[1])
            texts.setdefault(number, [])
        texts[number].append(line)
    return {number: "".join(lines) for number, lines in texts.items()}


def _names(source: str) -> set[str]:
    """Names that a cell may read, also those in strings; all its words where it is not plain Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return set(re.findall(r"\w+", source))
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return read | {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _chain(sources: Sequence[str], slug: str) -> list[str]:
    """A hash for each cell, of the data's name and all cells up to it."""
    running = hashlib.sha256(slug.encode())
    chain = []
    for source in sources:
        running.update(cell_hash(source).encode())
        chain.append(running.hexdigest()[:32])
    return chain


def _working_seconds(seconds: float | None) -> float:
    """When the work ends in a session of `seconds`, begun before it: early enough to keep what it did."""
    if seconds is None:
        return 0.0
    return seconds - min(seconds / 3, max(_LEAST_MARGIN, min(0.1 * seconds, _LONGEST_MARGIN)))


def _data_cells(names: Sequence[str]) -> list[dict[str, Any]]:
    finds = [f"_comind_data.find({name!r});" for name in dict.fromkeys(names)]
    call = "# CoMind: find the data, wherever it is mounted.\nimport comind_data as _comind_data\n"
    return [_module("comind_data"), _code("comind-find", call + "\n".join(finds))]


def _work_cells(plan: dict[str, Any]) -> list[dict[str, Any]]:
    lines = [f"    {name!r}: {value!r}," for name, value in plan.items()]
    call = (
        "# CoMind: note what finishes, and keep it for the next push.\n"
        "import comind_work as _comind_work\n"
        "_comind = _comind_work.Work(get_ipython(), {\n" + "\n".join(lines) + "\n}, _comind_data.find)"
    )
    return [_module("comind_work"), _code("comind-begin", call)]


def _module(name: str) -> dict[str, Any]:
    """A cell that writes one of our modules beside the notebook; Kaggle shows it folded."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    cell = _code(f"{name.replace('_', '-')}-module", f"%%writefile {name}.py\n{source}")
    cell["metadata"] = {"_kg_hide-input": True, "_kg_hide-output": True}
    return cell


def _code(identifier: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": identifier,
        "metadata": {},
        "execution_count": None,
        "source": source,
        "outputs": [],
    }


def _markdown(identifier: str, text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "id": identifier, "metadata": {}, "source": text}
