"""`comind-tui ranks COMPETITION`: the live place on a board, as one document, lines or a screen."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comind.config import parse_duration
from comind_tui.text.plain import has_terminal
from comind_tui.text.ranks import look_document, look_line, trouble_line
from kaggle_runner.account import AccountBook
from kaggle_runner.console import json_text, put_json, put_lines, say
from kaggle_runner.errors import UsageError
from kaggle_runner.kaggle.addresses import Kaggle, chosen
from kaggle_runner.kaggle.catalogue import account_of, database_of
from kaggle_runner.moments import SYSTEM_CLOCK, Clock
from kaggle_runner.ranks.look import look_once
from kaggle_runner.ranks.records import Look
from kaggle_runner.ranks.watch import LEAST_SECONDS, RankWatch, View

if TYPE_CHECKING:
    from kaggle_runner.kaggle.client import KaggleClient

NOT_ON_THE_BOARD = 1
"""Exit code of `--once` when the board was read and the team is not on it."""
_LASTING = (400, 401, 403, 404)


@dataclass(frozen=True, slots=True)
class Watched:
    """Whose place on which board is looked at, and how often in seconds."""

    kaggle: Kaggle
    slug: str
    seconds: float = 60.0
    team: str = ""


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


def slug_of(text: str) -> str:
    """The competition's slug; the address of its page is as good."""
    parts = text.strip().split("?")[0].strip("/").split("/")
    if "competitions" in parts[:-1]:
        return parts[parts.index("competitions") + 1].lower()
    if len(parts) != 1 or not parts[0]:
        raise UsageError(
            f"{text!r} is not a competition of a Kaggle.",
            hint="Write its slug, the last part of its page's address. Folders have no live board.",
        )
    return parts[0].lower()


def ranks_of_run(config: Mapping[str, Any], environment: Mapping[str, str]) -> Watched | None:
    """The board of a run with these settings; None for the shelf and for folders, which have no live one.

    Raises ConfigError when the credentials of its Kaggle are gone.
    """
    from mle_live.shelf.entry import list_shelf

    competition, url = str(config.get("competition", "")), str(config.get("kaggle_url") or "")
    on_shelf = competition in {entry.slug for entry in list_shelf()}
    if not competition or "/" in competition or (on_shelf and not url):
        return None
    return Watched(chosen(environment, url), competition)


def quick_client(kaggle: Kaggle) -> KaggleClient:
    """A client whose calls give up soon: a watch asks again by itself, and people may leave meanwhile."""
    from kaggle_runner.kaggle.transport import Retries, Timeouts

    return kaggle.client(timeouts=Timeouts(connect=5.0, read=20.0), retries=Retries(tries=1))


def polite_watch(watched: Watched, database: Path, account: str, clock: Clock) -> RankWatch:
    """The watch behind the lines and the screen."""
    return RankWatch(
        quick_client(watched.kaggle),
        database,
        account,
        watched.slug,
        clock=clock,
        seconds=watched.seconds,
        team=watched.team,
    )


def _watched(arguments: Namespace) -> Watched:
    seconds = parse_duration(arguments.every)
    if seconds < LEAST_SECONDS and not arguments.once:
        raise UsageError(
            f"--every {arguments.every} is too often for Kaggle.",
            hint=f"{LEAST_SECONDS:g}s is the least; boards hardly change faster.",
        )
    kaggle = chosen(os.environ, getattr(arguments, "kaggle_url", ""))
    return Watched(kaggle, slug_of(arguments.competition), seconds, arguments.team)


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
    await watch.run(Lines(write, fresh=watched.seconds, clock=SYSTEM_CLOCK).show)


class Lines:
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
