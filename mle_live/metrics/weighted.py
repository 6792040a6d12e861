"""Errors whose weights, scales or thresholds stand in columns of the truth or in the columns' names.

A truth with the target columns alone cannot be scored by these: their weights are the host's.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from mle_live.metrics import readers as read
from mle_live.metrics import texts
from mle_live.metrics.metric import Array, Columns, Frame


def read_weighted(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """The target, and the row's weight from the truth's column `weight`; a number."""
    expected, predicted = read.numbers(truth, prediction, columns[:1])
    return np.column_stack([expected, _weights(truth)]), predicted


def _weights(truth: Frame) -> Array:
    weights = texts.truth_column(truth, "weight", "weights").to_numpy(dtype=float)
    if not (weights >= 0).all() or not weights.any():
        raise ValueError("the weights of the truth must be numbers from 0, and not all 0")
    return np.asarray(weights)


def weighted_mae(truth: Array, prediction: Array) -> float:
    """Mean absolute error with weights, the truth's column `weight` (sklearn's sample_weight)."""
    return float(np.average(np.abs(truth[:, 0] - prediction[:, 0]), weights=truth[:, 1]))


def read_series(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Target, series, and the series' weight and scale from the truth's columns of these names; a number."""
    expected, predicted = read.numbers(truth, prediction, columns[:1])
    series, _ = pd.factorize(texts.truth_column(truth, "series"))
    scales = texts.truth_column(truth, "scale").to_numpy(dtype=float)
    if not (scales > 0).all():
        raise ValueError("the scales of the truth must be above 0")
    return np.column_stack([expected, series, _weights(truth), scales]), predicted


def weighted_rmsse(truth: Array, prediction: Array) -> float:
    """Mean over series, by `weight`, of the root of (mean squared error / `scale`) (M5's WRMSSE).

    The scale is the mean squared step of the series' own history.
    """
    target, series, weight, scale = truth.T
    codes = series.astype(np.intp)
    rows = np.bincount(codes)
    seen = rows > 0
    squares = np.bincount(codes, np.square(target - prediction[:, 0]) / scale)[seen] / rows[seen]
    weights = np.bincount(codes, weight)[seen] / rows[seen]
    return float(np.average(np.sqrt(squares), weights=weights))


def read_distribution(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """0 or 1: whether the true value is at most each column's number; a probability of the same.

    The number is the last one in the column's name (`P17` is 17); the truth's value is its last column.
    """
    numbers = [re.findall(r"-?\d+(?:\.\d+)?", name) for name in columns]
    if not all(numbers):
        raise ValueError("each column must name its threshold")
    thresholds = np.array([float(found[-1]) for found in numbers])
    predicted = read.predicted_numbers(prediction, columns)
    read.within(predicted, 0.0, 1.0, "probabilities must lie between 0 and 1", columns)
    if all(name in truth.columns for name in columns):
        return read.true_numbers(truth, columns), predicted
    value = read.true_numbers(truth, [truth.columns[-1]])
    return (value <= thresholds[None, :]).astype(float), predicted


def crps(truth: Array, prediction: Array) -> float:
    """Continuous ranked probability score: mean squared distance of predicted and true distribution."""
    return float(np.square(truth - prediction).mean())
