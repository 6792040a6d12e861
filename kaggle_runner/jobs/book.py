"""Kernels of one account as the account book knows them: what was to be pushed, what runs, what it cost.

A row is written before the push and kept true until the run has ended, so that an engine that was killed, and
other engines, know what Kaggle is busy with. Nothing is asked of Kaggle here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from kaggle_runner.account import AccountBook
from kaggle_runner.moments import Clock
from kaggle_runner.rows import columns, to_row

KernelState = Literal[
    "intended", "queued", "running", "complete", "error", "cancelled", "timed out", "refused", "lost"
]
UNFINISHED = ("intended", "queued", "running")
NO_KERNEL = -1
_TABLE, _KEY = "kernels", ("account", "slug")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelRow:
    """One push under its slug. Moments are aware UTC, None while they have not come."""

    slug: str
    content: str
    """The hash of everything that was pushed: the same content is never pushed twice."""
    ref: str
    """owner/slug as Kaggle named it; as it should be named until then."""
    version: int = 0
    """0 until Kaggle confirmed the push."""
    baseline: int = NO_KERNEL
    """The version that stood there before the push. A kernel that runs first may be told as version 0."""
    pushes: int = 0
    """How often this content was sent."""
    url: str = ""
    run: str = ""
    agent: str = ""
    purpose: str = ""
    accelerator: str = ""
    """The machine shape that was asked for; empty for the CPU."""
    reserved_seconds: float = 0.0
    charged_seconds: float = 0.0
    state: KernelState = "intended"
    failure: str = ""
    abandoned: bool = False
    """Nobody waits for it any more; what it writes is ignored, what it uses is counted."""
    requested_at: datetime | None = None
    pushed_at: datetime | None = None
    started_at: datetime | None = None
    """When it was first seen running."""
    ended_at: datetime | None = None

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED


class KernelBook:
    """The table `kernels` of an account book. Use it from the book's thread."""

    def __init__(self, book: AccountBook, clock: Clock) -> None:
        self.book, self.clock = book, clock
        book.require(_TABLE, columns(KernelRow), _KEY)

    def find(self, slug: str) -> KernelRow | None:
        found = self._rows("slug = ?", (slug,))
        return found[0] if found else None

    def unfinished(self) -> list[KernelRow]:
        """What is to be pushed, waits or runs, abandoned ones too; oldest first."""
        marks = ", ".join("?" * len(UNFINISHED))
        return self._rows(f"state IN ({marks}) ORDER BY requested_at", UNFINISHED)

    def of_run(self, run: str) -> list[KernelRow]:
        """Everything that a run pushed, oldest first."""
        return self._rows("run = ? ORDER BY requested_at", (run,))

    def write(self, row: KernelRow) -> KernelRow:
        """Insert or replace the row of its slug."""
        self.book.save(_TABLE, to_row(row), _KEY)
        return row

    def change(self, row: KernelRow, **changes: Any) -> KernelRow:
        """The row with `changes`, written. What another process set (`abandoned`) stays set."""
        known = self.find(row.slug)
        abandoned = row.abandoned or (known is not None and known.content == row.content and known.abandoned)
        return self.write(replace(row, **{"abandoned": abandoned, **changes}))

    def abandon(self, slug: str) -> KernelRow | None:
        """Note that nobody waits for the run any more: Kaggle has no cancel. None where no row is."""
        row = self.find(slug)
        return None if row is None else self.write(replace(row, abandoned=True))

    def _rows(self, condition: str, values: tuple[Any, ...]) -> list[KernelRow]:
        query = f"SELECT * FROM {_TABLE} WHERE account = ? AND {condition}"
        return self.book.records(KernelRow, query, (self.book.account, *values))
