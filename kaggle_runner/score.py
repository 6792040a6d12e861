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
    trusted: bool = True
    """False where agents could read the validation labels: it is compared within its own run only."""

    @property
    def deviation(self) -> float:
        """The standard error that a normal distribution with this interval has."""
        return abs(self.high - self.low) / (2 * 1.96)

    def gain_over(self, other: float) -> float:
        """Positive when this value is better than `other`."""
        return self.value - other if self.higher_is_better else other - self.value

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


def finite(value: float | None, digits: int | None = None) -> float | None:
    """What JSON can hold of a value, rounded to so many digits; None for NaN and infinity."""
    if value is None or not math.isfinite(value):
        return None
    return value if digits is None else round(value, digits)


def best_first(value: float | None, higher_is_better: bool) -> float:
    """Key for `sorted`: the best value first, NaN and None last.

    Values that agree in nine digits are equal: the last digits of a float differ between machines. Rounding
    keeps the order of all others, so every comparison below is made on such keys.
    """
    if value is None or math.isnan(value):
        return math.inf
    rounded = float(f"{value:.9g}")
    return -rounded if higher_is_better else rounded


def sort_key(score: Score) -> float:
    """Key for `sorted` by value, as of `best_first`."""
    return best_first(score.value, score.higher_is_better)


def better(challenger: Score, champion: Score | None) -> bool:
    """True when the challenger's value is better, beyond nine digits, in the metric's direction."""
    if champion is None:
        return not math.isnan(challenger.value)
    _require_one_direction(challenger, champion)
    return sort_key(challenger) < sort_key(champion)


def better_beyond_noise(challenger: Score, champion: Score) -> bool:
    """True when the two 95 % intervals do not touch and the challenger lies on the good side.

    On one split the two scores share their rows, so this is stricter than a paired test: a gain that
    passes is real, a gain that fails may still be. An interval that is not known proves nothing.
    """
    _require_one_direction(challenger, champion)
    higher = challenger.higher_is_better
    worst, best = (challenger.low, champion.high) if higher else (challenger.high, champion.low)
    return not math.isnan(best) and best_first(worst, higher) < best_first(best, higher)


def _require_one_direction(one: Score, other: Score) -> None:
    if one.higher_is_better != other.higher_is_better:
        raise ValueError("scores of two different directions cannot be compared")
