"""The ladder for replies that cannot be read: asked again, taken leniently, a smaller question, given up."""

from __future__ import annotations

import pytest

from comind.llm.asking import ask_parsed
from comind.llm.parsing import MalformedReply, required_tag
from tests.comind.llm_desk import KEY, QUESTION, Desk, OpenDesk


async def test_a_reply_that_cannot_be_read_is_asked_again_with_the_complaint(desk: OpenDesk) -> None:
    async with desk(["no tags", "<goal>count</goal>"]) as d:
        parsed = await ask_parsed(d.client, "coder", KEY, QUESTION, lambda text: required_tag(text, "goal"))
        assert parsed.value == "count"
        assert parsed.reply.call.attempt == 2
        second = d.server.received[1].body["messages"]
    assert second[:2] == QUESTION
    assert second[2] == {"role": "assistant", "content": "no tags"}
    assert "<goal> part is missing" in second[3]["content"]


async def test_a_reask_that_was_paid_for_is_replayed_too(desk: OpenDesk) -> None:
    async def ask(d: Desk) -> str:
        return (
            await ask_parsed(d.client, "coder", KEY, QUESTION, lambda text: required_tag(text, "goal"))
        ).value

    async with desk(["no tags", "<goal>count</goal>"]) as d:
        first = await ask(d)
    async with desk([]) as resumed:
        assert await ask(resumed) == first
        assert resumed.server.received == []


async def test_unreadable_replies_end_with_the_last_complaint(desk: OpenDesk) -> None:
    async with desk(["a", "b", "c"]) as d:
        with pytest.raises(MalformedReply, match="goal"):
            await ask_parsed(d.client, "coder", KEY, QUESTION, lambda text: required_tag(text, "goal"))
        assert d.server.left == 0
        assert [len(r.body["messages"]) for r in d.server.received] == [2, 4, 4]
