"""Scores are compared in one place, with direction, interval and NaN in mind."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.score import Score, better, better_beyond_noise, sort_key

FINITE = st.floats(-1e6, 1e6)


def score(value: float, width: float = 0.1, *, higher: bool = True) -> Score:
    return Score(value, value - width, value + width, 100, higher)


def test_direction_decides_what_is_better() -> None:
    assert better(score(0.9), score(0.8))
    assert better(score(0.8, higher=False), score(0.9, higher=False))
    assert not better(score(0.9), score(0.9))


def test_nan_is_never_better_and_always_beaten() -> None:
    assert not better(score(math.nan), score(0.1))
    assert better(score(0.1), score(math.nan))
    assert not better(score(math.nan), None)


def test_touching_intervals_are_noise() -> None:
    assert better_beyond_noise(score(0.9, 0.01), score(0.8, 0.01))
    assert not better_beyond_noise(score(0.9, 0.1), score(0.8, 0.1))
    assert better_beyond_noise(score(0.1, 0.01, higher=False), score(0.2, 0.01, higher=False))


def test_two_directions_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="direction"):
        better(score(0.9), score(0.8, higher=False))


NEAR = (
    st.floats(0.5, 0.6)
    .map(lambda value: round(value, 2))
    .flatmap(
        lambda value: st.sampled_from([value, value * (1 + 1e-12), value * (1 - 3e-10), value * (1 + 6e-10)])
    )
)
"""Values that agree in more digits than a score is good for, as two machines give them."""


@given(values=st.lists(FINITE | NEAR, min_size=1, max_size=20), higher=st.booleans())
def test_sorting_agrees_with_better(values: list[float], higher: bool) -> None:
    ranked = sorted((score(value, higher=higher) for value in values), key=sort_key)
    for place, one in enumerate(ranked):
        assert not any(better(later, one) for later in ranked[place + 1 :])
        assert all(better(one, later) for later in ranked[place + 1 :] if sort_key(later) > sort_key(one))


@given(a=FINITE | NEAR, b=FINITE | NEAR, width=st.sampled_from([0.0, 1e-12, 0.5]), higher=st.booleans())
def test_beyond_noise_implies_better(a: float, b: float, width: float, higher: bool) -> None:
    one, other = score(a, width, higher=higher), score(b, width, higher=higher)
    assert not better_beyond_noise(one, other) or better(one, other)


@given(a=FINITE | NEAR, b=FINITE | NEAR, higher=st.booleans())
def test_at_most_one_of_two_is_better_and_what_is_better_gains(a: float, b: float, higher: bool) -> None:
    one, other = score(a, higher=higher), score(b, higher=higher)
    assert not (better(one, other) and better(other, one))
    assert not better(one, other) or one.gain_over(other.value) > 0


def test_the_last_digits_of_a_float_are_no_gain() -> None:
    assert not better(score(0.1 + 0.2), score(0.3)) and not better(score(0.3), score(0.1 + 0.2))
    assert better(score(0.300000001), score(0.3)) and not better(score(0.3), score(0.300000001))
    exact = score(0.1 + 0.2, 0.0)
    assert not better_beyond_noise(exact, score(0.3, 0.0))


def test_an_unknown_interval_proves_nothing() -> None:
    unknown = Score(0.1, math.nan, math.nan, 9, True)
    assert not better_beyond_noise(score(0.9), unknown) and not better_beyond_noise(unknown, score(0.0, 0.0))
