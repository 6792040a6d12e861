"""Scripter: one change to a whole script a turn, for models that cannot keep a long conversation in mind.

It stands in for analyzer, proposer, coordinator and coder at once (comind.md, Defaults: fused roles). The
loop is `comind.scripting`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from comind.llm.asking import ask_parsed
from comind.llm.client import CallKey
from comind.llm.parsing import MalformedReply
from comind.roles.coder import parse_turn
from comind.roles.desk import Desk

_ATTEMPTS = 2
"""A weak model that failed twice does better with a new question."""


@dataclass(frozen=True, slots=True)
class Change:
    goal: str
    script: str


async def propose_change(desk: Desk, key: CallKey, values: Mapping[str, object], *, script: str) -> Change:
    """The next change of `script`. Raises MalformedReply when no attempt gave a whole, changed script."""
    messages = desk.prompts.opening("scripter", "change", values)

    def parse(text: str) -> Change:
        return parse_change(text, script)

    return (await ask_parsed(desk.client, "coder", key, messages, parse, attempts=_ATTEMPTS)).value


def parse_change(text: str, script: str) -> Change:
    """A whole script that differs from `script` in more than comments and writes submission.csv."""
    turn = parse_turn(text)
    if not turn.code.strip():
        raise MalformedReply("The <code> part is empty. Write the whole script with one change in it.")
    if "submission.csv" not in turn.code:
        raise MalformedReply(
            "The script does not write submission.csv. Write the whole script again, from its first import"
            " to the line that writes submission.csv."
        )
    if _meaning(turn.code) == _meaning(script):
        raise MalformedReply("The script does the same as before. Change one thing that can raise the score.")
    return Change(turn.goal, turn.code)


def _meaning(script: str) -> str:
    """The script without comments and layout, so that these alone are no change."""
    try:
        return ast.dump(ast.parse(script))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return script  # cells may hold notebook magic, which is no Python
