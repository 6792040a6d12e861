"""Formulas for numbers. Arguments are arrays (rows, columns) from `reading`; NaN means undefined.

The tests hold each of them against scikit-learn's or scipy's function of the same meaning.
"""

from __future__ import annotations

import numpy as np

from mle_live.metrics.metric import Array, ranks

_PIECE = 8192
"""Numbers that are worked on at a time."""


def mse(truth: Array, prediction: Array) -> float:
    """Mean squared error over all cells (sklearn.metrics.mean_squared_error)."""
    return _squared_distance(truth.ravel(), prediction.ravel()) / truth.size


def rmse(truth: Array, prediction: Array) -> float:
    """Root of the mean squared error over all cells (root_mean_squared_error on the flattened arrays)."""
    return float(np.sqrt(mse(truth, prediction)))


def mean_column_rmse(truth: Array, prediction: Array) -> float:
    """Mean of the columns' root mean squared errors, Kaggle's MCRMSE."""
    return float(np.sqrt(_squares(truth - prediction) / len(truth)).mean())


def rmsle(truth: Array, prediction: Array) -> float:
    """RMSE of log(1 + x) (sklearn.metrics.root_mean_squared_log_error)."""
    return rmse(np.log1p(truth), np.log1p(prediction))


def mean_column_rmsle(truth: Array, prediction: Array) -> float:
    """Mean of the columns' RMSE of log(1 + x)."""
    return mean_column_rmse(np.log1p(truth), np.log1p(prediction))


def mae(truth: Array, prediction: Array) -> float:
    """Mean absolute error over all cells (sklearn.metrics.mean_absolute_error)."""
    error = truth - prediction
    return float(np.einsum("ij->", np.abs(error, out=error)) / error.size)


def mape(truth: Array, prediction: Array) -> float:
    """Mean of |error| / |truth|, as a fraction; undefined where the truth is 0."""
    if not truth.all():
        return float("nan")
    error = truth - prediction
    error /= truth
    return float(np.abs(error, out=error).mean())


def r2(truth: Array, prediction: Array) -> float:
    """Coefficient of determination, averaged over columns (sklearn.metrics.r2_score)."""
    residual = _squares(truth - prediction)
    total = _squares(truth - truth.mean(axis=0))
    return float((1 - residual / total).mean()) if (total > 0).all() else float("nan")


def pearson_r(truth: Array, prediction: Array) -> float:
    """Pearson's correlation, averaged over columns (scipy.stats.pearsonr); undefined for a constant."""
    t, p = truth - truth.mean(axis=0), prediction - prediction.mean(axis=0)
    spread = np.sqrt((t**2).sum(axis=0)) * np.sqrt((p**2).sum(axis=0))
    if not (spread > 0).all():
        return float("nan")
    return float(np.clip((t * p).sum(axis=0) / spread, -1.0, 1.0).mean())


def spearman_r(truth: Array, prediction: Array) -> float:
    """Pearson's correlation of ranks, ties sharing ranks, averaged over columns (scipy.stats.spearmanr)."""
    return pearson_r(ranks(truth), ranks(prediction))


def mean_column_spearman(truth: Array, prediction: Array) -> float:
    """Mean of the columns' Spearman correlations (scipy.stats.spearmanr; google-quest-challenge)."""
    return spearman_r(truth, prediction)


def msle(truth: Array, prediction: Array) -> float:
    """Mean squared error of log(1 + x) (sklearn.metrics.mean_squared_log_error)."""
    return mse(np.log1p(truth), np.log1p(prediction))


def rmse_of_logs(truth: Array, prediction: Array) -> float:
    """RMSE of log(x), without the 1 that `rmsle` adds (root_mean_squared_error of the logarithms)."""
    return rmse(np.log(truth), np.log(prediction))


def median_absolute_error(truth: Array, prediction: Array) -> float:
    """Median absolute error, averaged over columns (sklearn.metrics.median_absolute_error)."""
    return float(np.median(np.abs(truth - prediction), axis=0).mean())


def rmspe(truth: Array, prediction: Array) -> float:
    """Root of the mean of (error / truth)², as a fraction; undefined where the truth is 0."""
    if not truth.all():
        return float("nan")
    return float(np.sqrt(np.square((truth - prediction) / truth).mean()))


def wmape(truth: Array, prediction: Array) -> float:
    """Sum of |error| over the sum of |truth|, as a fraction: MAPE weighted by the truth (WAPE)."""
    total = np.abs(truth).sum()
    return float(np.abs(truth - prediction).sum() / total) if total else float("nan")


def smape(truth: Array, prediction: Array) -> float:
    """Mean of 2 |error| / (|truth| + |prediction|), 0 to 2, and 0 where both are 0 (Kaggle's)."""
    return 2 * smape_unit(truth, prediction)


def smape_unit(truth: Array, prediction: Array) -> float:
    """Mean of |error| / (|truth| + |prediction|), 0 to 1, and 0 where both are 0: half of `smape`."""
    size = np.abs(truth) + np.abs(prediction)
    return float((np.abs(truth - prediction) / np.where(size > 0, size, 1.0)).mean())


def mean_cosine_similarity(truth: Array, prediction: Array) -> float:
    """Mean over rows of the cosine between the rows' vectors, 0 for a vector of zeros (cosine_similarity)."""
    lengths = np.sqrt((truth**2).sum(axis=1)) * np.sqrt((prediction**2).sum(axis=1))
    return float(((truth * prediction).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)).mean())


def _squared_distance(left: Array, right: Array) -> float:
    """Sum of squared differences of two vectors, in pieces that stay in the processor's cache.

    The pieces are also too short for BLAS to wake its threads.
    """
    difference = np.empty(min(_PIECE, len(left)))
    total = 0.0
    for start in range(0, len(left), _PIECE):
        piece = difference[: len(left) - start]
        np.subtract(left[start : start + _PIECE], right[start : start + _PIECE], out=piece)
        total += float(piece.dot(piece))
    return total


def _squares(values: Array) -> Array:
    """Sum of squares of each column; no BLAS, whose threads are slow to wake where cores are busy."""
    return np.asarray(np.einsum("ij,ij->j", values, values))
