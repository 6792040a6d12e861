"""Scores are compared in one place, with direction, interval and NaN in mind."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comind.state.scores import Score, better, better_beyond_noise, sort_key

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


@given(values=st.lists(FINITE, min_size=1, max_size=20), higher=st.booleans())
def test_sorting_agrees_with_better(values: list[float], higher: bool) -> None:
    ranked = sorted((score(value, higher=higher) for value in values), key=sort_key)
    assert not any(better(later, ranked[0]) for later in ranked[1:])


@given(a=FINITE, b=FINITE, higher=st.booleans())
def test_beyond_noise_implies_better(a: float, b: float, higher: bool) -> None:
    one, other = score(a, 0.5, higher=higher), score(b, 0.5, higher=higher)
    assert not better_beyond_noise(one, other) or better(one, other)
