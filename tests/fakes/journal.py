"""The offline policy with plain cells on a loopback port, with a journal of every request that reached it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from comind.run.recording import messages_digest
from tests.fakes.plain_policy import respond_plainly
from tests.fakes.scripted_llm import Scripted, ScriptedModel


@dataclass(frozen=True)
class Asked:
    """One request: digest of its messages, and whether it is the check before a run."""

    digest: str
    is_check: bool


class JournaledPolicy(ScriptedModel):
    """As `ScriptedModel`; each answer takes `delay` seconds, so that a kill also meets open requests."""

    def __init__(self, *, delay: float) -> None:
        super().__init__(self._answer)
        self._delay = delay
        self._journal: list[Asked] = []
        self._writing = threading.Lock()

    def journal(self, since: int = 0) -> list[Asked]:
        with self._writing:
            return self._journal[since:]

    def _answer(self, request: dict[str, Any], number: int) -> Scripted:
        messages = request["messages"]
        is_check = not messages[0]["content"].startswith("# Role")
        with self._writing:
            self._journal.append(Asked(messages_digest(messages), is_check))
        return Scripted("ready" if is_check else respond_plainly(messages), delay=self._delay)
