"""Areas under curves of ranked predictions, and what is told from the order of pairs.

Arguments are arrays (rows, columns), predictions any number that is larger where the truth is; NaN means
undefined. Ties count as the mean of their orders, so the order of the rows changes nothing.
"""

from __future__ import annotations

import numpy as np

from mle_live.metrics import texts
from mle_live.metrics.metric import Array, Columns, Frame, ranks
from mle_live.metrics.readers import predicted_numbers, true_numbers

_BLOCK = 512
"""Rows that are compared with all others at a time."""


def pr_auc(truth: Array, prediction: Array) -> float:
    """Area under the precision-recall curve by trapezoids (auc of precision_recall_curve); not the average
    precision, which is a sum of steps."""
    hits, guesses = _steps(truth, prediction)
    if hits[-1] == 0:
        return float("nan")
    precision = np.insert(hits / guesses, 0, 1.0)
    recall = np.insert(hits / hits[-1], 0, 0.0)
    return float((np.diff(recall) * (precision[1:] + precision[:-1]) / 2).sum())


def partial_area(truth: Array, prediction: Array, most: float) -> float:
    """Area under the ROC curve up to the false positive rate `most`, not scaled."""
    hits, guesses = _steps(truth, prediction)
    negatives = len(truth) - hits[-1]
    if hits[-1] == 0 or negatives == 0:
        return float("nan")
    rate = np.insert(hits / hits[-1], 0, 0.0)
    false_rate = np.insert((guesses - hits) / negatives, 0, 0.0)
    inside = false_rate <= most
    end = float(np.interp(most, false_rate, rate))
    x, y = np.append(false_rate[inside], most), np.append(rate[inside], end)
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def _steps(truth: Array, prediction: Array) -> tuple[Array, Array]:
    """Hits and guesses at each distinct score, from the highest down."""
    order = np.argsort(-prediction[:, 0], kind="stable")
    scores, hits = prediction[order, 0], np.cumsum(truth[order, 0])
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    return hits[ends], (ends + 1).astype(float)


def gini(truth: Array, prediction: Array) -> float:
    """Gini index of the truth in the order of the predictions, not normalised (Kaggle's definition).

    Mean over ranks of the share of the truth that the higher predictions hold, minus the ranks' own share;
    what the truth itself gets depends on the truth.
    """
    values, total = truth[:, 0], truth[:, 0].sum()
    if total == 0:
        return float("nan")
    places = ranks(-prediction[:, 0])
    rows = len(values)
    return float((values * (rows + 1 - places)).sum() / total - (rows + 1) / 2) / rows


def normalised_gini(truth: Array, prediction: Array) -> float:
    """`gini` over that of the truth itself; for labels 0 and 1 it is 2 × ROC AUC - 1."""
    best = gini(truth, truth)
    return gini(truth, prediction) / best if best else float("nan")


def read_lifetimes(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Time, and 1 where the event was seen (column `event`, 0 where it was not yet); a predicted time."""
    times = true_numbers(truth, columns[:1])
    events = texts.truth_column(truth, "event").to_numpy(dtype=float)
    return np.column_stack([times, events]), predicted_numbers(prediction, columns[:1])


def c_index(truth: Array, prediction: Array) -> float:
    """Harrell's C: share of comparable pairs whose predicted times are in the true order, ties one half.

    A pair is comparable where the earlier time is an event's, or both times are one and one is no event's, as
    in lifelines and scikit-survival: the true times themselves need not get 1. Larger predictions mean longer
    times, as in lifelines' concordance_index; hand in the negative of a risk.
    """
    (times, events), predicted = truth.T, prediction[:, 0]
    agreed = pairs = 0.0
    seen = np.flatnonzero(events == 1)
    for start in range(0, len(seen), _BLOCK):
        rows = seen[start : start + _BLOCK, None]
        later = (times > times[rows]) | ((times == times[rows]) & (events == 0))
        pairs += later.sum()
        agreed += (later & (predicted > predicted[rows])).sum()
        agreed += ((later & (predicted == predicted[rows])).sum()) / 2
    return float(agreed / pairs) if pairs else float("nan")
