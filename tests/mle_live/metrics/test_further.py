"""Metrics beside the most common ones, and families: against scikit-learn or values worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.metrics.pairwise import cosine_similarity

from kaggle_runner.errors import UsageError
from mle_live.metrics import METRICS, InvalidPredictions, bootstrap, get_metric, is_known
from mle_live.metrics.families import FAMILIES

ROWS = 300
Frames = tuple[pd.DataFrame, pd.DataFrame, list[str]]
Reference = Callable[[Any, Any], float]


def _one(truth: Any, prediction: Any, **aside: Any) -> Frames:
    return pd.DataFrame({"y": truth, **aside}), pd.DataFrame({"y": prediction}), ["y"]


def _chances(rng: np.random.Generator) -> Frames:
    signal = rng.normal(size=ROWS)
    return _one((signal + rng.normal(size=ROWS) > 0.8).astype(int), 1 / (1 + np.exp(-np.round(signal, 1))))


def _flags(rng: np.random.Generator) -> Frames:
    truth, chances, columns = _chances(rng)
    return truth, (chances > 0.5).astype(int), columns


def _classes(rng: np.random.Generator) -> Frames:
    truth = rng.integers(0, 4, ROWS)
    return _one(truth, np.where(rng.random(ROWS) < 0.6, truth, rng.integers(0, 4, ROWS)))


def _shares(rng: np.random.Generator) -> Frames:
    classes, names = rng.integers(0, 3, ROWS), list("abc")
    wide = rng.dirichlet([1, 1, 1], ROWS) * 0.5 + np.eye(3)[classes] * 0.5
    return pd.DataFrame(np.eye(3)[classes], columns=names), pd.DataFrame(wide, columns=names), names


def _amounts(rng: np.random.Generator) -> Frames:
    amount = np.exp(rng.normal(size=(ROWS, 2))) + 0.1
    near = amount * np.exp(rng.normal(size=(ROWS, 2)) * 0.3)
    return pd.DataFrame(amount, columns=["p", "q"]), pd.DataFrame(near, columns=["p", "q"]), ["p", "q"]


def _amount(rng: np.random.Generator) -> Frames:
    truth, prediction, _ = _amounts(rng)
    return _one(truth["p"].round(1), prediction["p"])


def _weighted(rng: np.random.Generator) -> Frames:
    truth, prediction, columns = _amount(rng)
    return truth.assign(weight=rng.integers(1, 6, ROWS)), prediction, columns


def _series(rng: np.random.Generator) -> Frames:
    truth, prediction, columns = _amount(rng)
    series = rng.integers(0, 9, ROWS)
    aside = {"series": series, "weight": series + 1.0, "scale": 0.5 + series}
    return truth.assign(**aside), prediction, columns


def _lifetimes(rng: np.random.Generator) -> Frames:
    truth, prediction, _ = _amounts(rng)
    return _one(truth["p"], prediction["p"].round(1), event=(rng.random(ROWS) < 0.7).astype(int))


def _distributions(rng: np.random.Generator) -> Frames:
    value, names = rng.integers(0, 9, ROWS), [f"P{n}" for n in range(10)]
    steps = (value[:, None] <= np.arange(10)[None, :]).astype(float)
    return (
        pd.DataFrame({"value": value}),
        pd.DataFrame(0.8 * steps + 0.2 * rng.random(steps.shape), columns=names),
        names,
    )


def _lists(rng: np.random.Generator) -> Frames:
    items = list("abcdefgh")
    truth = rng.choice(items, ROWS)
    return _one(truth, [" ".join(rng.permutation(items)[:6]) for _ in range(ROWS)])


def _trapezoids(t: Any, p: Any) -> float:
    precision, recall, _ = sk.precision_recall_curve(t, p)
    return float(sk.auc(recall, precision))


def _weighted_rmsse(t: pd.DataFrame, p: pd.DataFrame) -> float:
    total = weights = 0.0
    for _, rows in t.groupby("series"):
        errors = (rows["y"] - p.loc[rows.index, "y"]) ** 2
        weight = rows["weight"].iloc[0]
        total += weight * (errors.mean() / rows["scale"].iloc[0]) ** 0.5
        weights += weight
    return total / weights


def _harrell(t: pd.DataFrame, p: pd.DataFrame) -> float:
    good = pairs = 0.0
    rows = list(zip(t["y"], t["event"], p["y"], strict=True))
    for time, event, guess in rows:
        for other_time, other_event, other_guess in rows:
            if event and (other_time > time or (other_time == time and not other_event)):
                pairs += 1
                good += 1.0 if other_guess > guess else 0.5 if other_guess == guess else 0.0
    return good / pairs


def _crps(t: pd.DataFrame, p: pd.DataFrame) -> float:
    values, chances = t["value"].tolist(), p.to_numpy().tolist()
    cells = [(chances[row][n] - (values[row] <= n)) ** 2 for row in range(len(values)) for n in range(10)]
    return float(sum(cells) / len(cells))


def _top(t: pd.DataFrame, p: pd.DataFrame, places: int) -> float:
    return float(np.mean([a in b.split()[:places] for a, b in zip(t["y"], p["y"], strict=True)]))


def _ndcg(t: pd.DataFrame, p: pd.DataFrame, places: int) -> float:
    found = []
    for wanted, guessed in zip(t["y"], p["y"], strict=True):
        listed = guessed.split()
        relevant = [[float(item == wanted) for item in listed]]
        rank_scores = [[float(len(listed) - place) for place in range(len(listed))]]
        found.append(sk.ndcg_score(relevant, rank_scores, k=places) if wanted in listed else 0.0)
    return float(np.mean(found))


def _flipped_area(t: Any, p: Any, least: float) -> float:
    """ISIC 2024's rule: labels and scores turned round, the standardised area scaled back."""
    most = 1 - least
    scaled = sk.roc_auc_score(1 - t, -p, max_fpr=most)
    return float(0.5 * most**2 + (most - 0.5 * most**2) / 0.5 * (scaled - 0.5))


