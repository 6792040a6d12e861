"""The terminal reducer: what a person would see, in bounded memory."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kaggle_runner.notebook.outputs import Transcript, as_seen


def seen(*chunks: str, characters: int = 12_000) -> str:
    transcript = Transcript()
    for chunk in chunks:
        transcript.feed("stdout", chunk)
    return transcript.view(characters)[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10%\r20%\r30%", "30%"),
        ("longer line\rshort", "shortr line"),
        ("longer line\r\x1b[Kshort", "short"),
        ("abc\b\bX", "aXc"),
        ("windows\r\nlines\r\n", "windows\nlines"),
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07plain", "red plain"),
        ("outer 0\ninner 0\x1b[A\router 1\ninner 1", "outer 1\ninner 1"),
        ("a\tb", "a       b"),
        ("a\x1b[3Cb", "a   b"),
        ("no end of line", "no end of line"),
    ],
)
def test_control_characters_are_carried_out(text: str, shown: str) -> None:
    assert seen(text) == shown


def test_thousands_of_nested_progress_updates_become_two_lines() -> None:
    updates = "".join(f"\router {i}\n\rinner {j}\x1b[A" for i in range(50) for j in range(50))
    assert seen(updates) == "outer 49\ninner 49"


def test_equal_lines_and_two_line_warnings_fold() -> None:
    assert seen("same\n" * 5000) == "same\n[the line above repeated 4999 more times]"
    warning = seen("x.py:3: UserWarning: odd\n  warnings.warn(\n" * 5000 + "done\n")
    assert warning.splitlines()[-2:] == ["[the 2 lines above repeated 4998 more times]", "done"]
    assert len(warning.splitlines()) == 6


def test_a_line_that_comes_twice_is_shown_twice() -> None:
    assert seen("a\na\nb\n") == "a\na\nb"


def test_a_long_text_keeps_its_head_and_tail_and_counts_the_rest() -> None:
    view = seen("".join(f"line {i}\n" for i in range(100_000)), characters=2000)
    lines = view.splitlines()
    assert lines[0] == "line 0" and lines[-1] == "line 99999"
    assert len(view) < 2200
    [notice] = [line for line in lines if "left out" in line]
    assert int(notice.split()[1]) == 100_000 - (len(lines) - 1)


def test_a_very_long_line_is_cut_with_a_count() -> None:
    assert seen("x" * 10_000).endswith("x […8000 more characters]")


@pytest.mark.parametrize(
    ("text", "was_cut"),
    [
        ("[… 7 lines left out …]\n[…8 more characters]\n", False),  # as a cell may print it
        ("x" * 10_000, True),
        ("x" * 10_000 + "\n" + "line\n" * 500, True),
        ("x" * 10_000 + "\r\x1b[Kshort", False),
        ("".join(f"line {i}\n" for i in range(5000)), True),
    ],
)
def test_a_view_tells_whether_something_was_cut_away(text: str, was_cut: bool) -> None:
    transcript = Transcript()
    transcript.feed("stdout", text)
    assert transcript.view(12_000)[1] is was_cut


def test_memory_is_bounded_whatever_comes() -> None:
    transcript = Transcript()
    tracemalloc.start()
    for i in range(60):
        transcript.feed("stdout", "".join(f"{i} {j} some words\n" for j in range(500)) + "y" * 50_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_a_bar_on_stderr_stays_one_line_among_prints() -> None:
    transcript = Transcript()
    for epoch in range(5):
        transcript.feed("stderr", f"\r{epoch}/4")
        transcript.feed("stdout", f"epoch {epoch}\n")
    assert transcript.view(1000) == ("4/4\nepoch 0\nepoch 1\nepoch 2\nepoch 3\nepoch 4", False)


def test_the_tail_is_the_end_of_what_is_seen() -> None:
    transcript = Transcript()
    transcript.feed("stdout", "".join(f"{i}\n" for i in range(5000)) + "50%\r100%")
    assert transcript.tail(4000).endswith("4999\n100%")
    assert len(transcript.tail(10)) == 10


@example("\x1b\x1b0", [2])
@example("\x1b[\n0", [3])
@given(st.text(alphabet="ab\n\r\b\t\x1b[]0;2KAmJ", max_size=60), st.lists(st.integers(1, 59), max_size=5))
def test_the_view_does_not_depend_on_how_chunks_are_cut(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(text)]
    chunks = [text[a:b] for a, b in pairwise(edges)]
    assert seen(*chunks) == seen(text)


@given(st.text(max_size=200))
def test_any_text_is_accepted_and_holds_no_escape(text: str) -> None:
    assert "\x1b" not in seen(text) and "\r" not in seen(text)


def test_a_whole_text_keeps_every_line() -> None:
    assert as_seen("\x1b[31mError\x1b[0m: x\n1%\r2%\n\nend") == "Error: x\n2%\n\nend"
