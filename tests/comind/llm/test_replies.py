"""The real openai client against a scripted server: what is recorded of a reply, and what counts as one."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx2
import pytest

from comind.llm.budget import Budget
from comind.llm.client import CallKey, ModelClient
from comind.llm.endpoints import Endpoint
from comind.llm.formats import MalformedReply
from comind.llm.prices import FREE, Price
from comind.roles.coder import parse_turn
from comind.state.store import Store
from tests.comind.llm.desk import KEY, QUESTION, OpenDesk
from tests.fakes.clocks import HandClock
from tests.fakes.scripted_llm import (
    Scripted,
)


async def test_a_reply_is_recorded_with_its_usage_and_cost(desk: OpenDesk) -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 200,
        "total_tokens": 1200,
        "prompt_tokens_details": {"cached_tokens": 400},
        "completion_tokens_details": {"reasoning_tokens": 150},
    }
    async with desk([Scripted("12 rows", usage=usage)], prices={"scripted": Price(1.0, 10.0, 0.1)}) as d:
        reply = await d.ask()
        [call] = d.calls()
    assert (reply.text, reply.finish_reason, reply.replayed) == ("12 rows", "stop", False)
    assert call == reply.call
    assert call.id == "r1-a1/3/turn/1"
    assert call.messages == QUESTION
    assert (call.prompt_tokens, call.cached_tokens, call.completion_tokens, call.reasoning_tokens) == (
        1000,
        400,
        200,
        150,
    )
    assert call.dollars == pytest.approx((600 * 1.0 + 400 * 0.1 + 200 * 10.0) / 1e6)


async def test_a_recorded_reply_is_returned_without_a_request_and_counts_once(desk: OpenDesk) -> None:
    async with desk(["paid for"]) as d:
        first = await d.ask()
        spent = d.budget.total.tokens
    async with desk([]) as resumed:
        again = await resumed.ask()
        assert (again.text, again.replayed, again.call) == ("paid for", True, first.call)
        assert resumed.server.received == []
        assert resumed.budget.total.tokens == spent > 0


async def test_another_attempt_is_another_question(desk: OpenDesk) -> None:
    async with desk(["one", "two"]) as d:
        assert (await d.ask()).text == "one"
        assert (await d.ask(CallKey("r1-a1", 3, "turn", attempt=2))).text == "two"


async def test_a_cancelled_question_records_nothing_and_frees_its_room(desk: OpenDesk) -> None:
    async with desk(lambda body, number: Scripted("late", delay=0.2), budget={"max_tokens": 17_000}) as d:
        task = asyncio.create_task(d.ask())
        while not d.server.received:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert d.calls() == []
        assert (await d.ask()).text == "late"


async def test_usage_that_is_not_reported_is_estimated_not_zero(desk: OpenDesk) -> None:
    async with desk([Scripted("some text here", usage={})]) as d:
        call = (await d.ask()).call
    assert call.prompt_tokens > 5
    assert call.completion_tokens >= 3
    assert call.dollars is None


async def test_usage_of_another_shape_is_estimated(desk: OpenDesk) -> None:
    usage: dict[str, Any] = {"prompt_tokens": "many", "completion_tokens": None, "prompt_tokens_details": []}
    async with desk([Scripted("some text here", usage=usage)]) as d:
        call = (await d.ask()).call
    assert call.prompt_tokens > 5
    assert call.completion_tokens >= 3


async def test_text_sent_in_parts_is_joined(desk: OpenDesk) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    message = {"role": "assistant", "content": parts}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    async with desk([Scripted(choices=[choice])]) as d:
        assert (await d.ask()).text == "one two"


async def test_reasoning_blocks_are_not_part_of_the_text(desk: OpenDesk) -> None:
    async with desk(["<think>hm <goal>no</goal></think>\n<goal>yes</goal>"]) as d:
        assert (await d.ask()).text == "<goal>yes</goal>"


async def test_halves_of_surrogate_pairs_are_replaced_before_anything_is_kept(desk: OpenDesk) -> None:
    async with desk(["a \ud800 b \U0001f600", "again"]) as d:
        assert (await d.ask()).text == "a \ufffd b \U0001f600"
        assert d.calls()[0].reply == "a \ufffd b \U0001f600"


async def test_a_reply_beyond_measure_is_cut_and_marked_so(desk: OpenDesk) -> None:
    async with desk(["<code>\n" + "x = 1\n" * 200_000 + "</code>"]) as d:
        reply = await d.ask()
        assert len(reply.text) < 401_000 and reply.finish_reason == "length"
        with pytest.raises(MalformedReply, match="not valid Python"):
            parse_turn(reply.text)


async def test_an_in_process_transport_answers_in_place_of_the_network(tmp_path: Path) -> None:
    def recipes(request: httpx2.Request) -> httpx2.Response:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "recipe"}}
        return httpx2.Response(200, json={"id": "1", "object": "chat.completion", "choices": [choice]})

    room = HandClock()
    endpoint = Endpoint(
        "recipes", "http://offline.invalid/v1", label="recipes, no language model", price=FREE
    )
    with Store(tmp_path / "run.sqlite", clock=room) as store:
        client = ModelClient(
            endpoints={"coder": endpoint},
            log=store,
            budget=Budget(max_dollars=0.0001),
            clock=room,
            rng=random.Random(0),
            transport=httpx2.MockTransport(recipes),
        )
        call = (await client.ask("coder", KEY, QUESTION)).call
        await client.aclose()
    assert (call.reply, call.model, call.dollars) == ("recipe", "recipes, no language model", 0.0)


async def test_a_count_beyond_measure_is_estimated_instead(desk: OpenDesk) -> None:
    usage = {"prompt_tokens": 10**30, "completion_tokens": 10**30, "total_tokens": 2 * 10**30}
    async with desk([Scripted("12 rows", usage=usage)]) as d:
        await d.ask()
        [call] = d.calls()
    assert 0 < call.prompt_tokens < 1000 and 0 < call.completion_tokens < 100
