"""What a model accepts is learned from its refusals, and what calls may take and spend together is kept."""

from __future__ import annotations

import asyncio

import pytest

from comind.llm.client import CallKey
from comind.llm.faults import ContextOverflow
from comind.llm.prices import Price
from comind.llm.profiles import ModelSettings
from kaggle_runner.errors import ConfigError, LimitReached, ModelRefused, ModelUnavailable
from tests.comind.llm.desk import OpenDesk
from tests.fakes.scripted_llm import (
    Scripted,
    http_error,
    unsupported,
)


async def test_a_reasoning_model_behind_a_gateway_is_adapted_to(desk: OpenDesk) -> None:
    async with desk(["first", "second"], model="o4-mini", settings=ModelSettings(temperature=0.5)) as d:
        assert (await d.ask()).text == "first"
        assert (await d.ask(CallKey("r1-a1", 4, "turn"))).text == "second"
        last = d.server.received[-1].body
        assert "max_completion_tokens" in last
        assert "max_tokens" not in last
        assert "temperature" not in last
        assert len(d.server.received) == 4, "two refusals teach it, the second question needs none"


async def test_a_parameter_that_stays_refused_is_fatal_and_bounded(desk: OpenDesk) -> None:
    async with desk(lambda body, number: unsupported("max_tokens")) as d:
        with pytest.raises(ModelRefused, match="max_tokens"):
            await d.ask()
        assert len(d.server.received) <= 3


async def test_a_models_own_completion_limit_is_learned(desk: OpenDesk) -> None:
    async with desk(["fine"], completion_limit=4096) as d:
        assert (await d.ask()).text == "fine"
        assert [r.body["max_tokens"] for r in d.server.received] == [16_000, 4096]


async def test_a_small_window_shrinks_the_reply_before_it_fails_the_prompt(desk: OpenDesk) -> None:
    async with desk(["fine"], context=8192) as d:
        assert (await d.ask()).text == "fine"
        assert d.server.received[-1].body["max_tokens"] < 8192


async def test_a_prompt_beyond_the_window_is_reported_as_overflow(desk: OpenDesk) -> None:
    long = [{"role": "user", "content": "row 1 of the table\n" * 4000}]
    async with desk([], context=8192) as d:
        with pytest.raises(ContextOverflow) as raised:
            await d.ask(messages=long)
        assert raised.value.limit == 8192
        assert raised.value.prompt_tokens > 8192
        with pytest.raises(ContextOverflow):
            await d.ask(messages=long)
        assert len(d.server.received) == 1, "a window that is known costs no further request"


@pytest.mark.parametrize(
    "fault",
    [
        http_error(400, "the request exceeds the available context size, try increasing it", code="400"),
        http_error(413, "prompt is too long: 210000 tokens > 200000 maximum"),
        Scripted(error={"code": "context_length_exceeded", "message": "no"}),
    ],
    ids=["llama-server", "anthropic", "with status 200"],
)
async def test_overflow_is_recognised_in_other_words(desk: OpenDesk, fault: Scripted) -> None:
    async with desk([fault]) as d:
        with pytest.raises(ContextOverflow):
            await d.ask()


async def test_reasoning_that_used_the_limit_gets_a_higher_one_once_and_both_replies_are_kept(
    desk: OpenDesk,
) -> None:
    cut = Scripted("", finish="length", reasoning_tokens=16_000)
    async with desk([cut, "answer"]) as d:
        assert (await d.ask()).text == "answer"
        assert [r.body["max_tokens"] for r in d.server.received] == [16_000, 48_000]
        assert [call.id for call in d.calls()] == ["r1-a1/3/turn/1/unusable-1", "r1-a1/3/turn/1"]
        assert d.budget.total.reasoning_tokens == 16_000
        assert d.room.slept == []


async def test_text_that_is_cut_off_again_is_returned_as_such(desk: OpenDesk) -> None:
    cut = Scripted("half an ans", finish="length", reasoning_tokens=9)
    async with desk([cut, cut]) as d:
        reply = await d.ask()
    assert (reply.text, reply.finish_reason) == ("half an ans", "length")


async def test_a_cut_without_text_fails_after_one_higher_limit(desk: OpenDesk) -> None:
    async with desk(lambda body, number: Scripted("", finish="length", reasoning_tokens=9)) as d:
        with pytest.raises(ModelUnavailable, match="completion tokens"):
            await d.ask()
        assert len(d.server.received) == 2


async def test_requests_to_one_address_are_limited_in_parallel(desk: OpenDesk) -> None:
    settings = ModelSettings(concurrency=2)
    async with desk(lambda body, number: Scripted("ok", delay=0.03), settings=settings) as d:
        await asyncio.gather(*(d.ask(CallKey(f"a{n}", 1, "turn")) for n in range(8)))
        assert len(d.calls()) == 8
        assert d.server.peak_in_flight == 2


async def test_parallel_calls_cannot_overspend_together(desk: OpenDesk) -> None:
    limits = {"max_tokens": 20_000}
    async with desk(lambda body, number: Scripted("ok", delay=0.05), budget=limits) as d:
        await asyncio.gather(*(d.ask(CallKey(f"a{n}", 1, "turn")) for n in range(6)))
        # what was asked for before the first answer can have come
        together = [r for r in d.server.received if r.at < d.server.received[0].at + 0.04]
        assert sum(r.body["max_tokens"] for r in together) <= 20_000
        assert d.budget.total.calls == 6


async def test_a_spent_budget_stops_before_the_request(desk: OpenDesk) -> None:
    async with desk(["ok"], prices={"scripted": Price(1.0, 10.0)}, budget={"max_dollars": 0.001}) as d:
        with pytest.raises(LimitReached, match="does not pay"):
            await d.ask()
        assert d.server.received == []
        assert d.budget.exhausted()


async def test_a_dollar_limit_without_a_price_is_an_error_before_any_request(desk: OpenDesk) -> None:
    async with desk([], budget={"max_dollars": 1.0}) as d:
        with pytest.raises(ConfigError, match="price"):
            await d.client.check()
        with pytest.raises(ConfigError, match="price"):
            await d.ask()
        assert d.server.received == []


async def test_a_window_that_only_a_refusal_names_is_learned_and_told(desk: OpenDesk) -> None:
    long = [{"role": "user", "content": "a row of the table\n" * 2000}]
    refusal = "the request exceeds the available context size (4096 tokens), try increasing it"
    async with desk([http_error(400, refusal)]) as d:
        for step in (1, 2):
            with pytest.raises(ContextOverflow):
                await d.ask(CallKey("r1-a1", step, "turn"), messages=long)
        assert len(d.server.received) == 1, "a window that is known costs no further request"
        [(kind, message)] = d.told
        assert kind == "model_window" and "4,096" in message


async def test_a_default_cap_holds_for_priced_models_and_lets_unpriced_ones_pass(desk: OpenDesk) -> None:
    cap = {"max_dollars": 0.001, "is_default_cap": True}
    async with desk(["ok", "ok"], budget=cap) as d:
        assert await d.client.check()
        assert (await d.ask()).call.dollars is None
    async with desk(["ok"], prices={"scripted": Price(1.0, 10_000.0)}, budget=cap) as d:
        with pytest.raises(LimitReached):
            await d.ask(CallKey("r1-a2", 1, "turn"))
        assert d.server.received == []
