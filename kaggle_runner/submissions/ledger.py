"""The ledger of local against public scores: what one says about the other, and the two final picks.

Pure functions of what was sent. With few points they say so instead of inventing a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

from kaggle_runner.predictions.columns import LARGEST
from kaggle_runner.score import best_first, sort_key
from kaggle_runner.submissions.file import similarity
from kaggle_runner.submissions.records import SentSubmission

LEAST_POINTS = 4
"""Below this a correlation says nothing; four points in order still happen once in 24 times by chance."""
PUBLIC_FRACTION = 0.3
"""Assumed share of the test rows behind the public score; Kaggle tells it in words only, if at all."""
DISTINCT = 0.99
"""Similarity of predictions below which two final picks are worth having both."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Public minus local score, in the metric's units: its mean and standard deviation over `points`."""

    mean: float
    spread: float | None
    """None for one point."""


@dataclass(frozen=True, slots=True)
class Shakeup:
    """The chance that the public order of the best two is reversed on the private rows."""

    probability: float
    noise: float
    """Standard error of the difference public − private score of one submission."""
    assumed: str
    """What the number rests on."""

    @property
    def level(self) -> str:
        return "low" if self.probability < 0.15 else "medium" if self.probability < 0.35 else "high"


@dataclass(frozen=True, slots=True)
class Pick:
    """One submission proposed for the final choice."""

    submission: SentSubmission
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the scored submissions of one competition say together. None where there are too few."""

    points: int
    """Submissions with a local and a public score."""
    pearson: float | None
    spearman: float | None
    gap: Gap | None
    shakeup: Shakeup | None
    picks: tuple[Pick, ...]
    notes: tuple[str, ...]


def read_ledger(history: Sequence[SentSubmission], *, higher_is_better: bool | None = None) -> Ledger:
    """The ledger of one competition's submissions. Local scores of several runs count as one scale.

    They are one where the runs split the data alike (the same seed and data); `notes` says when several runs
    are mixed. The direction is that of the local scores, unless it is given.
    """
    scored = [row for row in history if row.state == "scored" and _is_score(row.public_score)]
    known = [row.score.higher_is_better for row in history if row.score]
    higher = higher_is_better if higher_is_better is not None else next(iter(known), None)
    pairs = [
        (row.score.value, row.public_score)
        for row in scored
        if row.score and row.score.trusted and _is_score(row.score.value)
    ]
    local = [one for one, _ in pairs]
    public = [other for _, other in pairs if other is not None]
    enough = len(pairs) >= LEAST_POINTS
    return Ledger(
        points=len(pairs),
        pearson=correlation(local, public) if enough else None,
        spearman=correlation(ranks(local), ranks(public)) if enough else None,
        gap=_gap(local, public),
        shakeup=None if higher is None else shakeup(scored, PUBLIC_FRACTION, higher=higher),
        picks=() if higher is None else final_picks(scored, higher=higher),
        notes=_notes(scored, len(pairs), higher),
    )


def correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Pearson's; of ranks it is Spearman's. None where one side does not vary."""
    if len(one) < 2:
        return None
    mean_one, mean_other = fmean(one), fmean(other)
    shared = math.fsum((a - mean_one) * (b - mean_other) for a, b in zip(one, other, strict=True))
    spread = math.sqrt(
        math.fsum((a - mean_one) ** 2 for a in one) * math.fsum((b - mean_other) ** 2 for b in other)
    )
    return max(-1.0, min(1.0, shared / spread)) if spread > 0 else None


