"""Runs a finished run's best/solution.py again, in a fresh sandbox, and compares what it writes.

The sandbox is an agent's: public files, the datasets the solution used, an empty working folder, no labels.
What the agent had installed is installed first, in the same versions.
"""

from __future__ import annotations

import csv
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from comind.at_kaggle.split_dataset import known_split, resource_name
from comind.evaluator.view import TEST_FILE, divide
from comind.run.confinement import can_install
from comind.state.reader import reading
from comind.state.records import Agent, Dataset, Draft, Evaluation
from comind.state.runs import RunFolder, read_run
from kaggle_runner.errors import ComindError, RunNotFound
from kaggle_runner.files import safe_copy
from kaggle_runner.input_names import competition_folders, newer_names
from kaggle_runner.packages.indexes import package_source
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.sandbox import Sandbox
from mle_live.layout.formats import read_text
from mle_live.layout.tables import typed

_BYTES = 2 << 30
_TOLERANCE = 1e-6
_SOLUTION = "/kaggle/solution"


class NotReproduced(ComindError):
    """The script failed, or wrote something else."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How the new submission compares with best/submission.csv."""

    rows: int
    largest_difference: float
    """Of the numeric columns; 0 when every other column is equal too."""
    seconds: float


async def reproduce(
    folder: RunFolder, *, python: Path | None = None, timeout: float = 3600.0
) -> Reproduction:
    """In `python`, else in the one that the run's notebooks had.

    Raises RunNotFound without a best solution, NotReproduced with what the script said or changed,
    PythonUnusable where that Python is none any more.
    """
    script = folder.best / "solution.py"
    if not script.is_file():
        raise RunNotFound(
            f"Run {folder.id} has no best/solution.py.",
            hint="It is written when a run ends with a valid submission.",
        )
    settings = read_run(folder).settings
    inputs, name, is_script, id_column = _inputs(folder)
    with tempfile.TemporaryDirectory(prefix="comind-again-") as place:
        working = Path(place)
        sandbox = Sandbox(
            inputs=inputs,
            workspace=working,
            extra_read_only={_SOLUTION: folder.best},
            gpus=(),
            hidden=(folder.state,),
            python=python or settings.notebook_python,
            batch=True,
            packages=package_source() if folder.requirements.is_file() and can_install(settings) else None,
        )
        if folder.requirements.is_file():
            await _install(sandbox, BatchLimits(timeout))
        argv = [str(sandbox.interpreter), f"{_SOLUTION}/solution.py"]
        done = await sandbox.run(argv, limits=BatchLimits(timeout))
        if done.returncode != 0:
            raise NotReproduced(
                f"best/solution.py ended with {done.returncode}:\n{done.stderr[-2000:]}{done.fault}",
                hint="Packages that changed since the run are the usual reason.",
            )
        again = working / "compared.csv"
        safe_copy(working, name, again, _BYTES)
        if is_script:
            divide(again, folder.view_ids, working / "divided", id_column)
            again = working / "divided" / TEST_FILE
        rows, difference = compare(folder.best / "submission.csv", again, id_column)
    if difference > _TOLERANCE:
        raise NotReproduced(f"The new submission differs from best/submission.csv by up to {difference:.3g}.")
    return Reproduction(rows, difference, done.seconds)


async def _install(sandbox: Sandbox, limits: BatchLimits) -> None:
    """What the solution's agent had installed, or NotReproduced."""
    words = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"]
    argv = [str(sandbox.interpreter), *words, f"{_SOLUTION}/requirements.txt"]
    done = await sandbox.run(argv, limits=limits)
    if done.returncode != 0:
        raise NotReproduced(
            f"What the solution needs cannot be installed here:\n{done.stderr[-2000:]}{done.fault}",
            hint="They are named in best/requirements.txt; --python names a Python that has them.",
        )


def _inputs(folder: RunFolder) -> tuple[dict[str, Path], str, bool, str]:
    """What the solution's agent saw by name, the name under which it wrote its submission, whether it is a
    whole script, whose submission is to be divided, and the id column."""
    with reading(folder.database) as reader:
        run = reader.run()
        best = reader.get(Evaluation, run.best_evaluation) if run else None
        if run is None or best is None:
            raise RunNotFound(f"Run {folder.id} has chosen no best evaluation.")
        draft, agent = reader.get(Draft, best.agent), reader.get(Agent, best.agent)
        datasets = reader.all(Dataset)
        paths = {one.id.split("/")[-1]: folder.path / one.path for one in datasets}
    used = draft.resources if draft else []
    inputs = {name: paths[name] for name in used if name in paths}
    newer = newer_names(inputs, [one.id for one in datasets if one.origin == "upstream"])
    if split := known_split(folder):  # it was written for Kaggle, where datasets have these names
        inputs = {resource_name(folder.id, name): path for name, path in inputs.items()}
        inputs[split.name] = folder.public
    is_script = agent is not None and agent.style == "script"
    inputs |= newer | competition_folders(run.competition, folder.view if is_script else folder.public)
    return inputs, best.submission_name or "submission.csv", is_script, run.id_column or _first_column(folder)


def _first_column(folder: RunFolder) -> str:
    """The id column of a run of 0.3 or older, which did not record it and let it be nowhere else."""
    with (folder.public / "sample_validation_submission.csv").open(encoding="utf-8") as file:
        return next(csv.reader(file))[0]


def compare(old: Path, new: Path, id_column: str) -> tuple[int, float]:
    """Rows, and the largest difference of numbers; infinity when ids, columns or labels differ."""
    from pandas.api.types import is_numeric_dtype

    before, after = read_text(old), read_text(new)
    if list(before.columns) != list(after.columns):
        return len(after), math.inf
    before, after = (table.set_index(id_column).sort_index() for table in (before, after))
    if not before.index.equals(after.index):
        return len(after), math.inf
    before, after = typed(before), typed(after)
    largest = 0.0
    for column in before.columns:
        one, other = before[column], after[column]
        if is_numeric_dtype(one) and is_numeric_dtype(other):
            largest = max(largest, float((one.astype(float) - other).abs().max()))
        elif not one.equals(other):
            return len(after), math.inf
    return len(after), largest
