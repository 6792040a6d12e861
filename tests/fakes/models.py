"""A model that answers at once in this process, for whoever asks it; ModelClient itself has a server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comind.llm.client import CallKey, NoLog, Reply
from comind.llm.tokens import Messages
from comind.state.records import LlmCall

REPORT = "<pipeline>p</pipeline><summary>=== model ===\neffectiveness: 2 - little was measured</summary>"
CONTENT = "<action>CONTINUE</action><explanation>fine</explanation>"


@dataclass(frozen=True)
class Question:
    role: str
    key: CallKey
    messages: Messages

    @property
    def text(self) -> str:
        """The latest message."""
        return self.messages[-1]["content"]


class InstantModel:
    """Answers by a function of the question, or turns from a list, with a report and a content monitor."""

    log = NoLog()

    def __init__(self, answer: Callable[[Question], str] | Sequence[str]) -> None:
        self._answer = answer if callable(answer) else self._from_list
        self._turns = [] if callable(answer) else list(answer)
        self.questions: list[Question] = []

    @property
    def shown(self) -> list[str]:
        """The latest message of every question, the monitor's left out."""
        return [question.text for question in self.questions if question.role != "monitor"]

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        question = Question(role, key, messages)
        self.questions.append(question)
        return reply_to(role, key, self._answer(question))

    def will_say(self, *turns: str) -> None:
        """These turns come next, in place of those that were left."""
        self._turns[:] = turns

    def _from_list(self, question: Question) -> str:
        if question.role == "monitor":
            return CONTENT
        return REPORT if question.key.kind == "report" else self._turns.pop(0)


def reply_to(role: str, key: CallKey, text: str) -> Reply:
    call = LlmCall(
        id=key.id, role=role, agent=key.agent, step=key.step, kind=key.kind, attempt=key.attempt,
        model="m", base_url="",
    )  # fmt: skip
    return Reply(text, "stop", call, replayed=False)
