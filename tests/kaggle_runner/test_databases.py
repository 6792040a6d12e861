"""Databases of ours: read without a trace, written by one at a time, and explained when they are no good."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kaggle_runner.databases import open_for_writing, opened, require, transaction, upsert
from kaggle_runner.errors import Unusable
from kaggle_runner.rows import columns, to_row


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    rank: int = 3
    text: str = "it's"


def add(path: Path, *notes: Note) -> None:
    connection = open_for_writing(path)
    with transaction(connection):
        require(connection, "notes", columns(Note), ("id",))
        for note in notes:
            upsert(connection, "notes", to_row(note), ("id",))
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    add(tmp_path / "a #1?.sqlite", *(Note(f"n{number}", text="x" * 500) for number in range(100)))
    return tmp_path / "a #1?.sqlite"


def count(path: Path) -> int:
    with opened(path) as connection:
        return int(connection.execute("SELECT COUNT(*) FROM notes WHERE text >= ''").fetchone()[0])


def test_reading_leaves_no_trace_and_needs_no_permission_to_write(path: Path) -> None:
    before = {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()}
    path.parent.chmod(0o500)
    try:
        assert count(path) == 100
    finally:
        path.parent.chmod(0o700)
    assert (
        {one.name: one.stat().st_mtime_ns for one in path.parent.iterdir()}
        == before
        == {path.name: before[path.name]}
    )


def test_what_a_living_writer_has_committed_is_seen(path: Path) -> None:
    writer = open_for_writing(path)
    with transaction(writer):
        upsert(writer, "notes", to_row(Note("new")), ("id",))
    assert count(path) == 101
    with transaction(writer):
        upsert(writer, "notes", to_row(Note("newer")), ("id",))
        assert count(path) == 101
    assert count(path) == 102
    writer.close()


def test_a_reader_cannot_write(path: Path) -> None:
    with pytest.raises(Unusable, match="may not be written"), opened(path) as connection:
        connection.execute("DELETE FROM notes")


def test_a_failed_transaction_leaves_nothing(path: Path) -> None:
    writer = open_for_writing(path)
    with pytest.raises(ZeroDivisionError), transaction(writer):
        upsert(writer, "notes", to_row(Note("new")), ("id",))
        raise ZeroDivisionError
    writer.close()
    assert count(path) == 100


def test_a_table_of_an_older_version_gets_its_missing_columns_with_their_defaults(tmp_path: Path) -> None:
    older = sqlite3.connect(tmp_path / "old.sqlite")
    older.execute("CREATE TABLE notes (id TEXT PRIMARY KEY)")
    older.execute("INSERT INTO notes VALUES ('old')")
    older.commit()
    older.close()
    add(tmp_path / "old.sqlite", Note("new", 5))
    with opened(tmp_path / "old.sqlite") as connection:
        found = [tuple(row) for row in connection.execute("SELECT id, rank, text FROM notes ORDER BY id")]
    assert found == [("new", 5, "it's"), ("old", 3, "it's")]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)


def be_text(path: Path) -> None:
    path.write_bytes(b"this is no database, and was none " * 200)


def be_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def be_a_link(path: Path) -> None:
    other = path.with_name("other.sqlite")
    path.rename(other)
    path.symlink_to(other)


def be_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def without_end(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE VIEW notes AS WITH RECURSIVE n(text) AS (SELECT '' UNION ALL SELECT text FROM n)"
        " SELECT * FROM n"
    )
    connection.close()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (cut, "it is damaged"),
        (spoil, "it is damaged"),
        (be_text, "it is no database"),
        (be_a_pipe, "it is a pipe"),
        (be_a_link, "it is a link"),
        (be_a_folder, "it is a folder"),
        (Path.unlink, "No such file"),
        (without_end, "has no end"),
    ],
)
def test_each_harm_is_told_in_words_and_with_the_file(
    path: Path, harm: Callable[[Path], object], words: str
) -> None:
    harm(path)
    with pytest.raises(Unusable, match=words) as raised:
        count(path)
    assert str(path) in raised.value.message


def test_a_value_of_a_gigabyte_is_not_made(path: Path) -> None:
    with pytest.raises(Unusable), opened(path) as connection:
        connection.execute("SELECT zeroblob(1000000000) FROM notes").fetchall()


def test_faults_of_ours_are_not_the_files(path: Path) -> None:
    writer = open_for_writing(path)
    with pytest.raises(sqlite3.IntegrityError), transaction(writer):
        writer.execute("INSERT INTO notes (id) VALUES ('n1')")
    writer.close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "no").write_text("in the way")
    with pytest.raises(Unusable, match=r"no/such/a\.sqlite cannot be used: Not a directory"):
        open_for_writing(tmp_path / "no" / "such" / "a.sqlite")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unusable, match="it is a pipe"):
        open_for_writing(tmp_path / "pipe")
