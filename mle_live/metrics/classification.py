"""Formulas for classes. Arguments are arrays (rows, columns) from `reading`; NaN means undefined.

Written in plain numpy because the bootstrap calls them hundreds of times; the tests hold each of them against
scikit-learn's function of the same meaning.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mle_live.metrics.metric import Array, ranks

_FEW_CODES = 1000
PROBABILITY_FLOOR = 1e-15
"""Probabilities are cut to [floor, 1 - floor] before a logarithm, as Kaggle's log losses do."""


def accuracy(truth: Array, prediction: Array) -> float:
    """Share of rows in which every column is right (sklearn.metrics.accuracy_score)."""
    return float((truth == prediction).all(axis=1).mean())


def top1_error(truth: Array, prediction: Array) -> float:
    """Share of rows that are wrong, 1 - accuracy (sklearn.metrics.zero_one_loss; inaturalist-2019)."""
    return 1.0 - accuracy(truth, prediction)


def balanced_accuracy(truth: Array, prediction: Array) -> float:
    """Mean recall over the classes of the truth (sklearn.metrics.balanced_accuracy_score)."""
    hits, true_counts, _ = _class_counts(truth, prediction)
    present = true_counts > 0
    return float((hits[present] / true_counts[present]).mean())


def roc_auc(truth: Array, prediction: Array) -> float:
    """Area under the ROC curve by the rank-sum identity, ties sharing ranks (sklearn's roc_auc_score)."""
    return area_under_curve(truth[:, 0], prediction[:, 0])


def mean_column_roc_auc(truth: Array, prediction: Array) -> float:
    """Unweighted mean of the columns' areas (roc_auc_score with average="macro")."""
    return float(np.mean([area_under_curve(truth[:, i], prediction[:, i]) for i in range(truth.shape[1])]))


def average_precision(truth: Array, prediction: Array) -> float:
    """Sum of precision × gain in recall over distinct thresholds (sklearn's average_precision_score)."""
    order = np.argsort(-prediction[:, 0], kind="stable")
    sorted_scores, hits = prediction[order, 0], np.cumsum(truth[order, 0])
    if hits[-1] == 0:
        return float("nan")
    ends = np.append(np.flatnonzero(np.diff(sorted_scores)), len(hits) - 1)
    precision, recall = hits[ends] / (ends + 1), hits[ends] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def f1(truth: Array, prediction: Array) -> float:
    """2TP / (2TP + FP + FN) of the positive class, pooled over columns; 0 where nothing is positive.

    One column: f1_score(average="binary"); several: average="micro" on a label indicator matrix.
    """
    denominator = truth.sum() + prediction.sum()
    return float(2 * (truth * prediction).sum() / denominator) if denominator else 0.0


def macro_f1(truth: Array, prediction: Array) -> float:
    """Mean F1 over the classes seen on either side (f1_score with average="macro")."""
    scores, true_counts = _class_f1(truth, prediction)
    return float(scores.mean()) if len(true_counts) else float("nan")


def weighted_f1(truth: Array, prediction: Array) -> float:
    """F1 a class, weighted by the class's rows in the truth (f1_score with average="weighted")."""
    scores, true_counts = _class_f1(truth, prediction)
    return float(np.average(scores, weights=true_counts))