REFERENCES: dict[str, tuple[Callable[[np.random.Generator], Frames], Reference]] = {
    "pr_auc": (_chances, _trapezoids),
    "precision": (_flags, sk.precision_score),
    "recall": (_flags, sk.recall_score),
    "macro_precision": (_classes, lambda t, p: sk.precision_score(t, p, average="macro")),
    "macro_recall": (_classes, lambda t, p: sk.recall_score(t, p, average="macro")),
    "hamming_loss": (_classes, sk.hamming_loss),
    "brier": (_chances, sk.brier_score_loss),
    "multiclass_brier": (_shares, lambda t, p: float(((t - p) ** 2).sum(axis=1).mean())),
    "cohen_kappa": (_classes, sk.cohen_kappa_score),
    "linear_weighted_kappa": (_classes, lambda t, p: sk.cohen_kappa_score(t, p, weights="linear")),
    "msle": (_amounts, sk.mean_squared_log_error),
    "rmse_of_logs": (_amount, lambda t, p: sk.root_mean_squared_error(np.log(t), np.log(p))),
    "median_absolute_error": (_amounts, sk.median_absolute_error),
    "rmspe": (_amounts, lambda t, p: float(np.sqrt((((t - p) / t) ** 2).mean()))),
    "wmape": (_amounts, lambda t, p: float(np.abs(t - p).sum() / np.abs(t).sum())),
    "smape": (_amounts, lambda t, p: float((2 * np.abs(t - p) / (np.abs(t) + np.abs(p))).mean())),
    "smape_unit": (_amounts, lambda t, p: float((np.abs(t - p) / (np.abs(t) + np.abs(p))).mean())),
    "mean_cosine_similarity": (_amounts, lambda t, p: float(np.diag(cosine_similarity(t, p)).mean())),
    "normalised_gini": (_chances, lambda t, p: 2 * sk.roc_auc_score(t, p) - 1),
    "fbeta_2": (_flags, lambda t, p: sk.fbeta_score(t, p, beta=2)),
    "fbeta_0.5": (_flags, lambda t, p: sk.fbeta_score(t, p, beta=0.5)),
    "pinball_0.9": (_amount, lambda t, p: sk.mean_pinball_loss(t, p, alpha=0.9)),
    "partial_roc_auc_0.1": (_chances, lambda t, p: sk.roc_auc_score(t, p, max_fpr=0.1)),
    "partial_roc_auc_above_0.8": (_chances, lambda t, p: _flipped_area(t, p, 0.8)),
}
"""By name: frames that suit it, and what the arrays of the target columns must give."""

