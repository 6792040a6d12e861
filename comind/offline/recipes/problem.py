"""What the generated code must know of a competition, as read from the prompts. No code is written here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from comind.offline.prompts import (
    Data,
    Files,
    StatedMetric,
    number_after,
    read_data,
    read_files,
    read_metric,
    read_packages,
)

TargetKind = Literal["classes", "flags", "numbers"]
"""classes: one column of labels. flags: several 0/1 columns. numbers: one or more real columns."""

_LABEL_METRICS = frozenset(
    {"accuracy", "balanced_accuracy", "f1", "macro_f1", "micro_f1", "weighted_f1", "matthews_corrcoef"}
)
_PROBABILITY_METRICS = frozenset(
    {
        "roc_auc",
        "mean_column_roc_auc",
        "average_precision",
        "binary_log_loss",
        "multiclass_log_loss",
        "log_loss",
    }
)
_NUMBER_METRICS = frozenset({
    "mse", "rmse", "mean_column_rmse", "rmsle", "mean_column_rmsle", "mae", "mape", "r2", "pearson_r",
    "spearman_r",
})  # fmt: skip


_LIKE_LABELS = re.compile(r"(?:macro_)?(?:precision|recall)|cohen_kappa|hamming_loss|top1_error|fbeta_.*")
_LIKE_PROBABILITIES = re.compile(
    r"pr_auc|(?:multiclass_)?brier|partial_roc_auc_.*|(?:normalised_)?gini|probabilistic_f1|kl_divergence"
)
_LIKE_NUMBERS = re.compile(
    r"msle|rmse_of_logs|median_absolute_error|rmspe|w?mape|smape(?:_unit)?|mean_cosine_similarity|pinball_.*|mean_column_spearman"
)
"""What other metrics want to be handed in; the notebooks compute one of the plain ones in their place."""


class RecipeCell(NamedTuple):
    """One step of the notebook. `writes` names the pair of files that the cell leaves, if any."""

    step: str
    goal: str
    code: str
    writes: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    metric: StatedMetric
    data: Data
    files: Files
    seconds: float = 60.0
    """What one cell may take."""
    packages: frozenset[str] = frozenset()
    """Names of the installed ones that the machine's description lists."""

    @classmethod
    def of(cls, parts: Mapping[str, str]) -> Problem:
        """From a prompt's sections by their headings; what is missing is taken for ordinary."""
        return cls(
            metric=read_metric(parts.get("Metric", "")),
            data=read_data(parts.get("Data", "")),
            files=read_files(parts.get("Files", "")),
            seconds=number_after("seconds for one cell:", parts.get("Limits", ""), 60.0),
            packages=read_packages(parts.get("Machine", "")),
        )

    @property
    def kind(self) -> TargetKind:
        name, task = self.metric.name, self.data.task
        if self.votes:
            return "numbers"
        ordered = ("quadratic_weighted_kappa", "linear_weighted_kappa")
        if name in _NUMBER_METRICS or name in ordered or task == "ordinal" or _LIKE_NUMBERS.fullmatch(name):
            return "numbers"
        if task == "multilabel" or (name == "mean_column_roc_auc" and not self.data.label_column):
            return "flags"
        if task in ("binary", "multiclass") or name in _LABEL_METRICS | _PROBABILITY_METRICS:
            return "classes"
        if _LIKE_LABELS.fullmatch(name):
            return "classes"
        return "numbers"

    @property
    def wants_labels(self) -> bool:
        """The submission holds class labels (or whole ratings) rather than probabilities."""
        if self.kind == "numbers":
            return "weighted_kappa" in self.metric.name or self.data.task == "ordinal"
        name = self.metric.name
        return name not in _PROBABILITY_METRICS and not _LIKE_PROBABILITIES.fullmatch(name)

    @property
    def votes(self) -> bool:
        """The labels count votes in a column a class; the submission holds their shares."""
        return self.metric.name == "kl_divergence" and not self.data.label_column

    @property
    def log_target(self) -> bool:
        return "rmsle" in self.metric.name or self.metric.name in ("msle", "rmse_of_logs")

    @property
    def score_name(self) -> str:
        """The metric that the notebook computes: the competition's own where it is known."""
        known = _LABEL_METRICS | _PROBABILITY_METRICS | _NUMBER_METRICS | {"quadratic_weighted_kappa"}
        if self.metric.name in known:
            return self.metric.name
        return "rmse" if self.kind == "numbers" else "accuracy"

    @property
    def higher_is_better(self) -> bool:
        if self.score_name == self.metric.name:
            return self.metric.higher_is_better
        return self.kind != "numbers"
