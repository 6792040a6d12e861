"""The engine's side of the store. One process writes, one connection, from one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from comind.state.reader import Reader
from comind.state.records import Event, Record
from comind.state.schema import complete
from kaggle_runner.databases import Closed, explained, open_for_writing, transaction, upsert
from kaggle_runner.moments import SYSTEM_CLOCK, Clock, stamp
from kaggle_runner.rows import to_row


class Store(Reader, Closed):
    """Reads like a `Reader` and writes. Every call commits before it returns: durable before visible."""

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Open or create `path` (the folder must exist), and bring its schema up to date.

        Raises Unusable.
        """
        super().__init__(path, open_for_writing(path))
        self._clock = clock
        try:
            with explained(path):
                complete(self._connection, path)
        except BaseException:  # whatever it was, nobody else could close it
            self.close()
            raise

    def save(self, *records: Record) -> None:
        """Insert or replace records by id, all in one transaction."""
        with explained(self.path), transaction(self._connection):
            for record in records:
                upsert(self._connection, record.TABLE, to_row(record), ("id",))

    def event(
        self, kind: str, message: str, *, agent: str = "", round: int = 0, data: dict[str, Any] | None = None
    ) -> Event:
        """Append something that a person watching would want to know."""
        at = stamp(self._clock.now())
        event = Event(kind=kind, message=message, agent=agent, round=round, data=data or {}, at=at)
        row = {name: value for name, value in to_row(event).items() if name != "seq"}
        with explained(self.path), transaction(self._connection):
            upsert(self._connection, Event.TABLE, row, ("seq",))
        return event

    def close(self) -> None:
        self._connection.close()
