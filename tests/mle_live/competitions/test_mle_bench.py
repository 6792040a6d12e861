"""Where MLE-bench's graders are known to be wrong: our score, and theirs under compatibility."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from kaggle_runner.moments import parse_moment
from kaggle_runner.predictions.columns import Kind
from kaggle_runner.predictions.judge import Flaw, Form, judge
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.grade_report import grade_report
from mle_live.competitions.grading import Grade, GraderFailed, InvalidSubmission, grade_predictions
from mle_live.competitions.metrics_page import competitions
from mle_live.competitions.mle_bench import DIFFERENCES, grade_as_mle_bench
from mle_live.metrics import METRICS, get_metric
from tests.mle_live.metrics.examples import Frames, decode, encode, example, one

NOW = parse_moment("2026-05-01")


def competition(metric: str, columns: list[str], **places: Any) -> HostedCompetition:
    return HostedCompetition(
        slug=str(places.pop("slug", "c")),
        title="C",
        metric=metric,
        higher_is_better=get_metric(metric).higher_is_better,
        id_column=str(places.pop("id_column", "id")),
        target_columns=tuple(columns),
        description="",
        data_dir=Path(),
        **places,
    )


def kind(solution: pd.DataFrame, column: str, texts: bool) -> Kind:
    if texts:
        return "text"
    return "label" if column in solution and solution[column].dtype.kind not in "iufb" else "number"


def grade_submission(solution: pd.DataFrame, submission: pd.DataFrame, spec: HostedCompetition) -> Grade:
    """The frame as a file, through the judge and the metric."""
    columns = [spec.id_column, *spec.target_columns]
    kinds = {name: kind(solution, name, get_metric(spec.metric).texts) for name in spec.target_columns}
    file = io.BytesIO(submission[columns].to_csv(index=False).encode())
    found = judge(file, Form(spec.id_column, tuple(solution[spec.id_column]), kinds))
    if isinstance(found, Flaw):
        raise InvalidSubmission.by(found)
    return grade_predictions(solution, found, spec)


def both(metric: str, truth: pd.DataFrame, submission: pd.DataFrame, columns: list[str]) -> tuple[Any, Any]:
    """Our score (or the code of the refusal) and MLE-bench's, of frames with ids in their index."""
    spec = competition(metric, columns)
    solution = truth.rename_axis("id").reset_index().assign(Usage="Private")
    handed_in = submission if "id" in submission else submission.rename_axis("id").reset_index()
    answers: list[object] = []
    for grade in (lambda *a: grade_submission(*a).private_score, grade_as_mle_bench):
        try:
            answers.append(grade(solution, handed_in, spec))
        except InvalidSubmission as error:
            answers.append(error.code)
    return answers[0], answers[1]


def named(frames: Frames) -> Frames:
    truth, prediction, columns = frames
    ids = [f"id{i:04}" for i in range(len(truth))]
    return truth.set_axis(ids), prediction.set_axis(ids), columns


@pytest.mark.parametrize("name", sorted({row.metric for row in competitions()} - set(DIFFERENCES)))
def test_without_a_known_difference_both_agree(name: str) -> None:
    frames = example(name) if name in ("weighted_multilabel_log_loss",) else None
    if frames is None:
        try:
            frames = named(example(name))
        except KeyError:
            frames = named(one([0, 1, 1, 2], [0, 1, 2, 2]))
    truth, prediction, columns = frames
    if METRICS[name].read.__name__ in ("flags", "ranks_of_positive", "probabilities") and len(columns) == 1:
        truth, prediction = truth.clip(upper=1), prediction.clip(0, 1)
    ours, theirs = both(name, truth, prediction, columns)
    assert isinstance(ours, float) and theirs == pytest.approx(ours, abs=1e-5)


def test_google_quest_compares_no_ids_and_lets_a_constant_column_through() -> None:
    truth, _, columns = named(example("mean_column_spearman"))
    wrong_ids = truth.set_axis([f"x{i:04}" for i in range(len(truth))])
    assert both("mean_column_spearman", truth, wrong_ids, columns) == ("missing_ids", 1.0)
    ours, theirs = both("mean_column_spearman", truth, truth.assign(p=1.0), columns)
    assert ours == "constant" and math.isnan(theirs)