FRAME_REFERENCES: dict[str, tuple[Callable[[np.random.Generator], Frames], Reference]] = {
    "weighted_mae": (
        _weighted,
        lambda t, p: sk.mean_absolute_error(t["y"], p["y"], sample_weight=t["weight"]),
    ),
    "weighted_rmsse": (_series, _weighted_rmsse),
    "c_index": (_lifetimes, _harrell),
    "crps": (_distributions, _crps),
    "top_3_accuracy": (_lists, lambda t, p: _top(t, p, 3)),
    "top_5_error": (_lists, lambda t, p: 1 - _top(t, p, 5)),
    "ndcg_at_5": (_lists, lambda t, p: _ndcg(t, p, 5)),
    "map_at_3": (
        _lists,
        lambda t, p: float(
            np.mean(
                [
                    1 / (b.split().index(a) + 1) if a in b.split()[:3] else 0.0
                    for a, b in zip(t["y"], p["y"], strict=True)
                ]
            )
        ),
    ),
}
"""The same, of references that take the frames."""

ALL = sorted(REFERENCES | FRAME_REFERENCES)


def _frames(name: str) -> Frames:
    make = (REFERENCES | FRAME_REFERENCES)[name][0]
    return make(np.random.default_rng(3))


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_agrees_with_its_reference(name: str) -> None:
    truth, prediction, columns = _frames(name)
    t, p = truth[columns].to_numpy(), prediction.to_numpy()
    if len(columns) == 1:
        t, p = t[:, 0], p[:, 0]
    expected = REFERENCES[name][1](t, p)
    assert get_metric(name).score(truth, prediction, columns) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", sorted(FRAME_REFERENCES))
def test_agrees_with_what_is_worked_out_from_the_tables(name: str) -> None:
    truth, prediction, columns = _frames(name)
    expected = FRAME_REFERENCES[name][1](truth, prediction)
    assert get_metric(name).score(truth, prediction, columns) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_the_truth_is_best_and_the_order_of_rows_changes_nothing(name: str) -> None:
    truth, prediction, columns = _frames(name)
    metric = get_metric(name)
    best = prediction.copy()
    for column in columns:
        best[column] = truth[column] if column in truth else (truth["value"] <= int(column[1:])).astype(float)
    perfect = 1.0 if metric.perfect is None else metric.perfect
    assert metric.score(truth, best, columns) == pytest.approx(perfect, abs=1e-9)
    sign = 1 if metric.higher_is_better else -1
    value = metric.score(truth, prediction, columns)
    assert sign * perfect > sign * value
    order = np.random.default_rng(5).permutation(len(truth))
    moved = metric.score(
        truth.iloc[order].reset_index(drop=True), prediction.iloc[order].reset_index(drop=True), columns
    )
    assert moved == pytest.approx(value, abs=1e-12)
    low, high = bootstrap(metric, truth, prediction, columns, samples=30, seed=1, groups=None)
    assert low <= value <= high and low < high


def test_gini_of_a_worked_example_and_of_ties() -> None:
    """Kaggle's: shares held by the higher predictions 0.5, 0.75, 0.75, 1 minus 0.25, 0.5, 0.75, 1, over 4."""
    frames = _one([2.0, 1.0, 0.0, 1.0], [0.9, 0.8, 0.7, 0.1])
    assert get_metric("gini").score(*frames) == pytest.approx((0.25 + 0.25 + 0 + 0) / 4)
    best = (0.25 + 0.25 + 0.25 + 0) / 4
    assert get_metric("normalised_gini").score(*frames) == pytest.approx(0.125 / best)
    assert get_metric("gini").perfect is None
    tied = _one([1.0, 0.0], [0.5, 0.5])
    assert get_metric("gini").score(*tied) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("name", "truth", "prediction", "expected"),
    [
        ("smape", [0.0, 1.0], [0.0, 3.0], 0.5),
        ("smape_unit", [0.0, 1.0], [0.0, 3.0], 0.25),
        ("wmape", [1.0, 3.0], [2.0, 3.0], 0.25),
        ("rmspe", [1.0, 2.0], [2.0, 2.0], np.sqrt(0.5)),
        ("top_3_accuracy", ["a", "b"], ["x a y", "a c d b"], 0.5),
        ("top_3_error", ["a", "b"], ["x a y", "a c d b"], 0.5),
        ("ndcg_at_2", ["a b", "c"], ["x a", "c"], (0.6309297536 / 1.6309297536 + 1) / 2),
        ("map_at_2", ["a b", "c"], ["x a", "c"], (0.25 + 1) / 2),
        ("precision", [0, 1], [0, 0], 0.0),
        ("recall", [0, 0], [1, 0], 0.0),
        ("mean_cosine_similarity", [0.0, 2.0], [1.0, -1.0], -0.5),
    ],
)
def test_small_cases_worked_out_by_hand(name: str, truth: Any, prediction: Any, expected: float) -> None:
    assert get_metric(name).score(*_one(truth, prediction)) == pytest.approx(expected, abs=1e-9)


