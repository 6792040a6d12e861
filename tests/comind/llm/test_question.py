"""The ladder for replies that cannot be read: asked again, taken leniently, a smaller question, given up."""

from __future__ import annotations

import pytest

from comind.llm.client import CallKey
from comind.llm.faults import ContextOverflow
from comind.llm.formats import MalformedReply, required_tag
from comind.llm.ladder import report_lines, summarize
from comind.llm.question import Smaller, ask_parsed
from comind.state.records import ReplyFault
from tests.comind.llm.desk import KEY, QUESTION, Desk, OpenDesk
from tests.fakes.scripted_llm import http_error


async def test_a_reply_that_cannot_be_read_is_asked_again_with_the_complaint(desk: OpenDesk) -> None:
    async with desk(["no tags", "<goal>count</goal>"]) as d:
        parsed = await ask_parsed(d.client, "coder", KEY, QUESTION, lambda text: required_tag(text, "goal"))
        assert parsed.value == "count"
        assert parsed.reply.call.attempt == 2
        second = d.server.received[1].body["messages"]
    assert second[:2] == QUESTION
    assert second[2] == {"role": "assistant", "content": "no tags"}
    assert "<goal> part is missing" in second[3]["content"]


async def test_a_reply_in_json_is_called_so(desk: OpenDesk) -> None:
    async with desk(['{"plan": "count"}', '{"goal": "count"}']) as d:
        parsed = await ask_parsed(d.client, "coder", KEY, QUESTION, goal)
        assert parsed.value == "count"
        told = d.server.received[1].body["messages"][3]["content"]
    assert (
        "The reply is JSON without tags; write it in the format that was asked for. The <goal> part" in told
    )


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


def goal(text: str) -> str:
    return required_tag(text, "goal")


def any_words(text: str) -> str:
    if len(text) < 10:
        raise MalformedReply("too short")
    return text


SHORT = [{"role": "user", "content": "Only the goal, in one word."}]


async def test_the_last_rung_is_a_smaller_question_with_its_own_reader(desk: OpenDesk) -> None:
    async with desk(["a", "b", "counting rows"]) as d:
        smaller = Smaller(SHORT, any_words)
        parsed = await ask_parsed(d.client, "coder", KEY, QUESTION, goal, attempts=2, smaller=smaller)
        assert parsed.value == "counting rows"
        assert [call.id for call in d.calls()] == [f"r1-a1/3/turn/{n}" for n in (1, 2, 3)]
        assert d.server.received[2].body["messages"] == SHORT
        assert [(fault.id, fault.step) for fault in d.store.all(ReplyFault)] == [
            ("r1-a1/3/turn/1", "asked again"), ("r1-a1/3/turn/2", "smaller question"),
        ]  # fmt: skip


async def test_a_smaller_question_in_vain_ends_the_ladder(desk: OpenDesk) -> None:
    async with desk(["a", "b", "c"]) as d:
        smaller = Smaller(SHORT, any_words)
        with pytest.raises(MalformedReply, match="too short"):
            await ask_parsed(d.client, "coder", KEY, QUESTION, goal, attempts=2, smaller=smaller)
        assert d.server.left == 0
        assert [fault.step for fault in d.store.all(ReplyFault)][-1] == "given up"


async def test_what_is_there_of_any_reply_is_taken_before_less_is_asked(desk: OpenDesk) -> None:
    async with desk(["these are the words of the first reply", "no"]) as d:
        smaller = Smaller(SHORT, any_words)
        parsed = await ask_parsed(
            d.client, "coder", KEY, QUESTION, goal, attempts=2, lenient=any_words, smaller=smaller
        )
        assert parsed.value.startswith("these are the words")
        assert parsed.reply.call.attempt == 1


async def test_a_resumed_ladder_asks_nothing_and_writes_the_same_faults(desk: OpenDesk) -> None:
    async def climb(d: Desk) -> str:
        smaller = Smaller(SHORT, any_words)
        return (await ask_parsed(d.client, "coder", KEY, QUESTION, goal, smaller=smaller)).value

    async with desk(["a", "b", "c", "counting rows"]) as d:
        first, faults = await climb(d), d.store.all(ReplyFault)
    async with desk([]) as resumed:
        assert await climb(resumed) == first
        assert resumed.store.all(ReplyFault) == faults
        assert resumed.server.received == []


@pytest.mark.parametrize("context", [4096, 8192])
async def test_a_conversation_beyond_a_window_that_nobody_knew_is_shortened_in_the_middle(
    desk: OpenDesk, context: int
) -> None:
    table = "\n".join(f"row {n} of the table" for n in range(4000))
    long = [
        {"role": "system", "content": "You code."},
        {"role": "user", "content": f"Begin here.\n{table}\nReply in one word."},
    ]
    async with desk(["<goal>fits</goal>"], context=context) as d:
        parsed = await ask_parsed(d.client, "coder", KEY, long, goal)
        assert parsed.value == "fits"
        sent = d.server.received[-1].body["messages"]
        assert sent[0] == long[0]
        assert sent[1]["content"].startswith("Begin here.") and sent[1]["content"].endswith("in one word.")
        assert "characters left out" in sent[1]["content"]


async def test_an_overflow_that_names_no_limit_is_shortened_a_bounded_number_of_times(desk: OpenDesk) -> None:
    long = [{"role": "user", "content": "word " * 3000}]
    async with desk(lambda body, number: http_error(400, "prompt is too long")) as d:
        with pytest.raises(ContextOverflow):
            await ask_parsed(d.client, "coder", KEY, long, goal)
        sizes = [len(request.body["messages"][0]["content"]) for request in d.server.received]
        assert len(sizes) == 4
        assert sizes == sorted(sizes, reverse=True)


async def test_a_quoted_reply_that_overflows_is_left_away_first(desk: OpenDesk) -> None:
    chatter = "98765 " * 2000
    async with desk([chatter, "<goal>short</goal>"], context=4096) as d:
        assert (await ask_parsed(d.client, "coder", KEY, QUESTION, goal)).value == "short"
        assert [message["role"] for message in d.server.received[-1].body["messages"]] == [
            "system", "user", "user",
        ]  # fmt: skip


async def test_how_each_model_keeps_to_the_formats_is_measured(desk: OpenDesk) -> None:
    async with desk(["<goal>x</goal>", "bad", "<goal>y</goal>", "", "<goal>z</goal>"]) as d:
        for step in (1, 2, 3):
            await ask_parsed(d.client, "coder", CallKey("r1-a1", step, f"turn{step}"), QUESTION, goal)
        assert summarize(d.store) == [
            {
                "model": "scripted", "kind": "turn", "replies": 5, "unusable": 1, "unreadable": 1,
                "asked_again": 1, "smaller_question": 0, "given_up": 0, "readable_at_once": 0.333,
            }
        ]  # fmt: skip
        assert report_lines(d.store) == ["- scripted: 5 replies, 1 not readable at once (turn 1 of 5)"]