def binary_log_loss(truth: Array, prediction: Array) -> float:
    """Mean negative log likelihood of 0/1 targets, averaged over rows and columns (sklearn's log_loss)."""
    p = np.clip(prediction, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return float(-(truth * np.log(p) + (1 - truth) * np.log1p(-p)).mean())


def multiclass_log_loss(truth: Array, prediction: Array) -> float:
    """Mean negative log probability of the true class (sklearn.metrics.log_loss)."""
    p = np.clip(prediction, PROBABILITY_FLOOR, 1.0)
    return float(-(truth * np.log(p)).sum(axis=1).mean())


def precision(truth: Array, prediction: Array) -> float:
    """TP / (TP + FP) of the positive class, pooled over columns; 0 where nothing is predicted positive."""
    predicted = prediction.sum()
    return float((truth * prediction).sum() / predicted) if predicted else 0.0


def recall(truth: Array, prediction: Array) -> float:
    """TP / (TP + FN) of the positive class, pooled over columns; 0 where nothing is positive."""
    positives = truth.sum()
    return float((truth * prediction).sum() / positives) if positives else 0.0


def macro_precision(truth: Array, prediction: Array) -> float:
    """Mean precision over the classes seen on either side (precision_score with average="macro")."""
    hits, _, predicted_counts = _class_counts(truth, prediction)
    return float((hits / np.maximum(predicted_counts, 1)).mean())


def macro_recall(truth: Array, prediction: Array) -> float:
    """Mean recall over the classes seen on either side (recall_score with average="macro")."""
    hits, true_counts, _ = _class_counts(truth, prediction)
    return float((hits / np.maximum(true_counts, 1)).mean())


def hamming_loss(truth: Array, prediction: Array) -> float:
    """Share of cells that are wrong (sklearn.metrics.hamming_loss)."""
    return float((truth != prediction).mean())


def brier(truth: Array, prediction: Array) -> float:
    """Mean of (label - probability)² over rows and columns (sklearn.metrics.brier_score_loss)."""
    return float(np.square(truth - prediction).mean())


def multiclass_brier(truth: Array, prediction: Array) -> float:
    """Mean over rows of the classes' summed (label - probability)², from 0 to 2 (Brier 1950)."""
    return float(np.square(truth - prediction).sum(axis=1).mean())


def cohen_kappa(truth: Array, prediction: Array) -> float:
    """Cohen's kappa without weights (sklearn.metrics.cohen_kappa_score); undefined for one constant."""
    hits, true_counts, predicted_counts = _class_counts(truth, prediction)
    rows = len(truth)
    chance = float(true_counts @ predicted_counts) / rows**2
    return float((hits.sum() / rows - chance) / (1 - chance)) if chance < 1 else float("nan")


def linear_weighted_kappa(truth: Array, prediction: Array) -> float:
    """Cohen's kappa with weights |i - j| of the ratings (cohen_kappa_score with weights="linear")."""
    t, p = np.sort(truth[:, 0]), np.sort(prediction[:, 0])
    seen = np.abs(truth[:, 0] - prediction[:, 0]).mean()
    # the mean distance of all pairs: between two neighbouring values it counts the pairs on both sides
    values = np.unique(np.concatenate([t, p]))
    below_t = np.searchsorted(t, values[:-1], side="right") / len(t)
    below_p = np.searchsorted(p, values[:-1], side="right") / len(p)
    chance = (np.diff(values) * (below_t * (1 - below_p) + below_p * (1 - below_t))).sum()
    return float(1 - seen / chance) if chance > 0 else float("nan")


def quadratic_weighted_kappa(truth: Array, prediction: Array) -> float:
    """Cohen's kappa with weights (i - j)² (cohen_kappa_score with weights="quadratic").

    With squared weights the table of expected counts collapses to first and second moments, so no table is
    built. Undefined when both sides are one and the same constant.
    """
    t, p = truth[:, 0], prediction[:, 0]
    expected = (t**2).mean() + (p**2).mean() - 2 * t.mean() * p.mean()
    return float(1 - ((t - p) ** 2).mean() / expected) if expected > 0 else float("nan")


def matthews_corrcoef(truth: Array, prediction: Array) -> float:
    """Gorodkin's R_K for any number of classes, 0 when one side is constant (as sklearn's)."""
    hits, true_counts, predicted_counts = _class_counts(truth, prediction)
    rows = float(len(truth))
    covariance = hits.sum() * rows - true_counts @ predicted_counts
    spread = (rows**2 - true_counts @ true_counts) * (rows**2 - predicted_counts @ predicted_counts)
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def area_under_curve(truth: Array, prediction: Array) -> float:
    """ROC AUC of one column of 0/1 labels, shape (rows,), by the sum of ranks; NaN without both classes."""
    positives = truth.sum()
    negatives = len(truth) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    rank_sum = ranks(prediction)[truth == 1].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def _class_counts(truth: Array, prediction: Array) -> tuple[Array, Array, Array]:
    """Hits, rows in the truth and rows in the prediction for each class seen on either side."""
    true_codes, predicted_codes = _class_codes(truth[:, 0], prediction[:, 0])
    size = int(max(true_codes.max(), predicted_codes.max())) + 1
    hits = np.bincount(true_codes[true_codes == predicted_codes], minlength=size).astype(float)
    true_counts = np.bincount(true_codes, minlength=size).astype(float)
    predicted_counts = np.bincount(predicted_codes, minlength=size).astype(float)
    seen = true_counts + predicted_counts > 0
    return hits[seen], true_counts[seen], predicted_counts[seen]


def _class_codes(truth: Array, prediction: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Small whole codes that agree between the two sides, with gaps at most as many as rows."""
    low = min(truth.min(), prediction.min())
    if max(truth.max(), prediction.max()) - low < max(len(truth), _FEW_CODES):
        codes = [(side - low).astype(np.intp) for side in (truth, prediction)]
        if all((code == side - low).all() for code, side in zip(codes, (truth, prediction), strict=True)):
            return codes[0], codes[1]
    _, mixed = np.unique(np.concatenate([truth, prediction]), return_inverse=True)
    return mixed[: len(truth)], mixed[len(truth) :]


def _class_f1(truth: Array, prediction: Array) -> tuple[Array, Array]:
    hits, true_counts, predicted_counts = _class_counts(truth, prediction)
    return 2 * hits / (true_counts + predicted_counts), true_counts
