"""What a submission is refused for, what it scores, and where it would stand."""

from __future__ import annotations

import math
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.predictions.judge import Predictions
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.grading import (
    GraderFailed,
    InvalidSubmission,
    grade_file,
    grade_predictions,
    read_solution,
)
from mle_live.competitions.placement import medal_thresholds, placement

SOLUTION = "id,target,Usage\n" + "".join(
    f"{i:03},{i * 1.5},{'Public' if i % 2 else 'Private'}\n" for i in range(10)
)


def competition(tmp_path: Path, metric: str = "rmse", solution: str | None = SOLUTION) -> HostedCompetition:
    path = tmp_path / "solution.csv"
    if solution is not None:
        path.write_text(solution)
    (tmp_path / "sample_submission.csv").write_text(
        "id,target\n" + "".join(f"{i:03},0.5\n" for i in range(10))
    )
    return HostedCompetition(
        slug="c",
        title="C",
        metric=metric,
        higher_is_better=metric != "rmse",
        id_column="id",
        target_columns=("target",),
        description="",
        data_dir=tmp_path,
        solution_path=path if solution is not None else None,
    )


def grade(tmp_path: Path, text: str, **options: Any) -> tuple[float | None, float | None]:
    (tmp_path / "s.csv").write_text(text)
    result = grade_file(competition(tmp_path, **options), tmp_path / "s.csv")
    return result.public_score, result.private_score


def rows(**changes: Any) -> str:
    values = {f"{i:03}": str(i * 1.5) for i in range(10)}
    values.update({name.removeprefix("r"): value for name, value in changes.items()})
    return "id,target\n" + "".join(f"{key},{value}\n" for key, value in values.items())


def test_rows_are_aligned_by_id_not_by_position(tmp_path: Path) -> None:
    lines = rows().splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    assert grade(tmp_path, shuffled) == (0.0, 0.0)
    public, private = grade(tmp_path, rows(r001="6.5"))
    assert public == pytest.approx(5 / math.sqrt(5)) and private == 0.0


