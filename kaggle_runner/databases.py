"""SQLite files of ours: opened in one way for reading and in one for writing, and explained when they fail.

A file that is only read may have come from anybody: nothing in it is trusted, nothing is written, and no
question goes on for ever. Tables are made of records' columns (`kaggle_runner.rows`).
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

from kaggle_runner.errors import Unusable
from kaggle_runner.rows import Field

BUSY_SECONDS = 30.0
"""How long one process waits while another writes."""
_MOST_BYTES = 2**28
"""Of one value in a file that is only read."""
_STEPS, _LOOKS = 100_000, 500
"""Of SQLite's machine: fifty times what reading all of the largest run takes."""

PERMISSIONS = "Check its permissions and free space, or choose another folder with --state DIR."
_DAMAGED = "Only a copy from before can bring it back; other runs are not concerned."
_WAIT = "Wait for the other process that writes there, or end it."
_FAULTS = {
    sqlite3.SQLITE_BUSY: ("it is locked", _WAIT),
    sqlite3.SQLITE_LOCKED: ("it is locked", _WAIT),
    sqlite3.SQLITE_FULL: ("there is no room", PERMISSIONS),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", PERMISSIONS),
    sqlite3.SQLITE_IOERR: ("the disk refuses", PERMISSIONS),
    sqlite3.SQLITE_PERM: ("it may not be opened", PERMISSIONS),
    sqlite3.SQLITE_READONLY: ("it may not be written", PERMISSIONS),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", _DAMAGED),
    sqlite3.SQLITE_NOTADB: ("it is no database, or half of one", _DAMAGED),
    sqlite3.SQLITE_INTERRUPT: ("reading it has no end", "Another program made it."),
    sqlite3.SQLITE_ERROR: (
        "it is not built as it should be",
        "Another version, or another program, made it.",
    ),
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise Unusable for SQLite's errors, which says what is wrong with the file and what to do.

    Errors that only a fault of ours can cause, such as a broken constraint, pass.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
            raise
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        why, hint = _FAULTS.get(code, _FAULTS[sqlite3.SQLITE_CORRUPT])
        raise Unusable(path, f"{why} ({error})", hint=hint) from error


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database for reading. Raises Unusable when there is no good one.

    Where nobody has it open for writing it is taken as it stands, without a lock or a file beside it: a run
    that has ended can be read from a folder that cannot be written. Use it shortly: a writer may begin.
    """
    _check_plain(path)
    beside = any(path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-journal"))
    mode = "mode=ro" if beside else "mode=ro&immutable=1"
    with explained(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        with closing(connection):
            connection.row_factory = sqlite3.Row
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
            looks = iter(range(_LOOKS))
            connection.set_progress_handler(lambda: next(looks, None) is None, _STEPS)
            connection.execute("PRAGMA trusted_schema = OFF")
            yield connection


def _check_plain(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise Unusable(path, error.strerror or str(error)) from error
    if not stat.S_ISREG(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise Unusable(path, f"it is {kind}, not a file", hint="Only a plain file is opened.")


def open_for_writing(path: Path, *, any_thread: bool = False) -> sqlite3.Connection:
    """The database, made where there is none, with its folder.

    Readers go on meanwhile (WAL), other writers are waited for, and what was committed outlives a power cut.
    Raises Unusable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(path, error.strerror or str(error), hint=PERMISSIONS) from error
    if path.exists():
        _check_plain(path.resolve())
    with explained(path):
        connection = sqlite3.connect(
            path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=not any_thread
        )
        connection.row_factory = sqlite3.Row
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 16777216")
        except BaseException:  # whatever it was, nobody else could close it
            connection.close()
            raise
        return connection


class Closed:
    """A `with` statement closes it at its end."""

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Several statements that happen together or not at all; another process waits for them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:  # the transaction must end however its body did
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def require(
    connection: sqlite3.Connection, table: str, columns: Iterable[Field], key: tuple[str, ...]
) -> None:
    """Make the table, or those of its columns that an older version did not know."""
    known = {row["name"] for row in connection.execute(f"PRAGMA table_info({quoted(table)})")}
    if not known:
        one = " PRIMARY KEY" if len(key) == 1 else ""
        lines = [f"{quoted(c.name)} {c.kind}{one if c.name in key else ''}" for c in columns]
        lines += [f"PRIMARY KEY ({', '.join(map(quoted, key))})"] if not one else []
        connection.execute(f"CREATE TABLE {quoted(table)} ({', '.join(lines)})")
        return
    for column in columns:
        if column.name not in known:
            default = "" if column.default is None else f" NOT NULL DEFAULT {_literal(column.default)}"
            connection.execute(
                f"ALTER TABLE {quoted(table)} ADD COLUMN {quoted(column.name)} {column.kind}{default}"
            )


def upsert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any], key: tuple[str, ...]) -> None:
    """Insert the row, or change the one that has its key."""
    names = ", ".join(map(quoted, row))
    changes = [f"{quoted(name)} = excluded.{quoted(name)}" for name in row if name not in key]
    conflict = f"UPDATE SET {', '.join(changes)}" if changes else "NOTHING"
    connection.execute(
        f"INSERT INTO {quoted(table)} ({names}) VALUES ({', '.join('?' * len(row))})"
        f" ON CONFLICT ({', '.join(map(quoted, key))}) DO {conflict}",
        tuple(row.values()),
    )


def quoted(name: str) -> str:
    """A name in SQL, where `index` and `rank` are words."""
    return f'"{name}"'


def _literal(value: Any) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
