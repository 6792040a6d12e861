"""Whatever cells print and however long they are, the conversation fits the window and loses no turn."""

from __future__ import annotations

from comind.conversation import Conversation
from comind.llm.tokens import estimate_prompt_tokens
from comind.prompts import Message, Prompts
from comind.records import Cell

WINDOW = 8192
OPENING = ("competition", "metric", "machine", "files", "data", "draft", "limits")


def conversation(turns: int, *, code: str = "x = 1\n", output: str = "done") -> Conversation:
    talk = Conversation(Prompts(), WINDOW, dict.fromkeys(OPENING, "-"))
    for step in range(1, turns + 1):
        talk.replied(f"<goal>goal {step}</goal>\n<code>\n{code}</code>")
        cell = Cell(
            id=f"r1-a1-s{step:02d}",
            agent="r1-a1",
            step=step,
            goal=f"goal {step}",
            code=code,
            status="ok",
            output=output,
            started_at="2026-01-01T00:00:00.000Z",
        )
        talk.observed(cell, None, None, "seconds left for this agent: 60")
    return talk


def fits(messages: list[Message]) -> bool:
    return estimate_prompt_tokens(messages) <= 0.7 * WINDOW


def test_a_short_conversation_is_left_as_it_is() -> None:
    messages = conversation(2).fitting()
    assert [message["role"] for message in messages] == ["system", *["user", "assistant"] * 2, "user"]
    assert "left out" not in messages[1]["content"]


def test_long_cells_give_way_to_a_line_each() -> None:
    messages = conversation(12, code="value = frame['column'].mean()\n" * 60).fitting()
    assert fits(messages)
    assert "cell 1: ok in 0.0 s: goal 1\ncell 2: ok in 0.0 s: goal 2\n" in messages[1]["content"]
    assert messages[2]["role"] == "assistant"
    assert "goal 12" in messages[-2]["content"]


def test_no_turn_is_both_shown_and_left_out_or_neither() -> None:
    opening, *turns = conversation(9, code="value = frame['column'].mean()\n" * 60).fitting()[1:]
    folded = opening["content"].count("ok in 0.0 s: goal")
    assert folded + sum(message["role"] == "assistant" for message in turns) == 9


def test_old_outputs_are_shortened_before_a_turn_is_left_out() -> None:
    messages = conversation(9, output="a line of output\n" * 400).fitting()
    assert fits(messages)
    assert "characters of this older output" in messages[3]["content"]
    assert "are left out here" not in messages[1]["content"]


def test_the_question_for_the_report_fits_too() -> None:
    messages = conversation(12, code="value = frame['column'].mean()\n" * 60).asking_for_report("none")
    assert fits(messages)
    assert messages[-1]["content"].startswith("# Task: report")


def test_a_single_turn_stays_whole() -> None:
    code = "value = frame['column'].mean()\n" * 400
    assert code in conversation(1, code=code).fitting()[2]["content"]
