"""A coding agent's talk with its model: opening, turns, observations, kept within the model's window."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from comind.briefing import Room, evaluation_text
from comind.llm.parsing import tag
from comind.llm.tokens import estimate_prompt_tokens
from comind.prompts import Message, Prompts, quote
from comind.records import Cell, CellStatus, Evaluation
from comind.scores import Score

_SHARE_OF_WINDOW = 0.7
"""The rest of the window is for a reply, a complaint about it, and the second reply."""
_OLD_OUTPUT_CHARACTERS = 1_500
_OPENING = 2
_STATUS = re.compile(r"^cell \d+: .+$", re.M)


class Conversation:
    """Grows by a reply and an observation a turn; the opening never changes, so providers can cache it."""

    def __init__(self, prompts: Prompts, context_tokens: int, values: Mapping[str, object]) -> None:
        self._prompts = prompts
        self._context_tokens = context_tokens
        self._messages = prompts.opening("coder", "implement", values)

    def replied(self, text: str) -> None:
        self._messages.append({"role": "assistant", "content": text})

    def observed(
        self, cell: Cell, evaluation: Evaluation | None, best: Score | None, limits: str, *, fault: str = ""
    ) -> None:
        """What the cell printed, its predictions' score or why they do not count, what is left."""
        room = Room.of(self._context_tokens)
        scored = evaluation_text(evaluation, best) if evaluation else ""
        values = {
            "status": f"cell {cell.step}: {_words(cell.status, cell.error_name)} in {cell.seconds:.1f} s",
            "output": quote(cell.output, room.output),
            "evaluation": scored or (f"not valid: {fault}" if fault else ""),
            "limits": limits,
        }
        text = self._prompts.render("coder", "observation", values)
        self._messages.append({"role": "user", "content": text})

    def asking_for_report(self, evaluations: str) -> list[Message]:
        prompt = self._prompts.render("coder", "report", {"evaluations": evaluations})
        return self._fitted([*self._messages, {"role": "user", "content": prompt}])

    def fitting(self) -> list[Message]:
        """The messages; old observations are shortened, then old turns left out, until they fit the window.

        The newest turn stays whole: what is returned is too long where that turn alone is.
        """
        return self._fitted(list(self._messages))

    def _fitted(self, messages: list[Message]) -> list[Message]:
        window = int(_SHARE_OF_WINDOW * self._context_tokens)
        replies = [n for n, one in enumerate(messages) if one["role"] == "assistant" and n >= _OPENING]
        for index in range(_OPENING, replies[-1] if replies else 0):
            if estimate_prompt_tokens(messages) <= window:
                return messages
            one = messages[index]
            if one["role"] == "user" and len(one["content"]) > _OLD_OUTPUT_CHARACTERS:
                messages[index] = {"role": "user", "content": _shortened(one["content"])}
        shown = messages
        for kept_from in replies[1:]:
            if estimate_prompt_tokens(shown) <= window:
                break
            shown = _without_turns(messages, kept_from)
        return shown


def _without_turns(messages: Sequence[Message], kept_from: int) -> list[Message]:
    """The opening then says in a line each what the turns before message `kept_from` were.

    The cells of these turns ran: their variables are alive though their text is gone.
    """
    lines, goal = [], ""
    for message in messages[_OPENING:kept_from]:
        if message["role"] == "assistant":
            goal = " ".join((tag(message["content"], "goal") or "").split())[:200]
        elif status := _STATUS.search(message["content"]):
            lines.append(f"{status[0]}: {goal}")
    note = "These cells ran before and are left out here; their variables are still there:\n"
    system, task = messages[:_OPENING]
    told = f"{task['content']}\n{note}" + "\n".join(lines) + "\n"
    return [system, {"role": "user", "content": told}, *messages[kept_from:]]


def _words(status: CellStatus, error_name: str) -> str:
    name = re.sub(r"[^\w.]", "", error_name)[:80]  # a cell may raise a class of any name
    return f"error ({name})" if status == "error" and name else status


def _shortened(text: str) -> str:
    half = _OLD_OUTPUT_CHARACTERS // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[… {left_out} characters of this older output are left out …]\n{text[-half:]}"
