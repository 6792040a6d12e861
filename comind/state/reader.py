"""Everyone else's side of the store: read-only, from any process, while the engine writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from comind.state import schema
from comind.state.records import Event, Idea, Record, Run
from kaggle_runner.databases import explained, opened
from kaggle_runner.errors import RunNotFound, Unusable
from kaggle_runner.rows import from_row

R = TypeVar("R", bound=Record)


class AgentWork(NamedTuple):
    """What one kind of question, or the cell or its grading, took in one step of one agent."""

    agent: str
    step: int
    kind: str
    """A call's kind, or `cell` or `grading`."""
    tokens: int
    dollars: float | None
    """None if any price is unknown."""
    seconds: float


class Received(NamedTuple):
    """A recorded reply without its texts."""

    id: str
    model: str
    kind: str
    attempt: int


_WORK = (
    "SELECT agent, step, kind, SUM(prompt_tokens + completion_tokens) AS tokens, TOTAL(dollars) AS dollars,"
    " SUM(dollars IS NULL) AS unpriced, TOTAL(seconds) AS seconds FROM llm_calls GROUP BY agent, step, kind"
    " UNION ALL SELECT agent, step, 'cell', 0, 0.0, 0, TOTAL(seconds) FROM cells GROUP BY agent, step"
    " UNION ALL SELECT agent, step, 'grading', 0, 0.0, 0, TOTAL(seconds) FROM evaluations"
    " GROUP BY agent, step"
)


def is_absent(path: Path) -> bool:
    """Whether there is nothing at `path`. What may not be looked at is there, so that somebody says why."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The run database at `path`, for reading beside its engine. Raises RunNotFound or Unusable."""
    if is_absent(path):
        raise RunNotFound(f"No run database at {path}.", hint="`comind-tui runs` lists the runs there are.")
    with opened(path) as connection:
        try:
            yield Reader(path, connection)
        except Unusable as error:
            if schema.version(connection) > schema.VERSION:
                raise schema.newer(path) from error
            raise


class Reader:
    """Typed queries over one run's database; `reading` opens it. All raise Unusable for what is no good."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @cached_property
    def _tables(self) -> frozenset[str]:
        """Names of what is truly a table: a view could take for ever."""
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
        return frozenset(row["name"] for row in self._query(query))

    def run(self) -> Run | None:
        """The run's own row; None while its engine has not written it yet."""
        if Run.TABLE not in self._tables and not self._query("SELECT 1 FROM sqlite_master LIMIT 1"):
            return None
        rows = self.all(Run)
        return rows[0] if rows else None

    def get(self, record: type[R], id: str) -> R | None:
        found = self.all(record, "id = ?", (id,))
        return found[0] if found else None

    def all(
        self,
        record: type[R],
        where: str = "",
        parameters: Sequence[Any] = (),
        *,
        order: str = "",
        limit: int | None = None,
    ) -> list[R]:
        """Records of a type; `where` and `order` are SQL written by us, values go through `parameters`.

        A run of an earlier version has none of what that version did not know.
        """
        query = f"SELECT * FROM {record.TABLE}"
        query += f" WHERE {where}" if where else ""
        query += f" ORDER BY {order or 'rowid'}"
        query += f" LIMIT {int(limit)}" if limit is not None else ""
        return self._records(record, query, parameters) if self._has(record) else []

    def newest(self, record: type[R], *, limit: int | None = None) -> list[R]:
        """Ideas or reports for people: of the last round first, ideas by rank."""
        order = "round DESC, (rank = 0), rank, id" if record is Idea else "round DESC, created_at DESC"
        return self.all(record, order=order, limit=limit)

    def count(self, record: type[Record], where: str = "", parameters: Sequence[Any] = ()) -> int:
        query = f"SELECT COUNT(*) FROM {record.TABLE}"
        query += f" WHERE {where}" if where else ""
        return int(self._query(query, parameters)[0][0]) if self._has(record) else 0

    def events(self, after: int = 0, *, limit: int = 500) -> list[Event]:
        """Events with `seq` above `after`, oldest first."""
        return self.all(Event, "seq > ?", (after,), order="seq", limit=limit)

    def last_events(self, limit: int = 100) -> list[Event]:
        """The newest events, oldest of them first."""
        return self.all(Event, order="seq DESC", limit=limit)[::-1]

    def search(self, record: type[R], text: str, *, limit: int = 50) -> list[R]:
        """Full-text search over a record type that has FULL_TEXT; best match first.

        Every word must occur, the last one may be unfinished. Text is data, never FTS syntax.
        """
        words = [word.replace('"', '""') for word in text.split()]
        if not words:
            return []
        match = " ".join(f'"{word}"' for word in words[:-1]) + f' "{words[-1]}"*'
        table = record.TABLE
        query = (
            f"SELECT t.* FROM {table}_fts f JOIN {table} t ON t.rowid = f.rowid"
            f" WHERE {table}_fts MATCH ? ORDER BY f.rank LIMIT ?"
        )
        return self._records(record, query, (match, limit))

    def totals(self) -> dict[str, Any]:
        """Model use so far: calls, tokens, dollars (None if any price is unknown), seconds."""
        row = self._query(
            "SELECT COUNT(*) AS calls, TOTAL(prompt_tokens) AS prompt, TOTAL(cached_tokens) AS cached,"
            " TOTAL(completion_tokens) AS completion, TOTAL(dollars) AS dollars,"
            " SUM(dollars IS NULL) AS unpriced, TOTAL(seconds) AS seconds FROM llm_calls"
        )[0]
        return {
            "calls": row["calls"],
            "prompt_tokens": int(row["prompt"]),
            "cached_tokens": int(row["cached"]),
            "completion_tokens": int(row["completion"]),
            "dollars": None if row["unpriced"] else float(row["dollars"]),
            "seconds": float(row["seconds"]),
        }

    def work(self) -> list[AgentWork]:
        """What every step of every agent took so far. Prompts and replies are not read."""
        return [
            AgentWork(
                row["agent"],
                row["step"],
                row["kind"],
                int(row["tokens"]),
                None if row["unpriced"] else float(row["dollars"]),
                float(row["seconds"]),
            )
            for row in self._query(_WORK)
        ]

    def received(self) -> list[Received]:
        """Every recorded reply, in order. Prompts and replies are not read."""
        rows = self._query("SELECT id, model, kind, attempt FROM llm_calls ORDER BY rowid")
        return [Received(row["id"], row["model"], row["kind"], int(row["attempt"])) for row in rows]

    def _has(self, record: type[Record]) -> bool:
        """False where an earlier version made the database, which had no table for such records."""
        if not {Run.TABLE, Event.TABLE} <= self._tables:
            if self._tables:
                raise Unusable(self.path, "it holds no run", hint="Another program made it.")
            raise Unusable(self.path, "it holds no run yet", hint="Wait for it, or start it again.")
        return record.TABLE in self._tables

    def _records(self, record: type[R], query: str, parameters: Sequence[Any]) -> list[R]:
        return [from_row(record, dict(row), self.path) for row in self._query(query, parameters)]

    def _query(self, query: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        with explained(self.path):
            return self._connection.execute(query, tuple(parameters)).fetchall()
