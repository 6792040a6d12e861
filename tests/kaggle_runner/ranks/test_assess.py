"""What one look makes of a Kaggle's answers, which are given here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KAGGLE_URL, BoardTeam, Competition, SubmissionLimits
from kaggle_runner.ranks.board import rows_of
from kaggle_runner.ranks.book import RankBook
from kaggle_runner.ranks.look import assess, look_once
from kaggle_runner.ranks.records import Look
from tests.fakes.clocks import HandClock
from tests.kaggle_runner.ranks.boards import DEADLINE, NOON, SLUG, asked, competition, table

LIMITS = SubmissionLimits(today=1, total=9, allowed_now=3)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AccountBook]:
    with AccountBook(tmp_path / "kaggle.sqlite", "alice@here") as opened:
        yield opened


class Answers:
    """A server that says what it was made with; `limits` may be the status of a refusal."""

    def __init__(
        self, teams: list[BoardTeam], *, limits: SubmissionLimits | int = LIMITS,
        facts: dict[str, Any] | None = None, base_url: str = "http://127.0.0.1:1",
    ) -> None:  # fmt: skip
        self.base_url = base_url
        self._teams, self._limits, self._facts = teams, limits, facts

    async def competition(self, slug: str) -> Competition:
        return competition(slug=slug)

    async def extension_competition(self, slug: str) -> dict[str, Any] | None:
        return self._facts

    async def username(self) -> str:
        return "alice"

    async def leaderboard_table(self, slug: str) -> list[BoardTeam]:
        assert slug == SLUG
        return self._teams

    async def submission_limits(self, slug: str) -> SubmissionLimits:
        if isinstance(self._limits, int):
            raise KaggleError("refused", status=self._limits)
        return self._limits

    async def clock_offset(self) -> float:
        return 7.0


TEAMS = table({"Alice": 3.0, **{f"Team {n}": float(n) + 0.5 for n in range(1, 40)}})


async def look(book: AccountBook, said: Answers, *, team: str = "") -> Look:
    return await look_once(cast(KaggleClient, said), book, SLUG, HandClock(NOON), team=team)


async def test_a_look_has_every_answer_in_its_place(book: AccountBook) -> None:
    found = await look(book, Answers(TEAMS))
    assert found.own is not None
    assert (found.competition, found.teams, found.own.rank, found.own.team) == (SLUG, 40, 3, "Alice")
    assert (found.at, found.clock_offset, found.deadline) == (NOON.timestamp(), 7.0, DEADLINE.timestamp())
    assert (found.submissions_today, found.submissions_left) == (1, 3)
    assert (found.medal, found.higher_is_better) == ("gold", False)
    assert [(zone.medal, zone.last_rank, zone.score, zone.lead) for zone in found.zones] == [
        ("gold", 4, 3.5, 0.5), ("silver", 8, 7.5, 4.5), ("bronze", 16, 15.5, 12.5),
    ]  # fmt: skip
    assert found.own in found.neighbours
    assert RankBook(book, SLUG).last() == found


@pytest.mark.parametrize(
    ("facts", "base_url", "board"),
    [
        (None, KAGGLE_URL, "live"),
        ({"board": "synthetic"}, "http://127.0.0.1:1", "synthetic"),
        ({}, "http://127.0.0.1:1", "unknown"),
        (None, "http://127.0.0.1:1", "unknown"),
    ],
)
async def test_the_kind_of_a_board_is_told(
    book: AccountBook, facts: dict[str, Any] | None, base_url: str, board: str
) -> None:
    assert (await look(book, Answers(TEAMS, facts=facts, base_url=base_url))).board == board


@pytest.mark.parametrize("told", [True, False, None])
async def test_a_board_of_one_goes_by_the_direction_that_is_told(
    book: AccountBook, told: bool | None
) -> None:
    one = await look(book, Answers(table({"Alice": 3.0}), facts={"higher_is_better": told}))
    assert one.higher_is_better is told
    board = await look(book, Answers(TEAMS, facts={"higher_is_better": True}))
    assert board.higher_is_better is False, "what the order of a board shows counts for more"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 501])
async def test_a_board_can_be_seen_without_having_entered(book: AccountBook, status: int) -> None:
    found = await look(book, Answers(TEAMS, limits=status))
    assert (found.teams, found.submissions_today, found.submissions_left) == (40, None, None)


@pytest.mark.parametrize("status", [0, 402, 405, 429, 500, 502, 503])
async def test_a_failure_is_no_refusal_and_nothing_is_kept(book: AccountBook, status: int) -> None:
    with pytest.raises(KaggleError, match="refused"):
        await look(book, Answers(TEAMS, limits=status))
    assert RankBook(book, SLUG).last() is None


async def test_another_team_has_a_history_of_its_own(book: AccountBook) -> None:
    await look(book, Answers(TEAMS))
    other = await look(book, Answers(TEAMS), team="team 5")
    assert other.own is not None and (other.own.rank, other.medal, other.since_last) == (6, "silver", None)
    assert RankBook(book, SLUG, "Team 5").last() == other != RankBook(book, SLUG).last()


def test_who_is_not_on_the_board_has_no_place_medal_or_lead() -> None:
    teams = table({"Bob": 1.0, "Carl": 2.0})
    found = assess(asked(teams), rows_of(teams))
    assert (found.own, found.medal) == (None, None)
    assert {zone.lead for zone in found.zones} == {None}


@pytest.mark.parametrize(
    ("limits", "changes", "left"),
    [
        (LIMITS, {}, 3),
        (replace(LIMITS, allowed_now=0), {}, 0),
        (LIMITS, {"submissions_disabled": True}, 0),
        (None, {"submissions_disabled": True}, None),
    ],
)
def test_what_is_left_of_the_day_is_what_the_server_says(
    limits: SubmissionLimits | None, changes: dict[str, Any], left: int | None
) -> None:
    teams = table({"Alice": 1.0})
    found = assess(asked(teams, NOON + timedelta(days=99), limits=limits, **changes), rows_of(teams))
    assert found.submissions_left == left
    assert found.submissions_today == (limits.today if limits else None)
    assert found.clock_offset == 0.0


def test_a_competition_without_a_deadline_has_none() -> None:
    teams = table({"Alice": 1.0})
    assert assess(asked(teams, deadline=None), rows_of(teams)).deadline is None
