"""Answers a run's questions from a recording: the model client's place where no model is asked.

A question is known by its key, not by its words, which tell times and so differ from run to run. What the
file looks like is `comind.run.recording`.
"""

from __future__ import annotations

from comind.llm.client import CallKey, CallLog, Reply
from comind.llm.tokens import Messages
from comind.run.recording import Recorded, Recording, recorded_name
from comind.state.records import LlmCall
from kaggle_runner.errors import ModelUnavailable
from kaggle_runner.moments import Clock, stamp


class RecordedModel:
    """An Asker (comind.llm.question). Its calls are stored like any, and cost nothing."""

    def __init__(self, recording: Recording, log: CallLog, clock: Clock) -> None:
        self._recording = recording
        self.log = log
        self._clock = clock

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        """The reply recorded under `key`, whatever the prompt. ModelUnavailable names a missing key."""
        stored = self.log.get(LlmCall, key.id)
        if stored is None:
            stored = self._call(role, key, messages, self._find(key))
            self.log.save(stored)
        return Reply(stored.reply, stored.finish_reason, stored, replayed=True)

    def _find(self, key: CallKey) -> Recorded:
        recorded = self._recording.replies.get(key.id)
        if recorded is None:
            raise ModelUnavailable(
                f"the recording of run {self._recording.run} holds no reply to {key.id}",
                hint="a cell that ended otherwise, or other settings, led to a question that is new; "
                "what was scored so far is kept",
            )
        return recorded

    def _call(self, role: str, key: CallKey, messages: Messages, recorded: Recorded) -> LlmCall:
        """Without tokens and seconds: none were spent here."""
        return LlmCall(
            id=key.id, role=role, agent=key.agent, step=key.step, kind=key.kind, attempt=key.attempt,
            model=recorded_name(recorded.model), base_url="", messages=[dict(one) for one in messages],
            reply=recorded.reply, finish_reason=recorded.finish_reason, dollars=0.0,
            at=stamp(self._clock.now()),
        )  # fmt: skip
