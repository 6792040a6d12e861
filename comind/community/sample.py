"""K' and D' of the paper: a seeded sample of the community that looks at what is good, new and not yet read.

It reads nothing and stores nothing; near-copies (forks) are found by `comind.analysis.graph`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

from comind.analysis.graph import fork_groups
from comind.state.records import Discussion, Kernel
from kaggle_runner.moments import parse_moment
from kaggle_runner.score import best_first

A = TypeVar("A", Kernel, Discussion)

_RECENCY_DAYS = 90.0
_RANK_DECAY = 0.35


def sample_kernels(
    kernels: Sequence[Kernel], count: int, rng: random.Random, *, higher: bool
) -> list[Kernel]:
    """K': drawn by turns from the list by score and the list by votes, without replacement.

    Weights fall with the place in the list, with age, with how often a kernel or a copy of it was used, and
    for copies of an earlier kernel. Each turn draws from the better half of what its list has left, so both
    lists contribute. Of one fork group at most one is taken, so there may be fewer than `count`. Kernels
    that failed on our split come last.
    """
    groups = fork_groups(kernels)
    copies = {kernel.id: group for group in groups for kernel in group}
    halvings = {
        kernel.id: sum(one.times_sampled for one in group) + (place > 0)
        for group in groups
        for place, kernel in enumerate(group)
    }
    newest = max((kernel.created_at for kernel in kernels), default="")
    lists = (by_score(kernels, higher), sorted(kernels, key=lambda kernel: (-kernel.votes, kernel.id)))
    taken: set[str] = set()
    chosen: list[Kernel] = []
    while len(chosen) < count:
        left = [one for one in lists[len(chosen) % 2] if one.id not in taken]
        left = [one for one in left if one.verified != "failed"] or left
        if not left:
            break
        weights = _weights(left, newest, halvings)
        better_half = sorted(range(len(left)), key=lambda place: -weights[place])[: math.ceil(len(left) / 2)]
        chosen += rng.choices([left[n] for n in better_half], [weights[n] for n in better_half])
        taken |= {copy.id for copy in copies[chosen[-1].id]}
    return chosen


def sample_discussions(discussions: Sequence[Discussion], count: int, rng: random.Random) -> list[Discussion]:
    """D': by votes, age and earlier use, without replacement."""
    left = sorted(discussions, key=lambda one: (-one.votes, one.id))
    newest = max((one.created_at for one in discussions), default="")
    halvings = {one.id: one.times_sampled for one in discussions}
    chosen: list[Discussion] = []
    while left and len(chosen) < count:
        chosen += rng.choices(left, _weights(left, newest, halvings))
        left.remove(chosen[-1])
    return chosen


def by_score(kernels: Sequence[Kernel], higher: bool) -> list[Kernel]:
    """Best first. Our own score decides where there is one; the two kinds are never compared by value.

    Unverified kernels keep their places by public score. The places that verified kernels hold by theirs are
    dealt to them by local score; a verified kernel without a public score goes before the first that it
    beats. Those without any score come last.
    """
    in_order = sorted(kernels, key=lambda one: (best_first(one.public_score, higher), one.id))
    public = [one for one in in_order if one.public_score is not None]
    local = [one for one in in_order if one.local_score is not None]
    local.sort(key=lambda one: best_first(one.local_score, higher))
    dealt = iter([one for one in local if one.public_score is not None])
    ranked = [next(dealt) if one.local_score is not None else one for one in public]
    for one in local:
        if one.public_score is None:
            beaten = (
                place
                for place, other in enumerate(ranked)
                if other.local_score is not None
                and best_first(one.local_score, higher) < best_first(other.local_score, higher)
            )
            ranked.insert(next(beaten, len(ranked)), one)
    return ranked + [one for one in in_order if one.public_score is None and one.local_score is None]


def _weights(ranked: Sequence[A], newest: str, halvings: Mapping[str, int]) -> list[float]:
    """By place, each halved for every earlier use and every 90 days of age."""
    weights = []
    for place, one in enumerate(ranked):
        age = 0.0
        if one.created_at and newest:
            age = (parse_moment(newest) - parse_moment(one.created_at)).total_seconds() / 86400
        halved = halvings[one.id] + age / _RECENCY_DAYS
        weights.append(math.exp(-_RANK_DECAY * place - math.log(2) * halved) + 1e-9)
    return weights
