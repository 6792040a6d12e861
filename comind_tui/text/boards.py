"""The local leaderboard's rows, for the printed table, for JSON and for the screen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from comind.analysis.standings import Standing, solution_titles
from comind.state.grades import score_from
from comind.state.records import Evaluation, Run
from comind_tui.text.plain import arrow
from kaggle_runner.score import Score, better_beyond_noise

BEATS = {True: "✓ beats", False: "~ noise", None: "–"}
"""Words for a row's `beats`."""


class RankedSolution(NamedTuple):
    place: int
    evaluation: Evaluation
    score: Score
    title: str
    """Of the agent's draft, or of the draft whose agent handed in the same files first."""
    beats: bool | None
    """Whether it beats the sample submission beyond noise; None where that has no score."""


def board_rows(board: Iterable[Standing], run: Run, titles: Mapping[str, str]) -> list[RankedSolution]:
    baseline = score_from(run.baseline, run.higher_is_better)
    board = list(board)
    told = solution_titles(board, titles)
    return [
        RankedSolution(
            place,
            one.evaluation,
            one.score,
            told[one.evaluation.id],
            better_beyond_noise(one.score, baseline) if baseline else None,
        )
        for place, one in enumerate(board, start=1)
    ]


def metric_text(run: Run) -> str:
    """`rmse ↓`; what a column of scores is headed by while no metric is known."""
    return f"{run.metric} {arrow(run.higher_is_better)}" if run.metric else "score"
