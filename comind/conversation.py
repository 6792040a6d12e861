"""A coding agent's talk with its model: opening, turns, observations, kept within the model's window."""

from __future__ import annotations

from collections.abc import Mapping

from comind.briefing import Room, evaluation_text
from comind.llm.tokens import estimate_prompt_tokens
from comind.prompts import Message, Prompts, quote
from comind.records import Cell, CellStatus, Evaluation
from comind.scores import Score

_SHARE_OF_WINDOW = 0.8
"""The rest of the window is for the reply and for what the estimate may miss."""
_OLD_OUTPUT_CHARACTERS = 1_500


class Conversation:
    """Grows by a reply and an observation a turn; the opening never changes, so providers can cache it."""

    def __init__(self, prompts: Prompts, context_tokens: int, values: Mapping[str, object]) -> None:
        self._prompts = prompts
        self._context_tokens = context_tokens
        self._messages = prompts.opening("coder", "implement", values)

    def replied(self, text: str) -> None:
        self._messages.append({"role": "assistant", "content": text})

    def observed(self, cell: Cell, evaluation: Evaluation | None, best: Score | None, limits: str) -> None:
        """What the cell printed, what its predictions scored, and what is left to spend."""
        room = Room.of(self._context_tokens)
        values = {
            "status": f"cell {cell.step}: {_words(cell.status, cell.error_name)} in {cell.seconds:.1f} s",
            "output": quote(cell.output, room.output),
            "evaluation": evaluation_text(evaluation, best) if evaluation else "",
            "limits": limits,
        }
        text = self._prompts.render("coder", "observation", values)
        self._messages.append({"role": "user", "content": text})

    def asking_for_report(self, evaluations: str) -> list[Message]:
        prompt = self._prompts.render("coder", "report", {"evaluations": evaluations})
        return [*self.fitting(), {"role": "user", "content": prompt}]

    def fitting(self) -> list[Message]:
        """The messages; old observations are shortened, oldest first, until they fit the window."""
        messages = list(self._messages)
        window = int(_SHARE_OF_WINDOW * self._context_tokens)
        for index, message in enumerate(messages[2:-1], start=2):
            if estimate_prompt_tokens(messages) <= window:
                break
            if message["role"] == "user" and len(message["content"]) > _OLD_OUTPUT_CHARACTERS:
                messages[index] = {"role": "user", "content": _shortened(message["content"])}
        return messages


def _words(status: CellStatus, error_name: str) -> str:
    return f"error ({error_name})" if status == "error" and error_name else status


def _shortened(text: str) -> str:
    half = _OLD_OUTPUT_CHARACTERS // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[… {left_out} characters of this older output are left out …]\n{text[-half:]}"
