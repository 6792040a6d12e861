"""Kaggle's medal table, at every size of a board."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.ranks.medals import MEDALS, medal_of, medal_positions

sizes = st.integers(1, 200_000)


@pytest.mark.parametrize(
    ("teams", "gold", "silver", "bronze"),
    [
        (1, 1, 1, 1),
        (9, 1, 1, 3),
        (10, 1, 2, 4),
        (50, 5, 10, 20),
        (99, 9, 19, 39),
        (100, 10, 20, 40),
        (249, 10, 49, 99),
        (250, 10, 50, 100),
        (499, 10, 50, 100),
        (500, 11, 50, 100),
        (999, 11, 50, 100),
        (1000, 12, 50, 100),
        (2000, 14, 100, 200),
        (4539, 19, 226, 453),
        (14_203, 38, 710, 1420),
    ],
)
def test_positions_are_those_of_kaggles_table(teams: int, gold: int, silver: int, bronze: int) -> None:
    assert medal_positions(teams) == {"gold": gold, "silver": silver, "bronze": bronze}


@given(sizes)
def test_gold_lies_within_silver_within_bronze_within_the_board(teams: int) -> None:
    places = medal_positions(teams)
    assert 1 <= places["gold"] <= places["silver"] <= places["bronze"] <= max(1, teams)


def test_medals_are_told_best_first() -> None:
    assert MEDALS == ("gold", "silver", "bronze")


@given(sizes)
def test_zones_never_shrink_when_a_team_joins_within_a_class_of_the_table(teams: int) -> None:
    same_class = not any(teams < border <= teams + 1 for border in (100, 250, 1000))
    if same_class:
        now, then = medal_positions(teams + 1), medal_positions(teams)
        assert all(now[medal] >= then[medal] for medal in ("gold", "silver", "bronze"))


@pytest.mark.parametrize(
    ("rank", "teams", "medal"),
    [
        (1, 1, "gold"),
        (2, 1, None),
        (1, 9, "gold"),
        (2, 9, "bronze"),
        (3, 9, "bronze"),
        (4, 9, None),
        (12, 1000, "gold"),
        (13, 1000, "silver"),
        (50, 1000, "silver"),
        (51, 1000, "bronze"),
        (100, 1000, "bronze"),
        (101, 1000, None),
    ],
)
def test_a_ranks_medal_is_the_best_whose_zone_reaches_it(rank: int, teams: int, medal: str | None) -> None:
    assert medal_of(rank, teams) == medal


@pytest.mark.parametrize("teams", [0, -1])
def test_an_empty_board_has_no_medals(teams: int) -> None:
    with pytest.raises(ValueError, match="without teams"):
        medal_positions(teams)
