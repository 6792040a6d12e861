"""Edits in a weak model's hand on scripts as people write them: tabs, Windows line ends, odd characters."""

from __future__ import annotations

import time

import pytest

from comind.llm.formats import MalformedReply
from comind.roles.edits import Edit, apply_edits, parse_edits

TABBED = "for i in range(3):\n\tx = 1\n\ty = 2\nprint(x)\n"


@pytest.mark.parametrize("margin", ["\t", "    ", ""])
def test_a_script_with_tabs_stays_one_with_tabs(margin: str) -> None:
    new = f"{margin}x = 5\n{margin}if x:\n{margin}    x = 6"
    changed = apply_edits(TABBED, [Edit(f"{margin}x = 1", new)])
    assert changed == TABBED.replace("\tx = 1", "\tx = 5\n\tif x:\n\t    x = 6" if margin == "\t" else
                                     "\tx = 5\n\tif x:\n\t\tx = 6")  # fmt: skip
    compile(changed, "script", "exec")


def test_lines_after_a_block_leave_it_with_tabs_too() -> None:
    changed = apply_edits(TABBED, [Edit("    y = 2", "    y = 3\nx = 4")])
    assert changed == "for i in range(3):\n\tx = 1\n\ty = 3\nx = 4\nprint(x)\n"


def test_windows_line_ends_are_found_and_become_plain_ones() -> None:
    changed = apply_edits(
        "a = 1\r\nb = 2\r\n", parse_edits("<old>\r\na = 1\r\n</old>\r\n<new>\r\na = 3\r\n</new>")
    )
    assert changed == "a = 3\nb = 2\n"


def test_characters_that_end_lines_elsewhere_stay_inside_their_strings() -> None:
    script = 'a = 1\nb = "x\x0cy"\nc = "x\u2028y\x85z"\n'
    assert apply_edits(script, [Edit("a = 1", "a = 2")]) == script.replace("a = 1", "a = 2")


def test_the_inner_of_two_opening_marks_counts_and_an_unclosed_new_part_ends_at_the_next_edit() -> None:
    text = "I write <old> and <new>:\n<old>a = 1</old><new>a = 2<old>b = 1</old><new>b = 2"
    assert parse_edits(text) == [Edit("a = 1", "a = 2"), Edit("b = 1", "b = 2")]


@pytest.mark.parametrize("flood", ["<old>", "<old></old>", "<old></old><new>", "<old", "< old >a</old>\n"])
def test_a_flood_of_marks_takes_linear_time(flood: str) -> None:
    def seconds(length: int) -> float:
        """The best of three, in this thread alone: a collection or a busy host only ever makes one longer."""
        tries = []
        for _ in range(3):
            started = time.thread_time()
            parse_edits((flood * length)[:length])
            tries.append(time.thread_time() - started)
        return min(tries)

    assert seconds(96_000) < 80 * max(seconds(6_000), 0.005)  # 16 times the text; 256 were it squared


def test_everything_may_be_taken_away_but_the_last_old_line_must_exist() -> None:
    assert apply_edits("a = 1\n", [Edit("a = 1", "")]).strip() == ""
    with pytest.raises(MalformedReply, match="not in the script"):
        apply_edits("a = 1\n", [Edit("a = 1", "a = 2"), Edit("a = 1", "a = 3")])
