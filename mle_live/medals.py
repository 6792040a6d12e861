"""Where a score would stand on a leaderboard: rank, win rate, medal, above the median.

Medal positions and the tie rule are MLE-bench's (Chan et al., "MLE-bench", 2024, grading rules); the win
rate is CoMind's (share of teams that are not strictly better). A pure module: numbers in, numbers out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Medal = Literal["gold", "silver", "bronze"]

_ROUNDING = 5
"""Digits to which a score is rounded before it is compared; the board stays as it is."""


@dataclass(frozen=True, slots=True)
class Standing:
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


def medal_positions(teams: int) -> dict[Medal, int]:
    """The last 1-based position that earns each medal on a board of `teams` >= 1 rows."""
    if teams < 1:
        raise ValueError("a board without teams has no medals")
    small_silver, small_bronze = max(1, teams // 5), max(1, teams * 2 // 5)
    if teams < 100:
        return {"gold": max(1, teams // 10), "silver": small_silver, "bronze": small_bronze}
    if teams < 250:
        return {"gold": 10, "silver": small_silver, "bronze": small_bronze}
    gold = 10 + teams // 500
    if teams < 1000:
        return {"gold": gold, "silver": 50, "bronze": 100}
    return {"gold": gold, "silver": max(1, teams // 20), "bronze": max(1, teams // 10)}


def medal_thresholds(board: Sequence[float], higher_is_better: bool) -> dict[Medal, float]:
    """The score of the last team that gets each medal; NaN rows do not count."""
    ranked = sorted((score for score in board if not math.isnan(score)), reverse=higher_is_better)
    return {medal: ranked[position - 1] for medal, position in medal_positions(len(ranked)).items()}


def standing(score: float, board: Sequence[float], higher_is_better: bool) -> Standing | None:
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
    return Standing(
        rank=better + 1,
        teams=len(others),
        win_rate=1.0 - better / len(others),
        percentile=100.0 * (len(others) - better - tied / 2) / len(others),
        medal=medal,
        above_median=sign * rounded > sign * median(others),
    )
