"""How fast the metrics are: each on a million rows, beside the plain scikit-learn or SciPy call.

    python -m benchmarks.metric_speed [--rows N] [--repeats N] [METRIC …]

Ours takes the whole way from two frames, checks included; the library gets arrays. Both are timed in turn in
one process; the ratio is that of the shortest times. Metrics of texts have no such call, and are timed alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import rel_entr
from sklearn import metrics as sk

from mle_live.metrics import METRICS, get_metric

BAR = 1.2
"""No metric shall take longer than this many times the library's call."""
SEED = 0


class Case(NamedTuple):
    """Two frames, the target columns, and the library's call of the same meaning, if there is one."""

    truth: pd.DataFrame
    prediction: pd.DataFrame
    columns: list[str]
    library: Callable[[], Any] | None


class Timing(NamedTuple):
    """Shortest seconds of our score and of the library's call."""

    metric: str
    ours: float
    library: float | None

    @property
    def ratio(self) -> float | None:
        return None if self.library is None else self.ours / self.library


Maker = Callable[[], Case]


def cases(rows: int) -> dict[str, Maker]:
    """A maker of the case of each metric."""
    signal = np.random.default_rng(SEED).normal(size=rows)
    return {
        **_of_chances(signal),
        **_of_classes(rows),
        **_of_amounts(signal),
        **_of_labels(rows),
        **{name: _of_texts(name, rows) for name in TEXTS},
    }


def _flat(truth: Any, prediction: Any, library: Callable[[Any, Any], Any]) -> Maker:
    return lambda: Case(
        pd.DataFrame({"y": truth}),
        pd.DataFrame({"y": prediction}),
        ["y"],
        lambda: library(np.asarray(truth), np.asarray(prediction)),
    )


def _wide(truth: Any, prediction: Any, library: Callable[[Any, Any], Any]) -> Maker:
    names = [f"c{i}" for i in range(truth.shape[1])]
    return lambda: Case(
        pd.DataFrame(truth, columns=names),
        pd.DataFrame(prediction, columns=names),
        names,
        lambda: library(truth, prediction),
    )


def _of_chances(signal: np.ndarray[Any, Any]) -> dict[str, Maker]:
    noise = np.random.default_rng(SEED + 1).normal(size=len(signal))
    binary = (signal + noise > 0.5).astype(np.int64)
    chance = 1 / (1 + np.exp(-signal))
    return {
        "roc_auc": _flat(binary, chance, sk.roc_auc_score),
        "average_precision": _flat(binary, chance, sk.average_precision_score),
        "f1": _flat(binary, (chance > 0.5).astype(int), sk.f1_score),
        "binary_log_loss": _flat(binary, chance, sk.log_loss),
    }


def _of_classes(rows: int) -> dict[str, Maker]:
    rng = np.random.default_rng(SEED + 2)
    classes = rng.integers(0, 10, rows)
    guesses = np.where(rng.random(rows) < 0.7, classes, rng.integers(0, 10, rows))
    one_hot, shares = np.eye(10)[classes], 0.5 * np.eye(10)[guesses] + 0.05

    def kappa(t: Any, p: Any) -> Any:
        return sk.cohen_kappa_score(t, p, weights="quadratic")

    def divergence(t: Any, p: Any) -> Any:
        return rel_entr(t / t.sum(axis=1, keepdims=True), p).sum(axis=1).mean()

    return {
        "accuracy": _flat(classes, guesses, sk.accuracy_score),
        "balanced_accuracy": _flat(classes, guesses, sk.balanced_accuracy_score),
        "top1_error": _flat(classes, guesses, sk.zero_one_loss),
        "macro_f1": _flat(classes, guesses, lambda t, p: sk.f1_score(t, p, average="macro")),
        "weighted_f1": _flat(classes, guesses, lambda t, p: sk.f1_score(t, p, average="weighted")),
        "quadratic_weighted_kappa": _flat(classes, guesses, kappa),
        "matthews_corrcoef": _flat(classes, guesses, sk.matthews_corrcoef),
        "multiclass_log_loss": _wide(one_hot, shares, sk.log_loss),
        "kl_divergence": _wide(one_hot, shares, divergence),
    }


