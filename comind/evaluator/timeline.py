"""Find the column of time by which the host put the rows to predict after the training rows, if one did."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from mle_live.layout.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

_CALLED = re.compile(r"date|time|year|month|week|day|period|quarter|hour|moment|stamp", re.IGNORECASE)
_WRITTEN = re.compile(r"\d[-/:.]\d")
"""A date in digits; numbers alone are taken for times only where the column is called so."""
_FEWEST_TIMES = 5


def find_time_column(tables: Tables, *, exclude: Collection[str]) -> str | None:
    """The column in which no test row is earlier than the last training row, or None.

    Whole columns are read: two heads of sorted files differ by themselves. Of several the finest is taken.
    """
    train, test = tables.train, tables.test
    if test is None:
        return None
    found: dict[str, int] = {}
    for name in train.columns:
        if name in exclude or name not in test.columns or moments(train.head[name]) is None:
            continue
        before, after = (moments(table.read([name])[name]) for table in (train, test))
        if before is None or after is None or before.nunique() < _FEWEST_TIMES:
            continue
        if after.min() >= before.max() and after.max() > before.max():
            found[name] = int(before.nunique())
    return max(found, key=lambda name: found[name], default=None)


def moments(column: pd.Series[str]) -> pd.Series[Any] | None:
    """A column of text as numbers that grow with time; None where it holds no times."""
    import pandas as pd

    filled = column[column != ""]
    if filled.empty:
        return None
    numbers = pd.to_numeric(filled, errors="coerce")
    if numbers.notna().all():
        return numbers if _CALLED.search(str(column.name)) else None
    if not filled.head(50).str.contains(_WRITTEN).all():
        return None
    dates = pd.to_datetime(filled, errors="coerce", format="mixed", utc=True)
    return dates.astype("int64") if dates.notna().all() else None
