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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kaggle_runner.databases import (
    PERMISSIONS,
    Closed,
    explained,
    open_for_writing,
    require,
    transaction,
    upsert,
)
from kaggle_runner.errors import AccountBusy, Unusable
from kaggle_runner.rows import Field, from_row

R = TypeVar("R")
_POLL_SECONDS = 0.1


def account_name(username: str, base_url: str) -> str:
    """The key of all rows: the same user name at two Kaggles is two accounts."""
    return f"{username}@{urlsplit(base_url).netloc}"


class AccountBook(Closed):
    """One account's rows in the state folder's `kaggle.sqlite`. Use it from one thread; opening is cheap."""

    def __init__(self, path: Path, account: str) -> None:
        """Open or create `path`. Raises Unusable where that cannot be done."""
        self.path = path
        self.account = account
        self._connection = open_for_writing(path)

    def require(self, table: str, columns: Iterable[Field], key: tuple[str, ...]) -> None:
        """Make the table, and columns that an older version did not know; `account` is the first."""
        with self.writing() as connection:
            require(connection, table, (Field("account"), *columns), key)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, committed on leaving; another process waits for it.

        Raises Unusable where the database cannot be written: a full disk, a damaged file.
        """
        with explained(self.path), transaction(self._connection) as connection:
            yield connection

    def save(self, table: str, row: Mapping[str, Any], key: tuple[str, ...]) -> None:
        """Insert or replace one row of this account, as a transaction of its own."""
        with self.writing() as connection:
            upsert(connection, table, {"account": self.account, **row}, key)

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows as dicts. The query names the account itself: `WHERE account = ?`.

        Raises Unusable where the database cannot be read.
        """
        with explained(self.path):
            return [dict(row) for row in self._connection.execute(query, values)]

    def records(self, record: type[R], query: str, values: tuple[Any, ...] = ()) -> list[R]:
        """The same as records; Unusable also where a row is no such record."""
        return [from_row(record, row, self.path) for row in self.rows(query, values)]

    @contextmanager
    def exclusively(self, what: str, *, wait: float = 60.0) -> Iterator[None]:
        """Hold the account's lock for `what` (submit, sessions, …) across all processes of the state folder.

        Raises AccountBusy after `wait` seconds.
        """
        name = re.sub(r"[^\w.-]", "_", f"{self.path.name}.{self.account}.{what}.lock")
        deadline = time.monotonic() + wait
        try:
            file = (self.path.parent / name).open("a")
        except OSError as error:
            raise Unusable(self.path, error.strerror or str(error), hint=PERMISSIONS) from error
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
                    time.sleep(_POLL_SECONDS)
            yield

    def close(self) -> None:
        self._connection.close()
