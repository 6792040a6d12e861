"""Who waits for a place and who holds one, across all processes of a state folder: rows of the account book.

A ticket belongs to the process that drew it and ends with it. `kaggle_runner.jobs.queue` grants.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kaggle_runner.account import AccountBook
from kaggle_runner.machine import stat_fields
from kaggle_runner.moments import Clock, apart, stamp
from kaggle_runner.rows import columns, from_row

_TABLE = "session_tickets"
_RENEWED = 60.0
_SILENT = 600.0
"""A ticket of another machine that was not renewed for so long is nobody's."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One wish for a place. `place` is empty while it waits; `number` counts the place's slots from 0."""

    id: int
    places: tuple[str, ...]
    priority: int
    seconds: float
    slug: str
    """The Kaggle kernel that it is for; empty for work on this machine."""
    run: str
    place: str
    number: int
    blocked: bool
    """It cannot be served now for a reason of its own; those behind it may go first."""
    seen_at: datetime
    host: str
    pid: int
    begun: str
    """When its process began, as `host` counts."""


class TicketBook:
    """The table `session_tickets`. Inside `deciding` nobody else is granted anything."""

    def __init__(self, book: AccountBook, clock: Clock) -> None:
        self.book, self.clock = book, clock
        book.require(_TABLE, columns(Ticket), ("id",))

    def draw(self, places: Sequence[str], *, priority: int, seconds: float, slug: str, run: str) -> int:
        """A new ticket at the end of the queue; its number."""
        mine = (platform.node(), os.getpid(), _begun(os.getpid()), self._now())
        with self.book.writing() as database:
            cursor = database.execute(
                f"INSERT INTO {_TABLE} (account, places, priority, seconds, slug, run, place, number, "
                "blocked, host, pid, begun, seen_at) VALUES (?, ?, ?, ?, ?, ?, '', 0, 0, ?, ?, ?, ?)",
                (self.book.account, " ".join(places), priority, seconds, slug, run, *mine),
            )
            return int(cursor.lastrowid or 0)

    @contextlib.contextmanager
    def deciding(self) -> Iterator[list[Ticket]]:
        """All tickets that somebody still holds, in the order in which they are served."""
        with self.book.writing() as database:
            held = self.held()
            numbers = ", ".join(str(ticket.id) for ticket in held)
            database.execute(
                f"DELETE FROM {_TABLE} WHERE account = ? AND id NOT IN ({numbers})", (self.book.account,)
            )
            yield sorted(held, key=lambda ticket: (-ticket.priority, ticket.id))

    def grant(self, ticket: int, place: str, number: int) -> None:
        """Inside `deciding`."""
        self._set(ticket, "place = ?, number = ?, blocked = 0", (place, number))

    def renew(self, ticket: Ticket, *, blocked: bool) -> None:
        """Inside `deciding`: its holder is alive and still waits. Written seldom."""
        if blocked != ticket.blocked or apart(self.clock.now(), ticket.seen_at) > _RENEWED:
            self._set(ticket.id, "seen_at = ?, blocked = ?", (self._now(), int(blocked)))

    def give_back(self, ticket: int) -> None:
        with self.book.writing() as database:
            database.execute(
                f"DELETE FROM {_TABLE} WHERE id = ? AND host = ? AND pid = ?",
                (ticket, platform.node(), os.getpid()),
            )

    def held(self) -> list[Ticket]:
        """A look at the queue, for screens."""
        rows = self.book.rows(f"SELECT * FROM {_TABLE} WHERE account = ?", (self.book.account,))
        split = [{**row, "places": row["places"].split()} for row in rows]
        tickets = [from_row(Ticket, row, self.book.path) for row in split]
        return [ticket for ticket in tickets if _is_held(ticket, self.clock)]

    def _set(self, ticket: int, changes: str, values: tuple[Any, ...]) -> None:
        self.book.rows(f"UPDATE {_TABLE} SET {changes} WHERE id = ? RETURNING id", (*values, ticket))

    def _now(self) -> str:
        return stamp(self.clock.now())


def _is_held(ticket: Ticket, clock: Clock) -> bool:
    if ticket.host != platform.node():
        working = ticket.seconds if ticket.place else 0.0
        return apart(clock.now(), ticket.seen_at) < _SILENT + working
    return _is_alive(ticket.pid) and _begun(ticket.pid) == ticket.begun


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's, but there
        return True
    return True


def _begun(pid: int) -> str:
    """When the process began, since pids are used again. Empty where the system does not tell."""
    return next(iter(stat_fields(pid)[19:]), "")
