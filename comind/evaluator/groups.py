"""Find a column whose rows belong together (a patient, a day), by looking at how the host split the data.

Where no value of a repeated column occurs on both sides of the host's own split, the host split by that
column, and a validation set must be split the same way to predict the leaderboard.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from mle_live.layout.tables import Tables, levels

if TYPE_CHECKING:
    import pandas as pd

_ROWS_A_GROUP = 3.0
_GROUPS_IN_TEST = 5


def find_group_column(tables: Tables, *, exclude: Collection[str]) -> str | None:
    """The coarsest column that separates train.csv from test.csv, or None.

    Candidates are read in full where only the first rows are in memory, because two heads of sorted files
    differ by themselves.
    """
    train, test = tables.train, tables.test
    if test is None:
        return None
    names = [name for name in train.columns if name in test.columns and name not in exclude]
    candidates = [name for name in names if _separates(train.head[name], test.head[name])]
    if candidates and not (train.whole and test.whole):
        whole_train, whole_test = train.read(candidates), test.read(candidates)
        candidates = [name for name in candidates if _separates(whole_train[name], whole_test[name])]
    return min(candidates, key=lambda name: train.head[name].nunique(), default=None)


def _separates(train: pd.Series[str], test: pd.Series[str]) -> bool:
    if train.nunique() * _ROWS_A_GROUP > len(train):
        return False
    groups, test_groups = levels(train), levels(test)
    if groups.kind == "number":
        return False  # a measurement, not a name
    if min(len(groups.values), len(test_groups.values)) < _GROUPS_IN_TEST:
        return False
    return set(groups.values).isdisjoint(test_groups.values)
