"""Metrics whose name holds a number: `fbeta_2`, `map_at_3`, `pinball_0.9`. Any sensible number will do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from mle_live.metrics import readers as read
from mle_live.metrics.curves import partial_area
from mle_live.metrics.metric import Array, Formula, Metric, TableReader
from mle_live.metrics.sequences import first_hits, mean_over_rows, ranked_gains, ranked_hits

_MOST_PLACES = 10_000
_Maker = Callable[[float], tuple[TableReader, Formula] | None]


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics of one form; `make` reads the number in the name and answers None for one out of bounds."""

    form: str
    """The name with `{}` in the number's place."""
    title: str
    source: str
    """What it is, for docs/metrics.md."""
    higher_is_better: bool
    example: str
    make: _Maker
    whole: bool = False
    texts: bool = False
    perfect: Callable[[float], float] | None = None
    """Of the number; where it is neither 1 for the highest nor 0 for the lowest."""

    def metric(self, name: str) -> Metric | None:
        """The member of that name; None where it is none."""
        before, _, after = self.form.partition("{}")
        found = re.fullmatch(rf"{re.escape(before)}(\d+(?:\.\d+)?){re.escape(after)}", name)
        if found is None or (self.whole and not found[1].isdigit()):
            return None
        number = float(found[1])
        made = self.make(number)
        if made is None or name != self.name(number):
            return None
        reader, formula = made
        return Metric(
            name=name,
            title=self.title.format(f"{number:g}"),
            higher_is_better=self.higher_is_better,
            perfect=self.perfect(number) if self.perfect else float(self.higher_is_better),
            read=reader,
            formula=formula,
            texts=self.texts,
            one_column=self.texts or self.form.startswith("partial"),
        )

    def name(self, number: float) -> str:
        """In one way of writing numbers: `fbeta_2`, never `fbeta_2.0`."""
        return self.form.format(f"{number:g}")


def _places(reader: Callable[[int], TableReader], *, errors: bool = False) -> _Maker:
    def make(number: float) -> tuple[TableReader, Formula] | None:
        if not 1 <= number <= _MOST_PLACES:
            return None
        return reader(int(number)), _missed if errors else mean_over_rows

    return make


def _missed(items: Array, hits: Array) -> float:
    return 1.0 - mean_over_rows(items, hits)


def _fbeta(beta: float) -> tuple[TableReader, Formula] | None:
    def formula(truth: Array, prediction: Array) -> float:
        hits = (truth * prediction).sum()
        total = beta**2 * truth.sum() + prediction.sum()
        return float((1 + beta**2) * hits / total) if total else 0.0

    return (read.flags, formula) if 0 < beta <= 100 else None


def _pinball(quantile: float) -> tuple[TableReader, Formula] | None:
    def formula(truth: Array, prediction: Array) -> float:
        error = truth - prediction
        return float(np.maximum(quantile * error, (quantile - 1) * error).mean())

    return (read.numbers, formula) if 0 < quantile < 1 else None


def _partial(most: float) -> tuple[TableReader, Formula] | None:
    def formula(truth: Array, prediction: Array) -> float:
        area, least = partial_area(truth, prediction, most), most**2 / 2
        return 0.5 * (1 + (area - least) / (most - least))

    return (read.ranks_of_positive, formula) if 0 < most < 1 else None


def _partial_above(least: float) -> tuple[TableReader, Formula] | None:
    def formula(truth: Array, prediction: Array) -> float:
        return partial_area(1 - truth, -prediction, 1 - least)

    return (read.ranks_of_positive, formula) if 0 < least < 1 else None


FAMILIES: tuple[Family, ...] = (
    Family(
        "fbeta_{}", "F{} of the positive class",
        "(1 + β²)TP / ((1 + β²)TP + β²FN + FP), pooled over columns (sklearn.metrics.fbeta_score).",
        True, "fbeta_2", _fbeta,
    ),
    Family(
        "map_at_{}", "Mean average precision at {}",
        "Mean average precision of the first guesses of each row's list (ml_metrics' mapk).",
        True, "map_at_3", _places(ranked_hits), whole=True, texts=True,
    ),
    Family(
        "ndcg_at_{}", "NDCG at {}",
        "Normalised discounted gain of the first guesses of each row's list; items are relevant or not.",
        True, "ndcg_at_5", _places(ranked_gains), whole=True, texts=True,
    ),
    Family(
        "top_{}_accuracy", "Top-{} accuracy",
        "Share of rows whose true label is among the first guesses of their list.",
        True, "top_3_accuracy", _places(first_hits), whole=True, texts=True,
    ),
    Family(
        "top_{}_error", "Top-{} error",
        "Share of rows whose true label is not among the first guesses of their list.",
        False, "top_5_error", _places(first_hits, errors=True), whole=True, texts=True,
    ),
    Family(
        "pinball_{}", "Pinball loss at quantile {}",
        "Mean of q·error above and (q - 1)·error below, of one quantile (mean_pinball_loss with alpha).",
        False, "pinball_0.9", _pinball,
    ),
    Family(
        "partial_roc_auc_{}", "Partial ROC AUC up to a false positive rate of {}",
        "Area up to that false positive rate, standardised (roc_auc_score with max_fpr; McClish 1989).",
        True, "partial_roc_auc_0.1", _partial,
    ),
    Family(
        "partial_roc_auc_above_{}", "Partial ROC AUC above a true positive rate of {}",
        "Area beyond that true positive rate, not scaled: at best 1 minus it (ISIC 2024's pAUC).",
        True, "partial_roc_auc_above_0.8", _partial_above, perfect=lambda least: 1 - least,
    ),
)  # fmt: skip


@cache
def family_metric(name: str) -> Metric | None:
    """The metric of that name in any family; None where there is none."""
    return next((metric for family in FAMILIES if (metric := family.metric(name))), None)