def test_a_logarithm_wants_what_is_above_zero() -> None:
    metric = get_metric("rmse_of_logs")
    with pytest.raises(InvalidPredictions) as refused:
        metric.score(*_one([1.0, 2.0], [1.0, 0.0]))
    assert (refused.value.code, refused.value.row_positions) == ("out_of_range", [1])
    with pytest.raises(ValueError, match="not above 0"):
        metric.score(*_one([1.0, 0.0], [1.0, 1.0]))


@pytest.mark.parametrize("name", ["rmspe", "wmape", "gini", "pr_auc", "partial_roc_auc_0.2", "cohen_kappa"])
def test_what_no_truth_can_tell_is_the_truths_fault(name: str) -> None:
    frames = _one([0, 0], [0, 0]) if name == "cohen_kappa" else _one([0, 0], [0.1, 0.2])
    with pytest.raises(ValueError, match="undefined"):
        get_metric(name).score(*frames)


def test_an_event_comes_before_what_was_last_seen_at_the_same_time() -> None:
    truth, prediction, columns = _one([1.0, 1.0, 2.0], [1.0, 1.0, 1.5], event=[1, 0, 0])
    assert get_metric("c_index").score(truth, prediction, columns) == pytest.approx((0.5 + 1) / 2)


@pytest.mark.parametrize("name", ["weighted_mae", "weighted_rmsse", "c_index"])
def test_a_truth_without_its_own_columns_is_told(name: str) -> None:
    truth, prediction, columns = _frames(name)
    assert METRICS[name].own_form
    with pytest.raises(ValueError, match="lacks the column"):
        get_metric(name).score(truth[columns], prediction, columns)


def test_a_threshold_that_no_column_names_is_told() -> None:
    truth, prediction, columns = _frames("crps")
    with pytest.raises(ValueError, match="name its threshold"):
        get_metric("crps").score(truth, prediction.rename(columns={"P3": "three"}), ["three", *columns[1:3]])
    with pytest.raises(InvalidPredictions):
        get_metric("crps").score(truth, prediction + 1, columns)


def test_every_family_has_an_example_that_is_known() -> None:
    for family in FAMILIES:
        metric = get_metric(family.example)
        assert (metric.name, metric.higher_is_better) == (family.example, family.higher_is_better)
        assert family.title.partition("{}")[0] in metric.title


@pytest.mark.parametrize(
    "name",
    ["fbeta_0", "fbeta_2.0", "map_at_0", "map_at_2.5", "pinball_1", "partial_roc_auc_0", "top__accuracy"],
)
def test_a_number_out_of_bounds_or_in_another_spelling_is_no_name(name: str) -> None:
    assert not is_known(name)
    with pytest.raises(UsageError):
        get_metric(name)


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("AUC", "roc_auc"), ("f2", "fbeta_2"), ("MAP@3", "map_at_3"), ("pinball_1.5", "pinball"),
        ("QWK", "quadratic_weighted_kappa"), ("log loss", "binary_log_loss"), ("ndcg", "ndcg_at_5"),
        ("top-3 accuracy", "top_3_accuracy"), ("mcrmse", "mean_column_rmse"),
    ],
)  # fmt: skip
def test_a_miss_names_what_is_near(wanted: str, near: str) -> None:
    with pytest.raises(UsageError) as error:
        get_metric(wanted)
    assert near in error.value.hint
