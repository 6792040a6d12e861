"""A competition in Kaggle's shape, so small that a run takes seconds: a user's folder, or a host's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.folder import look_at_folder
from tests.mle_live.layout.fruit import table

TEST_ROWS = 200


def write_small_competition(
    folder: Path, *, rows: int = 600, seed: int = 0, sample: str = "sample_submission.csv"
) -> Path:
    """Two numbers and a category decide a binary label, with some noise; 200 test rows without labels."""
    fruit = _table(rows + TEST_ROWS, seed)
    folder.mkdir(parents=True, exist_ok=True)
    fruit.iloc[:rows].to_csv(folder / "train.csv", index=False)
    test = fruit.iloc[rows:].drop(columns="ripe")
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(ripe=0.5).to_csv(folder / sample, index=False)
    (folder / "description.md").write_text(
        "# Ripe fruit\n\nTell ripe fruit from unripe.\n\n## Evaluation\n\n"
        "Submissions are evaluated on the area under the ROC curve.\n"
    )
    return folder


def small_competition(
    root: Path, *, rows: int = 600, daily: int = 5, name: str = "fruit", sample: str = "sample_submission.csv"
) -> HostedCompetition:
    """The same under a name, with the host's answers: submissions are scored, `daily` of them a day."""
    folder = write_small_competition(root / name, rows=rows, sample=sample)
    competition = look_at_folder(folder, root / "arranged").hosted()
    usage = np.where(np.arange(TEST_ROWS) % 3, "Private", "Public")
    answers = _table(rows + TEST_ROWS, 0).iloc[rows:][["id", "ripe"]].assign(Usage=usage)
    answers.to_csv(root / "solution.csv", index=False)
    return replace(competition, solution_path=root / "solution.csv", max_daily_submissions=daily)


def _table(rows: int, seed: int) -> pd.DataFrame:
    made = table(rows, seed, noise=0.7)
    return made.drop(columns="amount").rename(columns={"label": "ripe"})
