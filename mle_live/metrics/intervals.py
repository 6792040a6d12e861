"""How sure a score is: a percentile bootstrap over rows, or over groups of rows that belong together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mle_live.metrics.metric import Columns, Frame, Metric

Rows = npt.NDArray[np.intp]


def bootstrap(
    metric: Metric,
    truth: Frame,
    prediction: Frame,
    target_columns: Columns,
    *,
    samples: int,
    seed: int,
    groups: np.ndarray[Any, Any] | None,
) -> tuple[float, float]:
    """95 % percentile interval (Efron 1979) of the score; it always holds the score itself.

    `groups` (one label a row) resamples whole groups, for rows that are not independent. Samples on which
    the metric is undefined (one class only) are left out. Equal seeds give equal intervals. Raises as
    `Metric.score` does.
    """
    value = metric.score(truth, prediction, target_columns)
    expected, predicted = metric.arrays(truth, prediction, target_columns)
    generator = np.random.default_rng(seed)
    draws = (
        _row_draws(len(expected), samples, generator)
        if groups is None
        else _group_draws(np.asarray(groups), samples, generator)
    )
    scores = np.array([metric.formula(expected[rows], predicted[rows]) for rows in draws])
    scores = scores[np.isfinite(scores)]
    if len(scores) == 0:
        return value, value
    low, high = np.percentile(scores, [2.5, 97.5])
    return min(float(low), value), max(float(high), value)


def _row_draws(rows: int, samples: int, generator: np.random.Generator) -> Iterator[Rows]:
    for _ in range(samples):
        yield generator.integers(0, rows, rows)


def _group_draws(
    groups: np.ndarray[Any, Any], samples: int, generator: np.random.Generator
) -> Iterator[Rows]:
    """As many groups as there are, with replacement; each brings all its rows."""
    codes, _ = pd.factorize(groups)
    order = np.argsort(codes, kind="stable")
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    for _ in range(samples):
        picked = generator.integers(0, len(sizes), len(sizes))
        picked_sizes = sizes[picked]
        offsets = np.arange(picked_sizes.sum()) - np.repeat(
            np.cumsum(picked_sizes) - picked_sizes, picked_sizes
        )
        yield order[np.repeat(starts[picked], picked_sizes) + offsets]
