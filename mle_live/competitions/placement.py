"""Where a score would stand on a leaderboard: rank, win rate, medal, above the median.

The medal table is `kaggle_runner.ranks.medals`; the tie rule is MLE-bench's (Chan et al., "MLE-bench", 2024,
grading rules); the win rate is CoMind's (share of teams that are not strictly better). A pure module.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from kaggle_runner.ranks.medals import Medal, medal_positions

_ROUNDING = 5
"""Digits to which a score is rounded before it is compared; the board stays as it is."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A score's place among `teams` others.

    `win_rate` in [0, 1] is the share of teams that are not better, so ties favour the score; `percentile` in
    [0, 100] counts a tie as half a team beaten.
    """

    rank: int
    teams: int
    win_rate: float
    percentile: float
    medal: Medal | None
    above_median: bool


def medal_thresholds(board: Sequence[float], higher_is_better: bool) -> dict[Medal, float]:
    """The score of the last team that gets each medal; NaN rows do not count."""
    ranked = sorted((score for score in board if not math.isnan(score)), reverse=higher_is_better)
    return {medal: ranked[position - 1] for medal, position in medal_positions(len(ranked)).items()}


def placement(score: float, board: Sequence[float], higher_is_better: bool) -> Placement | None:
    """The place of `score` on `board` (any order); None when the board or the score is empty (NaN).

    A tie with a medal's threshold earns the medal; above the median is strict.
    """
    others = [row for row in board if not math.isnan(row)]
    if not others or math.isnan(score):
        return None
    rounded = round(score, _ROUNDING)
    sign = 1.0 if higher_is_better else -1.0
    better = sum(1 for row in others if sign * row > sign * rounded)
    tied = sum(1 for row in others if row == rounded)
    thresholds = medal_thresholds(others, higher_is_better)
    medal = next((name for name, limit in thresholds.items() if sign * rounded >= sign * limit), None)
    return Placement(
        rank=better + 1,
        teams=len(others),
        win_rate=1.0 - better / len(others),
        percentile=100.0 * (len(others) - better - tied / 2) / len(others),
        medal=medal,
        above_median=sign * rounded > sign * median(others),
    )
