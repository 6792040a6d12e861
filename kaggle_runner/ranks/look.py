"""Live ranks: one look at a competition's board.

    look = await look_once(client, book, "titanic", clock)

What a board says is worked out in `board.py`, kept in `book.py`. Nothing is shown here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.records import (
    KAGGLE_URL,
    LIVE,
    BoardTeam,
    Competition,
    SubmissionLimits,
    board_kind,
)
from kaggle_runner.moments import Clock
from kaggle_runner.ranks.board import direction, neighbours, own_place, rows_of, zones
from kaggle_runner.ranks.book import RankBook
from kaggle_runner.ranks.medals import medal_of
from kaggle_runner.ranks.records import Look, Moves, Row

if TYPE_CHECKING:
    from kaggle_runner.kaggle.client import KaggleClient

_REFUSALS = (400, 401, 403, 404, 501)


@dataclass(frozen=True, slots=True)
class Head:
    """What hardly changes while one watches: asked once, and again after a while."""

    slug: str
    username: str
    competition: Competition
    board: str = LIVE
    """The kind of its board."""
    higher_is_better: bool | None = None
    """Where the server tells it; kaggle.com does not."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The server's answers that one look is made of, at the moment `at`."""

    head: Head
    table: list[BoardTeam]
    limits: SubmissionLimits | None
    at: datetime
    clock_offset: float = 0.0
    """The server's clock minus ours, in seconds."""


async def look_once(
    client: KaggleClient, book: AccountBook, slug: str, clock: Clock, *, team: str = ""
) -> Look:
    """Ask, compare with the account's history of this competition, and store it there.

    The own team is the one with the client's user among its members, or the one called `team`. Raises
    KaggleError.
    """
    head = await ask_head(client, slug)
    return record(book, await ask(client, head, clock), team=team)


async def ask_head(client: KaggleClient, slug: str) -> Head:
    """Who we are, and what the competition is."""
    competition = await client.competition(slug)
    facts = await client.extension_competition(slug)
    return Head(
        slug=slug,
        username=await client.username(),
        competition=competition,
        board=board_kind(facts, is_kaggle_com=client.base_url == KAGGLE_URL),
        higher_is_better=(facts or {}).get("higher_is_better"),
    )


async def ask(client: KaggleClient, head: Head, clock: Clock) -> Asked:
    """The whole board in one download, and the submissions that are left."""
    table = await client.leaderboard_table(head.slug)
    limits = await _limits(client, head.slug)
    return Asked(head, table, limits, clock.now(), await client.clock_offset())


async def _limits(client: KaggleClient, slug: str) -> SubmissionLimits | None:
    try:
        return await client.submission_limits(slug)
    except KaggleError as error:
        if error.status in _REFUSALS:  # not entered, rules not accepted: the board can be seen all the same
            return None
        raise


def record(book: AccountBook, asked: Asked, *, team: str = "") -> Look:
    """The look with its movement, once the book has it."""
    rows = rows_of(asked.table)
    return RankBook(book, asked.head.slug, team).record(assess(asked, rows, team=team), rows)


def assess(asked: Asked, rows: list[Row], *, team: str = "") -> Look:
    """What the answers say by themselves, without history."""
    place = own_place(asked.table, asked.head.username, team)
    own = None if place is None else rows[place]
    higher = direction(rows)
    higher = asked.head.higher_is_better if higher is None else higher
    competition = asked.head.competition
    return Look(
        competition=asked.head.slug,
        at=asked.at.timestamp(),
        board=asked.head.board,
        higher_is_better=higher,
        teams=len(rows),
        own=own,
        medal=medal_of(own.rank, len(rows)) if own else None,
        zones=zones(rows, own.score if own else None, higher),
        neighbours=neighbours(rows, place),
        moves=Moves(),
        since_last=None,
        since_day=None,
        submissions_today=asked.limits.today if asked.limits else None,
        submissions_left=left_today(asked.limits, competition),
        deadline=competition.deadline.timestamp() if competition.deadline else None,
        clock_offset=asked.clock_offset,
    )


def left_today(limits: SubmissionLimits | None, competition: Competition) -> int | None:
    """Submissions that are left of this UTC day, as the server counts; our own clock is not asked."""
    if limits is None:
        return None
    return 0 if competition.submissions_disabled else limits.allowed_now
