"""A polite watch over one competition's board: at least 30 s between looks, one watcher for all processes.

The first process that watches a board asks for it; the others read what it has stored, and one of them takes
over when it ends. Trouble makes the watch wait longer, with jitter; the last look stays, with its age.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import AccountBusy, KaggleError
from kaggle_runner.moments import Clock, Sleep
from kaggle_runner.ranks.book import DAY, RankBook
from kaggle_runner.ranks.look import Asked, Head, ask, ask_head, record
from kaggle_runner.ranks.records import Look, Point

if TYPE_CHECKING:
    from kaggle_runner.kaggle.client import KaggleClient

LEAST_SECONDS = 30.0
LONGEST_SECONDS = 900.0
LONGEST_ASKED_SECONDS = 3600.0
"""The most that a server's own wish for a wait counts."""
FOLLOW_SECONDS = 5.0
"""Between two readings of the book by those who do not ask themselves."""
_HEAD_SECONDS = 900.0
_HISTORY = 7 * DAY


@dataclass(frozen=True, slots=True)
class View:
    """What there is to show: the last look, history, and what the watch is doing."""

    look: Look | None = None
    history: list[Point] = field(default_factory=list)
    moved: list[Look] = field(default_factory=list)
    """Looks between which somebody moved, newest first."""
    trouble: KaggleError | None = None
    """Why the last try brought nothing; the look is an older one then."""
    next_at: float | None = None
    """When the next look is due, where we are the ones who ask."""
    follows: bool = False
    """Whether another process asks, and we read what it stores."""


class RankWatch:
    """Watches one competition until cancelled. `seconds` below LEAST_SECONDS count as that."""

    def __init__(
        self,
        client: KaggleClient,
        database: Path,
        account: str,
        slug: str,
        *,
        clock: Clock,
        seconds: float = 60.0,
        team: str = "",
        sleep: Sleep = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._database = database
        self._account = account
        self._slug = slug
        self._clock = clock
        self._seconds = max(LEAST_SECONDS, seconds)
        self._team = team
        self._sleep = sleep
        self._chance = chance
        self._head: Head | None = None
        self._head_at = self._tried_at = -math.inf
        self._failures = 0
        self._wanted = asyncio.Event()

    def look_now(self) -> None:
        """End the present wait early, where politeness allows; for a person's key."""
        self._wanted.set()

    async def run(self, show: Callable[[View], None]) -> None:
        """Call `show` at once with what the book has, then after every look. Never returns."""
        shown = await self._read()
        show(shown)
        while True:
            with ExitStack() as held:
                if await asyncio.to_thread(self._take, held):
                    await self._lead(shown, show)
                else:
                    shown = await self._follow(shown, show)

    async def _lead(self, shown: View, show: Callable[[View], None]) -> None:
        """Ask for ever; the lock is ours."""
        wait = self._until_due(shown)
        show(replace(shown, next_at=self._now() + wait, follows=False))
        while True:
            await self._pause(wait)
            self._tried_at = self._clock.monotonic()
            try:
                asked = await self._ask()
                await asyncio.to_thread(self._record, asked)
                trouble, self._failures = None, 0
            except KaggleError as error:
                trouble, self._failures = error, self._failures + 1
            wait = self._next_wait(trouble)
            shown = await self._read(trouble=trouble, next_at=self._now() + wait)
            show(shown)

    async def _follow(self, shown: View, show: Callable[[View], None]) -> View:
        """Wait for what another process stores; back after a while, to try for the lock."""
        if not shown.follows:
            shown = replace(shown, follows=True, next_at=None)
            show(shown)
        await self._sleep(min(self._seconds, FOLLOW_SECONDS))
        newest = await asyncio.to_thread(self._newest_at)
        if newest != (shown.look.at if shown.look else None):
            shown = await self._read(follows=True)
            show(shown)
        return shown

    async def _pause(self, seconds: float) -> None:
        """Wait; less when a person asks, but LEAST_SECONDS from one try to the next."""
        self._wanted.clear()
        sleeping = asyncio.ensure_future(self._sleep(seconds))
        asking = asyncio.ensure_future(self._wanted.wait())
        try:
            await asyncio.wait({sleeping, asking}, return_when=asyncio.FIRST_COMPLETED)
            if not sleeping.done():
                await self._sleep(max(0.0, self._tried_at + LEAST_SECONDS - self._clock.monotonic()))
        finally:
            for task in (sleeping, asking):
                task.cancel()

    def _until_due(self, shown: View) -> float:
        """Another process may have looked a moment ago."""
        if shown.look is None:
            return 0.0
        return min(self._seconds, max(0.0, shown.look.at + self._seconds - self._now()))

    def _next_wait(self, trouble: KaggleError | None) -> float:
        """Doubled with every failure, with jitter; and never less than the server asked for."""
        if trouble is None:
            return self._seconds
        longest = max(LONGEST_SECONDS, self._seconds)
        wait = min(self._seconds * 2.0**self._failures, longest) * (0.75 + 0.5 * self._chance())
        return max(wait, min(trouble.retry_after, LONGEST_ASKED_SECONDS))

    async def _ask(self) -> Asked:
        if self._head is None or self._clock.monotonic() - self._head_at > _HEAD_SECONDS:
            self._head = await ask_head(self._client, self._slug)
            self._head_at = self._clock.monotonic()
        return await ask(self._client, self._head, self._clock)

    async def _read(self, **doing: Any) -> View:
        return replace(await asyncio.to_thread(self._read_book), **doing)

    # -- in threads, each with a book of its own -----------------------------------------------------------

    def _take(self, held: ExitStack) -> bool:
        with AccountBook(self._database, self._account) as book:
            try:
                held.enter_context(book.exclusively(f"ranks-{self._slug}-{self._team}", wait=-1.0))
            except AccountBusy:
                return False
        return True

    def _record(self, asked: Asked) -> None:
        with AccountBook(self._database, self._account) as book:
            record(book, asked, team=self._team)

    def _newest_at(self) -> float | None:
        with AccountBook(self._database, self._account) as book:
            return RankBook(book, self._slug, self._team).newest_at()

    def _read_book(self) -> View:
        with AccountBook(self._database, self._account) as book:
            ranks = RankBook(book, self._slug, self._team)
            return View(
                look=ranks.last(), history=ranks.history(self._now() - _HISTORY), moved=ranks.with_moves()
            )

    def _now(self) -> float:
        return self._clock.now().timestamp()
