"""The table of metrics by name."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from kaggle_runner.errors import UsageError
from mle_live.metrics import boxes, boxes3d, curves, distances, masks, regression, sequences, weighted
from mle_live.metrics import classification as classes
from mle_live.metrics import probabilities as chances
from mle_live.metrics import readers as read
from mle_live.metrics.families import FAMILIES, family_metric
from mle_live.metrics.metric import Formula, Frame, Metric, TableReader

HIGHER, LOWER = True, False


def _metric(
    title: str,
    higher: bool,
    reader: TableReader,
    formula: Formula,
    *,
    texts: bool = False,
    perfect: float | None = None,
) -> Metric:
    """`perfect` where it is neither 1 for the highest nor 0 for the lowest."""
    return Metric(
        name=formula.__name__,
        title=title,
        higher_is_better=higher,
        perfect=float(higher) if perfect is None else perfect,
        read=reader,
        formula=formula,
        texts=texts,
    )


def _of_texts(title: str, higher: bool, reader: TableReader, formula: Formula) -> Metric:
    return _metric(title, higher, reader, formula, texts=True)


_BEST_LOG_MAE = math.log(distances.SMALLEST_GROUP_ERROR)
_BEST_LIKELIHOOD = -math.log(math.sqrt(2) * distances.SMALLEST_CONFIDENCE)

_COMMON = (
    _metric("Area under the ROC curve", HIGHER, read.ranks_of_positive, classes.roc_auc),
    _metric("Mean column-wise ROC AUC", HIGHER, read.ranks_of_positive, classes.mean_column_roc_auc),
    _metric("Average precision", HIGHER, read.ranks_of_positive, classes.average_precision),
    _metric("Accuracy", HIGHER, read.labels, classes.accuracy),
    _metric("Balanced accuracy", HIGHER, read.labels, classes.balanced_accuracy),
    _metric("F1 of the positive class", HIGHER, read.flags, classes.f1),
    _metric("Macro-averaged F1", HIGHER, read.labels, classes.macro_f1),
    _metric("Weighted F1", HIGHER, read.labels, classes.weighted_f1),
    _metric("Log loss", LOWER, read.probabilities, classes.binary_log_loss),
    _metric("Multi-class log loss", LOWER, read.class_probabilities, classes.multiclass_log_loss),
    _metric("Quadratic weighted kappa", HIGHER, read.ratings, classes.quadratic_weighted_kappa),
    _metric("Matthews correlation coefficient", HIGHER, read.labels, classes.matthews_corrcoef),
    _metric("Mean squared error", LOWER, read.numbers, regression.mse),
    _metric("Root mean squared error", LOWER, read.numbers, regression.rmse),
    _metric("Mean column-wise RMSE", LOWER, read.numbers, regression.mean_column_rmse),
    _metric("Root mean squared logarithmic error", LOWER, read.non_negative, regression.rmsle),
    _metric("Mean column-wise RMSLE", LOWER, read.non_negative, regression.mean_column_rmsle),
    _metric("Mean absolute error", LOWER, read.numbers, regression.mae),
    _metric("Mean absolute percentage error", LOWER, read.numbers, regression.mape),
    _metric("R²", HIGHER, read.numbers, regression.r2),
    _metric("Pearson correlation", HIGHER, read.varying, regression.pearson_r),
    _metric("Spearman correlation", HIGHER, read.varying, regression.spearman_r),
)

_FURTHER = (
    _metric("Area under the precision-recall curve", HIGHER, read.ranks_of_positive, curves.pr_auc),
    replace(_metric("Gini index", HIGHER, read.numbers, curves.gini), perfect=None),
    _metric("Normalised Gini index", HIGHER, read.numbers, curves.normalised_gini),
    _metric("Precision of the positive class", HIGHER, read.flags, classes.precision),
    _metric("Recall of the positive class", HIGHER, read.flags, classes.recall),
    _metric("Macro-averaged precision", HIGHER, read.labels, classes.macro_precision),
    _metric("Macro-averaged recall", HIGHER, read.labels, classes.macro_recall),
    _metric("Hamming loss", LOWER, read.labels, classes.hamming_loss),
    _metric("Brier score", LOWER, read.probabilities, classes.brier),
    _metric("Multi-class Brier score", LOWER, read.class_probabilities, classes.multiclass_brier),
    _metric("Cohen's kappa", HIGHER, read.labels, classes.cohen_kappa),
    _metric("Linear weighted kappa", HIGHER, read.ratings, classes.linear_weighted_kappa),
    _metric("Mean squared logarithmic error", LOWER, read.non_negative, regression.msle),
    _metric("Root mean squared error of logarithms", LOWER, read.positive, regression.rmse_of_logs),
    _metric("Median absolute error", LOWER, read.numbers, regression.median_absolute_error),
    _metric("Root mean squared percentage error", LOWER, read.numbers, regression.rmspe),
    _metric("Weighted mean absolute percentage error", LOWER, read.numbers, regression.wmape),
    _metric("Symmetric mean absolute percentage error, 0 to 2", LOWER, read.numbers, regression.smape),
    _metric("Symmetric mean absolute percentage error, 0 to 1", LOWER, read.numbers, regression.smape_unit),
    _metric("Mean cosine similarity", HIGHER, read.numbers, regression.mean_cosine_similarity),
)

_OF_SINGLE_COMPETITIONS = (
    _metric("Mean column-wise Spearman correlation", HIGHER, read.varying, regression.mean_column_spearman),
    _metric("Top-1 error", LOWER, read.labels, classes.top1_error),
    _metric("Probabilistic F1", HIGHER, read.probabilities, chances.probabilistic_f1),
    _metric("Kullback-Leibler divergence", LOWER, chances.read_distributions, chances.kl_divergence),
    _metric("Label-weighted label-ranking average precision", HIGHER, read.ranks_of_positive, chances.lwlrap),
    _metric(
        "Weighted AUC by true positive rate",
        HIGHER,
        read.ranks_of_positive,
        chances.weighted_roc_auc_tpr_bands,
    ),
    _metric("Mean angular error", LOWER, read.numbers, distances.mean_angular_error),
    _of_texts("Mean Levenshtein distance", LOWER, sequences.read_distances, sequences.mean_levenshtein),
    _of_texts(
        "Normalised Levenshtein distance of sequences",
        LOWER,
        sequences.read_gesture_distances,
        sequences.normalised_levenshtein,
    ),
    _of_texts(
        "Mean Levenshtein distance in words",
        LOWER,
        sequences.read_word_distances,
        sequences.mean_levenshtein_words,
    ),
    _of_texts("Word error rate", LOWER, sequences.read_word_distances, sequences.word_error_rate),
    _of_texts("Character error rate", LOWER, sequences.read_distances, sequences.character_error_rate),
    _of_texts("Word-level Jaccard score", HIGHER, sequences.read_word_overlap, sequences.word_jaccard),
    _of_texts(
        "Micro-averaged F1 of label sets", HIGHER, sequences.read_tag_counts, sequences.micro_f1_multilabel
    ),
    _of_texts("Mean F1 of label sets", HIGHER, sequences.read_tag_counts, sequences.mean_f1_multilabel),
    _of_texts("Mean average precision at 5", HIGHER, sequences.ranked_hits(5), sequences.map_at_5),
    _of_texts("Mean average precision at 12", HIGHER, sequences.ranked_hits(12), sequences.map_at_12),
    _of_texts("Kendall tau of orders", HIGHER, sequences.read_inversions, sequences.kendall_tau_orderings),
    _of_texts("Mean Dice coefficient of masks", HIGHER, masks.read_areas, masks.mean_dice_rle),
    _of_texts("Global Dice coefficient of masks", HIGHER, masks.read_areas, masks.global_dice_rle),
    _of_texts("Mean F0.5 of masks", HIGHER, masks.read_areas, masks.fbeta_half_pixels),
    _of_texts(
        "Mean precision of masks over IoU thresholds",
        HIGHER,
        masks.read_salt_areas,
        masks.mean_precision_iou_thresholds,
    ),
)

_OF_OWN_FORM = (
    _metric("Weighted mean absolute error", LOWER, weighted.read_weighted, weighted.weighted_mae),
    _metric("Weighted root mean squared scaled error", LOWER, weighted.read_series, weighted.weighted_rmsse),
    _metric("Continuous ranked probability score", LOWER, weighted.read_distribution, weighted.crps),
    replace(_metric("Concordance index", HIGHER, curves.read_lifetimes, curves.c_index), perfect=None),
    _metric(
        "Weighted multi-label log loss", LOWER, chances.read_exam_levels, chances.weighted_multilabel_log_loss
    ),
    _metric("AUC with bias penalties by identity", HIGHER, chances.read_toxicity, chances.jigsaw_bias_auc),
    _metric(
        "Log of mean absolute error, averaged over groups",
        LOWER,
        distances.read_by_type,
        distances.group_mean_log_mae,
        perfect=_BEST_LOG_MAE,
    ),
    _metric(
        "Modified Laplace log likelihood",
        HIGHER,
        distances.read_measure_and_confidence,
        distances.laplace_log_likelihood,
        perfect=_BEST_LIKELIHOOD,
    ),
    _metric(
        "Mean of median and 95th percentile of distances",
        LOWER,
        distances.read_places,
        distances.haversine_p50_p95_mean,
    ),
    _of_texts("Micro F1 of answer spans", HIGHER, sequences.read_spans, sequences.micro_f1_qa_spans),
    _of_texts(
        "Dice coefficient and 3D Hausdorff distance", HIGHER, masks.read_volumes, masks.dice_plus_3d_hausdorff
    ),
    _of_texts(
        "PASCAL VOC mean average precision at IoU > 0.5",
        HIGHER,
        boxes.read_detections(0.5),
        boxes.voc_map_iou_50,
    ),
    _of_texts(
        "PASCAL VOC mean average precision at IoU > 0.4",
        HIGHER,
        boxes.read_detections(0.4),
        boxes.voc_map_iou_40,
    ),
    _of_texts("F1 of points in boxes", HIGHER, boxes.read_points, boxes.f1_point_in_box_detection),
    _of_texts("Mean average precision of 3D boxes", HIGHER, boxes3d.read_scenes, boxes3d.map_3d_iou_50_95),
)

_OF_ONE_COLUMN = frozenset(
    [
        "roc_auc",
        "average_precision",
        "pr_auc",
        "gini",
        "normalised_gini",
        "balanced_accuracy",
        "macro_f1",
        "weighted_f1",
        "macro_precision",
        "macro_recall",
        "cohen_kappa",
        "quadratic_weighted_kappa",
        "linear_weighted_kappa",
        "matthews_corrcoef",
        "weighted_roc_auc_tpr_bands",
    ]
)


def _marked(metric: Metric, *, own_form: bool = False) -> Metric:
    one_column = metric.texts or metric.name in _OF_ONE_COLUMN
    return replace(metric, one_column=one_column, own_form=own_form)


METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: _marked(metric) for metric in (*_COMMON, *_FURTHER, *_OF_SINGLE_COMPETITIONS)}
    | {metric.name: _marked(metric, own_form=True) for metric in _OF_OWN_FORM}
)


def is_known(name: str) -> bool:
    """Whether `get_metric` has it."""
    return name in METRICS or family_metric(name) is not None


def reads_texts(name: str) -> bool:
    """Whether predictions are texts to this metric; False for one that is known in words only."""
    return is_known(name) and get_metric(name).texts


def as_predictions(name: str, labels: Frame) -> Frame:
    """Labels as one would hand them in: where they are votes, the share of each class."""
    return labels.div(labels.sum(axis=1), axis=0) if name == "kl_divergence" else labels


def get_metric(name: str) -> Metric:
    """The metric of that name, or a family's member; UsageError with the nearest names otherwise."""
    if name in METRICS:
        return METRICS[name]
    member = family_metric(name)
    if member is not None:
        return member
    near = _nearest(name.lower().replace("-", "_").replace(" ", "_").replace("@", "_at_"))
    hint = f"did you mean {', '.join(near[:3])}?" if near else f"known metrics: {', '.join(sorted(METRICS))}"
    raise UsageError(f"unknown metric {name!r}", hint=hint)


