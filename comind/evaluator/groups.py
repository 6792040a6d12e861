"""Find a column whose rows belong together (a patient, a day), by looking at how the host split the data.

Where no value of a repeated column occurs on both sides of the host's own split, the host split by that
column, and a validation set must be split the same way to predict the leaderboard.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comind.evaluator.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

_ROWS_A_GROUP = 3.0
_GROUPS_IN_TEST = 5


def find_group_column(
    data_dir: Path, train: pd.DataFrame, test: pd.DataFrame, *, exclude: Collection[str], cap: int
) -> str | None:
    """The coarsest column that separates train.csv from test.csv, or None.

    `train` and `test` are the first `cap` rows; where the files are longer, candidates are read in full,
    because two heads of sorted files differ by themselves.
    """
    names = [name for name in train.columns if name in test.columns and name not in exclude]
    candidates = [name for name in names if _separates(train[name], test[name])]
    if candidates and max(len(train), len(test)) >= cap:
        whole_train = read_table(data_dir / "train.csv", columns=candidates)
        whole_test = read_table(data_dir / "test.csv", columns=candidates)
        candidates = [name for name in candidates if _separates(whole_train[name], whole_test[name])]
    return min(candidates, key=lambda name: train[name].nunique(dropna=True), default=None)


def _separates(train: pd.Series[Any], test: pd.Series[Any]) -> bool:
    from pandas.api.types import is_float_dtype

    if is_float_dtype(train) and not bool((train.dropna() == train.dropna().round()).all()):
        return False  # a measurement, not a name
    groups, test_groups = train.dropna().unique(), test.dropna().unique()
    if len(test_groups) < _GROUPS_IN_TEST or len(groups) < _GROUPS_IN_TEST:
        return False
    if len(train) < _ROWS_A_GROUP * len(groups):
        return False
    return not set(groups) & set(test_groups)
