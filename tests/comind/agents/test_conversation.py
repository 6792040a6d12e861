"""Whatever cells print and however long they are, the conversation fits the window and loses no turn."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comind.agents.conversation import Conversation
from comind.llm.tokens import estimate_prompt_tokens
from comind.roles.briefing import Room, prompt_tokens
from comind.roles.prompts import Message, Prompts, quote
from comind.state.records import Cell
from tests.comind.llm.token_texts import KINDS, text

WINDOW = 8192
OPENING = ("competition", "metric", "machine", "files", "data", "draft", "limits")
LIMITS = "step {step} of 30\nseconds left for this agent: {left}\nseconds for one cell: 60"
PROMPTS = Prompts()


def reply(step: int, code: str = "x = 1\n") -> str:
    return f"<goal>goal {step}</goal>\n<code>\n{code}</code>"


def cell(step: int, code: str = "x = 1\n", output: str = "done", *, kernel: int = 1) -> Cell:
    return Cell(
        id=f"r1-a1-s{step:02d}",
        agent="r1-a1",
        step=step,
        goal=f"goal {step}",
        code=code,
        status="ok",
        output=output,
        log_path=f"agents/r1-a1/cell-{step:02d}.log",
        kernel_generation=kernel,
        started_at="2026-01-01T00:00:00.000Z",
    )


def opened(window: int = WINDOW, *, material: str = "-") -> Conversation:
    return Conversation(PROMPTS, window, dict.fromkeys(OPENING, material))


def say(talk: Conversation, step: int, code: str, output: str, *, left: int = 60) -> None:
    talk.replied(reply(step, code))
    talk.observed(cell(step, code, output), None, None, LIMITS.format(step=step, left=left))


def conversation(
    turns: int, *, code: str = "x = 1\n", output: str = "done", window: int = WINDOW
) -> Conversation:
    talk = opened(window)
    for step in range(1, turns + 1):
        say(talk, step, code, output)
    return talk


def fits(messages: list[Message], window: int = WINDOW) -> bool:
    return estimate_prompt_tokens(messages) <= prompt_tokens(window)


def whole_prefix(before: list[Message], after: list[Message]) -> bool:
    return after[: len(before)] == before


LONG_CODE = "value = frame['column'].mean()\n" * 60


def test_a_short_conversation_is_left_as_it_is() -> None:
    messages = conversation(2).fitting()
    assert [message["role"] for message in messages] == ["system", *["user", "assistant"] * 2, "user"]
    assert all("left out" not in message["content"] for message in messages)


def test_long_cells_give_way_to_a_line_each_that_says_what_is_gone_and_where_it_lies() -> None:
    messages = conversation(12, code=LONG_CODE).fitting()
    assert fits(messages)
    assert "## Earlier cells" in messages[3]["content"]
    left_out = f"[left out: {len(LONG_CODE)} characters of code, 4 of output; log cell-01.log]"
    assert f"\ncell 1: ok in 0.0 s: goal 1 {left_out}\ncell 2: ok" in messages[3]["content"]
    assert messages[2]["role"] == "assistant"
    assert "goal 12" in messages[-2]["content"]


def test_no_turn_is_both_shown_and_left_out_or_neither() -> None:
    messages = conversation(9, code=LONG_CODE).fitting()
    folded = sum(message["content"].count("ok in 0.0 s: goal") for message in messages)
    assert folded + sum(message["role"] == "assistant" for message in messages) == 9


def test_old_outputs_are_shortened_before_a_turn_is_left_out() -> None:
    messages = conversation(12, window=32_768, output="a line of output\n" * 600).fitting()
    assert fits(messages, 32_768)
    assert "characters of this older output are left out; log cell-01.log" in messages[3]["content"]
    assert all("## Earlier cells" not in message["content"] for message in messages)
    assert "older output" not in messages[-1]["content"]


def test_the_opening_never_changes() -> None:
    talk = opened()
    first = talk.fitting()
    for step in range(1, 20):
        say(talk, step, LONG_CODE, "a line of output\n" * 100)
        assert whole_prefix(first, talk.fitting())


def test_between_folds_each_prompt_begins_with_the_one_before() -> None:
    talk = opened(32_768)
    prompts = []
    for step in range(1, 31):
        say(talk, step, LONG_CODE, "a line of output\n" * 100)
        prompts.append(talk.fitting())
    folds = sum(not whole_prefix(before, after) for before, after in itertools.pairwise(prompts))
    assert 1 <= folds <= 3


def test_a_resumed_conversation_folds_the_same_turns_though_the_clock_went_on() -> None:
    first, resumed = opened(), opened()
    for step in range(1, 25):
        say(first, step, LONG_CODE, "out\n" * 50, left=9)
        say(resumed, step, LONG_CODE, "out\n" * 50, left=123_456)
        shapes = [
            [message["content"].partition("## Limits")[0] for message in talk.fitting()]
            for talk in (first, resumed)
        ]
        assert shapes[0] == shapes[1]


def test_asking_twice_changes_nothing() -> None:
    talk = conversation(12, code=LONG_CODE)
    once = talk.fitting()
    talk.asking_for_report("none")
    assert talk.fitting() == once


def test_a_new_kernel_is_noted_among_the_lines() -> None:
    talk = opened()
    for step in range(1, 15):
        talk.replied(reply(step, LONG_CODE))
        talk.observed(cell(step, LONG_CODE, kernel=1 if step < 3 else 2), None, None, "")
    lines = talk.fitting()[3]["content"]
    assert "(a new kernel: variables of earlier cells are gone)\ncell 3:" in lines
    assert lines.count("(a new kernel") == 1


def test_of_very_many_cells_the_oldest_are_only_counted() -> None:
    talk = conversation(150, code=LONG_CODE)
    messages = talk.fitting()
    assert fits(messages)
    assert "cells before them are not listed." in messages[3]["content"]


def test_the_question_for_the_report_fits_too() -> None:
    messages = conversation(12, code=LONG_CODE).asking_for_report("cell 3: 0.12345678\n" * 500)
    assert fits(messages)
    assert messages[-1]["content"].startswith("# Task: report")


def test_a_turn_whose_cell_never_ran_is_still_shown_with_the_question_for_the_report() -> None:
    talk = conversation(2)
    talk.replied(reply(3))
    messages = talk.asking_for_report("none")
    assert [message["role"] for message in messages[-2:]] == ["assistant", "user"]
    assert messages[-2]["content"] == reply(3)


def test_a_single_turn_stays_whole() -> None:
    code = "value = frame['column'].mean()\n" * 200
    assert code in conversation(1, code=code).fitting()[2]["content"]


def test_a_reply_beyond_all_measure_keeps_both_its_ends() -> None:
    messages = conversation(3, code="value = frame['column'].mean()\n" * 5000).fitting()
    assert fits(messages)
    assert messages[-2]["content"].startswith("<goal>goal 3</goal>")
    assert messages[-2]["content"].endswith("</code>")
    assert "characters left out" in messages[-2]["content"]


@st.composite
def turns(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Code and output of up to 14 turns, of every kind of text, from nothing to 30 kB."""
    size = st.sampled_from([0, 1, 3, 15])
    kind = st.sampled_from(KINDS)
    count = draw(st.integers(1, 10))
    return [
        (text("code", step % 5)[: 300 * draw(size)], text(draw(kind), step % 5) * draw(size))
        for step in range(count)
    ]


