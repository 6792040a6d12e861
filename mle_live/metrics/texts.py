"""From columns of text to lists, sets, masks and boxes, refusing what cannot be parsed with its rows.

The truth is parsed by the same rules; a fault there is a ValueError. Formulas are elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from mle_live.metrics.metric import AnyArray, Columns, Frame
from mle_live.metrics.readers import refuse

Parsed = TypeVar("Parsed")


def plain(frame: Frame, column: str) -> list[str]:
    """The column as texts; an empty field is the empty text."""
    values = frame[column].astype(object)
    return [value if isinstance(value, str) else "" if pd.isna(value) else str(value) for value in values]


def parse_both(
    truth: Frame,
    prediction: Frame,
    columns: Columns,
    parse_truth: Callable[[str], Parsed],
    parse_prediction: Callable[[str], Any] | None = None,
) -> tuple[list[Parsed], list[Any]]:
    """Both sides of the one target column, parsed row by row.

    The parsers raise ValueError, whose message names the rule and no value.
    """
    (column,) = columns
    expected = [parse_truth(text) for text in plain(truth, column)]
    return expected, parse_rows(plain(prediction, column), parse_prediction or parse_truth, column)


def parse_rows(texts: Sequence[str], parse: Callable[[str], Parsed], column: str) -> list[Parsed]:
    """Each text parsed; InvalidPredictions `malformed` for the rows whose text breaks the rule."""
    parsed: list[Parsed] = []
    bad = np.zeros(len(texts), dtype=bool)
    rule = ""
    for row, text in enumerate(texts):
        try:
            parsed.append(parse(text))
        except ValueError as error:
            bad[row], rule = True, rule or str(error)
    refuse(bad[:, None], "malformed", rule, [column])
    return parsed


def one_column(values: Sequence[Any]) -> AnyArray:
    """An object array of shape (rows, 1) whose cells are the values themselves, lists included."""
    table = np.empty((len(values), 1), dtype=object)
    for row, value in enumerate(values):
        table[row, 0] = value
    return table


def words(text: str) -> list[str]:
    """Items between blanks, in their order."""
    return text.split()


def whole_numbers(text: str) -> list[int]:
    """Whole numbers between blanks."""
    try:
        return [int(item) for item in text.split()]
    except ValueError:
        raise ValueError("predictions must be whole numbers with blanks between them") from None


def records(text: str, names: str) -> list[list[str]]:
    """Items in groups as long as `names` (which the message shows); none for an empty text."""
    items = text.split()
    size = len(names.split())
    if len(items) % size:
        raise ValueError(f"predictions must be repeated groups of `{names}`")
    return [items[start : start + size] for start in range(0, len(items), size)]


def finite(items: Sequence[str], what: str) -> npt.NDArray[np.float64]:
    """Items as finite numbers."""
    try:
        values = np.array(items, dtype=float)
    except ValueError:
        raise ValueError(f"{what} must be numbers") from None
    if not np.isfinite(values).all():
        raise ValueError(f"{what} must be finite")
    return values


def truth_column(truth: Frame, *names: str) -> pd.Series[Any]:
    """The first of these columns that the truth has; ValueError, the grader's fault, when it has none."""
    for name in names:
        if name in truth.columns:
            return truth[name]
    raise ValueError(f"the truth lacks the column {' or '.join(names)}")


def row_ids(truth: Frame) -> list[str]:
    """Ids of the rows, which the grader holds in the index."""
    return [str(row) for row in truth.index]


def refuse_rows(bad: Sequence[bool], rule: str, column: str) -> None:
    """InvalidPredictions `malformed` for the marked rows."""
    refuse(np.asarray(bad, dtype=bool)[:, None], "malformed", rule, [column])
