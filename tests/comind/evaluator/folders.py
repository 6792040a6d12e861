"""Small competitions and broken scripts for the evaluator's tests, written from seeded random numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from comind.evaluator.evaluator import Evaluator, known_metric_source
from comind.evaluator.profile import CompetitionProfile, profile_competition
from comind.evaluator.split import standard_split_source
from comind.state.runs import RunFolder
from mle_live.layout.tables import Stated
from tests.fakes.clocks import HandClock

METRIC_WRITTEN = """
import numpy as np
HIGHER_IS_BETTER = False
def score(truth, submission):
    return float(np.abs(truth["price"] - submission["price"]).mean())
"""


class SteppingClock(HandClock):
    """Steps a second at each look."""

    def now(self) -> datetime:
        self.advance(1)
        return super().now()


def houses(folder: Path, rows: int = 600, *, grouped: bool = True) -> Path:
    """Regression: price of a sale; sales of a day belong together and test holds every fifth day."""
    random = np.random.default_rng(1)
    table = pd.DataFrame({"id": random.permutation(rows) + 1000, "day": np.arange(rows) // 10})
    table["size"] = random.normal(100, 30, rows).round(3)
    table["note"] = "x"
    table["price"] = (table["size"] * 3 + random.gamma(2, 20, rows)).round(2)
    in_test = table["day"] % 5 == 0 if grouped else random.random(rows) < 0.2
    if not grouped:
        table = table.drop(columns="day")
    return _write(folder, table[~in_test], table[in_test], ["price"], sample=[200.0])


def flowers(folder: Path, rows: int = 500) -> Path:
    """Classification with text labels, one of them rare."""
    random = np.random.default_rng(2)
    kind = random.choice(["iris", "rose", "weed"], rows, p=[0.7, 0.26, 0.04])
    table = pd.DataFrame({"id": [f"f{n:04d}" for n in random.permutation(rows)]})
    table["width"] = random.normal(0, 1, rows).round(4) + (kind == "rose")
    table["kind"] = kind
    in_test = random.random(rows) < 0.3
    return _write(folder, table[~in_test], table[in_test], ["kind"], sample=["iris"])


def pictures(folder: Path, rows: int = 120) -> Path:
    """Images found by id, probabilities a class: the labels are names in a column `animal`."""
    random = np.random.default_rng(3)
    table = pd.DataFrame({"id": [f"p{n:03d}" for n in random.permutation(rows)]})
    table["animal"] = random.choice(["cat", "dog"], rows)
    in_test = np.arange(rows) % 4 == 0
    path = _write(folder, table[~in_test], None, [], sample=[])
    pd.DataFrame({"id": table[in_test]["id"], "cat": 0.5, "dog": 0.5}).to_csv(
        path / "sample_submission.csv", index=False
    )
    for part, ids in (("train_images", table[~in_test]["id"]), ("test_images", table[in_test]["id"])):
        (path / part).mkdir()
        for one in ids:
            (path / part / f"{one}.png").write_bytes(b"\x89PNG" + one.encode())
    return path


def sayings(folder: Path, rows: int = 120) -> Path:
    """Texts to be written down, some of which are empty or look like numbers or a missing value."""
    random = np.random.default_rng(4)
    table = pd.DataFrame({"id": [f"s{n:03d}" for n in random.permutation(rows)]})
    table["sound"] = random.normal(0, 1, rows).round(4)
    table["said"] = random.choice(["", "0012", "NA", "well, well", "two\nlines", "good day"], rows)
    in_test = np.arange(rows) % 4 == 0
    return _write(folder, table[~in_test], table[in_test], ["said"], sample=["well"])


def _write(
    folder: Path, train: pd.DataFrame, test: pd.DataFrame | None, targets: list[str], *, sample: list[Any]
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    train.to_csv(folder / "train.csv", index=False)
    if test is not None:
        test.drop(columns=targets).to_csv(folder / "test.csv", index=False)
        values = dict(zip(targets, sample, strict=True))
        test[["id"]].assign(**values).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def profile(data: Path, metric: str, *, higher: bool, group: str = "") -> CompetitionProfile:
    stated = Stated(group_column=group)
    return profile_competition(data, description="", metric=metric, higher_is_better=higher, stated=stated)


def evaluator_for(
    run: Path, make: Callable[[Path], Path], metric: str, *, higher: bool, seed: int = 7
) -> Evaluator:
    """An evaluator whose run folder holds the competition's original files; nothing is split yet."""
    make(RunFolder(run).original)
    return evaluator_at(run, metric, higher=higher, seed=seed)


def evaluator_at(run: Path, metric: str = "mae", *, higher: bool = False, seed: int = 7) -> Evaluator:
    """Another evaluator of a run folder that is there, as after a restart of the engine."""
    folder = RunFolder(run)
    made = profile(folder.original, metric, higher=higher)
    return Evaluator(folder=folder, profile=made, seed=seed, clock=SteppingClock(), memory_bytes=None)


async def ready_evaluator(
    run: Path, make: Callable[[Path], Path], metric: str, *, higher: bool, fraction: float = 0.25,
    written: str = "",
) -> Evaluator:  # fmt: skip
    """Split in the standard way and scored by the known metric, or by the text of an evaluate.py."""
    evaluator = evaluator_for(run, make, metric, higher=higher)
    await evaluator.split(standard_split_source(evaluator.profile.facts), fraction=fraction)
    evaluator.install(written or known_metric_source(metric))
    return evaluator


def truth(evaluator: Evaluator) -> pd.DataFrame:
    return pd.read_csv(evaluator.labels, dtype={evaluator.profile.id_column: str})
