"""The engine's side of the store. One process writes, one connection, from one thread."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlite_utils import Database

from comind.state.migrations import migrate
from comind.state.reader import Reader
from comind.state.records import Event
from comind.state.rows import to_row
from kaggle_runner.errors import StateUnwritable
from kaggle_runner.moments import SYSTEM_CLOCK, Clock, stamp

R = TypeVar("R")


class Store(Reader):
    """Reads like a `Reader` and writes. Every call commits before it returns: durable before visible."""

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Open or create `path` (the folder must exist), and bring its schema up to date."""
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=10)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 16777216")
            self._database = Database(connection)
            migrate(self._database)
        except sqlite3.OperationalError as error:
            raise StateUnwritable(
                f"The run's database {path} cannot be opened for writing: {error}",
                hint="Check the folder's permissions and free space, or choose another with --state DIR.",
            ) from error
        super().__init__(path, connection=connection)
        self._clock = clock

    def save(self, *records: Any) -> None:
        """Insert or replace records by id, all in one transaction."""
        with self._database.atomic():
            for record in records:
                self._database.table(record.TABLE).upsert(to_row(record), pk="id")

    def event(
        self, kind: str, message: str, *, agent: str = "", round: int = 0, data: dict[str, Any] | None = None
    ) -> Event:
        """Append something that a person watching would want to know."""
        at = stamp(self._clock.now())
        event = Event(kind=kind, message=message, agent=agent, round=round, data=data or {}, at=at)
        row = to_row(event)
        del row["seq"]
        with self._database.atomic():
            self._database.table(Event.TABLE).insert(row)
        return event

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
