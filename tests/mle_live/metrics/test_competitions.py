"""Metrics of single competitions against plain references, their properties, and what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mle_live.metrics import METRICS, InvalidPredictions, bootstrap, get_metric
from mle_live.metrics.boxes3d import base, shared_area
from mle_live.metrics.masks import area, overlap, parse_runs
from mle_live.metrics.sequences import edit_distance
from tests.mle_live.metrics import examples
from tests.mle_live.metrics.examples import EXAMPLES, example
from tests.mle_live.metrics.references import REFERENCES, volume_iou

NAMES = sorted(EXAMPLES)


@pytest.mark.parametrize("name", NAMES)
def test_agrees_with_its_reference(name: str) -> None:
    truth, prediction, columns = example(name)
    tolerance = 1e-5 if name == "weighted_roc_auc_tpr_bands" else 1e-9  # its reference integrates on a grid
    expected = REFERENCES[name](truth, prediction)
    assert get_metric(name).score(truth, prediction, columns) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_is_best_and_a_shuffled_truth_is_worse(name: str) -> None:
    truth, prediction, columns = example(name)
    metric = get_metric(name)
    perfect = prediction_from(truth, name, columns)
    order = np.random.default_rng(1).permutation(len(truth))
    shuffled = perfect.iloc[order].set_axis(perfect.index)
    sign = 1 if metric.higher_is_better else -1
    assert metric.perfect is not None
    assert metric.score(truth, perfect, columns) == pytest.approx(metric.perfect, abs=1e-6)
    good = metric.score(truth, prediction, columns)
    assert sign * metric.perfect > sign * good
    if name != "kendall_tau_orderings":  # another row's cells are refused there
        assert sign * good > sign * metric.score(truth, shuffled, columns)


def prediction_from(truth: pd.DataFrame, name: str, columns: list[str]) -> pd.DataFrame:
    """The truth in the form of a prediction."""
    frame = truth[columns].copy()
    if name == "micro_f1_qa_spans":
        frame["y"] = [text.split()[0] if text else "" for text in truth["y"]]
    if name == "f1_point_in_box_detection":
        groups = [[text.split()[k : k + 5] for k in range(0, len(text.split()), 5)] for text in truth["y"]]
        frame["y"] = [" ".join(f"{a} {int(x) + 4} {int(y) + 4}" for a, x, y, _, _ in row) for row in groups]
    if name == "kl_divergence":
        frame = frame.div(frame.sum(axis=1), axis=0)
    return frame


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_rows_changes_nothing(name: str) -> None:
    truth, prediction, columns = example(name)
    order = np.random.default_rng(5).permutation(len(truth))
    metric = get_metric(name)
    assert metric.score(truth.iloc[order], prediction.iloc[order], columns) == pytest.approx(
        metric.score(truth, prediction, columns), abs=1e-12
    )


@pytest.mark.parametrize("name", NAMES)
def test_bootstrap_holds_the_score_and_repeats_with_its_seed(name: str) -> None:
    truth, prediction, columns = example(name)
    metric = get_metric(name)
    first, again = (
        bootstrap(metric, truth, prediction, columns, samples=30, seed=1, groups=None) for _ in range(2)
    )
    assert first == again
    assert first[0] <= metric.score(truth, prediction, columns) <= first[1] and first[0] < first[1]


@pytest.mark.parametrize("name", [name for name in NAMES if not METRICS[name].texts])
@pytest.mark.parametrize(("bad", "code"), [(math.nan, "nan"), (math.inf, "infinite")])
def test_missing_and_infinite_numbers_are_refused_with_their_rows(name: str, bad: float, code: str) -> None:
    truth, prediction, columns = example(name)
    broken = prediction.astype(float)
    broken.iloc[[3, 11], 0] = bad
    with pytest.raises(InvalidPredictions) as refusal:
        get_metric(name).score(truth, broken, columns)
    assert (refusal.value.code, refusal.value.row_positions) == (code, [3, 11])


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("probabilistic_f1", 1.2, "out_of_range"),
        ("kl_divergence", 0.999, "out_of_range"),
        ("kl_divergence", -0.1, "out_of_range"),
        ("weighted_multilabel_log_loss", -0.1, "out_of_range"),
        ("haversine_p50_p95_mean", 91.0, "out_of_range"),
        ("top1_error", 0.5, "unknown_label"),
        ("laplace_log_likelihood", "many", "not_a_number"),
        ("normalised_levenshtein", "1 two", "malformed"),
        ("kendall_tau_orderings", "not these cells", "malformed"),
        ("micro_f1_qa_spans", "12-14", "malformed"),
        ("mean_dice_rle", "1", "malformed"),
        ("mean_dice_rle", "1 x", "malformed"),
        ("mean_dice_rle", "0 4", "malformed"),
        ("mean_dice_rle", "9 4 3 2", "malformed"),
        ("mean_dice_rle", "1 4 3 2", "malformed"),
        ("mean_dice_rle", "99999999999999999999 1", "malformed"),
        ("global_dice_rle", "280 2", "out_of_range"),
        ("fbeta_half_pixels", "281 1", "out_of_range"),
        ("mean_precision_iou_thresholds", "10201 2", "out_of_range"),
        ("dice_plus_3d_hausdorff", "108 2", "out_of_range"),
        ("voc_map_iou_50", "a 0.5 1 2 3", "malformed"),
        ("voc_map_iou_50", "a 0.5 9 2 3 4", "malformed"),
        ("voc_map_iou_40", "a nan 1 2 3 4", "malformed"),
        ("f1_point_in_box_detection", "U+1 1", "malformed"),
        ("f1_point_in_box_detection", "U+1 1 one", "malformed"),
        ("map_3d_iou_50_95", "0.5 1 1 1 2 2 0 0 car", "malformed"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_its_row(name: str, value: Any, code: str) -> None:
    truth, prediction, columns = example(name)
    broken = prediction.astype(object)
    broken.iloc[5, 0] = value
    with pytest.raises(InvalidPredictions) as refusal:
        get_metric(name).check(broken, truth, columns)
    assert (refusal.value.code, refusal.value.row_positions) == (code, [5])


def test_an_empty_text_is_a_prediction_of_nothing() -> None:
    truth, prediction, columns = examples.one(["1 3", ""], ["", ""])
    assert get_metric("mean_dice_rle").score(truth, prediction, columns) == 0.5
    empty_file_column = pd.DataFrame({"y": [math.nan, math.nan]}, index=truth.index)
    assert get_metric("mean_dice_rle").score(truth, empty_file_column, columns) == 0.5
    dashes = pd.DataFrame({"y": ["-", "-"]}, index=truth.index)
    assert get_metric("global_dice_rle").score(truth, dashes, columns) == 0.0


def test_a_truth_without_its_extra_columns_is_the_graders_fault() -> None:
    for name in ("jigsaw_bias_auc", "group_mean_log_mae", "haversine_p50_p95_mean", "dice_plus_3d_hausdorff"):
        truth, prediction, columns = example(name)
        bare = truth[columns]
        with pytest.raises(ValueError, match="truth"):
            get_metric(name).score(bare, prediction, columns)


def test_a_tag_that_the_truth_never_has_costs_precision() -> None:
    truth, prediction, columns = examples.one(["a", "b"], ["a", "b x y z"])
    assert get_metric("micro_f1_multilabel").score(truth, prediction, columns) == pytest.approx(4 / 7)


def test_a_perfect_group_stops_at_the_floor() -> None:
    truth, prediction, columns = examples.one([1.0, 2.0], [1.0, 2.0 + math.e], type=["A", "B"])
    score = get_metric("group_mean_log_mae").score(truth, prediction, columns)
    assert score == pytest.approx((math.log(1e-9) + 1) / 2)


def test_an_iou_that_only_equals_a_threshold_does_not_pass_it() -> None:
    truth, prediction, columns = examples.one(["1 3"], ["1 5"])  # IoU 3/5 passes 0.50 and 0.55 alone
    assert get_metric("mean_precision_iou_thresholds").score(truth, prediction, columns) == pytest.approx(0.2)


def test_a_second_detection_of_one_object_is_a_false_positive() -> None:
    truth, prediction, columns = examples.one(
        ["a 1 0 0 9 9 a 1 50 50 60 60"], ["a 0.9 0 0 9 9 a 0.8 0 0 9 9 a 0.7 50 50 60 60"]
    )
    assert get_metric("voc_map_iou_50").score(truth, prediction, columns) == pytest.approx((1 + 2 / 3) / 2)


@given(st.text("abc", max_size=70), st.text("abcd", max_size=70))
@settings(max_examples=60, deadline=None)
def test_edit_distance_is_that_of_the_full_table(first: str, second: str) -> None:
    table = np.arange(len(second) + 1)
    for i, item in enumerate(first, start=1):
        previous, table = table, np.empty_like(table)
        table[0] = i
        for j, other in enumerate(second, start=1):
            table[j] = min(previous[j] + 1, table[j - 1] + 1, previous[j - 1] + (item != other))
    assert edit_distance(first, second) == edit_distance(second, first) == table[-1]


@given(st.lists(st.booleans(), max_size=40), st.lists(st.booleans(), max_size=40))
@settings(max_examples=60, deadline=None)
def test_runs_count_pixels_as_the_decoded_masks_do(first: list[bool], second: list[bool]) -> None:
    masks = [np.array([*mask, *[False] * (40 - len(mask))])[:, None] for mask in (first, second)]
    runs = [parse_runs(examples.encode(mask)) for mask in masks]
    assert [area(run) for run in runs] == [mask.sum() for mask in masks]
    assert overlap(*runs) == (masks[0] & masks[1]).sum()


@given(st.tuples(*[st.floats(-2, 2)] * 2), st.floats(-3, 3), st.floats(0.5, 4), st.floats(0.5, 4))
@settings(max_examples=40, deadline=None)
def test_turned_boxes_overlap_as_their_half_spaces_do(
    centre: tuple[float, float], yaw: float, width: float, length: float
) -> None:
    first = np.array([0, 0, 0, 2.0, 3.0, 1.0, 0.3])
    second = np.array([*centre, 0, width, length, 1.0, yaw])
    shared = shared_area(base(first), base(second))
    assert shared == pytest.approx(shared_area(base(second), base(first)), abs=1e-9)
    iou = shared / (6.0 + width * length - shared)
    if shared > 0.05:  # the reference needs a point well inside
        assert iou == pytest.approx(volume_iou(first, second), abs=1e-6)


def test_an_area_of_zero_makes_the_bias_mean_zero_not_an_error() -> None:
    truth, _, columns = example("jigsaw_bias_auc")
    inverted = pd.DataFrame({"y": 1 - truth["y"]})
    assert get_metric("jigsaw_bias_auc").score(truth, inverted, columns) == 0.0
