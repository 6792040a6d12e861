"""Asking until the reply can be read: the ladder for malformed replies, bounded, with every rung recorded.

1. `parse` reads tolerantly (comind.llm.formats).
2. The question is asked again with the unreadable reply and the complaint, `attempts` questions in all.
3. `lenient`, where the role has it, takes what is there of the replies, the newest first.
4. A smaller question, where the role has one: a shorter prompt for the essential part, with its own parser.
5. MalformedReply: the caller goes on without the reply, and says so.

A conversation that is longer than the model's window is shortened here and asked again: a server may only
then say how small its window is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Generic, Literal, NamedTuple, Protocol, TypeVar

from comind.llm.client import CallKey, CallLog, Reply
from comind.llm.faults import ContextOverflow
from comind.llm.formats import MalformedReply
from comind.llm.json_replies import json_reply
from comind.llm.tokens import Messages, estimate_prompt_tokens
from comind.state.records import ReplyFault
from kaggle_runner.texts import clip

T = TypeVar("T")
Rung = Literal["asked again", "smaller question", "given up"]

_QUOTED_CHARACTERS: Final = 12_000
"""How much of an unreadable reply is shown back to the model."""
_SHARE_OF_WINDOW: Final = 0.6
"""What a shortened conversation takes of the window; the rest is the reply's."""
_SHORTENINGS: Final = 3
_LEAST_CHARACTERS: Final = 400
"""A message is not cut below this."""


class Asker(Protocol):
    """Who answers: a model's client, a recording, or one of these within the run's time."""

    @property
    def log(self) -> CallLog:
        """Holds the replies, and which of them could not be read."""
        ...

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply: ...


class Parsed(NamedTuple, Generic[T]):
    value: T
    reply: Reply


@dataclass(frozen=True, slots=True)
class Smaller(Generic[T]):
    """What is asked when the whole could not be had: short messages and the parser of their reply."""

    messages: Messages
    parse: Callable[[str], T]


async def ask_parsed(
    client: Asker,
    role: str,
    key: CallKey,
    messages: Messages,
    parse: Callable[[str], T],
    *,
    attempts: int = 3,
    lenient: Callable[[str], T] | None = None,
    smaller: Smaller[T] | None = None,
) -> Parsed[T]:
    """The reply to `messages` as `parse` or at last `lenient` reads it, or the one to the `smaller` question.

    `key.attempt` counts up with every question, so that a resumed run replays all of them; there are at most
    `attempts` of them and the smaller one. Raises the last MalformedReply when none could be read.
    """
    conversation, complaint = messages, MalformedReply("attempts must be at least 1")
    replies: list[Reply] = []
    for attempt in range(attempts):
        this = replace(key, attempt=key.attempt + attempt)
        reply = await _ask_fitting(client, role, this, conversation, messages)
        try:
            return Parsed(parse(reply.text), reply)
        except MalformedReply as error:
            complaint = _named(error, reply.text)
        replies.append(reply)
        if attempt + 1 < attempts:
            _note(client, reply, complaint, "asked again")
            conversation = [*messages, *_complaint(reply, complaint)]
    if taken := _taken(replies, lenient):
        return taken
    if smaller is None:
        _note(client, replies[-1], complaint, "given up")
        raise complaint
    _note(client, replies[-1], complaint, "smaller question")
    this = replace(key, attempt=key.attempt + attempts)
    reply = await _ask_fitting(client, role, this, smaller.messages, smaller.messages)
    try:
        return Parsed(smaller.parse(reply.text), reply)
    except MalformedReply as error:
        _note(client, reply, error, "given up")
        raise


def _named(error: MalformedReply, text: str) -> MalformedReply:
    """What the reply is, where that says more than what it lacks."""
    if json_reply(text) is None:
        return error
    return MalformedReply(
        f"The reply is JSON without tags; write it in the format that was asked for. {error.message}"
    )


def _taken(replies: Sequence[Reply], lenient: Callable[[str], T] | None) -> Parsed[T] | None:
    if lenient is None:
        return None
    for reply in reversed(replies):
        try:
            return Parsed(lenient(reply.text), reply)
        except MalformedReply:
            continue
    return None


async def _ask_fitting(
    client: Asker, role: str, key: CallKey, conversation: Messages, question: Messages
) -> Reply:
    """Asks; what overflows the window loses the quoted reply first, then the middle of its longest parts."""
    for shortening in range(_SHORTENINGS + 1):
        try:
            return await client.ask(role, key, conversation)
        except ContextOverflow as error:
            if len(conversation) > len(question):
                # the question fitted before, so it is the quoted reply that is too long
                conversation = [*question, conversation[-1]]
                question = conversation
                continue
            shorter = _fitted(conversation, _target(error, conversation))
            if shortening == _SHORTENINGS or shorter == list(conversation):
                raise
            conversation = question = shorter
    raise AssertionError("the last round raises or returns")


def _target(error: ContextOverflow, conversation: Messages) -> int:
    """Tokens by our estimate; the server's own count of this conversation, if it says one, corrects that."""
    estimate = estimate_prompt_tokens(conversation)
    if not error.limit:
        return int(_SHARE_OF_WINDOW * estimate)
    scale = estimate / error.prompt_tokens if error.prompt_tokens else 1.0
    return int(_SHARE_OF_WINDOW * min(error.limit * min(scale, 1.0), estimate))


def _fitted(conversation: Messages, tokens: int) -> list[dict[str, str]]:
    """The messages with the middle of the longest ones left out until the estimate is `tokens` or less."""
    messages = [dict(message) for message in conversation]
    while estimate_prompt_tokens(messages) > tokens:
        longest = max(messages, key=lambda message: len(message["content"]))
        characters = int(0.8 * len(longest["content"]))
        shorter = clip(longest["content"], characters, front=characters // 2)
        if len(shorter) < _LEAST_CHARACTERS or len(shorter) >= len(longest["content"]):
            break
        longest["content"] = shorter
    return messages


def _note(client: Asker, reply: Reply, complaint: MalformedReply, step: Rung) -> None:
    """The same row however often a resumed run comes by here."""
    call = reply.call
    fault = ReplyFault(
        id=call.id, model=call.model, role=call.role, kind=call.kind,
        fault=complaint.message, step=step, at=call.at,
    )  # fmt: skip
    client.log.save(fault)


def _complaint(reply: Reply, error: MalformedReply) -> list[dict[str, str]]:
    cut = " It was cut off at the length limit: be shorter." if reply.finish_reason == "length" else ""
    return [
        {"role": "assistant", "content": clip(reply.text, _QUOTED_CHARACTERS, front=_QUOTED_CHARACTERS // 2)},
        {
            "role": "user",
            "content": f"Your reply could not be used.{cut} {error.message}\n"
            "Reply again in full, in exactly the format asked for.",
        },
    ]