def ranks(values: Sequence[float]) -> list[float]:
    """1 for the smallest; equal values share the mean of their ranks."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2
        for value in values
    ]


def shakeup(scored: Sequence[SentSubmission], public_fraction: float, *, higher: bool) -> Shakeup | None:
    """How likely the best public score is not the better of the best two on the private rows.

    A score over m rows has the standard error s/√m, where s comes from the local interval:
    s = error · √rows. With f the public share of n test rows, the difference d of two public scores is
    reversed with probability Φ(−d / σ), σ² = 2 · (s²/(f·n) + s²/((1−f)·n)). Assumed: f, rows of one kind
    everywhere, a metric that averages over rows, and errors of the two submissions that are independent. They
    share their rows, so the truth is mostly lower. None without two such scores.
    """
    known = [row for row in scored if row.score and row.score.rows and row.score.deviation > 0 and row.rows]
    best = sorted(known, key=lambda row: _public(row, higher))[:2]
    if len(best) < 2:
        return None
    first = best[0]
    assert first.score is not None, "rows without a score were left out"
    per_row = first.score.deviation * math.sqrt(first.score.rows)
    noise = per_row * math.sqrt((1 / public_fraction + 1 / (1 - public_fraction)) / first.rows)
    difference = abs(_public(best[0], higher) - _public(best[1], higher))
    assumed = (
        f"{public_fraction:.0%} of {first.rows:,} test rows are public; "
        "errors of two submissions are independent"
    )
    return Shakeup(NormalDist().cdf(-difference / (noise * math.sqrt(2))), noise, assumed)


def final_picks(scored: Sequence[SentSubmission], *, higher: bool) -> tuple[Pick, ...]:
    """The best by local score and the best by public score; where they are alike, the next that differs."""
    by_public = sorted(scored, key=lambda row: _public(row, higher))
    by_local = sorted((row for row in scored if row.score and row.score.trusted), key=_local)
    if not by_local:
        told = ("best by public score", "second by public score")
        return tuple(Pick(row, why) for row, why in zip(by_public, told, strict=False))
    first, champion = by_local[0], by_public[0]
    if champion.token != first.token and _differ(first, champion):
        why = "best by local score, which many tries on the public rows cannot have spoilt"
        return Pick(first, why), Pick(champion, "best by public score")
    why = "best by local and by public score" if champion.token == first.token else "best by local score"
    others = [row for row in scored if row.token != first.token and _differ(first, row)]
    if not others:
        return (Pick(first, why),)
    second = min(
        others, key=lambda row: (_place(row, by_public) + _place(row, by_local), _place(row, by_local))
    )
    return Pick(first, why), Pick(second, "the next best by both scores whose predictions differ")


def _is_score(value: float | None) -> bool:
    return value is not None and abs(value) <= LARGEST


def _place(row: SentSubmission, order: Sequence[SentSubmission]) -> int:
    return order.index(row) if row in order else len(order)


def _differ(one: SentSubmission, other: SentSubmission) -> bool:
    agreement = similarity(one.sketch, other.sketch)
    return agreement is None or agreement < DISTINCT


def _public(row: SentSubmission, higher: bool) -> float:
    """Sorts best first."""
    return best_first(row.public_score, higher)


def _local(row: SentSubmission) -> float:
    """Sorts best first."""
    return sort_key(row.score) if row.score else math.inf


def _gap(local: Sequence[float], public: Sequence[float]) -> Gap | None:
    gaps = [other - one for one, other in zip(local, public, strict=True)]
    return Gap(fmean(gaps), stdev(gaps) if len(gaps) > 1 else None) if gaps else None


def _notes(scored: Sequence[SentSubmission], pairs: int, direction: bool | None) -> tuple[str, ...]:
    notes = []
    if pairs < LEAST_POINTS:
        told = f"{pairs} submission{'s' * (pairs != 1)} with a local and a public score"
        notes.append(f"{told}: a correlation needs {LEAST_POINTS} at least")
    runs = {row.run for row in scored if row.score and row.run}
    if len(runs) > 1:
        notes.append(f"local scores of {len(runs)} runs are compared as if they were on the same rows")
    untrusted = sum(row.score is not None and not row.score.trusted for row in scored)
    if untrusted:
        notes.append(f"{untrusted} left out of all comparisons with local scores: labels could be read")
    strangers = sum(row.score is None for row in scored)
    if strangers:
        notes.append(f"{strangers} scored submission{'s' * (strangers != 1)} without a local score here")
    if scored and direction is None:
        notes.append("no picks: none of them tells whether higher scores are better")
    return tuple(notes)
