"""Every metric against the library that defines it, the properties they share, and what they refuse."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from kaggle_runner.errors import UsageError
from mle_live.metrics import METRICS, InvalidPredictions, bootstrap, get_metric
from mle_live.metrics.classification import balanced_accuracy
from tests.mle_live.metrics import references as competition_references
from tests.mle_live.metrics import test_further as further

ROWS = 400
RNG = np.random.default_rng(7)
CLASSES = ["a", "b", "c"]


def _frames(name: str) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """A truth and an imperfect prediction that suit the metric."""
    rng = np.random.default_rng(3)
    signal = rng.normal(size=ROWS)
    binary = (signal + rng.normal(size=ROWS) > 0.8).astype(int)
    probability = 1 / (1 + np.exp(-np.round(signal, 1)))
    classes = rng.integers(0, 3, ROWS)
    guessed = np.where(rng.random(ROWS) < 0.6, classes, rng.integers(0, 3, ROWS))
    if name in ("roc_auc", "average_precision", "binary_log_loss"):
        return pd.DataFrame({"y": binary}), pd.DataFrame({"y": probability}), ["y"]
    if name == "f1":
        return pd.DataFrame({"y": binary}), pd.DataFrame({"y": (signal > 0).astype(int)}), ["y"]
    if name == "mean_column_roc_auc":
        truth = pd.DataFrame({"p": binary, "q": 1 - binary})
        return truth, pd.DataFrame({"p": probability, "q": 1 - probability**2 + signal / 9}), ["p", "q"]
    if name == "multiclass_log_loss":
        wide = rng.dirichlet([1, 1, 1], ROWS) * 0.5 + np.eye(3)[guessed] * 0.5
        return pd.DataFrame(np.eye(3)[classes], columns=CLASSES), pd.DataFrame(wide, columns=CLASSES), CLASSES
    if name in ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "matthews_corrcoef"):
        names = np.array(CLASSES)
        return pd.DataFrame({"y": names[classes]}), pd.DataFrame({"y": names[guessed]}), ["y"]
    if name == "quadratic_weighted_kappa":
        return pd.DataFrame({"y": classes + 1}), pd.DataFrame({"y": guessed + 1}), ["y"]
    amount = np.exp(signal) + 0.1
    near = amount * np.exp(rng.normal(size=ROWS) * 0.3)
    if name.startswith("mean_column"):
        return (
            pd.DataFrame({"p": amount, "q": amount**2}),
            pd.DataFrame({"p": near, "q": near**2}),
            ["p", "q"],
        )
    return pd.DataFrame({"y": amount}), pd.DataFrame({"y": near}), ["y"]


REFERENCES = {
    "roc_auc": lambda t, p: sk.roc_auc_score(t, p),
    "mean_column_roc_auc": lambda t, p: sk.roc_auc_score(t, p, average="macro"),
    "average_precision": lambda t, p: sk.average_precision_score(t, p),
    "accuracy": lambda t, p: sk.accuracy_score(t, p),
    "balanced_accuracy": lambda t, p: sk.balanced_accuracy_score(t, p),
    "f1": lambda t, p: sk.f1_score(t, p),
    "macro_f1": lambda t, p: sk.f1_score(t, p, average="macro"),
    "weighted_f1": lambda t, p: sk.f1_score(t, p, average="weighted"),
    "binary_log_loss": lambda t, p: sk.log_loss(t, p),
    "multiclass_log_loss": lambda t, p: sk.log_loss(np.argmax(t, axis=1), p),
    "quadratic_weighted_kappa": lambda t, p: sk.cohen_kappa_score(t, p, weights="quadratic"),
    "matthews_corrcoef": lambda t, p: sk.matthews_corrcoef(t, p),
    "mse": lambda t, p: sk.mean_squared_error(t, p),
    "rmse": lambda t, p: sk.root_mean_squared_error(t, p),
    "mean_column_rmse": lambda t, p: sk.root_mean_squared_error(t, p),
    "rmsle": lambda t, p: sk.root_mean_squared_log_error(t, p),
    "mean_column_rmsle": lambda t, p: sk.root_mean_squared_log_error(t, p),
    "mae": lambda t, p: sk.mean_absolute_error(t, p),
    "mape": lambda t, p: sk.mean_absolute_percentage_error(t, p),
    "r2": lambda t, p: sk.r2_score(t, p),
    "pearson_r": lambda t, p: stats.pearsonr(t, p).statistic,
    "spearman_r": lambda t, p: stats.spearmanr(t, p).statistic,
}


def test_every_metric_has_a_reference() -> None:
    named = {*REFERENCES, *competition_references.REFERENCES, *further.ALL, "gini"}
    assert named >= set(METRICS)


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_agrees_with_its_reference(name: str) -> None:
    truth, prediction, columns = _frames(name)
    t, p = truth.to_numpy(), prediction.to_numpy()
    if len(columns) == 1:
        t, p = t[:, 0], p[:, 0]
    assert get_metric(name).score(truth, prediction, columns) == pytest.approx(
        REFERENCES[name](t, p), abs=1e-12
    )


LABELS = {
    "the highest class is never guessed": ([0, 1, 2, 2], [0, 1, 1, 0]),
    "the lowest class is never guessed": ([0, 1, 2, 2], [1, 1, 2, 2]),
    "a higher class is guessed that is not there": ([0, 1, 1, 0], [0, 1, 2, 0]),
    "a lower class is guessed that is not there": ([1, 2, 2, 1], [0, 2, 2, 1]),
    "a class in the middle is missing": ([0, 9, 9, 0], [0, 9, 0, 0]),
    "labels lie far apart": ([10, 500_000, 10, 7, 7], [10, 500_000, 500_000, 7, 10]),
    "a guess lies out of all reach": ([0, 1, 1, 7], [0, 10**15, 1, 7]),
    "labels are negative": ([-5, 3, 3, -1], [-5, 3, -5, -1]),
    "one row": ([1], [1]),
    "all is wrong": ([0, 1, 1], [1, 0, 0]),
    "one class alone": ([1, 1, 1], [1, 1, 0]),
    "two rows agree": ([4, 4, 4, 6, 6], [4, 6, 6, 4, 6]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    "name", ["accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "matthews_corrcoef"]
)
def test_labels_of_a_small_split_score_as_the_reference_says(name: str, labels: str) -> None:
    truth, prediction = LABELS[labels]
    score = get_metric(name).score(pd.DataFrame({"y": truth}), pd.DataFrame({"y": prediction}), ["y"])
    assert score == pytest.approx(REFERENCES[name](truth, prediction), abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [([0.5, 0.5, 1], [0, 1, 1], 0.5), ([0, 1, 1], [0.5, 0.5, 1], 0.25), ([0.5, 0.5, 1], [0.5, 1, 1], 0.75)],
)
def test_labels_between_whole_numbers_are_classes_of_their_own(
    truth: list[float], prediction: list[float], expected: float
) -> None:
    """scikit-learn refuses them: it takes them for amounts."""
    assert balanced_accuracy(np.array([truth]).T, np.array([prediction]).T) == expected


FLAGS = {
    "one is positive": ([0, 0, 1, 0, 0], [0.1, 0.9, 0.4, 0.2, 0.3]),
    "one is negative": ([1, 1, 0, 1, 1], [0.6, 0.9, 0.5, 0.2, 0.3]),
    "one is positive among ties": ([0, 0, 1, 0], [0.5, 0.9, 0.5, 0.5]),
    "two of two": ([1, 0], [0.2, 0.7]),
    "all predictions are equal": ([0, 1, 1, 0, 0], [0.5, 0.5, 0.5, 0.5, 0.5]),
    "certain of the right and of the wrong": ([0, 1, 1, 0], [0.0, 1.0, 0.0, 1.0]),
}


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "binary_log_loss", "f1"])
def test_flags_of_a_small_split_score_as_the_reference_says(name: str, flags: str) -> None:
    truth, prediction = FLAGS[flags]
    if name == "f1":
        prediction = [int(one >= 0.5) for one in prediction]
    score = get_metric(name).score(pd.DataFrame({"y": truth}), pd.DataFrame({"y": prediction}), ["y"])
    # Kaggle cuts probabilities at 1e-15, scikit-learn at the precision of a float
    cut = np.clip(prediction, 1e-15, 1 - 1e-15) if name == "binary_log_loss" else prediction
    assert score == pytest.approx(REFERENCES[name](truth, cut), rel=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
def test_flags_of_one_kind_have_no_ranking_but_a_precision_where_all_are_positive(
    name: str, truth: list[int]
) -> None:
    frames = pd.DataFrame({"y": truth}), pd.DataFrame({"y": [0.1, 0.2, 0.3]})
    if name == "average_precision" and truth[0]:
        assert get_metric(name).score(*frames, ["y"]) == 1.0
    else:
        with pytest.raises(ValueError, match="undefined"):
            get_metric(name).score(*frames, ["y"])


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [([0, 0], [0, 0], 0.0), ([0, 0], [0, 1], 0.0), ([0, 1], [0, 0], 0.0), ([1, 1], [1, 0], 2 / 3)],
)
def test_f1_where_little_or_nothing_is_positive(
    truth: list[int], prediction: list[int], expected: float
) -> None:
    frames = pd.DataFrame({"y": truth}), pd.DataFrame({"y": prediction})
    assert get_metric("f1").score(*frames, ["y"]) == expected


def test_columns_with_one_positive_each_are_averaged() -> None:
    truth = pd.DataFrame({"p": [1, 0, 0, 0], "q": [0, 0, 0, 1]})
    prediction = pd.DataFrame({"p": [0.4, 0.9, 0.1, 0.2], "q": [0.4, 0.3, 0.2, 0.1]})
    assert get_metric("mean_column_roc_auc").score(truth, prediction, ["p", "q"]) == pytest.approx(1 / 3)


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_truth_is_perfect_and_shuffled_truth_is_worse(name: str) -> None:
    truth, prediction, columns = _frames(name)
    metric = get_metric(name)
    shuffled = truth.sample(frac=1.0, random_state=1).reset_index(drop=True)
    sign = 1 if metric.higher_is_better else -1
    assert metric.perfect is not None
    assert metric.score(truth, truth, columns) == pytest.approx(metric.perfect, abs=1e-9)
    good = metric.score(truth, prediction, columns)
    assert sign * metric.perfect >= sign * good > sign * metric.score(truth, shuffled, columns)


@pytest.mark.parametrize("name", sorted(REFERENCES))
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_missing_and_infinite_predictions_are_refused_with_their_rows(name: str, bad: float) -> None:
    truth, prediction, columns = _frames(name)
    broken = prediction.astype(object)
    broken.loc[[3, 11], columns[0]] = bad
    if prediction[columns[0]].dtype != object and prediction[columns[0]].dtype.kind in "if":
        broken[columns[0]] = broken[columns[0]].astype(float)
    elif bad == math.inf:
        return  # text labels: the word "inf" is only an unknown label
    with pytest.raises(InvalidPredictions) as refusal:
        get_metric(name).score(truth, broken, columns)
    assert refusal.value.code == ("nan" if math.isnan(bad) else "infinite")
    assert refusal.value.row_positions == [3, 11]


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("binary_log_loss", 1.2, "out_of_range"),
        ("rmsle", -0.1, "out_of_range"),
        ("rmse", "twelve", "not_a_number"),
        ("quadratic_weighted_kappa", 1.5, "unknown_label"),
        ("f1", 2, "unknown_label"),
        ("multiclass_log_loss", -0.5, "out_of_range"),
    ],
)
def test_values_outside_the_metric_are_refused(name: str, value: Any, code: str) -> None:
    truth, prediction, columns = _frames(name)
    broken = prediction.astype(object)
    broken.loc[5, columns[0]] = value
    with pytest.raises(InvalidPredictions) as refusal:
        get_metric(name).check(broken, truth, columns)
    assert (refusal.value.code, refusal.value.row_positions) == (code, [5])


def test_constant_predictions_have_no_correlation() -> None:
    truth, prediction, columns = _frames("pearson_r")
    with pytest.raises(InvalidPredictions) as refusal:
        get_metric("pearson_r").score(truth, prediction * 0 + 1, columns)
    assert refusal.value.code == "constant"


def test_truth_of_one_class_is_the_graders_fault_not_the_submitters() -> None:
    truth = pd.DataFrame({"y": [1, 1, 1]})
    with pytest.raises(ValueError, match="undefined"):
        get_metric("roc_auc").score(truth, pd.DataFrame({"y": [0.1, 0.2, 0.3]}), ["y"])


def test_probabilities_are_no_class_labels() -> None:
    truth = pd.DataFrame({"y": [0, 1, 2]})
    with pytest.raises(InvalidPredictions) as refusal:
        get_metric("accuracy").score(truth, pd.DataFrame({"y": [0.0, 0.7, 2.0]}), ["y"])
    assert (refusal.value.code, refusal.value.row_positions) == ("unknown_label", [1])


def test_a_class_that_the_split_lacks_is_wrong_but_allowed() -> None:
    truth = pd.DataFrame({"y": ["cat", "dog"]})
    assert get_metric("accuracy").score(truth, pd.DataFrame({"y": ["cat", "emu"]}), ["y"]) == 0.5


def test_codes_in_place_of_class_names_are_refused() -> None:
    truth = pd.DataFrame({"y": ["cat", "dog"]})
    with pytest.raises(InvalidPredictions, match="no prediction"):
        get_metric("accuracy").score(truth, pd.DataFrame({"y": [0, 1]}), ["y"])


def test_labels_written_as_text_count_as_the_numbers_they_are() -> None:
    truth = pd.DataFrame({"y": [0, 1, 1]})
    assert get_metric("accuracy").score(truth, pd.DataFrame({"y": ["0", "1", "0"]}), ["y"]) == pytest.approx(
        2 / 3
    )


def test_boolean_truth_takes_boolean_and_numeric_predictions() -> None:
    truth = pd.DataFrame({"y": [True, False, True]})
    accuracy = get_metric("accuracy")
    assert accuracy.score(truth, pd.DataFrame({"y": ["True", "False", "False"]}), ["y"]) == pytest.approx(
        2 / 3
    )
    assert accuracy.score(truth, pd.DataFrame({"y": [1, 0, 1]}), ["y"]) == 1.0
    assert get_metric("roc_auc").score(truth, pd.DataFrame({"y": [0.9, 0.1, 0.5]}), ["y"]) == 1.0


def test_text_classes_take_the_last_as_positive() -> None:
    truth = pd.DataFrame({"y": ["no", "yes", "yes"]})
    assert get_metric("roc_auc").score(truth, pd.DataFrame({"y": [0.1, 0.7, 0.9]}), ["y"]) == 1.0
    assert get_metric("f1").score(truth, truth, ["y"]) == 1.0


def test_multiclass_log_loss_takes_a_label_column_as_truth() -> None:
    truth, prediction, columns = _frames("multiclass_log_loss")
    names = truth.idxmax(axis=1).to_frame("species")
    metric = get_metric("multiclass_log_loss")
    assert metric.score(names, prediction, columns) == metric.score(truth, prediction, columns)


def test_rows_and_columns_must_be_there() -> None:
    truth, prediction, columns = _frames("rmse")
    with pytest.raises(InvalidPredictions) as too_few:
        get_metric("rmse").check(prediction.iloc[:-1], truth, columns)
    with pytest.raises(InvalidPredictions) as absent:
        get_metric("rmse").check(prediction.rename(columns={"y": "z"}), truth, columns)
    assert (too_few.value.code, absent.value.code) == ("row_count", "missing_column")


def test_an_unknown_metric_is_a_usage_error_with_near_names() -> None:
    with pytest.raises(UsageError) as error:
        get_metric("rmsel")
    assert "rmsle" in error.value.hint
    with pytest.raises(UsageError) as shorter:
        get_metric("AUC")
    assert "roc_auc" in shorter.value.hint


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_bootstrap_holds_the_score_and_repeats_with_its_seed(name: str) -> None:
    truth, prediction, columns = _frames(name)
    metric = get_metric(name)
    first, again, other = (
        bootstrap(metric, truth, prediction, columns, samples=60, seed=seed, groups=None)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other
    assert first[0] < metric.score(truth, prediction, columns) < first[1]


def test_bootstrap_narrows_with_rows_and_widens_with_groups() -> None:
    rng = np.random.default_rng(0)
    truth = pd.DataFrame({"y": rng.normal(size=3000)})
    group = np.repeat(np.arange(60), 50)
    prediction = truth + rng.normal(size=60)[group][:, None]
    metric = get_metric("rmse")

    def width(rows: int, groups: np.ndarray | None) -> float:
        low, high = bootstrap(
            metric, truth[:rows], prediction[:rows], ["y"], samples=200, seed=4, groups=groups
        )
        return high - low

    assert width(3000, None) < width(300, None)
    assert width(3000, group) > 2 * width(3000, None)


def test_bootstrap_leaves_out_samples_without_both_classes() -> None:
    truth = pd.DataFrame({"y": [1] + [0] * 7})
    prediction = pd.DataFrame({"y": np.linspace(1, 0, 8)})
    low, high = bootstrap(get_metric("roc_auc"), truth, prediction, ["y"], samples=100, seed=0, groups=None)
    assert math.isfinite(low) and math.isfinite(high)


def test_the_package_needs_no_library_beyond_numpy_pandas_and_scipy() -> None:
    """The grader's sandbox mounts the packages as plain files."""
    heavy = ["sklearn", "openai", "textual", "starlette", "kagglesdk", "yaml"]
    code = f"import sys, mle_live.metrics; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
