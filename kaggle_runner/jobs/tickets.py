"""Who waits for a place and who holds one, across all processes of a state folder: rows of the account book.

A ticket belongs to the process that drew it and ends with it. What is granted is decided in `sessions.py`.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kaggle_runner.account import AccountBook
from kaggle_runner.moments import Clock, apart, parse_moment, stamp

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


class TicketBook:
    """The table `session_tickets`. Inside `deciding` nobody else is granted anything."""

    def __init__(self, book: AccountBook, clock: Clock) -> None:
        self.book, self.clock = book, clock
        columns: dict[str, type] = {
            "id": int, "places": str, "priority": int, "seconds": float, "slug": str, "run": str,
            "place": str, "number": int, "blocked": int,
            "host": str, "pid": int, "begun": str, "seen_at": str,
        }  # fmt: skip
        book.require(_TABLE, columns, pk="id")

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
            rows = self.book.rows(f"SELECT * FROM {_TABLE} WHERE account = ?", (self.book.account,))
            gone = [row["id"] for row in rows if not self._is_held(row)]
            for number in gone:
                database.execute(f"DELETE FROM {_TABLE} WHERE id = ?", (number,))
            tickets = [_ticket(row) for row in rows if row["id"] not in gone]
            yield sorted(tickets, key=lambda ticket: (-ticket.priority, ticket.id))

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
        return [_ticket(row) for row in rows if self._is_held(row)]

    def _set(self, ticket: int, changes: str, values: tuple[Any, ...]) -> None:
        self.book.rows(f"UPDATE {_TABLE} SET {changes} WHERE id = ? RETURNING id", (*values, ticket))

    def _now(self) -> str:
        return stamp(self.clock.now())

    def _is_held(self, row: dict[str, Any]) -> bool:
        if row["host"] != platform.node():
            seen = parse_moment(row["seen_at"])
            working = row["seconds"] if row["place"] else 0.0
            return apart(self.clock.now(), seen) < _SILENT + working
        return _is_alive(row["pid"]) and _begun(row["pid"]) == row["begun"]


def _ticket(row: dict[str, Any]) -> Ticket:
    return Ticket(
        row["id"], tuple(row["places"].split()), row["priority"], row["seconds"], row["slug"], row["run"],
        row["place"], row["number"], bool(row["blocked"]), parse_moment(row["seen_at"]),
    )  # fmt: skip


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
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