def _nearest(wanted: str) -> list[str]:
    """Names that hold the wanted one, are meant by it elsewhere, or are spelled alike."""
    found = _ELSEWHERE.get(wanted, ())
    numbers = re.findall(r"\d+(?:\.\d+)?", wanted)
    members = (family.name(float(numbers[0])) if numbers else family.example for family in FAMILIES)
    known = [*METRICS, *members, *(family.example for family in FAMILIES)]
    near = [*found, *(name for name in known if wanted and wanted in name)]
    near += difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    return [name for name in dict.fromkeys(near) if is_known(name)]


_ELSEWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "auc": ("roc_auc", "pr_auc", "mean_column_roc_auc"),
        "log_loss": ("binary_log_loss", "multiclass_log_loss"),
        "cross_entropy": ("multiclass_log_loss", "binary_log_loss"),
        "qwk": ("quadratic_weighted_kappa",),
        "kappa": ("cohen_kappa", "quadratic_weighted_kappa", "linear_weighted_kappa"),
        "mcc": ("matthews_corrcoef",),
        "mcrmse": ("mean_column_rmse",),
        "medae": ("median_absolute_error",),
        "auprc": ("pr_auc", "average_precision"),
        "ap": ("average_precision",),
        "map": ("map_at_5", "average_precision"),
        "ndcg": ("ndcg_at_5", "ndcg_at_10"),
        "wmae": ("weighted_mae", "wmape"),
        "wrmsse": ("weighted_rmsse",),
        "quantile_loss": ("pinball_0.5", "pinball_0.9"),
        "f2": ("fbeta_2",),
        "f0.5": ("fbeta_0.5",),
        "correlation": ("pearson_r", "spearman_r"),
    }
)
"""What people call them, in lower case, where that is not part of the name."""
