"""The tables of a run's database: one a record, made or completed whenever an engine opens it.

A new column is a new field with a default in `comind/state/records.py`; a new table is a new record there.
Raise `VERSION` with it, so that older programs can say why they cannot go on.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from comind.state.records import RECORDS, Cell, Discussion, Evaluation, Event, Idea, Kernel, LlmCall, Report
from kaggle_runner.databases import quoted, require, transaction
from kaggle_runner.errors import Unusable
from kaggle_runner.rows import columns

VERSION = 1
"""Kept as `user_version`; databases of CoMind 0.1 to 0.3 have 0."""


def complete(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database up to this version. Raises Unusable for one that a newer version has written."""
    if version(connection) > VERSION:
        raise newer(path)
    with transaction(connection):
        for record in RECORDS:
            require(connection, record.TABLE, columns(record), ("seq" if record is Event else "id",))
        for record in (Kernel, Discussion, Report, Idea):
            _index_texts(connection, record.TABLE, record.FULL_TEXT)
        for table in (Cell.TABLE, Evaluation.TABLE, LlmCall.TABLE):
            connection.execute(f"CREATE INDEX IF NOT EXISTS idx_{table}_agent_step ON {table} (agent, step)")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def newer(path: Path) -> Unusable:
    return Unusable(path, "a newer version of CoMind wrote it", hint="Update: pip install --upgrade comind")


def _index_texts(connection: sqlite3.Connection, table: str, names: tuple[str, ...]) -> None:
    """Full-text search over a table, kept true by triggers."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (f"{table}_fts",)).fetchone():
        return
    listed = ", ".join(map(quoted, names))
    new, old = (", ".join(f"{row}.{quoted(name)}" for name in names) for row in ("new", "old"))
    add = f"INSERT INTO {table}_fts (rowid, {listed}) VALUES (new.rowid, {new});"
    forget = f"INSERT INTO {table}_fts ({table}_fts, rowid, {listed}) VALUES ('delete', old.rowid, {old});"
    connection.execute(
        f"CREATE VIRTUAL TABLE {table}_fts USING fts5 ({listed}, tokenize='porter', content={table})"
    )
    for name, moment, steps in (
        ("ai", "INSERT", add), ("ad", "DELETE", forget), ("au", "UPDATE", forget + add),
    ):  # fmt: skip
        connection.execute(f"CREATE TRIGGER {table}_{name} AFTER {moment} ON {table} BEGIN {steps} END")
    connection.execute(f"INSERT INTO {table}_fts ({table}_fts) VALUES ('rebuild')")
