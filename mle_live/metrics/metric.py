"""What a metric is. The formulas lie in modules by subject, the table of all of them in `registry`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from kaggle_runner.errors import ComindError

Array = npt.NDArray[np.float64]
"""Shape (rows, columns); labels are held as whole numbers."""
AnyArray = npt.NDArray[Any]
"""An `Array`, or an object array whose rows hold parsed texts; either can be indexed by rows."""
Frame = pd.DataFrame
Columns = Sequence[str]
TableReader = Callable[[Frame, Frame, Columns], tuple[AnyArray, AnyArray]]
Formula = Callable[[Any, Any], float]


def ranks(values: Array, *, method: Literal["average", "max"] = "average", axis: Literal[0, 1] = 0) -> Array:
    """Ranks from 1 along `axis`, ties sharing theirs. scipy.stats.rankdata takes a second to import."""
    return pd.DataFrame(values).rank(method=method, axis=axis).to_numpy().reshape(values.shape)


class InvalidPredictions(ComindError):
    """The predictions cannot be scored.

    `code` is one of `missing_column`, `row_count`, `nan`, `infinite`, `not_a_number`, `out_of_range`,
    `unknown_label`, `constant`, `malformed`. `row_positions` are 0-based positions of offending rows
    (empty when the whole column is meant). The message holds no value of the truth.
    """

    def __init__(self, code: str, message: str, row_positions: list[int] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.row_positions = row_positions or []


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named formula with its direction. `formula` may answer NaN where undefined; `score` never does."""

    name: str
    title: str
    higher_is_better: bool
    perfect: float | None
    """The value that the truth itself gets; None where that depends on the truth."""
    read: TableReader
    formula: Formula
    texts: bool = False
    """Predictions are texts (lists, spans, masks, boxes): never parsed as numbers; empty is a prediction."""
    one_column: bool = False
    """Only the first target column counts, or more than one is refused."""
    own_form: bool = False
    """The truth holds more than the target columns, or in another form (groups, sizes, listed answers)."""

    def check(self, prediction: Frame, truth: Frame, target_columns: Columns) -> None:
        """Raise InvalidPredictions when `prediction` cannot be scored; row order must be the truth's."""
        self.arrays(truth, prediction, target_columns)

    def arrays(self, truth: Frame, prediction: Frame, target_columns: Columns) -> tuple[AnyArray, AnyArray]:
        """Truth and prediction as checked tables, ready for `formula` (also on a selection of rows)."""
        if len(truth) == 0:
            raise ValueError("a score needs at least one row")
        if len(truth) != len(prediction):
            raise InvalidPredictions(
                "row_count", f"expected {len(truth)} rows of predictions, got {len(prediction)}"
            )
        absent = [column for column in target_columns if column not in prediction.columns]
        if absent:
            raise InvalidPredictions("missing_column", f"the predictions lack the column {absent[0]!r}")
        return self.read(truth, prediction, target_columns)

    def score(self, truth: Frame, prediction: Frame, target_columns: Columns) -> float:
        """The metric's value, always finite.

        Raises InvalidPredictions for a fault of the predictions, ValueError where the truth itself admits no
        score (one class only, a constant target).
        """
        value = self.formula(*self.arrays(truth, prediction, target_columns))
        if not math.isfinite(value):
            raise ValueError(f"{self.name} is undefined for this truth ({len(truth)} rows)")
        return float(value)