def test_us_patent_scores_a_constant_as_nan_and_calls_it_valid(tmp_path: Path) -> None:
    (tmp_path / "solution.csv").write_text("id,y,Usage\na,1,Private\nb,2,Private\nc,4,Private\n")
    (tmp_path / "s.csv").write_text("id,y\na,1\nb,1\nc,1\n")
    (tmp_path / "sample_submission.csv").write_text("id,y\na,0\nb,0\nc,0\n")
    spec = competition("pearson_r", ["y"], solution_path=tmp_path / "solution.csv")
    spec = replace(spec, data_dir=tmp_path)
    ours, refusal = grade_report(spec, tmp_path / "s.csv", now=NOW)
    assert not ours["valid_submission"] and refusal is not None and refusal.code == "constant"
    theirs, accepted = grade_report(spec, tmp_path / "s.csv", now=NOW, compat="mle-bench")
    assert accepted is None and theirs["valid_submission"] and theirs["submission_exists"]
    assert theirs["score"] is None and not theirs["any_medal"] and theirs["rank"] is None


def test_nomad_pairs_rows_by_position() -> None:
    truth = pd.DataFrame({"p": [1.0, 2.0, 3.0], "q": [0.5, 1.0, 4.0]}, index=["a", "b", "c"])
    ours, theirs = both("mean_column_rmsle", truth, truth.iloc[::-1], ["p", "q"])
    logs = np.log1p(truth.to_numpy())
    expected = np.sqrt(((logs - logs[::-1]) ** 2).mean(axis=0)).mean()
    assert ours == 0.0 and theirs == pytest.approx(expected, abs=1e-5)


def test_osic_accepts_a_subset_of_rows() -> None:
    truth = pd.DataFrame({"FVC": [2000.0, 2500.0]}, index=["ID1_1", "ID2_1"])
    kept = pd.DataFrame({"FVC": [2000.0], "Confidence": [math.nan]}, index=["ID1_1"])
    ours, theirs = both("laplace_log_likelihood", truth, kept, ["FVC", "Confidence"])
    assert ours == "missing_ids" and theirs == pytest.approx(-math.log(70 * math.sqrt(2)), abs=1e-5)


def test_jigsaw_bias_cuts_predictions_before_it_ranks_them() -> None:
    truth, prediction, columns = named(example("jigsaw_bias_auc"))
    ours, theirs = both("jigsaw_bias_auc", truth, prediction, columns)
    squeezed = prediction * 0.4 + 0.3
    again, theirs_again = both("jigsaw_bias_auc", truth, squeezed**2, columns)
    assert again == pytest.approx(ours) and theirs != pytest.approx(theirs_again)
    assert theirs == pytest.approx(
        get_metric("jigsaw_bias_auc").score(truth, (prediction >= 0.5).astype(float), columns), abs=1e-5
    )


def test_tensorflow_qa_calls_an_accuracy_micro_f1() -> None:
    truth, prediction, columns = named(example("micro_f1_qa_spans"))
    answered = (prediction["y"] != "").astype(int)
    labelled = [
        int(guess in accepted.split()) if guess else int(bool(accepted))
        for accepted, guess in zip(truth["y"], prediction["y"], strict=True)
    ]
    ours, theirs = both("micro_f1_qa_spans", truth, prediction, columns)
    assert theirs == pytest.approx(sk.f1_score(labelled, answered, average="micro"), abs=1e-5)
    assert ours == pytest.approx(get_metric("micro_f1_qa_spans").score(truth, prediction, columns))
    assert ours != pytest.approx(theirs)


def histogram_precision(true: np.ndarray, predicted: np.ndarray) -> float:
    """The kernel that MLE-bench's salt grader uses, for one image."""
    if not true.any():
        return float(not predicted.any())
    shared = np.histogram2d(true.ravel(), predicted.ravel(), bins=(2, 2))[0][1, 1]
    union = np.histogram(true, bins=2)[0][1] + np.histogram(predicted, bins=2)[0][1] - shared
    return float(np.mean([shared / union > level for level in np.arange(0.5, 1.0, 0.05)]))


