"""Scores are compared in one place, with direction, interval and NaN in mind."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.score import Score, better, better_beyond_noise, finite, sort_key, written

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


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0.00000"), (0.927094, "0.92709"), (-0.5, "-0.50000"), (0.01, "0.01000"), (0.005, "0.0050000"),
        (0.0001, "0.00010000"), (0.00009999, "9.9990e-05"), (1.0, "1.0000"), (1.5, "1.5000"),
        (12.34567, "12.346"),
        (12345.6, "12346"), (123456.7, "123457"), (9_999_999.0, "9999999"), (1e7, "1.0000e+07"),
        (1e7 + 0.5, "1.0000e+07"),
        (math.inf, "inf"), (math.nan, "nan"),
    ],
)  # fmt: skip
def test_a_score_is_written_to_five_significant_digits(value: float, said: str) -> None:
    assert written(value) == said


def test_an_interval_is_written_with_the_places_of_its_score() -> None:
    assert str(Score(0.927094, 0.91, 0.9381234, 100, True)) == "0.92709 [0.91000, 0.93812]"
    assert str(Score(12.5, 9.0, 101.25, 100, False)) == "12.500 [9.000, 101.250]"


def test_a_deviation_is_that_of_a_normal_distribution_with_the_interval() -> None:
    assert score(0.5, 1.96).deviation == pytest.approx(1.0)
    assert Score(-3.0, -3.5, -2.5, 9, False).deviation == pytest.approx(0.5 / 1.96)


def test_what_json_cannot_hold_is_nothing() -> None:
    assert [finite(one) for one in (None, math.nan, math.inf, -math.inf)] == [None] * 4
    assert (finite(0.123456), finite(0.123456, 3), finite(7.0, 0)) == (0.123456, 0.123, 7.0)


def test_a_score_travels_as_value_interval_and_rows() -> None:
    assert Score(0.5, 0.4, 0.6, 9, True).as_dict() == {"score": 0.5, "interval": [0.4, 0.6], "rows": 9}