def test_columns_in_another_order_do_no_harm_and_more_of_them_are_refused_as_at_kaggle(
    tmp_path: Path,
) -> None:
    lines = [line.split(",") for line in rows().splitlines()]
    assert grade(tmp_path, "".join(f"{target},{row}\n" for row, target in lines)) == (0.0, 0.0)
    with pytest.raises(InvalidSubmission, match="column 'note'") as refusal:
        grade(tmp_path, "".join(f"{target},note,{row}\n" for row, target in lines))
    assert refusal.value.code == "extra_column"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", "empty_file", "the file is empty"),
        ('id,target\n"000,1\n', "unreadable", "not a readable CSV"),
        (
            "id,target\n",
            "missing_ids",
            "have no prediction; write ids exactly as the sample does (10 of them",
        ),
        ("id,goal\n000,1\n", "missing_column", "column 'target'"),
        (rows() + "003,1\n", "duplicate_ids", "some ids appear more than once (1 of them: 003)"),
        (rows() + "099,1\n", "unknown_ids", "whose ids are not in the sample (1 of them: row 11)"),
        (rows() + ",1\n", "blank_id", "some rows have no id (1 of them: row 11)"),
        (rows().replace("003,4.5\n", ""), "missing_ids", "(1 of them: 003)"),
        (rows(r003=""), "nan", "are missing (empty or NaN) (column 'target'; 1 of them: 003)"),
        (rows(r003="NaN"), "nan", "are missing (empty or NaN) (column 'target'; 1 of them: 003)"),
        (rows(r003="many"), "not_a_number", "are no numbers (column 'target'; 1 of them: 003)"),
        (
            rows(r003="inf", r004="-inf"),
            "infinite",
            "or beyond 1e+100 (column 'target'; 2 of them: 003, 004)",
        ),
        (rows(r003="1.7e308"), "infinite", "column 'target'; 1 of them"),
        (rows(r003="9" * 400, r004="-" + "9" * 30), "infinite", "column 'target'; 1 of them"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_first_ids(
    tmp_path: Path, text: str, code: str, said: str
) -> None:
    with pytest.raises(InvalidSubmission) as refusal:
        grade(tmp_path, text)
    assert refusal.value.code == code and said in refusal.value.message


def test_a_metrics_own_refusal_names_ids_not_positions(tmp_path: Path) -> None:
    labels = "id,target,Usage\n" + "".join(
        f"{i:03},{i % 3 % 2},{'Public' if i % 2 else 'Private'}\n" for i in range(10)
    )
    good = "id,target\n" + "".join(f"{i:03},0.5\n" for i in range(10))
    with pytest.raises(InvalidSubmission) as refusal:
        grade(tmp_path, good.replace("004,0.5", "004,1.5"), metric="binary_log_loss", solution=labels)
    assert refusal.value.code == "out_of_range" and refusal.value.ids == ["004"]


def test_text_labels_may_read_like_missing_values(tmp_path: Path) -> None:
    labels = "id,target,Usage\n001,NA,Public\n002,None,Private\n"
    assert grade(tmp_path, "id,target\n001,NA\n002,None\n", metric="accuracy", solution=labels) == (1.0, 1.0)


def test_a_metric_that_breaks_is_not_the_submissions_fault(tmp_path: Path) -> None:
    one_class = SOLUTION.replace("Public", "Private")
    flat = "id,target,Usage\n" + "".join(f"{i:03},1,Private\n" for i in range(10))
    assert grade(tmp_path, rows(), solution=one_class)[0] is None  # no public rows: no public score
    with pytest.raises(GraderFailed, match="roc_auc"):
        grade(tmp_path, rows(), metric="roc_auc", solution=flat)


def test_without_labels_a_file_is_checked_but_not_scored(tmp_path: Path) -> None:
    assert grade(tmp_path, rows(), solution=None) == (None, None)
    with pytest.raises(InvalidSubmission):
        grade(tmp_path, rows(r003="nan"), solution=None)


def test_what_was_read_already_can_be_graded(tmp_path: Path) -> None:
    spec = competition(tmp_path)
    solution = read_solution(spec)
    predictions = Predictions(tuple(solution["id"]), {"target": array("d", solution["target"] + 1)})
    result = grade_predictions(solution, predictions, spec)
    assert (result.public_score, result.private_score, result.public_rows) == (1.0, 1.0, 5)


@pytest.mark.parametrize("higher", [True, False])
def test_standing_counts_strictly_better_teams_and_ties_favour_the_score(higher: bool) -> None:
    sign = 1 if higher else -1
    board = [sign * float(n) for n in range(1, 101)]  # best is 100 (or -100)
    tied = placement(sign * 91.0, board, higher)
    assert tied is not None
    assert (tied.rank, tied.teams, tied.medal, tied.above_median) == (10, 100, "gold", True)
    assert tied.win_rate == pytest.approx(0.91)
    below = placement(sign * 90.9, board, higher)
    assert below is not None and (below.rank, below.medal) == (11, "silver")
    middle = placement(sign * 50.5, board, higher)
    assert middle is not None and not middle.above_median and middle.medal is None


def test_a_score_is_rounded_before_it_is_compared_and_nan_rows_do_not_count() -> None:
    place = placement(0.9499999, [0.95, 0.9, math.nan], True)
    assert place is not None and (place.rank, place.teams) == (1, 2)
    assert placement(1.0, [math.nan], True) is None and placement(1.0, [], True) is None
    assert medal_thresholds([3.0, 1.0, 2.0], False)["gold"] == 1.0


@pytest.mark.parametrize("higher", [True, False])
@pytest.mark.parametrize(
    ("score", "percentile", "win_rate"),
    [(9.0, 100, 1), (4.0, 87.5, 1), (3.5, 75, 0.75), (2.0, 50, 0.75), (1.0, 12.5, 0.25), (0.5, 0, 0)],
)
def test_a_tie_is_half_a_team_beaten_in_percent_and_a_whole_one_in_the_win_rate(
    score: float, percentile: float, win_rate: float, higher: bool
) -> None:
    sign = 1 if higher else -1
    place = placement(sign * score, [sign * row for row in (2.0, 4.0, 1.0, 2.0)], higher)
    assert place is not None and (place.percentile, place.win_rate) == (percentile, win_rate)


def test_five_digits_of_a_score_are_compared() -> None:
    ranks = [placement(score, [0.95], True) for score in (0.949996, 0.949994, 0.950004, 0.950006)]
    assert [place and (place.rank, place.above_median) for place in ranks] == [
        (1, False), (2, False), (1, False), (1, True)
    ]  # fmt: skip


def test_ignored_rows_must_be_predicted_and_are_not_scored(tmp_path: Path) -> None:
    labels = SOLUTION.replace("003,4.5,Public", "003,,Ignored").replace("004,6.0,Private", "004,6.0,Ignored")
    assert grade(tmp_path, rows(r003="99", r004="-7"), solution=labels) == (0.0, 0.0)
    with pytest.raises(InvalidSubmission, match="003"):
        grade(tmp_path, rows(r003=""), solution=labels)
    with pytest.raises(InvalidSubmission, match="004"):
        grade(tmp_path, rows().replace("004,6.0\n", ""), solution=labels)


def test_texts_that_look_like_numbers_keep_their_zeros_and_may_be_empty(tmp_path: Path) -> None:
    labels = "id,target,Usage\n001,0706,Private\n002,0012,Private\n"
    assert grade(tmp_path, "id,target\n002,0012\n001,706\n", metric="map_at_5", solution=labels)[1] == 0.5
    assert grade(tmp_path, "id,target\n002,\n001,\n", metric="map_at_5", solution=labels)[1] == 0.0


def test_an_id_of_two_columns_is_joined_and_aligned(tmp_path: Path) -> None:
    spec = replace(competition(tmp_path), id_column="trip+time")
    spec.sample_submission.write_text("trip,time,target\na,1,0\na,2,0\n")
    assert spec.solution_path is not None
    spec.solution_path.write_text("trip+time,trip,target,Usage\na+1,a,1,Private\na+2,a,2,Private\n")
    path = tmp_path / "pairs.csv"
    path.write_text("trip,time,target\na,2,2\na,1,1\n")
    assert grade_file(spec, path).private_score == 0.0
    path.write_text("trip,time,target\na,2,2\n,1,1\n")
    with pytest.raises(InvalidSubmission, match="row 2"):
        grade_file(spec, path)


def test_a_solution_with_repeated_ids_is_the_graders_fault(tmp_path: Path) -> None:
    with pytest.raises(GraderFailed, match="repeated"):
        grade(tmp_path, rows(), solution=SOLUTION + "000,1,Public\n")
