"""Competition metrics: what a submission is worth, whether it may be scored, how sure the score is.

    metric = get_metric("roc_auc")
    metric.check(prediction, truth, ["target"])      # raises InvalidPredictions with a code and row positions
    value = metric.score(truth, prediction, ["target"])
    low, high = bootstrap(metric, truth, prediction, ["target"], samples=200, seed=0, groups=None)

Frames arrive with aligned rows: matching ids is the grader's business. The package needs numpy, pandas and
scipy only (which one metric loads), so that the grader's sandbox can import it from a read-only mount.
`recognition`, which finds a metric in words, is imported by those who read words: it takes its time.
"""

from mle_live.metrics.intervals import bootstrap
from mle_live.metrics.metric import InvalidPredictions, Metric
from mle_live.metrics.registry import METRICS, as_predictions, get_metric, is_known, reads_texts

__all__ = [
    "METRICS",
    "InvalidPredictions",
    "Metric",
    "as_predictions",
    "bootstrap",
    "get_metric",
    "is_known",
    "reads_texts",
]