def test_salt_takes_an_empty_prediction_for_a_full_one() -> None:
    rng = np.random.default_rng(4)
    masks = np.zeros((7, 101, 101), dtype=int)
    for row, height in enumerate((0, 101, 71, 60, 20, 101)):
        masks[row, :height] = 1
    masks[6] = rng.random((101, 101)) < 0.5
    guesses = [np.zeros((101, 101), dtype=int), masks[2], masks[3], np.roll(masks[6], 3, axis=0)]
    pairs = [(a, b) for a in masks for b in (*guesses, a)]
    truth, prediction, columns = named(one([encode(a) for a, _ in pairs], [encode(b) for _, b in pairs]))
    ours, theirs = both("mean_precision_iou_thresholds", truth, prediction, columns)
    assert theirs == pytest.approx(np.mean([histogram_precision(a, b) for a, b in pairs]), abs=1e-5)
    assert ours < theirs
    empty_on_much_salt = named(one([encode(masks[2])], [""]))
    assert both("mean_precision_iou_thresholds", *empty_on_much_salt) == (0.0, 0.5)


def test_vesuvius_wants_its_own_order_of_rows_and_no_empty_mask() -> None:
    truth, prediction, columns = named(example("mean_dice_rle"))
    some = truth[(truth["y"] != "") & (prediction["y"] != "")].index
    truth, prediction = truth.loc[some], prediction.loc[some]
    ours, theirs = both("fbeta_half_pixels", truth, prediction, columns)
    assert theirs == pytest.approx(ours, abs=1e-5)
    assert both("fbeta_half_pixels", truth, prediction.iloc[::-1], columns) == (ours, "grader_error")
    emptied = prediction.assign(y=[math.nan, *prediction["y"][1:]])
    mine, refused = both("fbeta_half_pixels", truth, emptied, columns)
    assert isinstance(mine, float) and refused == "nan"


def test_uw_madison_pairs_slices_by_position_for_dice() -> None:
    truth, _, columns = example("dice_plus_3d_hausdorff")
    perfect = truth[columns]
    assert both("dice_plus_3d_hausdorff", truth, perfect, columns) == (1.0, 1.0)
    ours, theirs = both("dice_plus_3d_hausdorff", truth, perfect.iloc[::-1], columns)
    filled = [(decode(a, 12, 9), decode(b, 12, 9)) for a, b in zip(truth["y"], truth["y"][::-1], strict=True)]
    dice = np.mean([2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in filled if (a | b).any()])
    assert ours == 1.0 and theirs == pytest.approx(0.4 * dice + 0.6, abs=1e-5)


def test_smartphone_pairs_the_rows_of_a_trip_by_position() -> None:
    names = ["LatitudeDegrees", "LongitudeDegrees"]
    truth = pd.DataFrame(
        {"LatitudeDegrees": [37.0, 37.1, 38.0], "LongitudeDegrees": [-122.0, -122.0, -121.0]}
    )
    truth = truth.set_axis(["t1+1", "t1+2", "t2+1"]).assign(tripId=["t1", "t1", "t2"])
    assert both("haversine_p50_p95_mean", truth, truth, names) == (0.0, 0.0)
    ours, theirs = both("haversine_p50_p95_mean", truth, truth.iloc[[1, 0, 2]], names)
    assert ours == 0.0 and theirs > 5000


def test_champs_counts_repeated_ids_and_has_no_floor() -> None:
    truth, _, columns = named(one([1.0, 2.0, 4.0], [0, 0, 0], type=["A", "A", "B"]))
    guess = pd.DataFrame({"id": [*truth.index, truth.index[0]], "y": [2.0, 2.0, 4.0 + math.e, 1.0]})
    ours, theirs = both("group_mean_log_mae", truth, guess, columns)
    assert ours == "duplicate_ids" and theirs == pytest.approx((math.log(1 / 3) + 1) / 2, abs=1e-5)
    exact, unbounded = both("group_mean_log_mae", truth, truth[["y"]], columns)
    assert exact == pytest.approx(math.log(1e-9)) and unbounded == -math.inf


def test_vinbigdata_takes_corners_for_sizes_and_lets_images_repeat() -> None:
    truth, prediction, columns = named(
        one(["a 1 50 50 60 60", "a 1 0 0 8 8"], ["a 0.9 70 70 80 80", "a 0.8 0 0 8 8"])
    )
    assert both("voc_map_iou_40", truth, prediction, columns) == (0.25, pytest.approx(0.25, abs=0.01))
    near, shifted, _ = named(one(["a 1 500 500 510 510"], ["a 0.9 512 512 522 522"]))
    assert both("voc_map_iou_40", near, shifted, columns) == (0.0, 1.0)  # apart, yet "overlapping" as sizes
    twice = pd.DataFrame({"id": [*truth.index, truth.index[0]], "y": [*prediction["y"], "a 0.5 50 50 60 60"]})
    ours, theirs = both("voc_map_iou_40", truth, twice, columns)
    assert ours == "duplicate_ids" and isinstance(theirs, float)


