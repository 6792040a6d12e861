"""A score always travels with its direction, its rows and its interval; two scores are compared here only."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """A metric's value on `rows` validation rows, with a 95 % bootstrap interval [low, high]."""

    value: float
    low: float
    high: float
    rows: int
    higher_is_better: bool

    def as_dict(self) -> dict[str, object]:
        return {"score": self.value, "interval": [self.low, self.high], "rows": self.rows}

    def __str__(self) -> str:
        places = decimals(self.value)
        return f"{written(self.value, places)} [{written(self.low, places)}, {written(self.high, places)}]"


def decimals(value: float) -> int:
    """Digits after the point that show a score to five significant ones; -1 where only an exponent can."""
    size = abs(value)
    if not math.isfinite(value) or size >= 1e7 or 0 < size < 1e-4:
        return -1
    if size < 1e-2:
        return 5 if size == 0 else 4 - math.floor(math.log10(size))
    return max(0, 4 - math.floor(math.log10(size))) if size >= 1 else 5


def written(value: float, places: int | None = None) -> str:
    """A score as people read it: trailing zeros stay, so that columns line up. `places` as of `decimals`."""
    places = decimals(value) if places is None else places
    return f"{value:.4e}" if places < 0 else f"{value:.{places}f}"


def better(challenger: Score, champion: Score | None) -> bool:
    """True when the challenger's value is strictly better in the metric's direction."""
    if champion is None or math.isnan(champion.value):
        return not math.isnan(challenger.value)
    if challenger.higher_is_better != champion.higher_is_better:
        raise ValueError("scores of two different directions cannot be compared")
    if challenger.higher_is_better:
        return challenger.value > champion.value
    return challenger.value < champion.value


def better_beyond_noise(challenger: Score, champion: Score) -> bool:
    """True when the two 95 % intervals do not touch and the challenger lies on the good side.

    On one split the two scores share their rows, so this is stricter than a paired test: a gain that
    passes is real, a gain that fails may still be.
    """
    if challenger.higher_is_better != champion.higher_is_better:
        raise ValueError("scores of two different directions cannot be compared")
    if challenger.higher_is_better:
        return challenger.low > champion.high
    return challenger.high < champion.low


def sort_key(score: Score) -> float:
    """Key for `sorted`: best first, NaN last. Values that differ in the last digits of a float are equal."""
    if math.isnan(score.value):
        return math.inf
    value = float(f"{score.value:.9g}")
    return -value if score.higher_is_better else value
