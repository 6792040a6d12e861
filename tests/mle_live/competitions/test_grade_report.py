"""The report of `mle-live grade --json`: MLE-bench's fields, ranks, refusals, and faults of the grader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mle_live.cli import main
from mle_live.competitions.placement import placement
from tests.tiny_kaggle import CANARY, SLUG, make_root, submission_text

MLE_BENCH_FIELDS = {
    "competition_id", "score", "gold_threshold", "silver_threshold", "bronze_threshold", "median_threshold",
    "any_medal", "gold_medal", "silver_medal", "bronze_medal", "above_median", "submission_exists",
    "valid_submission", "is_lower_better", "created_at", "submission_path",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


def report(
    root: Path, text: str | None, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, dict[str, Any]]:
    file = root.parent / "s.csv"
    if text is not None:
        file.write_text(text)
    code = main(["grade", SLUG, str(file), "--root", str(root), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_a_good_submission_has_mle_benchs_fields_and_a_rank(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The board's private scores are 11, 22, …, 220: an error of 33.000001 ties with the third of 20 teams.
    code, got = report(root, submission_text([value + 33.000001 for value in CANARY]), capsys)
    assert code == 0 and set(got) >= MLE_BENCH_FIELDS
    assert (got["score"], got["is_lower_better"], got["submission_exists"]) == (33.0, True, True)
    assert (got["gold_threshold"], got["silver_threshold"], got["bronze_threshold"]) == (22.0, 44.0, 88.0)
    assert got["median_threshold"] == 115.5 and got["above_median"] and got["error"] is None
    assert [got[f"{medal}_medal"] for medal in ("gold", "silver", "bronze", "any")] == [
        False,
        True,
        False,
        True,
    ]
    assert (got["rank"], got["teams"], got["medal"]) == (3, 20, "silver")
    assert (got["win_rate"], got["percentile"]) == (0.9, 87.5)


def test_a_refused_submission_has_a_report_with_the_first_ids(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, got = report(root, submission_text(CANARY).replace(str(CANARY[3]), "NaN", 1), capsys)
    assert code == 1 and not got["valid_submission"] and got["submission_exists"]
    assert (got["error"]["code"], got["error"]["ids"]) == ("nan", ["t03"])
    assert got["score"] is None and got["rank"] is None and not got["any_medal"] and not got["above_median"]
    assert got["gold_threshold"] == 22.0


def test_an_absent_file_is_reported_as_such(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, got = report(root, None, capsys)
    assert code == 1 and not got["submission_exists"] and got["error"]["code"] == "no_file"


def test_a_grader_that_breaks_gives_no_report(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "private" / SLUG / "solution.csv").write_text("id,target\nt00,1\n")
    file = root.parent / "s.csv"
    file.write_text(submission_text(CANARY))
    assert main(["grade", SLUG, str(file), "--root", str(root), "--json"]) not in (0, 1, 2)
    said = capsys.readouterr()
    assert said.out == "" and "Usage" in said.err


def test_compatibility_scores_all_rows_and_says_so(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, got = report(
        root, submission_text([value + 5.0 for value in CANARY]), capsys, "--compat", "mle-bench"
    )
    assert code == 0 and got["grader"] == "mle-bench" and got["score"] == 5.0
    assert got["private_rows"] == len(CANARY) and got["public_score"] is None
    file = root.parent / "s.txt"
    file.write_text(submission_text(CANARY))
    assert main(["grade", SLUG, str(file), "--root", str(root), "--json", "--compat", "mle-bench"]) == 1
    assert not json.loads(capsys.readouterr().out)["submission_exists"]
    assert (
        main(["grade", SLUG, str(root.parent / "s.csv"), "--root", str(root), "--compat", "mle-bench"]) == 0
    )
    assert "as mle-bench does" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("score", "rank", "win_rate", "percentile"),
    [(9.0, 1, 1.0, 100.0), (5.0, 1, 1.0, 87.5), (3.0, 2, 0.75, 50.0), (0.0, 5, 0.0, 0.0)],
)
def test_ties_favour_the_win_rate_and_count_half_in_the_percentile(
    score: float, rank: int, win_rate: float, percentile: float
) -> None:
    place = placement(score, [5.0, 3.0, 3.0, 1.0], True)
    assert place is not None and (place.rank, place.win_rate, place.percentile) == (
        rank,
        win_rate,
        percentile,
    )


def test_an_undefined_score_has_no_place() -> None:
    assert placement(float("nan"), [1.0, 2.0], True) is None
