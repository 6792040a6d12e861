"""Sampling takes from both lists, looks elsewhere next time, and takes no two copies of one kernel."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from comind.community.sample import by_score, sample_discussions, sample_kernels
from comind.state.records import Discussion, Kernel


def kernel(name: str, *, votes: int = 0, score: float | None = None, **more: Any) -> Kernel:
    fields = {"source": "x", **more}
    return Kernel(
        id=f"someone/{name}", title=name, author="someone", votes=votes, public_score=score, **fields
    )


def drawn(kernels: list[Kernel], count: int, *, higher: bool = True, tries: int = 300) -> list[list[str]]:
    return [
        [one.title for one in sample_kernels(kernels, count, random.Random(seed), higher=higher)]
        for seed in range(tries)
    ]


def pipeline(seed: int) -> str:
    """A source long enough to be told from others."""
    rng = random.Random(seed)
    return "\n".join(f"column_{rng.randrange(10**6)} = frame['a{n}'] * {rng.random():.4f}" for n in range(40))


@settings(max_examples=60, deadline=None)
@given(
    popular=st.integers(2, 12), strong=st.integers(2, 12), count=st.integers(2, 6), higher=st.booleans(),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_both_lists_contribute(popular: int, strong: int, count: int, higher: bool, seed: int) -> None:
    """Whoever is in one list's better half only is drawn by that list's turn."""
    size = max(popular, strong)
    loved = [kernel(f"loved{n}", votes=1000 - n) for n in range(size)]
    good = [kernel(f"good{n}", score=n / 100) for n in range(size)]
    names = [one.title for one in sample_kernels(loved + good, count, random.Random(seed), higher=higher)]
    assert names[0].startswith("good")
    assert names[1].startswith("loved")


def test_the_direction_decides_which_scores_are_good() -> None:
    kernels = [kernel(f"k{n}", votes=0, score=float(n)) for n in range(8)]
    first = [sample[0] for sample in drawn(kernels, 1, higher=False)]
    assert first.count("k0") > first.count("k7")


def test_nothing_is_drawn_twice_and_never_more_than_there_is() -> None:
    kernels = [kernel(f"k{n}", votes=n, score=float(n)) for n in range(5)]
    for sample in drawn(kernels, 9, tries=50):
        assert sorted(sample) == sorted(one.title for one in kernels)
    assert drawn([], 4, tries=1) == [[]]


def test_the_same_seed_draws_the_same_sample() -> None:
    kernels = [kernel(f"k{n}", votes=n, score=float(n)) for n in range(20)]
    assert drawn(kernels, 4) == drawn(kernels, 4)


def test_what_was_used_before_is_drawn_less() -> None:
    fresh = [kernel(f"k{n}", votes=10, score=1.0) for n in range(6)]
    worn = [replace(one, times_sampled=4 * (one.title == "k0")) for one in fresh]
    before = sum("k0" in sample for sample in drawn(fresh, 2))
    after = sum("k0" in sample for sample in drawn(worn, 2))
    assert after < before / 2


def test_a_round_takes_no_two_copies_and_a_used_copy_counts_for_all() -> None:
    original = kernel("original", votes=5, score=0.9, source=pipeline(1), created_at="2026-01-01T00:00:00Z")
    copy = replace(
        original, id="other/copy", title="copy", votes=50, source=pipeline(1) + "\nprint(1)",
        created_at="2026-01-02T00:00:00Z",
    )  # fmt: skip
    others = [kernel(f"k{n}", votes=n, score=0.5, source=pipeline(10 + n)) for n in range(4)]
    for sample in drawn([original, copy, *others], 6, tries=60):
        assert len({"original", "copy"} & set(sample)) == 1
        assert len(sample) == 5
    fresh = drawn([original, copy, *others], 1)
    used = drawn([replace(original, times_sampled=5), copy, *others], 1)
    assert sum("copy" in one for one in used) < sum("copy" in one or "original" in one for one in fresh) / 2


def test_what_failed_on_our_split_is_drawn_last() -> None:
    broken = kernel("broken", votes=900, score=0.99, verified="failed")
    working = [kernel(f"k{n}", votes=n, score=0.5) for n in range(3)]
    for sample in drawn([broken, *working], 4, tries=50):
        assert sample[-1] == "broken"


def test_our_own_score_beats_the_public_one() -> None:
    boaster = kernel("boaster", score=0.99, local_score=0.6)
    modest = kernel("modest", score=0.70, local_score=0.9)
    unknown = kernel("unknown", score=0.80)
    silent = kernel("silent", local_score=0.7)
    unscored = kernel("unscored", votes=3)
    order = [one.title for one in by_score([unscored, boaster, modest, unknown, silent], True)]
    assert order == ["modest", "unknown", "silent", "boaster", "unscored"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | st.floats(0, 1), st.none() | st.floats(0, 1)), min_size=1, max_size=12
    ),
    st.booleans(),
)  # fmt: skip
def test_every_kernel_has_a_place_and_verified_ones_stand_by_local_score(
    scores: list[tuple[float | None, float | None]], higher: bool
) -> None:
    kernels = [kernel(f"k{n}", score=p, local_score=own) for n, (p, own) in enumerate(scores)]
    order = by_score(kernels, higher)
    assert sorted(one.id for one in order) == sorted(one.id for one in kernels)
    local = [one.local_score for one in order if one.local_score is not None]
    assert local == sorted(local, reverse=higher)


def test_older_discussions_are_drawn_less() -> None:
    new = Discussion(id="new", title="new", author="a", body="b", votes=5, created_at="2026-06-01T00:00:00Z")
    old = Discussion(id="old", title="old", author="a", body="b", votes=5, created_at="2024-06-01T00:00:00Z")
    first = [sample_discussions([old, new], 1, random.Random(seed))[0].id for seed in range(200)]
    assert first.count("new") > 3 * first.count("old")