def test_siim_uses_a_flat_average_precision() -> None:
    truth, prediction, columns = named(
        one(["a 1 0 0 9 9", "b 1 0 0 9 9", ""], ["a 0.9 0 0 9 9", "b 0.8 0 0 9 9 b 0.9 50 50 60 60", ""])
    )
    expected = (1.0 + sk.average_precision_score([0, 1, 0, 0], [0.9, 0.8, 0, 0])) / 2
    assert both("voc_map_iou_50", truth, prediction, columns) == (0.75, pytest.approx(expected, abs=1e-5))


def test_auc_outside_probabilities_is_ranked_here_and_refused_there() -> None:
    frames = named(one([0, 1, 1], [-3.0, 2.0, 5.0]))
    assert both("roc_auc", *frames) == (1.0, "out_of_range")
    inside = named(one([0, 1, 1], [0.1, 0.2, 0.9]))
    assert both("roc_auc", *inside) == (1.0, 1.0)


def test_probability_rows_are_scaled_here_and_refused_there() -> None:
    truth = pd.DataFrame({"a": [1, 0], "b": [0, 1]}, index=["x", "y"])
    loose = pd.DataFrame({"a": [3.0, 1.0], "b": [1.0, 3.0]}, index=["x", "y"]) / 5
    ours, theirs = both("multiclass_log_loss", truth, loose, ["a", "b"])
    assert ours == pytest.approx(-math.log(0.75)) and theirs == "out_of_range"


def test_label_sets_forgive_unknown_labels_there_and_pool_where_kaggle_averages() -> None:
    truth, prediction, columns = named(one(["a", "b c"], ["a zz yy", "b"]))
    assert both("micro_f1_multilabel", truth, prediction, columns) == (4 / 7, 0.8)
    assert both("mean_f1_multilabel", truth, prediction, columns) == (
        pytest.approx((0.5 + 2 / 3) / 2), pytest.approx(0.8)
    )  # fmt: skip


def test_h_and_m_ignores_customers_that_the_truth_lacks() -> None:
    truth, prediction, columns = named(one(["0001", "0002"], ["0001", "0003"]))
    more = pd.concat([prediction, pd.DataFrame({"y": ["0009"]}, index=["zz"])])
    assert both("map_at_12", truth, more, columns) == ("unknown_ids", 0.5)


def test_probabilistic_f1_clips_there() -> None:
    frames = named(one([1, 0], [7.0, -2.0]))
    assert both("probabilistic_f1", *frames) == ("out_of_range", 1.0)


def test_a_scene_without_boxes_spoils_the_score_there() -> None:
    box = "1 0 0 0 2 4 2 0.5 car"
    truth, prediction, columns = named(one([box, ""], [box, ""]))
    ours, theirs = both("map_3d_iou_50_95", truth, prediction, columns)
    assert ours == 1.0 and math.isnan(theirs)


def test_volcano_rounds_its_error_to_a_whole_number() -> None:
    spec = competition("mae", ["y"], slug="predict-volcanic-eruptions-ingv-oe")
    solution = pd.DataFrame({"id": ["a", "b"], "y": [1, 2], "Usage": "Private"})
    guess = solution[["id"]].assign(y=[1.0, 5.4])
    assert grade_submission(solution, guess, spec).private_score == pytest.approx(1.7)
    assert grade_as_mle_bench(solution, guess, spec) == 2.0


def test_every_difference_is_said_and_tested() -> None:
    tests = Path(__file__).read_text(encoding="utf-8")
    assert all(sentence and f'"{metric}"' in tests for metric, sentence in DIFFERENCES.items())


def test_a_breaking_grader_is_the_submissions_fault_only_there() -> None:
    spec = competition("roc_auc", ["y"])
    solution = pd.DataFrame({"id": ["a", "b"], "y": [1, 1], "Usage": "Private"})
    with pytest.raises(GraderFailed):
        grade_submission(solution, solution[["id"]].assign(y=[0.1, 0.2]), spec)
    assert math.isnan(grade_as_mle_bench(solution, solution[["id"]].assign(y=[0.1, 0.2]), spec))