@pytest.mark.parametrize("window", [4096, 8192, 32_768, 128_000, 1_000_000])
@settings(max_examples=6, deadline=None)
@given(said=turns(), material=st.sampled_from(["-", text("csv", 0) * 8, text("prose", 1) * 30]))
def test_any_conversation_fits_any_window(window: int, said: list[tuple[str, str]], material: str) -> None:
    talk = opened(window, material=material)
    opening = talk.fitting()
    for step, (code, output) in enumerate(said, start=1):
        say(talk, step, code, output)
        messages = talk.fitting()
        assert fits(messages, window)
        assert whole_prefix(opening, messages)
        shown = [message["content"] for message in messages[2:]]
        assert f"cell {step}: ok" in shown[-1]
        if window >= 128_000:
            assert shown[-2] == reply(step, code)
            assert quote(output, Room.of(window).output) in shown[-1]
        listed = sum(message.count("[left out:") for message in shown)
        skipped = [line for line in shown[1].splitlines() if line.endswith("are not listed.")]
        assert len(shown) // 2 + listed + (int(skipped[0].split()[0]) if skipped else 0) == step
    assert fits(talk.asking_for_report("cell 1: 0.5\n" * len(said)), window)


def test_most_of_each_prompt_was_in_the_prompt_before_it() -> None:
    """The share of each prompt that the prompt before it begins with, over 30 turns."""
    r = random.Random(1)
    talk = opened(32_768)
    before, cached, total = "", 0, 0
    for step in range(1, 31):
        prompt = "".join(message["content"] for message in talk.fitting())
        cached += len(prompt) if prompt == before else _common(before, prompt)
        total += len(prompt)
        before = prompt
        say(talk, step, text("code", step % 5) * r.randrange(1, 3), text("log", step % 5) * r.randrange(0, 4))
    assert cached / total > 0.7


def _common(one: str, other: str) -> int:
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
