"""Scripter: one change to a whole script a turn, for models that cannot keep a long conversation in mind.

It stands in for analyzer, proposer, coordinator and coder at once. The loop is `comind.agents.scripter`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply, check_python
from comind.llm.question import ask_parsed
from comind.roles.coder import parse_turn, stated_goal
from comind.roles.desk import Desk
from comind.roles.edits import Edit, apply_edits, parse_edits
from comind.roles.imports import with_missing_imports

_ATTEMPTS = 2
"""A weak model that failed twice does better with a new question."""


@dataclass(frozen=True, slots=True)
class Change:
    goal: str
    script: str


async def propose_change(
    desk: Desk,
    key: CallKey,
    values: Mapping[str, object],
    *,
    script: str,
    failed: str,
    tried: Collection[str],
) -> Change:
    """The next change of `script`, or a repair of the `failed` one that was run last (empty: none failed).

    `tried` holds the `meaning` of scripts that were run before.

    Raises MalformedReply when no attempt gave a whole script that is new.
    """
    messages = desk.prompts.opening("scripter", "change", values)

    def parse(text: str) -> Change:
        return parse_change(text, script, failed, tried)

    return (await ask_parsed(desk.client, "coder", key, messages, parse, attempts=_ATTEMPTS)).value


def parse_change(text: str, script: str, failed: str = "", tried: Collection[str] = ()) -> Change:
    """Edits of `script` (or else of `failed`), or a whole script.

    The new script must write submission.csv, and differ in more than comments from `script` and those tried.
    """
    edits = parse_edits(text) if script else []
    if edits:
        goal = stated_goal(text)
        changed = _edited(script, failed, edits)
        if fault := check_python(changed):
            raise MalformedReply(f"With this change the script is not valid Python: {fault}")
    else:
        goal, changed = _whole_script(text, edits_expected=bool(script))
    changed, unknown = with_missing_imports(changed)
    unknown = [name for name in unknown if name not in with_missing_imports(script)[1]]
    if unknown:
        raise MalformedReply(
            f"`{unknown[0]}` is defined nowhere in the script. Import or define it in the new lines."
        )
    if "submission.csv" not in changed:
        raise MalformedReply("The script does not write submission.csv any more. Its last lines must stay.")
    if meaning(changed) == meaning(script):
        raise MalformedReply("The script does the same as before. Change one thing that can raise the score.")
    if meaning(changed) in tried:
        raise MalformedReply(f"This change was tried before: {goal[:160]}. Change other lines.")
    return Change(goal, changed)


def _edited(script: str, failed: str, edits: Sequence[Edit]) -> str:
    """A model that mends an error edits the lines that it saw fail, although they never joined the script."""
    try:
        return apply_edits(script, edits)
    except MalformedReply:
        if not failed:
            raise
        try:
            return apply_edits(failed, edits)
        except MalformedReply:
            pass
        raise


def _whole_script(text: str, *, edits_expected: bool) -> tuple[str, str]:
    try:
        # without marks that were copied from the prompt
        turn = parse_turn(re.sub(r"^[ \t]*(?:<<<|>>>)[ \t]*$\n?", "", text, flags=re.M))
    except MalformedReply as error:
        if edits_expected and "part is missing" in error.message:
            raise MalformedReply(
                "There is no change in it. Write <old> with the lines of the script that change, copied"
                " exactly, and <new> with the lines in their place."
            ) from error
        raise
    if not turn.code.strip():
        raise MalformedReply("The <code> part is empty.")
    return turn.goal, turn.code


def meaning(script: str) -> str:
    """The script without comments and layout, so that these alone are no change."""
    try:
        return ast.dump(ast.parse(script))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return script  # cells may hold notebook magic, which is no Python
