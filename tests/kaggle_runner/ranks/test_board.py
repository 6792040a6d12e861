"""What a board says, and who moved between two boards."""

from __future__ import annotations

import math
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.kaggle.records import SubmissionLimits
from kaggle_runner.ranks.board import direction, moves, neighbours, own_place, rows_of
from kaggle_runner.ranks.look import assess
from kaggle_runner.ranks.medals import medal_positions
from kaggle_runner.ranks.records import Look
from tests.kaggle_runner.ranks.boards import DEADLINE, asked, table, team_id

names = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=4)
boards = st.dictionaries(names, st.integers(0, 12).map(float), min_size=1, max_size=40)


def look_of(scores: dict[str, float], *, lower_is_better: bool = True, username: str = "alice") -> Look:
    teams = table(scores, lower_is_better=lower_is_better)
    return assess(asked(teams, username=username), rows_of(teams))


def test_the_direction_is_read_from_the_boards_order() -> None:
    assert direction(rows_of(table({"a": 1.0, "b": 2.0}))) is False
    assert direction(rows_of(table({"a": 1.0, "b": 2.0}, lower_is_better=False))) is True
    assert direction(rows_of(table({"a": 1.0, "b": 1.0}))) is None
    assert direction(rows_of(table({"a": math.nan}))) is None


def test_the_own_team_is_found_by_member_or_by_name_whatever_the_case() -> None:
    teams = table({"Alice": 1.0, "Rockets": 2.0})
    assert own_place(teams, "ALICE") == 0
    assert own_place(teams, "alice", "rockets") == 1
    assert own_place(teams, "bob") is None and own_place(teams, "alice", "Alic") is None


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_the_way_to_the_next_zone_is_told_in_score_with_its_direction(lower_is_better: bool) -> None:
    scores = {f"team{n}": float(n) if lower_is_better else 100.0 - n for n in range(1, 21)}
    scores["alice"] = 6.5 if lower_is_better else 93.5
    look = look_of(scores, lower_is_better=lower_is_better)
    assert (look.teams, look.medal, look.own and look.own.rank) == (21, "bronze", 7)
    ahead = look.next_zone
    assert ahead is not None and (ahead.medal, ahead.last_rank, ahead.lead) == ("silver", 4, -2.5)
    assert {zone.medal: zone.lead for zone in look.zones}["bronze"] == 0.5


def test_without_a_place_the_bronze_line_is_the_next() -> None:
    look = look_of({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "e": 5.0})
    assert (look.own, look.medal, look.next_zone and look.next_zone.medal) == (None, None, "bronze")
    assert look.neighbours[0].team == "a"


def test_gold_has_nothing_above() -> None:
    look = look_of({"alice": 0.5, **{f"t{n}": float(n) for n in range(1, 30)}})
    assert (look.medal, look.next_zone) == ("gold", None)


def test_an_empty_board_is_a_look_without_zones() -> None:
    look = assess(asked([]), [])
    assert (look.teams, look.zones, look.own, look.next_zone, look.neighbours) == (0, (), None, None, ())


def test_submissions_that_are_left_are_the_servers_count() -> None:
    limits = SubmissionLimits(1, 9, 3)
    late = assess(asked([], DEADLINE.replace(day=2), limits=limits), [])
    closed = assess(asked([], limits=limits, submissions_disabled=True), [])
    assert (late.submissions_today, late.submissions_left) == (1, 3)
    assert closed.submissions_left == 0
    assert assess(asked([]), []).submissions_left is None


def test_who_passed_whom() -> None:
    before = rows_of(table({"ann": 1.0, "bob": 2.0, "alice": 3.0, "carl": 4.0, "dora": 5.0}))
    after = rows_of(table({"ann": 1.0, "alice": 1.5, "dora": 0.5, "bob": 2.0, "carl": 4.0, "eve": 0.1}))
    told = moves(before, after, team_id("alice"), higher_is_better=False)
    assert (told.passed_us.names, told.passed_by_us.names) == (("dora",), ("bob",))
    assert (told.new_above.names, told.gone_above.count) == (("eve",), 0)
    assert [astuple(climb) for climb in told.climbs] == [("eve", None, 1), ("dora", 5, 2)]


def test_a_first_board_moves_nobody() -> None:
    rows = rows_of(table({"ann": 1.0, "alice": 2.0}))
    assert not moves([], rows, team_id("alice"), higher_is_better=False).any


@given(boards, boards, st.integers(0, 12), st.integers(0, 12))
def test_the_change_of_rank_is_exactly_who_passed_came_and_left(
    first: dict[str, float], second: dict[str, float], own_first: float, own_second: float
) -> None:
    before = rows_of(table({**first, "ALICE": float(own_first)}))
    after = rows_of(table({**second, "ALICE": float(own_second)}))
    ours = team_id("ALICE")
    told = moves(before, after, ours, higher_is_better=False)
    old, new = (next(row.rank for row in rows if row.team_id == ours) for rows in (before, after))
    lost = told.passed_us.count + told.new_above.count
    won = told.passed_by_us.count + told.gone_above.count
    assert new - old == lost - won


@given(boards)
def test_a_board_that_stays_moves_nobody(scores: dict[str, float]) -> None:
    rows = rows_of(table(scores))
    assert not moves(rows, rows, rows[0].team_id, higher_is_better=False).any


@given(boards)
def test_lines_are_the_scores_of_the_last_team_of_each_zone(scores: dict[str, float]) -> None:
    look = look_of(scores)
    ordered = sorted(scores.values())
    assert {zone.medal: zone.score for zone in look.zones} == {
        medal: ordered[place - 1] for medal, place in medal_positions(len(scores)).items()
    }


@given(boards, st.integers(0, 12))
def test_the_next_zone_is_above_us_and_needs_no_worse_score(scores: dict[str, float], own: float) -> None:
    look = look_of({**scores, "alice": float(own)})
    assert look.own is not None
    if look.next_zone is None:
        assert look.medal == "gold"
        return
    assert look.own.rank > look.next_zone.last_rank
    assert look.next_zone.score is not None
    assert look.next_zone.lead == look.next_zone.score - own <= 0


@given(boards, st.integers(0, 60))
def test_neighbours_hold_the_own_team_and_lie_together(scores: dict[str, float], place: int) -> None:
    rows = rows_of(table(scores))
    own = min(place, len(rows) - 1)
    around = neighbours(rows, own)
    assert rows[own] in around and len(around) == min(9, len(rows))
    start = rows.index(around[0])
    assert list(around) == rows[start : start + len(around)]
