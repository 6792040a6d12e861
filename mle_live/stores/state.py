"""The server's memory: users and submissions in one SQLite file that only the server writes.

Tokens are kept as hashes. What a submission scored is kept here; who may see it is the API's decision.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from kaggle_runner.databases import explained, open_for_writing, transaction
from kaggle_runner.moments import stamp
from kaggle_runner.rows import from_row

R = TypeVar("R")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, token_hash TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS submissions (
    ref INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES users(id),
    competition TEXT NOT NULL,
    created_at TEXT NOT NULL,
    file_name TEXT NOT NULL,
    total_bytes INTEGER NOT NULL,
    description TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'PENDING',
    error TEXT NOT NULL DEFAULT '',
    public_score REAL,
    private_score REAL
);
CREATE INDEX IF NOT EXISTS submissions_by_competition ON submissions (competition, user_id, created_at);
"""


@dataclass(frozen=True, slots=True)
class User:
    id: int
    username: str


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """One submission; `status` is PENDING, COMPLETE or ERROR as on Kaggle."""

    ref: int
    user_id: int
    username: str
    competition: str
    created_at: datetime
    file_name: str
    total_bytes: int
    description: str
    status: str
    error: str
    public_score: float | None
    private_score: float | None


class ServerState:
    """Users and submissions. Safe to call from several threads; one process per file is expected."""

    def __init__(self, path: Path) -> None:
        """Open or create `path`. Raises Unusable where that cannot be done."""
        self._path = path
        self._database = open_for_writing(path, any_thread=True)
        with explained(path):
            self._database.executescript(_SCHEMA)
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def ensure_user(self, username: str, token: str) -> User:
        """Add the user, or give an existing one this token."""
        self.run(
            "INSERT INTO users (username, token_hash) VALUES (?, ?) "
            "ON CONFLICT (username) DO UPDATE SET token_hash = excluded.token_hash",
            (username, _hash(token)),
        )
        user = self.user_of_token(token)
        assert user is not None
        return user

    def has_user(self, username: str) -> bool:
        return bool(self.run("SELECT 1 FROM users WHERE username = ?", (username,)))

    def user_of_token(self, token: str) -> User | None:
        found = self.records(User, "SELECT id, username FROM users WHERE token_hash = ?", (_hash(token),))
        return found[0] if found else None

    def add_submission(
        self,
        user: User,
        competition: str,
        *,
        created_at: datetime,
        file_name: str,
        total_bytes: int,
        description: str,
        daily_limit: int,
    ) -> int | None:
        """Record a pending submission and return its reference; None when the day's limit is reached."""
        with self.transaction() as database:
            if self._count_on_day(database, user, competition, created_at) >= daily_limit:
                return None
            cursor = database.execute(
                "INSERT INTO submissions"
                " (user_id, competition, created_at, file_name, total_bytes, description)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (user.id, competition, stamp(created_at), file_name, total_bytes, description),
            )
            return cursor.lastrowid

    def complete(self, ref: int, public_score: float | None, private_score: float | None) -> None:
        self.run(
            "UPDATE submissions SET status='COMPLETE', error='', public_score=?, private_score=? WHERE ref=?",
            (public_score, private_score, ref),
        )

    def fail(self, ref: int, error: str) -> None:
        self.run("UPDATE submissions SET status='ERROR', error=? WHERE ref=?", (error, ref))

    def submission(self, ref: int) -> StoredSubmission | None:
        found = self._select("ref = ?", (ref,))
        return found[0] if found else None

    def submissions(self, competition: str, user: User | None = None) -> list[StoredSubmission]:
        """Submissions to a competition, newest first; of all users when `user` is None."""
        if user is None:
            return self._select("competition = ?", (competition,))
        return self._select("competition = ? AND user_id = ?", (competition, user.id))

    def pending(self) -> list[StoredSubmission]:
        return self._select("status = 'PENDING'", ())

    def count_on_day(self, user: User, competition: str, moment: datetime) -> int:
        """Submissions of that UTC day that count: failed ones do not, as on Kaggle."""
        with self._lock:
            return self._count_on_day(self._database, user, competition, moment)

    @staticmethod
    def _count_on_day(database: sqlite3.Connection, user: User, competition: str, moment: datetime) -> int:
        day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        row = database.execute(
            "SELECT count(*) FROM submissions WHERE user_id = ? AND competition = ? AND status != 'ERROR'"
            " AND created_at >= ? AND created_at < ?",
            (user.id, competition, stamp(day), stamp(day + timedelta(days=1))),
        ).fetchone()
        return int(row[0])

    def _select(self, condition: str, values: tuple[Any, ...]) -> list[StoredSubmission]:
        return self.records(
            StoredSubmission,
            "SELECT submissions.*, users.username FROM submissions JOIN users ON users.id = user_id"
            f" WHERE {condition} ORDER BY ref DESC",
            values,
        )

    def records(self, record: type[R], statement: str, values: tuple[Any, ...]) -> list[R]:
        """The rows of a query as records. Raises Unusable where one is no such record."""
        return [from_row(record, dict(row), self._path) for row in self.run(statement, values)]

    def run(self, statement: str, values: tuple[Any, ...]) -> list[sqlite3.Row]:
        """One statement on its own, for the stores that share this file; its rows."""
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Several statements that happen together or not at all; nobody else writes meanwhile."""
        with self._lock, transaction(self._database) as database:
            yield database


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
