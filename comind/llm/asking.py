"""Asking until the reply can be read: one re-ask per complaint, a bounded number of times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from comind.llm.client import CallKey, Reply
from comind.llm.faults import ContextOverflow
from comind.llm.parsing import MalformedReply

T = TypeVar("T")

_QUOTED_CHARACTERS: Final = 12_000
"""How much of an unreadable reply is shown back to the model."""


class Asker(Protocol):
    async def ask(self, role: str, key: CallKey, messages: Sequence[dict[str, str]]) -> Reply: ...


class Parsed(NamedTuple, Generic[T]):
    value: T
    reply: Reply


async def ask_parsed(
    client: Asker,
    role: str,
    key: CallKey,
    messages: Sequence[dict[str, str]],
    parse: Callable[[str], T],
    *,
    attempts: int = 3,
) -> Parsed[T]:
    """The reply to `messages` as `parse` reads it.

    When `parse` raises MalformedReply, the same question is asked again together with the latest reply and
    the complaint; `key.attempt` counts up, so that a resumed run replays every attempt. Raises the last
    MalformedReply when `attempts` replies could not be read.
    """
    conversation = list(messages)
    for attempt in range(attempts):
        this = replace(key, attempt=key.attempt + attempt)
        try:
            reply = await client.ask(role, this, conversation)
        except ContextOverflow:
            if attempt == 0:
                raise
            # the question fitted before, so it is the quoted reply that is too long
            reply = await client.ask(role, this, [*messages, conversation[-1]])
        try:
            return Parsed(parse(reply.text), reply)
        except MalformedReply as error:
            if attempt + 1 == attempts:
                raise
            conversation = [*messages, *_complaint(reply, error)]
    raise ValueError("attempts must be at least 1")


def _complaint(reply: Reply, error: MalformedReply) -> list[dict[str, str]]:
    cut = " It was cut off at the length limit: be shorter." if reply.finish_reason == "length" else ""
    return [
        {"role": "assistant", "content": _shortened(reply.text)},
        {
            "role": "user",
            "content": f"Your reply could not be used.{cut} {error.message}\n"
            "Reply again in full, in exactly the format asked for.",
        },
    ]


def _shortened(text: str) -> str:
    if len(text) <= _QUOTED_CHARACTERS:
        return text
    half = _QUOTED_CHARACTERS // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters left out ...]\n{text[-half:]}"
