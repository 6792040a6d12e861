"""Texts of others: inert, whole, and cut with a mark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.texts import Ends, clip, one_line, plain, shortened, whole_characters


def test_no_escape_sequence_or_control_character_survives() -> None:
    cleaned = plain(
        "\x1b]0;owned\x07\x1b[31mred\x1b[2J\u202e\x9b5n"
        + "\x1bP1;2q\x1b\\ \x1b]8;;http://x\x1b\\link \r\x00\x08 end"
    )
    assert all(char.isprintable() for char in cleaned)
    assert "owned" not in cleaned
    assert cleaned.endswith("end")


@pytest.mark.parametrize(
    ("hostile", "inert"),
    [
        ("\x9d0;owned\x9cseen", "seen"),  # a title as one C1 character
        ("\x1b]0;owned\x9cseen", "seen"),
        ("\x9b31mseen", "seen"),
        ("seen\x1b]0;never closed", "seen"),
        ("se\u202een\u2066\ufeff\u200b", "seen"),
        ("se\U000e0041en\x7f\x80", "seen"),
        ("half \ud83d of it", "half \ufffd of it"),
    ],
)
def test_what_steers_a_terminal_is_gone(hostile: str, inert: str) -> None:
    assert plain(hostile) == inert


def test_markup_of_others_is_left_as_it_is() -> None:
    assert plain("[/red] [bold") == "[/red] [bold"


def test_lines_stay_and_tabs_become_spaces() -> None:
    assert plain("a\r\nb\tc") == "a\nb    c"
    assert one_line(" a\n\n b ") == "a b"


@given(st.text(st.characters(codec=None), max_size=40))
def test_any_text_can_be_stored_and_shown(text: str) -> None:
    whole_characters(text).encode()
    shown = plain(text)
    shown.encode()
    assert plain(shown) == shown


def test_halves_of_a_character_become_it() -> None:
    assert whole_characters("\ud83d\ude42") == "🙂"
    assert whole_characters("a\udcffb") == "a\ufffdb"
    assert whole_characters("ordinary – text") == "ordinary – text"


def test_a_long_text_keeps_both_ends_and_tells_what_is_missing() -> None:
    text = "a" * 1000 + "b" * 1000
    assert clip(text, 2000) == text
    assert clip(text, 100) == f"{'a' * 30}\n[… 1900 characters left out …]\n{'b' * 70}"
    assert clip(text, 100, front=100, mark=" [{} more]") == f"{'a' * 100} [1900 more]"
    assert clip(text, 100, front=0, mark="[{} before] ") == f"[1900 before] {'b' * 100}"
    assert clip("{text}", 2, front=2, mark="{}") == "{t4"


@given(st.lists(st.text(max_size=50), max_size=40))
def test_a_text_in_pieces_is_clipped_like_a_whole_one(pieces: list[str]) -> None:
    ends = Ends(100)
    for piece in pieces:
        ends.add(piece)
    assert ends.text() == clip("".join(pieces), 100)


def test_a_shortened_text_has_the_length_that_was_asked_for() -> None:
    assert shortened("exactly", 7) == "exactly"
    assert shortened("longer than that", 7) == "longer…"
