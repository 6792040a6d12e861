"""Metrics of probabilities and rankings with a rule of their own: weighted losses, bands and groups of AUC.

The plain ones are in `classification`. Readers check values; formulas take arrays (rows, columns).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mle_live.metrics import readers as read
from mle_live.metrics import texts
from mle_live.metrics.classification import PROBABILITY_FLOOR, area_under_curve
from mle_live.metrics.metric import Array, Columns, Frame, ranks

IDENTITIES = (
    "male",
    "female",
    "homosexual_gay_or_lesbian",
    "christian",
    "jewish",
    "muslim",
    "black",
    "white",
    "psychiatric_or_mental_illness",
)
"""Columns of jigsaw-unintended-bias' truth: shares of annotators who saw the identity mentioned."""
_BIAS_POWER = -5.0
_BAND_EDGE, _LOW_BAND_WEIGHT = 0.4, 2.0
_OVERALL, _OVERALL_WEIGHT = "patient_overall", 7.0
_SUM_TOLERANCE = 1e-5


def probabilistic_f1(truth: Array, prediction: Array) -> float:
    """F1 whose counts are sums of probabilities (Yacouby and Axman 2020; rsna-breast-cancer-detection)."""
    hits = (truth * prediction).sum()
    total = truth.sum() + prediction.sum()
    if not truth.sum():
        return float("nan")
    return float(2 * hits / total)


def read_distributions(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Votes a class, scaled to shares of a row; probabilities that already sum to 1 a row."""
    votes, predicted = read.non_negative(truth, prediction, columns)
    read.within(predicted, 0.0, 1.0, "probabilities must lie between 0 and 1", columns)
    off = np.abs(np.einsum("ij->i", predicted)[:, None] - 1) > _SUM_TOLERANCE
    read.refuse(off, "out_of_range", "the probabilities of a row must sum to 1", columns)
    totals = np.einsum("ij->i", votes)[:, None]
    if (totals == 0).any():
        raise ValueError("each row of the truth needs votes")
    return votes if (totals == 1).all() else votes / totals, predicted


def kl_divergence(truth: Array, prediction: Array) -> float:
    """Mean over rows of Σ t log(t / p), p cut to [1e-15, 1 - 1e-15] (Kaggle's metric, scipy's rel_entr)."""
    voted = truth > 0
    shares = truth[voted]
    p = np.clip(prediction[voted], PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return float((shares * np.log(shares / p)).sum() / len(truth))


def read_exam_levels(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Label, weight and exam of each row, from ids `EXAM_LEVEL`; a probability."""
    expected, predicted = read.probabilities(truth, prediction, columns)
    parts = [row.partition("_") for row in texts.row_ids(truth)]
    if not all(separator for _, separator, _ in parts):
        raise ValueError("ids of the truth must read EXAM_LEVEL")
    overall = np.array([level == _OVERALL for _, _, level in parts])
    weights = np.where(overall, _OVERALL_WEIGHT, 1.0) * (1 + expected[:, 0])
    exams, _ = pd.factorize(np.array([exam for exam, _, _ in parts], dtype=object))
    return np.column_stack([expected[:, 0], weights, exams]), predicted


def weighted_multilabel_log_loss(truth: Array, prediction: Array) -> float:
    """Weighted mean log loss of each exam, averaged over exams (rsna-2022-cervical-spine-fracture-detection).

    `patient_overall` weighs 7 against 1 for a level; a positive label counts twice.
    """
    label, weight, exams = truth.T
    p = np.clip(prediction[:, 0], PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    loss = -(label * np.log(p) + (1 - label) * np.log1p(-p))
    codes = exams.astype(np.intp)
    weights = np.bincount(codes, weight)
    seen = weights > 0
    return float((np.bincount(codes, weight * loss)[seen] / weights[seen]).mean())


def lwlrap(truth: Array, prediction: Array) -> float:
    """Label-weighted label-ranking average precision, ties at their worst rank (freesound-audio-tagging).

    sklearn.metrics.label_ranking_average_precision_score with the rows' numbers of labels as weights.
    """
    positive = truth > 0
    if not positive.any():
        return float("nan")
    among_all = ranks(-prediction, method="max", axis=1)
    among_positive = ranks(np.where(positive, -prediction, np.inf), method="max", axis=1)
    return float((among_positive[positive] / among_all[positive]).mean())


def weighted_roc_auc_tpr_bands(truth: Array, prediction: Array) -> float:
    """Area above the ROC curve's left side, true positive rates below 0.4 counted twice (alaska2).

    The area is exact: the curve is cut where it crosses 0.4. The result lies in [0, 1].
    """
    order = np.argsort(-prediction[:, 0], kind="stable")
    labels, scores = truth[order, 0], prediction[order, 0]
    ends = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    positives, total = np.cumsum(labels)[ends], labels.sum()
    if total in (0, len(labels)):
        return float("nan")
    rate = np.insert(positives / total, 0, 0.0)
    false_rate = np.insert((ends + 1 - positives) / (len(labels) - total), 0, 0.0)
    steps = np.diff(rate) * (1 - (false_rate[1:] + false_rate[:-1]) / 2)
    area = np.insert(np.cumsum(steps), 0, 0.0)
    at = int(np.searchsorted(rate, _BAND_EDGE, side="right")) - 1
    crossing = np.interp(_BAND_EDGE, rate[at : at + 2], false_rate[at : at + 2])
    low = area[at] + (_BAND_EDGE - rate[at]) * (1 - (false_rate[at] + crossing) / 2)
    weighted = _LOW_BAND_WEIGHT * low + (area[-1] - low)
    return float(weighted / (_LOW_BAND_WEIGHT * _BAND_EDGE + (1 - _BAND_EDGE)))


def read_toxicity(truth: Frame, prediction: Frame, columns: Columns) -> tuple[Array, Array]:
    """Toxic or not, then a flag for each identity, shares cut at one half; any score of toxicity."""
    toxic = texts.truth_column(truth, columns[0], "toxicity").to_numpy(dtype=float) >= 0.5
    mentioned = [
        texts.truth_column(truth, name).fillna(0).to_numpy(dtype=float) >= 0.5 for name in IDENTITIES
    ]
    return np.column_stack([toxic, *mentioned]).astype(float), read.predicted_numbers(prediction, columns)


def jigsaw_bias_auc(truth: Array, prediction: Array) -> float:
    """Mean of the overall AUC and three power means over identities (jigsaw-unintended-bias-in-toxicity).

    The three: AUC within the identity's comments; of toxic others against its harmless ones; of its toxic
    ones against harmless others. Power -5. Scores are ranked as they are.
    """
    toxic, scores = truth[:, 0] == 1, prediction[:, 0]
    areas = []
    for mentioned in truth[:, 1:].T == 1:
        for rows in (mentioned, mentioned != toxic, mentioned == toxic):
            areas.append(area_under_curve(truth[rows, 0], scores[rows]))
    with np.errstate(divide="ignore"):  # an area of 0 makes its power mean 0
        means = (np.array(areas).reshape(-1, 3) ** _BIAS_POWER).mean(axis=0) ** (1 / _BIAS_POWER)
    return float((area_under_curve(truth[:, 0], scores) + means.sum()) / 4)
