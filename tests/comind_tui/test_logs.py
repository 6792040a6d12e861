"""Tails of real log files that grow, are cut, or do not exist yet."""

from __future__ import annotations

from pathlib import Path

from comind_tui.logs import LogTail, fold
from comind_tui.widgets.lines import wrap


def test_a_missing_file_is_empty_until_it_appears(tmp_path: Path) -> None:
    log = LogTail(tmp_path / "cell.log")
    assert not log.poll()
    (tmp_path / "cell.log").write_text("one\ntwo", encoding="utf-8")
    assert log.poll()
    assert log.tail(10) == ["one", "two"]


def test_only_appended_bytes_are_read_and_characters_are_never_torn(tmp_path: Path) -> None:
    path = tmp_path / "cell.log"
    log = LogTail(path)
    data = "naïve ✓\n数\n".encode()
    for place in range(len(data)):
        with path.open("ab") as file:
            file.write(data[place : place + 1])
        log.poll()
    assert log.tail(10) == ["naïve ✓", "数"]
    assert not log.poll()


def test_a_progress_bar_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cell.log"
    path.write_text("\r10%\r50%\r\x1b[32m100%\x1b[0m\r\nnext\r 1%\r 2%", encoding="utf-8")
    log = LogTail(path)
    log.poll()
    assert log.tail(5) == ["100%", " 2%"]


def test_folding_keeps_what_a_terminal_would_show() -> None:
    assert fold("a\rb\r") == "b"
    assert fold("") == ""


def test_a_large_file_is_read_from_near_its_end(tmp_path: Path) -> None:
    path = tmp_path / "cell.log"
    path.write_text("x" * 99 + "\n", encoding="utf-8")
    path.write_text(("x" * 99 + "\n") * 10_000 + "last\n", encoding="utf-8")
    log = LogTail(path)
    log.poll()
    assert log.skipped
    assert log.tail(1) == ["last"]
    assert len(log.lines) < 5000


def test_a_file_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "cell.log"
    path.write_text("old and long\n", encoding="utf-8")
    log = LogTail(path)
    log.poll()
    path.write_text("new\n", encoding="utf-8")
    log.poll()
    assert log.tail(5) == ["new"]


def test_long_lines_break_at_spaces_or_where_they_must() -> None:
    assert wrap("one two three", 8) == ["one two ", "three"]
    assert wrap("数" * 5, 4) == ["数数", "数数", "数"]
    assert "".join(wrap("x" * 30, 7)) == "x" * 30
