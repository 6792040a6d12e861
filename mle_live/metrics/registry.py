"""The table of metrics by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from kaggle_runner.errors import UsageError
from mle_live.metrics import classification as classes
from mle_live.metrics import reading as read
from mle_live.metrics import regression
from mle_live.metrics.metric import Formula, Metric, Reader

HIGHER, LOWER = True, False


def _metric(title: str, higher: bool, perfect: float, reader: Reader, formula: Formula) -> Metric:
    return Metric(
        name=formula.__name__,
        title=title,
        higher_is_better=higher,
        perfect=perfect,
        read=reader,
        formula=formula,
    )


_ALL = (
    _metric("Area under the ROC curve", HIGHER, 1.0, read.ranks_of_positive, classes.roc_auc),
    _metric("Mean column-wise ROC AUC", HIGHER, 1.0, read.ranks_of_positive, classes.mean_column_roc_auc),
    _metric("Average precision", HIGHER, 1.0, read.ranks_of_positive, classes.average_precision),
    _metric("Accuracy", HIGHER, 1.0, read.labels, classes.accuracy),
    _metric("Balanced accuracy", HIGHER, 1.0, read.labels, classes.balanced_accuracy),
    _metric("F1 of the positive class", HIGHER, 1.0, read.flags, classes.f1),
    _metric("Macro-averaged F1", HIGHER, 1.0, read.labels, classes.macro_f1),
    _metric("Weighted F1", HIGHER, 1.0, read.labels, classes.weighted_f1),
    _metric("Log loss", LOWER, 0.0, read.probabilities, classes.binary_log_loss),
    _metric("Multi-class log loss", LOWER, 0.0, read.class_probabilities, classes.multiclass_log_loss),
    _metric("Quadratic weighted kappa", HIGHER, 1.0, read.ratings, classes.quadratic_weighted_kappa),
    _metric("Matthews correlation coefficient", HIGHER, 1.0, read.labels, classes.matthews_corrcoef),
    _metric("Mean squared error", LOWER, 0.0, read.numbers, regression.mse),
    _metric("Root mean squared error", LOWER, 0.0, read.numbers, regression.rmse),
    _metric("Mean column-wise RMSE", LOWER, 0.0, read.numbers, regression.mean_column_rmse),
    _metric("Root mean squared logarithmic error", LOWER, 0.0, read.non_negative, regression.rmsle),
    _metric("Mean column-wise RMSLE", LOWER, 0.0, read.non_negative, regression.mean_column_rmsle),
    _metric("Mean absolute error", LOWER, 0.0, read.numbers, regression.mae),
    _metric("Mean absolute percentage error", LOWER, 0.0, read.numbers, regression.mape),
    _metric("R²", HIGHER, 1.0, read.numbers, regression.r2),
    _metric("Pearson correlation", HIGHER, 1.0, read.varying, regression.pearson_r),
    _metric("Spearman correlation", HIGHER, 1.0, read.varying, regression.spearman_r),
)  # fmt: skip

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})


def get_metric(name: str) -> Metric:
    """The metric of that name; UsageError with the nearest names when there is none."""
    if name in METRICS:
        return METRICS[name]
    wanted = name.lower().replace("-", "_").replace(" ", "_")
    near = [known for known in METRICS if wanted and wanted in known]
    near += [
        known for known in difflib.get_close_matches(wanted, METRICS, n=3, cutoff=0.5) if known not in near
    ]
    hint = f"did you mean {', '.join(near[:3])}?" if near else f"known metrics: {', '.join(sorted(METRICS))}"
    raise UsageError(f"unknown metric {name!r}", hint=hint)
