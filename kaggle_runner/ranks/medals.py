"""Kaggle's medal table: which places of a board of so many teams earn gold, silver and bronze.

The table is Kaggle's (Progression System, "Competitions"); shares are rounded down, as MLE-bench does (Chan
et al., 2024). Whether a competition awards medals at all is not known here.
"""

from __future__ import annotations

from typing import Literal, get_args

Medal = Literal["gold", "silver", "bronze"]
MEDALS: tuple[Medal, ...] = get_args(Medal)
"""Best first."""


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
    return {"gold": gold, "silver": teams // 20, "bronze": teams // 10}


def medal_of(rank: int, teams: int) -> Medal | None:
    """The medal of the 1-based `rank` among `teams`; None below the last one."""
    positions = medal_positions(teams)
    return next((medal for medal in MEDALS if rank <= positions[medal]), None)
