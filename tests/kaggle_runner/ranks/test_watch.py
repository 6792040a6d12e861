"""The polite watch: how often it asks, what trouble does to it, and that one process asks for all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.records import BoardTeam, Competition, SubmissionLimits
from kaggle_runner.ranks.book import RankBook
from kaggle_runner.ranks.look import record
from kaggle_runner.ranks.watch import LEAST_SECONDS, LONGEST_SECONDS, RankWatch, View
from tests.fakes.clocks import HandClock
from tests.kaggle_runner.ranks.boards import NOON, SLUG, asked, competition, table

ACCOUNT = "alice@example.org"


class Stopped(Exception):
    """Ends a watch, which never ends by itself."""


class FakeKaggle:
    """A Kaggle whose board is `scores`, and which fails as `faults` say, one a look."""

    base_url = "https://example.org"

    def __init__(self, *faults: int | None) -> None:
        self.scores = {"Alice": 2.0, "Bob": 1.0, "Carl": 3.0}
        self.faults = list(faults)
        self.retry_after = 0.0
        self.looks = 0
        self.heads = 0

    async def username(self) -> str:
        return "alice"

    async def clock_offset(self) -> float:
        return 0.0

    async def competition(self, slug: str) -> Competition:
        self.heads += 1
        return competition()

    async def extension_competition(self, slug: str) -> dict[str, Any] | None:
        return None

    async def submission_limits(self, slug: str) -> SubmissionLimits:
        raise KaggleError("not entered", status=403)

    async def leaderboard_table(self, slug: str) -> list[BoardTeam]:
        self.looks += 1
        status = self.faults.pop(0) if self.faults else None
        if status is not None:
            raise KaggleError("away", status=status, retry_after=self.retry_after)
        return table(self.scores)


def until(count: int, views: list[View]) -> Callable[[View], None]:
    def show(view: View) -> None:
        views.append(view)
        if len(views) == count:
            raise Stopped

    return show


async def watch(
    kaggle: FakeKaggle, path: Path, time: HandClock, *, views: int, seconds: float = 60.0, chance: float = 0.5
) -> list[View]:
    """What a watch shows first, so many times; the two first views come before any call."""
    shown: list[View] = []
    watching = RankWatch(
        kaggle,  # type: ignore[arg-type]  # the calls that a watch makes
        path / "kaggle.sqlite",
        ACCOUNT,
        SLUG,
        clock=time,
        seconds=seconds,
        sleep=time.sleep,
        chance=lambda: chance,
    )
    with pytest.raises(Stopped):
        await watching.run(until(views, shown))
    return shown


async def test_it_looks_at_once_and_then_as_often_as_asked(tmp_path: Path) -> None:
    kaggle, time = FakeKaggle(), HandClock(NOON)
    views = await watch(kaggle, tmp_path, time, views=5, seconds=90)
    assert views[0].look is None and kaggle.looks == 3 and kaggle.heads == 1
    assert [view.look and round(view.look.at - NOON.timestamp()) for view in views[2:]] == [0, 90, 180]
    assert views[-1].next_at == NOON.timestamp() + 270 and len(views[-1].history) == 3


async def test_it_never_asks_more_often_than_is_polite(tmp_path: Path) -> None:
    time = HandClock(NOON)
    await watch(FakeKaggle(), tmp_path, time, views=4, seconds=1)
    assert [seconds for seconds in time.slept if seconds] == [LEAST_SECONDS]


async def test_a_fresh_look_in_the_book_is_waited_out(tmp_path: Path) -> None:
    kaggle, time = FakeKaggle(), HandClock(NOON)
    with AccountBook(tmp_path / "kaggle.sqlite", ACCOUNT) as book:
        record(book, asked(table(kaggle.scores), NOON - timedelta(seconds=20)))
    views = await watch(kaggle, tmp_path, time, views=3)
    assert views[0].look is not None and time.slept == [40.0]
    assert views[1].next_at == NOON.timestamp() + 40


@pytest.mark.parametrize("status", [0, 429, 500, 503])
async def test_trouble_doubles_the_wait_with_jitter_and_keeps_the_last_look(
    tmp_path: Path, status: int
) -> None:
    kaggle, time = FakeKaggle(None, *[status] * 6), HandClock(NOON)
    views = await watch(kaggle, tmp_path, time, views=9, chance=1.0)
    assert [wait for wait in time.slept if wait] == [60, 150, 300, 600, 1125, 1125]
    assert max(time.slept) <= LONGEST_SECONDS * 1.25
    assert all(view.trouble and view.look and view.look.at == NOON.timestamp() for view in views[3:])


async def test_a_wait_that_the_server_asks_for_is_kept(tmp_path: Path) -> None:
    kaggle, time = FakeKaggle(None, 429, 429), HandClock(NOON)
    kaggle.retry_after = 700.0
    await watch(kaggle, tmp_path, time, views=6, chance=0.5)
    assert [wait for wait in time.slept if wait] == [60, 700, 700]


async def test_after_trouble_the_usual_pace_comes_back(tmp_path: Path) -> None:
    time = HandClock(NOON)
    views = await watch(FakeKaggle(500, None, None), tmp_path, time, views=5, chance=0.0)
    assert [wait for wait in time.slept if wait] == [90, 60]
    assert [view.trouble is None for view in views[2:]] == [False, True, True]


async def test_a_wish_to_look_now_waits_for_politeness_only(tmp_path: Path) -> None:
    kaggle, time = FakeKaggle(), HandClock(NOON)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if seconds >= 600:
            watching.look_now()
            await asyncio.Event().wait()
        time.advance(seconds)

    shown: list[View] = []
    watching = RankWatch(
        kaggle, tmp_path / "k.sqlite", ACCOUNT, SLUG, clock=time, seconds=600, sleep=sleep  # type: ignore[arg-type]
    )  # fmt: skip
    with pytest.raises(Stopped):
        await watching.run(until(4, shown))
    assert [wait for wait in waits if wait] == [600, LEAST_SECONDS] and kaggle.looks == 2


async def test_one_process_asks_and_another_reads_until_it_takes_over(tmp_path: Path) -> None:
    kaggle, time = FakeKaggle(), HandClock(NOON)
    path = tmp_path / "kaggle.sqlite"
    turns = 0
    shown: list[View] = []

    async def sleep(seconds: float) -> None:
        nonlocal turns
        turns += 1
        time.advance(seconds)
        with AccountBook(path, ACCOUNT) as other:
            if turns == 2:  # the other process stores a look
                record(other, asked(table({**kaggle.scores, "Alice": 0.5}), time.now()))
            if turns == 4:
                holding.close()
        await asyncio.sleep(0)

    with AccountBook(path, ACCOUNT) as other:
        holding = ExitStack()
        holding.enter_context(other.exclusively(f"ranks-{SLUG}-", wait=-1.0))
        watching = RankWatch(
            kaggle, path, ACCOUNT, SLUG, clock=time, seconds=60, sleep=sleep  # type: ignore[arg-type]
        )  # fmt: skip
        with pytest.raises(Stopped):
            await watching.run(until(5, shown))
    assert [view.follows for view in shown] == [False, True, True, False, False]
    assert shown[2].look is not None and shown[2].look.own is not None and shown[2].look.own.rank == 1
    assert kaggle.looks == 1, "only after it took over"


async def test_what_is_shown_is_what_the_book_has(tmp_path: Path) -> None:
    views = await watch(FakeKaggle(), tmp_path, HandClock(NOON), views=3)
    with AccountBook(tmp_path / "kaggle.sqlite", ACCOUNT) as book:
        assert RankBook(book, SLUG).last() == views[-1].look
    assert views[-1].look is not None and views[-1].look.board == "unknown"
