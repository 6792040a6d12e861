"""Attempts of one account as the account book knows them: what was to be pushed, what runs, what it cost.

A row is written before the push and kept true until the run has ended, so that an engine that was killed, and
other engines, know what Kaggle is busy with. Nothing is asked of Kaggle here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kaggle_runner.account import AccountBook
from kaggle_runner.jobs.orders import Attempt
from kaggle_runner.jobs.states import UNFINISHED
from kaggle_runner.moments import Clock
from kaggle_runner.rows import columns, from_row, to_row

_TABLE, _KEY = "kernels", ("account", "slug")
_OLDER = {"intended": "pushing", "error": "failed"}
"""States as versions up to 0.3 wrote them."""


class AttemptBook:
    """The table `kernels` of an account book. Use it from the book's thread."""

    def __init__(self, book: AccountBook, clock: Clock) -> None:
        self.book, self.clock = book, clock
        book.require(_TABLE, columns(Attempt), _KEY)

    def find(self, slug: str) -> Attempt | None:
        found = self._rows("slug = ?", (slug,))
        return found[0] if found else None

    def unfinished(self) -> list[Attempt]:
        """What is to be pushed, waits or runs, abandoned ones too; oldest first."""
        words = (*UNFINISHED, "intended")
        return self._rows(f"state IN ({', '.join('?' * len(words))}) ORDER BY requested_at", words)

    def write(self, attempt: Attempt) -> Attempt:
        """Insert or replace the row of its slug."""
        self.book.save(_TABLE, to_row(attempt), _KEY)
        return attempt

    def change(self, attempt: Attempt, **changes: Any) -> Attempt:
        """The attempt with `changes`, written. What another process set (`abandoned`) stays set."""
        known = self.find(attempt.slug)
        abandoned = attempt.abandoned or bool(known and known.content == attempt.content and known.abandoned)
        return self.write(replace(attempt, **{"abandoned": abandoned, **changes}))

    def abandon(self, slug: str) -> Attempt | None:
        """Nobody waits for it any more: Kaggle has no cancel, so its session goes on and its quota counts.

        None where there is no attempt.
        """
        attempt = self.find(slug)
        return None if attempt is None else self.write(replace(attempt, abandoned=True))

    def _rows(self, condition: str, values: tuple[Any, ...]) -> list[Attempt]:
        query = f"SELECT * FROM {_TABLE} WHERE account = ? AND {condition}"
        return [
            from_row(Attempt, {**row, "state": _OLDER.get(row["state"], row["state"])}, self.book.path)
            for row in self.book.rows(query, (self.book.account, *values))
        ]