def _of_amounts(signal: np.ndarray[Any, Any]) -> dict[str, Maker]:
    amount = np.exp(signal)
    near = amount * np.exp(np.random.default_rng(SEED + 3).normal(size=len(signal)) * 0.3)
    pairs = np.column_stack([amount, amount**2]), np.column_stack([near, near**2])

    def spearman(t: Any, p: Any) -> Any:
        return [stats.spearmanr(t[:, i], p[:, i]) for i in range(t.shape[1])]

    return {
        "mse": _flat(amount, near, sk.mean_squared_error),
        "rmse": _flat(amount, near, sk.root_mean_squared_error),
        "mean_column_rmse": _wide(*pairs, sk.root_mean_squared_error),
        "rmsle": _flat(amount, near, sk.root_mean_squared_log_error),
        "mean_column_rmsle": _wide(*pairs, sk.root_mean_squared_log_error),
        "mae": _flat(amount, near, sk.mean_absolute_error),
        "mape": _flat(amount, near, sk.mean_absolute_percentage_error),
        "r2": _flat(amount, near, sk.r2_score),
        "pearson_r": _flat(amount, near, stats.pearsonr),
        "spearman_r": _flat(amount, near, stats.spearmanr),
        "mean_column_spearman": _wide(*pairs, spearman),
    }


def _of_labels(rows: int) -> dict[str, Maker]:
    """Several labels a row, one at least."""
    rng = np.random.default_rng(SEED + 4)
    labels = (rng.random((rows, 5)) < 0.3).astype(np.int64)
    labels[:, 0] |= ~labels.any(axis=1)
    scores = labels + rng.normal(size=labels.shape)

    def ranking(t: Any, p: Any) -> Any:
        return sk.label_ranking_average_precision_score(t, p, sample_weight=t.sum(axis=1))

    return {
        "mean_column_roc_auc": _wide(labels, scores, sk.roc_auc_score),
        "lwlrap": _wide(labels, scores, ranking),
    }


TEXTS = ("mean_levenshtein", "word_jaccard", "map_at_5", "mean_dice_rle")
"""Metrics that no library's call computes."""


def _of_texts(name: str, rows: int) -> Maker:
    def case() -> Case:
        rng = np.random.default_rng(SEED)
        if name == "mean_dice_rle":
            starts = rng.integers(1, 50, rows)
            truth = [f"{a} 20 {a + 100} 30" for a in starts]
            prediction = [f"{a + 3} 20 {a + 110} 10" for a in starts]
        elif name == "map_at_5":
            truth = [f"w{a}" for a in rng.integers(0, 50, rows)]
            prediction = [f"w{a} w{a + 1} w{a + 2} w3 w4" for a in rng.integers(0, 50, rows)]
        else:
            words = [f"word{a}" for a in range(50)]
            truth = [" ".join(words[i] for i in row) for row in rng.integers(0, 50, (rows, 8))]
            prediction = [text[:20] + text[26:] for text in truth]
        return Case(pd.DataFrame({"y": truth}), pd.DataFrame({"y": prediction}), ["y"], None)

    return case


def measure(name: str, case: Case, repeats: int) -> Timing:
    """Time both sides in turn, so that a slow moment of the machine strikes both."""
    metric = get_metric(name)
    ours: list[float] = []
    library: list[float] = []
    for _ in range(repeats):
        ours.append(_seconds(lambda: metric.score(case.truth, case.prediction, case.columns)))
        if case.library is not None:
            library.append(_seconds(case.library))
    return Timing(name, min(ours), min(library) if library else None)


def _seconds(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def heading(rows: int) -> str:
    """The beginning of the table in Markdown."""
    return (
        f"{rows:,} rows; the ratio is ours over the library's, the bar {BAR}.\n\n"
        "| metric | ours, s | library, s | ratio |\n|---|---|---|---|"
    )


def line(timing: Timing) -> str:
    """One metric's line of the table."""
    if timing.library is None or timing.ratio is None:
        return f"| {timing.metric} | {timing.ours:.3f} | – | – |"
    return f"| {timing.metric} | {timing.ours:.3f} | {timing.library:.3f} | {timing.ratio:.2f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every ratio keeps to the bar, else 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.metric_speed", description=__doc__)
    parser.add_argument("metrics", nargs="*", metavar="METRIC", help="default: all that have a case")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    makers = cases(options.rows)
    chosen = options.metrics or [name for name in makers if name in METRICS]
    print(heading(options.rows))
    timings = []
    for name in chosen:
        timings.append(measure(name, makers[name](), options.repeats))
        print(line(timings[-1]), flush=True)
    return int(any(timing.ratio is not None and timing.ratio > BAR for timing in timings))


if __name__ == "__main__":
    raise SystemExit(main())
