"""The account's database where the disk is full, the file damaged, or the folder not ours to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import Unusable
from kaggle_runner.rows import Field


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with AccountBook(tmp_path / "kaggle.sqlite", "alice@here") as book:
        book.require("notes", [Field("text")], ("account", "text"))
        write(book, "kept")
    return tmp_path / "kaggle.sqlite"


def write(book: AccountBook, text: str) -> None:
    book.save("notes", {"text": text}, ("account", "text"))


def notes(book: AccountBook) -> list[str]:
    return [row["text"] for row in book.rows("SELECT text FROM notes WHERE account = ?", (book.account,))]


def test_a_full_disk_is_told_and_the_book_goes_on_when_there_is_room_again(path: Path) -> None:
    with AccountBook(path, "alice@here") as book:
        book.rows(f"PRAGMA max_page_count = {book.rows('PRAGMA page_count')[0]['page_count']}")
        with pytest.raises(Unusable, match=r"kaggle\.sqlite .*no room \(database or disk is full"):
            write(book, "x" * 1_000_000)
        assert notes(book) == ["kept"]
        book.rows("PRAGMA max_page_count = 100000")
        write(book, "more")
        assert notes(book) == ["kept", "more"]


def test_a_damaged_file_is_told_at_the_latest_when_it_is_read(path: Path) -> None:
    pages = bytearray(path.read_bytes())
    pages[4096:] = b"\x5a" * (len(pages) - 4096)
    path.write_bytes(pages)
    with AccountBook(path, "alice@here") as book, pytest.raises(Unusable, match="malformed"):
        notes(book)
    path.write_bytes(b"this is no database, and was none " * 200)
    with pytest.raises(Unusable, match="not a database"):
        AccountBook(path, "alice@here")


def test_a_lock_file_that_cannot_be_made_is_told(path: Path) -> None:
    with AccountBook(path, "alice@here") as book:
        (path.parent / f"{path.name}.alice_here.submit.lock").mkdir()
        with pytest.raises(Unusable, match="cannot be used"), book.exclusively("submit"):
            pass
