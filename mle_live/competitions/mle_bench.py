"""Scores as MLE-bench's own graders give them (commit 783b15a), faults included, for published comparisons.

Only what differs from this package's rules is written here, metric by metric; everything else is graded as
usual. Each function says what the difference is. A score may be NaN or infinite, which MLE-bench calls valid.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from pandas import DataFrame

from kaggle_runner.predictions.judge import Flaw, match_ids
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.grading import InvalidSubmission
from mle_live.metrics import (
    InvalidPredictions,
    classification,
    distances,
    get_metric,
    masks,
    regression,
    sequences,
    texts,
)
from mle_live.metrics import mle_bench_boxes as boxes
from mle_live.metrics.boxes3d import read_scenes

GradeRule = Callable[[DataFrame, DataFrame, HostedCompetition], float]
"""Solution (with ids, without Usage), submission and competition; the score of all rows."""

_COARSE_THRESHOLDS = np.arange(0.5, 1.0, 0.05)
"""MLE-bench's thresholds carry rounding errors: 0.6000000000000001, …"""
_VOLCANO = "predict-volcanic-eruptions-ingv-oe"
_SUM_TOLERANCE = 1e-6


def grade_as_mle_bench(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """MLE-bench's score of a submission on all rows of the solution, rounded to five digits as there.

    Raises InvalidSubmission where its grader refuses or breaks: it does not tell one from the other.
    """
    grader = _GRADERS.get(competition.metric, _aligned)
    truth = solution.drop(columns="Usage")
    absent = [name for name in (competition.id_column, *competition.target_columns) if name not in submission]
    if absent:
        raise InvalidSubmission("missing_column", f"the submission has no column {absent[0]!r}")
    try:
        return round(grader(truth, submission, competition), 5)
    except InvalidPredictions as error:
        raise InvalidSubmission(error.code, error.message) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidSubmission(
            "grader_error", f"MLE-bench's grader would break on this file: {type(error).__name__}"
        ) from error


def _by_id(truth: DataFrame, submission: DataFrame, competition: HostedCompetition) -> DataFrame:
    """The submission's targets in the order of the truth's index; more columns do no harm."""
    ids = submission[competition.id_column].astype(object).fillna("").tolist()
    places = match_ids(ids, truth.index.tolist())
    if isinstance(places, Flaw):
        raise InvalidSubmission.by(places)
    return submission[list(competition.target_columns)].set_axis(truth.index[places]).loc[truth.index]


def _aligned(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """No difference but that an undefined score passes; NaN predictions break scikit-learn's checks."""
    metric, targets = get_metric(competition.metric), list(competition.target_columns)
    truth = solution.set_index(competition.id_column)
    prediction = _by_id(truth, submission, competition)
    score = metric.formula(*metric.arrays(truth, prediction, targets))
    return float(round(score)) if competition.slug == _VOLCANO else score


def _probabilities_only(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """ROC AUC: values outside [0, 1] are refused, which Kaggle ranks."""
    if not submission[list(competition.target_columns)].apply(pd.to_numeric).stack().between(0, 1).all():
        raise InvalidSubmission("out_of_range", "MLE-bench wants probabilities between 0 and 1")
    return _aligned(solution, submission, competition)


def _rows_sum_to_one(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Multi-class log loss: rows that do not sum to 1 are refused, which Kaggle scales."""
    totals = submission[list(competition.target_columns)].astype(float).sum(axis=1)
    if not np.isclose(totals, 1, atol=_SUM_TOLERANCE).all():
        raise InvalidSubmission("out_of_range", "MLE-bench wants rows that sum to 1")
    return _aligned(solution, submission, competition)


def _sorted_apart(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Spearman: each side is sorted by its own ids, which are never compared; a constant column gives NaN."""
    targets = list(competition.target_columns)
    _same_length(solution, submission)
    truth, prediction = (
        frame.sort_values(competition.id_column)[targets].to_numpy(dtype=float)
        for frame in (solution, submission)
    )
    return regression.mean_column_spearman(truth, prediction)


def _undefined_allowed(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Pearson: constant predictions score NaN, which counts as a valid submission."""
    targets = list(competition.target_columns)
    truth = solution.set_index(competition.id_column)
    prediction = _by_id(truth, submission, competition)
    return regression.pearson_r(truth[targets].to_numpy(dtype=float), prediction.to_numpy(dtype=float))


def _by_position(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Mean column-wise RMSLE: rows are paired in the order of the files, whatever their ids."""
    _same_length(solution, submission)
    targets = list(competition.target_columns)
    return regression.mean_column_rmsle(
        solution[targets].to_numpy(dtype=float), submission[targets].to_numpy(dtype=float)
    )


def _subset_allowed(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Laplace log likelihood: rows left out are not scored, and a missing confidence counts as 0."""
    value, confidence = competition.target_columns
    unknown = submission[~submission[competition.id_column].isin(solution[competition.id_column])]
    if len(unknown):
        raise InvalidSubmission("unknown_ids", f"{len(unknown)} ids are not in the test set")
    judged = solution[solution[value].notna()]
    both = judged[[competition.id_column, value]].merge(
        submission, on=competition.id_column, suffixes=("_true", "")
    )
    given = both[[value, confidence]].astype(float).fillna({confidence: 0.0})
    return distances.laplace_log_likelihood(both[[f"{value}_true"]].to_numpy(dtype=float), given.to_numpy())


def _duplicates_counted(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Log of mean absolute errors: repeated ids are all counted, and a perfect group scores -infinity."""
    (target,) = competition.target_columns
    if set(solution[competition.id_column]) != set(submission[competition.id_column]):
        raise InvalidSubmission("missing_ids", "the ids are not those of the test set")
    both = solution.merge(submission, on=competition.id_column, suffixes=("_true", ""))
    errors = (both[f"{target}_true"] - both[target].astype(float)).abs().groupby(both["type"]).mean()
    with np.errstate(divide="ignore"):
        return float(np.log(errors).mean())


def _cut_at_half(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """AUC with bias penalties: predictions become 0 or 1 at one half before they are ranked."""
    (target,) = competition.target_columns
    cut = submission.assign(**{target: (submission[target].astype(float) >= 0.5).astype(float)})
    return _aligned(solution, cut, competition)


def _accuracy_of_answers(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Answer spans: scikit-learn's "micro" F1 of 0/1 labels, which is their accuracy."""
    truth = solution.set_index(competition.id_column)
    prediction = _by_id(truth, submission, competition)
    has_answer, given = sequences.read_spans(truth, prediction, list(competition.target_columns))
    labelled = np.where(given[:, 0] == 1, given[:, 1], has_answer[:, 0])
    return float((labelled == given[:, 0]).mean())


def _histograms(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Salt masks: a histogram of two bins takes an empty prediction for a full one where the truth has salt.

    (On pandas 3 the grader breaks altogether; published scores come from pandas 2.)
    """
    truth = solution.set_index(competition.id_column)
    prediction = _by_id(truth, submission, competition)
    true_areas, given = masks.read_salt_areas(truth, prediction, list(competition.target_columns))
    true, predicted, shared = true_areas[:, 0], given[:, 0], given[:, 1]
    predicted_or_full = np.where(predicted > 0, predicted, masks.SALT_PIXELS)
    shared_or_all = np.where(predicted > 0, shared, true)
    iou = shared_or_all / (true + predicted_or_full - shared_or_all)
    passed = (iou[:, None] > _COARSE_THRESHOLDS).mean(axis=1)
    return float(np.where(true > 0, passed, predicted == 0).mean())


def _same_order_needed(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """F0.5 of masks: rows in another order than the solution's are refused, and so is an empty mask."""
    if solution[competition.id_column].tolist() != submission[competition.id_column].tolist():
        raise InvalidSubmission("grader_error", "MLE-bench's grader wants the rows in its own order")
    (target,) = competition.target_columns
    if submission[target].isna().any():
        raise InvalidSubmission("nan", "MLE-bench refuses empty masks here")
    return _aligned(solution, submission, competition)


def _slices_by_position(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Dice and Hausdorff: Dice pairs rows in the order of the files; volumes are put together by id."""
    _same_length(solution, submission)
    targets = list(competition.target_columns)
    truth = solution.set_index(competition.id_column)
    paired = masks.read_areas(truth, submission.set_axis(truth.index), targets)
    places, volumes = masks.read_volumes(truth, _by_id(truth, submission, competition), targets)
    return masks.weighted_dice_and_hausdorff(
        masks.mean_filled_dice(*paired), masks.mean_hausdorff(places, volumes)
    )


def _trips_by_position(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Distances of trips: within a trip, rows are paired in the order of the files, whatever their times."""
    _same_length(solution, submission)
    trip = "tripId" if "tripId" in solution else "phone"
    if (solution.groupby(trip).size() != submission.groupby(trip).size()).any():
        raise InvalidSubmission("row_count", "a trip has too few or too many rows")
    targets = list(competition.target_columns)
    truth, prediction = (frame.sort_values(trip, kind="stable") for frame in (solution, submission))
    return distances.haversine_p50_p95_mean(*distances.read_places(truth, prediction[targets], targets))


def _known_tags(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Label sets: micro F1, also where Kaggle takes the mean; a label that the truth lacks is free."""
    (target,) = competition.target_columns
    truth = solution.set_index(competition.id_column)
    prediction = _by_id(truth, submission, competition)
    known = {tag for text in texts.plain(truth, target) for tag in text.split()}
    kept = [" ".join(tag for tag in text.split() if tag in known) for text in texts.plain(prediction, target)]
    filtered = prediction.assign(**{target: kept})
    return sequences.micro_f1_multilabel(*sequences.read_tag_counts(truth, filtered, [target]))


def _superset_allowed(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """MAP@12: ids beyond those of the truth are ignored."""
    wanted = submission[competition.id_column].isin(solution[competition.id_column])
    return _aligned(solution, submission[wanted], competition)


def _clipped(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Probabilistic F1: values outside [0, 1] are moved to the nearer end."""
    (target,) = competition.target_columns
    values = submission[target].astype(float).clip(0, 1)
    return _aligned(solution, submission.assign(**{target: values}), competition)


def _every_scene(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """3D boxes: one scene without true boxes makes the score NaN."""
    truth = solution.set_index(competition.id_column)
    prediction = _by_id(truth, submission, competition)
    counts, scores = read_scenes(truth, prediction, list(competition.target_columns))
    return float(scores.mean()) if (counts > 0).all() else math.nan


def _flat_average_precision(
    solution: DataFrame, submission: DataFrame, competition: HostedCompetition
) -> float:
    """Boxes at IoU > 0.5: scikit-learn's average precision over matched, unmatched and missed boxes."""
    truth = solution.set_index(competition.id_column)
    prediction = _by_id(truth, submission, competition)
    expected, predicted = texts.parse_both(truth, prediction, competition.target_columns, boxes.parse_boxes)
    return boxes.flat_map(expected, predicted, 0.5, classification.average_precision)


def _coco(solution: DataFrame, submission: DataFrame, competition: HostedCompetition) -> float:
    """Boxes at IoU 0.4: COCO's 101 points in place of PASCAL VOC's area, the far corner read as a size.

    An image may stand in several rows.
    """
    (target,) = competition.target_columns
    ids = solution[competition.id_column].tolist()
    if set(ids) != set(submission[competition.id_column]):
        raise InvalidSubmission("missing_ids", "the ids are not those of the test set")
    joined = submission[target].fillna("").groupby(submission[competition.id_column]).agg(" ".join)
    expected = [boxes.parse_boxes(text) for text in texts.plain(solution, target)]
    return boxes.coco_map(
        expected, texts.parse_rows(joined.loc[ids].tolist(), boxes.parse_boxes, target), 0.4
    )


def _same_length(solution: DataFrame, submission: DataFrame) -> None:
    if len(solution) != len(submission):
        raise InvalidSubmission("row_count", f"expected {len(solution)} rows, got {len(submission)}")


_GRADERS: dict[str, GradeRule] = {
    "roc_auc": _probabilities_only,
    "multiclass_log_loss": _rows_sum_to_one,
    "mean_column_spearman": _sorted_apart,
    "pearson_r": _undefined_allowed,
    "mean_column_rmsle": _by_position,
    "laplace_log_likelihood": _subset_allowed,
    "group_mean_log_mae": _duplicates_counted,
    "jigsaw_bias_auc": _cut_at_half,
    "micro_f1_qa_spans": _accuracy_of_answers,
    "mean_precision_iou_thresholds": _histograms,
    "fbeta_half_pixels": _same_order_needed,
    "dice_plus_3d_hausdorff": _slices_by_position,
    "haversine_p50_p95_mean": _trips_by_position,
    "mean_f1_multilabel": _known_tags,
    "micro_f1_multilabel": _known_tags,
    "map_at_12": _superset_allowed,
    "probabilistic_f1": _clipped,
    "map_3d_iou_50_95": _every_scene,
    "voc_map_iou_50": _flat_average_precision,
    "voc_map_iou_40": _coco,
}

DIFFERENCES: dict[str, str] = {
    metric: " ".join((grader.__doc__ or "").split()) for metric, grader in _GRADERS.items()
}
"""What differs, by metric, in a sentence or two."""
