"""Thoughts and template marks around a reply, and the same marks inside code, which stay."""

from __future__ import annotations

import pytest

from comind.llm.thinking import strip_thinking

TURN = "<goal>load</goal>\n<code>\nx = 1\n</code>"
THOUGHT = "Let's see.\n<code>y = 2</code> or ```python\nz = 3\n```?\nNo."
CODE = 'text = """\n<think>\nno thought\n</think>\n[THINK]\n"""\nprint("<|channel|>final<|message|>", "</s>")'


@pytest.mark.parametrize(
    "reply",
    [
        f"<think>{THOUGHT}</think>\n{TURN}",
        f"{THOUGHT}\n</think>\n\n{TURN}",
        f"<think>a <think>b</think>{THOUGHT}</think>{TURN}",
        f"[THINK]{THOUGHT}[/THINK]{TURN}",
        f"{THOUGHT}[/THINK]\n{TURN}",
        f"◁think▷{THOUGHT}◁/think▷{TURN}",
        f"{THOUGHT}◁/think▷{TURN}",
        f"<seed:think>{THOUGHT}</seed:think>\n{TURN}",
        f"<Reasoning>\n{THOUGHT}\n</Reasoning>\n{TURN}",
        f"<thought>{THOUGHT}</thought>{TURN}",
        f"<longcat_think>{THOUGHT}</longcat_think>{TURN}",
        f"<|thinking|>{THOUGHT}<|/thinking|>{TURN}",
        f"<|end_header_id|>\n\n{TURN}<|eot_id|>",
        f"<|START_THINKING|>{THOUGHT}<|END_THINKING|><|START_RESPONSE|>{TURN}<|END_RESPONSE|>",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{TURN}<|return|>",
        f"<|start|>assistant<|channel|>analysis<|message|>{THOUGHT}<|end|>\n<|start|>assistant<|channel|>final"
        f"<|message|>{TURN}",
        f"{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{TURN}<|end|>",
        f"<|channel|>final <|constrain|>xml<|message|>{TURN}<|return|>",
        f"analysisWe need a cell. {THOUGHT}assistantfinal{TURN}",
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{TURN}<|eot_id|>",
        f"<|im_start|>assistant\n{TURN}<|im_end|>\n<|im_start|>user\nObservation: 0.99 <code>z = 0</code>",
        f"{TURN}<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nmore",
        f"{TURN}\n</s>",
        f"<start_of_turn>model\n{TURN}<end_of_turn>\n",
    ],
)  # fmt: skip
def test_only_the_reply_proper_is_left(reply: str) -> None:
    assert strip_thinking(reply) == TURN


@pytest.mark.parametrize(
    "around", ["<code>\n{}\n</code>", "```python\n{}\n```", "Here:\n~~~\n{}\n~~~\nDone."]
)
def test_marks_inside_code_are_code(around: str) -> None:
    reply = around.format(CODE)
    assert strip_thinking(reply) == reply
    assert strip_thinking(f"<think>{THOUGHT}</think>{reply}") == reply
    assert strip_thinking(f"{THOUGHT}\n</think>\n{reply}") == reply


@pytest.mark.parametrize(
    "reply",
    ["[THINK]cut off", "<seed:think>cut", "<|channel|>analysis<|message|>cut", "◁think▷", " <thought>a"],
)
def test_a_thought_that_never_ends_leaves_nothing(reply: str) -> None:
    assert strip_thinking(reply) == ""


def test_words_that_only_look_like_marks_stay() -> None:
    for text in ("analysis: fine", "We [think] so", "`</think>` ends it", 'print("<|im_end|>")'):
        assert strip_thinking(text) == text
