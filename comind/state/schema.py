"""The tables of a run's database: one a record, made or completed whenever an engine opens it.

A new column is a new field with a default in `comind/state/records.py`; a new table is a new record there.
Raise `VERSION` with it, so that older programs can say why they cannot go on.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from comind.state.records import RECORDS, Cell, Discussion, Evaluation, Event, Idea, Kernel, LlmCall, Report
from kaggle_runner.databases import require, transaction
from kaggle_runner.errors import Unusable
from kaggle_runner.rows import columns

VERSION = 1
"""Kept as `user_version`; databases of CoMind 0.1 to 0.3 have 0."""


def complete(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database up to this version. Raises Unusable for one that a newer version has written."""
    if version(connection) > VERSION:
        raise newer(path)
    from sqlite_utils import Database  # it is slow to import, and only engines write

    database = Database(connection)
    with transaction(connection):
        for record in RECORDS:
            require(connection, record.TABLE, columns(record), ("seq" if record is Event else "id",))
        for record in (Kernel, Discussion, Report, Idea):
            table = database.table(record.TABLE)
            if table.detect_fts() is None:
                table.enable_fts(list(record.FULL_TEXT), create_triggers=True, tokenize="porter")
        for name in (Cell.TABLE, Evaluation.TABLE, LlmCall.TABLE):
            database.table(name).create_index(["agent", "step"], if_not_exists=True)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def newer(path: Path) -> Unusable:
    return Unusable(path, "a newer version of CoMind wrote it", hint="Update: pip install --upgrade comind")
