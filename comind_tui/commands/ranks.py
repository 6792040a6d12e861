"""`comind-tui ranks COMPETITION`: the live place on a board, as one document, lines or a screen."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from comind.config import parse_duration
from comind_tui.core.ranks import Watched, meant, polite_watch
from comind_tui.text.plain import has_terminal
from comind_tui.text.ranks import look_document, look_line, trouble_line
from kaggle_runner.account import AccountBook
from kaggle_runner.console import json_text, put_json, put_lines, say
from kaggle_runner.errors import UsageError
from kaggle_runner.kaggle.catalogue import account_of, database_of
from kaggle_runner.moments import SYSTEM_CLOCK, Clock
from kaggle_runner.ranks.look import look_once
from kaggle_runner.ranks.records import Look
from kaggle_runner.ranks.watch import LEAST_SECONDS, View

NOT_ON_THE_BOARD = 1
"""Exit code of `--once` when the board was read and the team is not on it."""
_LASTING = (400, 401, 403, 404)


def ranks(arguments: Namespace) -> int:
    """0; with --once 1 when the team is not on the board; 3 when Kaggle refuses or is away."""
    watched = _watched(arguments)
    database = database_of(arguments.state)
    if arguments.once:
        return asyncio.run(_once(watched, database, as_json=arguments.json))
    if not arguments.json and has_terminal():
        from comind_tui.app import ComindApp

        app = ComindApp(arguments.state, ranks=watched)
        app.run()
        return app.return_code or 0
    asyncio.run(_lines(watched, database, as_json=arguments.json))
    return 0


def _watched(arguments: Namespace) -> Watched:
    seconds = parse_duration(arguments.every)
    if seconds < LEAST_SECONDS and not arguments.once:
        raise UsageError(
            f"--every {arguments.every} is too often for Kaggle.",
            hint=f"{LEAST_SECONDS:g}s is the least; boards hardly change faster.",
        )
    url = getattr(arguments, "kaggle_url", "")
    kaggle, slug = meant(arguments.competition, arguments.state, url, os.environ)
    return Watched(kaggle, slug, seconds, arguments.team)


async def _once(watched: Watched, database: Path, *, as_json: bool) -> int:
    client = watched.kaggle.client()
    account = await account_of(watched.kaggle, database, client)
    with AccountBook(database, account) as book:
        look = await look_once(client, book, watched.slug, SYSTEM_CLOCK, team=watched.team)
    if as_json:
        put_json(look_document(look, watched.kaggle.name, account))
    else:
        put_lines(look_line(look, SYSTEM_CLOCK.now()))
    return 0 if look.own else NOT_ON_THE_BOARD


async def _lines(watched: Watched, database: Path, *, as_json: bool) -> None:
    account = await account_of(watched.kaggle, database, watched.kaggle.client())

    def write(look: Look) -> str:
        if as_json:
            return json_text(look_document(look, watched.kaggle.name, account), indent=None)
        return look_line(look, SYSTEM_CLOCK.now())

    watch = polite_watch(watched, database, account, SYSTEM_CLOCK)
    await watch.run(RankPrinter(write, fresh=watched.seconds, clock=SYSTEM_CLOCK).show)


class RankPrinter:
    """Prints a line for every look, and for trouble one on stderr."""

    def __init__(self, write: Callable[[Look], str], *, fresh: float, clock: Clock) -> None:
        self._write = write
        self._fresh = fresh
        self._clock = clock
        self._last_at = 0.0

    def show(self, view: View) -> None:
        """Raises the trouble itself when it will not pass and nothing is known yet."""
        now = self._clock.now()
        if view.trouble is not None:
            if view.look is None and view.trouble.status in _LASTING:
                raise view.trouble
            say(trouble_line(view.trouble, view.look, now))
        elif view.look and view.look.at != self._last_at and self._is_fresh(view.look):
            self._last_at = view.look.at
            put_lines(self._write(view.look))

    def _is_fresh(self, look: Look) -> bool:
        """What an earlier watch left in the book is news no more."""
        return self._clock.now().timestamp() - look.at < self._fresh
