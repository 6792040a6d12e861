"""Run folders that are no good, each in a way of its own, and what is said of them."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from comind.state import schema
from comind.state.runs import RunFolder

Harm = Callable[[RunFolder], None]


@contextmanager
def changed(folder: RunFolder) -> Iterator[sqlite3.Connection]:
    """The run's database as anybody can change it."""
    with closing(sqlite3.connect(folder.database)) as connection:
        yield connection
        connection.commit()


def statement(text: str) -> Harm:
    def harm(folder: RunFolder) -> None:
        with changed(folder) as connection:
            connection.execute("DROP TRIGGER IF EXISTS ideas_au")
            connection.executescript(text)

    return harm


def cut(folder: RunFolder) -> None:
    folder.database.write_bytes(folder.database.read_bytes()[: folder.database.stat().st_size // 2])


def spoil_pages(folder: RunFolder) -> None:
    content = bytearray(folder.database.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    folder.database.write_bytes(content)


def be_text(folder: RunFolder) -> None:
    folder.database.write_bytes(b"this is no database" * 500)


def be_foreign(folder: RunFolder) -> None:
    folder.database.unlink()
    with changed(folder) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")


def be_a_pipe(folder: RunFolder) -> None:
    folder.database.unlink()
    os.mkfifo(folder.database)


def be_a_link(folder: RunFolder) -> None:
    folder.database.rename(folder.path / "other.sqlite")
    folder.database.symlink_to(folder.path / "other.sqlite")


def hang_the_lock(folder: RunFolder) -> None:
    os.mkfifo(folder.path / "engine.lock")
    be_text(folder)


def never_end(folder: RunFolder) -> None:
    with changed(folder) as connection:
        connection.execute("DROP TABLE run")
        connection.execute(
            "CREATE VIEW run AS WITH RECURSIVE n(id) AS (SELECT '' UNION ALL SELECT id FROM n)"
            " SELECT id, id AS competition FROM n"
        )


def be_newer(folder: RunFolder) -> None:
    with changed(folder) as connection:
        connection.execute("UPDATE run SET status = 'dreaming'")
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")


without_numbers = statement(
    """UPDATE evaluations SET selection = '{"score": NaN, "interval": [-Infinity, Infinity], "rows": 1}'"""
)
"""Such a run can be read; JSON has no word for its scores."""

BAD: dict[str, tuple[Harm, str]] = {
    "bad JSON in an evaluation": (statement("UPDATE evaluations SET selection = '{bad'"), "selection"),
    "bad JSON in the run": (statement("UPDATE run SET config = '{bad'"), "config"),
    "a list for a dict": (statement("UPDATE run SET test = '[1]'"), "test"),
    "a word for a number": (statement("UPDATE run SET round = 'first'"), "round"),
    "a word for a score": (
        statement("""UPDATE evaluations SET selection = '{"score": "x", "interval": [0, 1], "rows": 1}'"""),
        "selection",
    ),
    "an interval of one end": (
        statement("""UPDATE evaluations SET selection = '{"score": 1, "interval": [0], "rows": 1}'"""),
        "selection",
    ),
    "bytes for a text": (statement("UPDATE run SET competition = x'ff00'"), "competition"),
    "text that is no UTF-8": (statement("UPDATE run SET competition = CAST(x'ff' AS TEXT)"), "UTF-8"),
    "an unknown status": (statement("UPDATE run SET status = 'dreaming'"), "status"),
    "a moment that is none": (statement("UPDATE run SET started_at = 'yesterday'"), "started_at"),
    "a moment before all time": (
        statement("UPDATE run SET started_at = '0001-01-01T00:00:00Z'"), "started_at"
    ),
    "JSON without a floor": (
        statement("UPDATE run SET config = replace(hex(zeroblob(50000)), '0', '[')"), "too deeply"
    ),
    "a column that is gone": (statement("ALTER TABLE run DROP COLUMN competition"), "competition"),
    "a table that is gone": (statement("DROP TABLE events"), "holds no run"),
    "a foreign database": (be_foreign, "holds no run"),
    "half a database": (cut, "damaged"),
    "spoilt pages": (spoil_pages, "damaged"),
    "a text": (be_text, "no database"),
    "a pipe": (be_a_pipe, "a pipe"),
    "a link": (be_a_link, "a link"),
    "a pipe as a lock": (hang_the_lock, "no database"),
    "a view without end": (never_end, "holds no run"),
    "a newer version": (be_newer, "newer version"),
}  # fmt: skip
"""Name → what is done to a good run, and a word of the reason that is shown."""


def deleted(folder: RunFolder) -> None:
    shutil.rmtree(folder.path)
