"""What belongs to a Kaggle account rather than to a run: `state/kaggle.sqlite`.

Several processes write here (engines, the commands, a screen), so every write is one short transaction, and
what must not happen twice at once (a submission, the start of a session) is done under a lock file. Tables
belong to the modules that use them: submissions to `governor`, kernels to `sessions`, ranks to `ranks`.
"""

from __future__ import annotations

import fcntl
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from sqlite_utils import Database

from kaggle_runner.errors import AccountBusy, StateUnwritable

_BUSY_SECONDS = 30.0
_POLL_SECONDS = 0.1


def account_name(username: str, base_url: str) -> str:
    """The key of all rows: the same user name at two Kaggles is two accounts."""
    return f"{username}@{urlsplit(base_url).netloc}"


class AccountBook:
    """One account's rows in the state folder's `kaggle.sqlite`. Use it from one thread; opening is cheap."""

    def __init__(self, path: Path, account: str) -> None:
        """Open or create `path`. Raises StateUnwritable where that cannot be done."""
        self.path = path
        self.account = account
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error
        self._connection = connection
        self._database = Database(connection)

    def require(self, table: str, columns: Mapping[str, type], pk: str | tuple[str, ...]) -> None:
        """Make the table, and columns that an older version did not know. `account` is among the columns."""
        with self.writing():
            self._database.table(table).create({"account": str, **columns}, pk=pk, if_not_exists=True)
            known = self._database.table(table).columns_dict
            for name, kind in columns.items():
                if name not in known:
                    self._database.table(table).add_column(name, kind)

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """One transaction, committed on leaving; another process waits for it.

        Raises StateUnwritable where the database cannot be written: a full disk, a damaged file.
        """
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._connection.execute("COMMIT")
            except BaseException:  # the transaction must end however its body did
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows as dicts. The query names the account itself: `WHERE account = ?`.

        Raises StateUnwritable where the database cannot be read.
        """
        with self._explained():
            found = self._connection.execute(query, values)
            return self._as_dicts(found)

    @staticmethod
    def _as_dicts(found: sqlite3.Cursor) -> list[dict[str, Any]]:
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]

    @contextmanager
    def exclusively(
        self, what: str, *, wait: float = 60.0, sleep: Callable[[float], None] = time.sleep
    ) -> Iterator[None]:
        """Hold the account's lock for `what` (submit, sessions, …) across all processes of the state folder.

        Raises AccountBusy after `wait` seconds.
        """
        name = re.sub(r"[^\w.-]", "_", f"{self.path.name}.{self.account}.{what}.lock")
        deadline = time.monotonic() + wait
        try:
            file = (self.path.parent / name).open("a")
        except OSError as error:
            raise self._unusable(error) from error
        with file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise AccountBusy(
                            f"Another process uses this Kaggle account ({what}) since {wait:g} s.",
                            hint="Wait for it, or end it; the lock ends with its process.",
                        ) from error
                    sleep(_POLL_SECONDS)
            yield

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            # SQLite's words for a full disk, a lock held too long, a damaged file; others are faults of ours.
            if type(error) not in (sqlite3.DatabaseError, sqlite3.OperationalError):
                raise
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StateUnwritable:
        return StateUnwritable(
            f"The account's database {self.path} cannot be used: {error}.",
            hint="Check the folder's permissions and free space, or choose another with --state DIR.",
        )

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
