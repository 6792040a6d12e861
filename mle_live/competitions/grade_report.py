"""The report on one submission: MLE-bench's sixteen fields, and where the score would stand on the board.

The score that counts is the private one, as on Kaggle. A submission that cannot be scored has a report too; a
grader that breaks has none, because that says nothing about the submission.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, Literal

from kaggle_runner.moments import stamp
from kaggle_runner.score import finite
from mle_live.competitions.board import load_board
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.grading import Grade, InvalidSubmission, grade_file, read_solution, read_table
from mle_live.competitions.placement import Placement, medal_thresholds, placement

Compat = Literal["mle-bench"]

_DIGITS = 5
"""Decimals of `score` in MLE-bench's reports."""


def grade_report(
    competition: HostedCompetition, path: Path, *, now: datetime, compat: Compat | None = None
) -> tuple[dict[str, Any], InvalidSubmission | None]:
    """The report as plain values (no NaN: JSON has none), and why the file could not be scored, if so.

    With `compat` "mle-bench" the score is that of MLE-bench's own grader on all rows. A folder without labels
    gives a valid submission without a score. Raises GraderFailed when the metric or the solution breaks.
    """
    grade, refusal = Grade(None, None, 0, 0), None
    try:
        if not path.is_file():
            raise InvalidSubmission("no_file", f"there is no file {path}", hint="give the path of a CSV")
        grade = _grade_as_mle_bench(competition, path) if compat else grade_file(competition, path)
    except InvalidSubmission as error:
        refusal = error
    board = [team.private_score for team in load_board(competition) if not math.isnan(team.private_score)]
    higher, score = competition.higher_is_better, grade.private_score
    place = placement(score, board, higher) if score is not None else None
    report = {
        "competition_id": competition.slug,
        "score": finite(score, _DIGITS),
        **_thresholds(board, higher),
        **_medals(place),
        "submission_exists": path.is_file() and (compat is None or path.suffix.lower() == ".csv"),
        "valid_submission": refusal is None,
        "is_lower_better": not higher,
        "created_at": stamp(now),
        "submission_path": str(path),
        "grader": compat or "mle-live",
        "metric": competition.metric,
        "higher_is_better": higher,
        "public_score": finite(grade.public_score),
        "private_score": finite(score),
        "public_rows": grade.public_rows,
        "private_rows": grade.private_rows,
        "board": competition.board,
        "teams": len(board),
        "rank": place.rank if place else None,
        "win_rate": place.win_rate if place else None,
        "percentile": place.percentile if place else None,
        "medal": place.medal if place else None,
        "error": {"code": refusal.code, "message": refusal.message, "ids": refusal.ids} if refusal else None,
    }
    return report, refusal


def report_lines(report: dict[str, Any]) -> list[str]:
    """The report of a valid submission in words."""
    if not report["private_rows"] and not report["public_rows"]:
        return [f"{report['competition_id']}: the file is valid; there are no labels here to score it"]
    direction = "higher" if report["higher_is_better"] else "lower"
    lines = [
        f"{report['metric']} ({direction} is better)",
        f"public {report['public_score']}  private {report['private_score']}"
        if report["grader"] == "mle-live"
        else f"score {report['score']}, scored as {report['grader']} does, on all rows",
    ]
    if report["rank"] is not None:
        lines.append(
            f"rank {report['rank']} beside the {report['teams']} teams of the {report['board']} board, "
            f"{report['medal'] or 'no'} medal, win rate {report['win_rate']:.3f}"
        )
    return lines


def _grade_as_mle_bench(competition: HostedCompetition, path: Path) -> Grade:
    from mle_live.competitions.mle_bench import grade_as_mle_bench

    if path.suffix.lower() != ".csv":
        raise InvalidSubmission("no_file", f"MLE-bench takes files named .csv only, not {path.name!r}")
    if competition.solution_path is None:
        return grade_file(competition, path)
    solution = read_solution(competition)
    return Grade(
        None, grade_as_mle_bench(solution, read_table(path, competition), competition), 0, len(solution)
    )


def _thresholds(board: Sequence[float], higher_is_better: bool) -> dict[str, float | None]:
    limits = medal_thresholds(board, higher_is_better) if board else {}
    return {
        **{f"{name}_threshold": limits.get(name) for name in ("gold", "silver", "bronze")},
        "median_threshold": median(board) if board else None,
    }


def _medals(place: Placement | None) -> dict[str, bool]:
    medal = place.medal if place else None
    return {
        "any_medal": medal is not None,
        **{f"{name}_medal": medal == name for name in ("gold", "silver", "bronze")},
        "above_median": place.above_median if place else False,
    }
