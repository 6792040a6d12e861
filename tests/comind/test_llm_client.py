"""The real openai client against a scripted server: paid for once, retried, adapted, refused."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from comind.llm.asking import ask_parsed
from comind.llm.budget import Budget
from comind.llm.client import CallKey, ModelClient, Reply
from comind.llm.endpoints import Endpoint
from comind.llm.faults import ContextOverflow, ReplyWithheld
from comind.llm.parsing import MalformedReply, required_tag
from comind.llm.prices import FREE, Price, PriceBook
from comind.llm.profiles import ModelSettings
from comind.records import LlmCall, ReplyFault
from comind.roles.coder import parse_turn
from comind.store import Store
from kaggle_runner.errors import ConfigError, LimitReached, ModelRefused, ModelUnavailable
from tests.fakes.scripted_llm import (
    Scripted,
    ScriptedModel,
    hanging,
    html_page,
    http_error,
    no_quota,
    rate_limited,
    unsupported,
)

KEY = CallKey("r1-a1", 3, "turn")
QUESTION = [{"role": "system", "content": "You code."}, {"role": "user", "content": "Count the rows."}]


@dataclass
class WaitingRoom:
    """A clock that only sleeping moves on."""

    now: datetime = datetime(2026, 11, 21, tzinfo=UTC)
    waits: list[float] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


class StoreLog:
    def __init__(self, store: Store) -> None:
        self.store = store

    def get_call(self, id: str) -> LlmCall | None:
        return self.store.get(LlmCall, id)

    def save_call(self, call: LlmCall) -> None:
        self.store.save(call)

    def save_fault(self, fault: ReplyFault) -> None:
        self.store.save(fault)


@dataclass
class Desk:
    client: ModelClient
    server: ScriptedModel
    store: Store
    budget: Budget
    room: WaitingRoom

    async def ask(self, key: CallKey = KEY, messages: Sequence[dict[str, str]] = QUESTION) -> Reply:
        return await self.client.ask("coder", key, messages)

    def calls(self) -> list[LlmCall]:
        return self.store.all(LlmCall)


OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]


@pytest.fixture
def desk(tmp_path: Path) -> OpenDesk:
    @asynccontextmanager
    async def open_desk(
        script: Any,
        *,
        model: str = "scripted",
        settings: ModelSettings | None = None,
        prices: dict[str, Price] | None = None,
        api_key: str = "unused",
        budget: dict[str, Any] | None = None,
        deadline_in: float | None = None,
        **server_options: Any,
    ) -> AsyncIterator[Desk]:
        room = WaitingRoom()
        deadline = None if deadline_in is None else room.now + timedelta(seconds=deadline_in)
        purse = Budget(clock=room.clock, deadline=deadline, **(budget or {}))
        with (
            ScriptedModel(script, models=(model,), **server_options) as server,
            Store(tmp_path / "run.sqlite", clock=room.clock) as store,
        ):
            purse.restore(store.all(LlmCall))
            client = ModelClient(
                endpoints={"coder": Endpoint(model, server.url, api_key)},
                log=StoreLog(store),
                budget=purse,
                clock=room.clock,
                rng=random.Random(0),
                sleep=room.sleep,
                prices=PriceBook(prices),
                settings=settings,
            )
            try:
                yield Desk(client, server, store, purse, room)
            finally:
                await client.aclose()

    return open_desk


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


TRANSIENT = {
    "500": http_error(500, "oops"),
    "503": http_error(503, "overloaded"),
    "409": http_error(409, "conflict"),
    "429": rate_limited("1"),
    "reset": Scripted(reset=True),
    "html with status 200": html_page(),
    "broken JSON": Scripted(raw=b'{"id": "x", '),
    "not UTF-8": Scripted(raw=b"\xff\xfe\xfa{"),
    "error object with status 200": Scripted(error={"message": "upstream down", "code": 502}),
    "no choices": Scripted(choices=[]),
    "choices null": Scripted(choices=None),
    "choices of another shape": Scripted(choices=["hello"]),
    "a choice without a message": Scripted(choices=[{"index": 0, "finish_reason": "stop"}]),
    "a JSON list": Scripted(raw=b"[]"),
    "JSON null": Scripted(raw=b"null"),
    "a JSON string": Scripted(raw=b'"hello"'),
    "no body": Scripted(raw=b""),
    "empty text": Scripted(""),
    "null text": Scripted(None),
    "only reasoning": Scripted("<think>still thinking"),
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT.keys())
async def test_a_passing_fault_is_waited_out_and_asked_again(desk: OpenDesk, fault: Scripted) -> None:
    async with desk([fault, "fine"]) as d:
        assert (await d.ask()).text == "fine"
        assert len(d.room.waits) == 1
        assert d.room.waits[0] >= 0.75


async def test_a_body_nested_beyond_measure_is_a_bad_reply(desk: OpenDesk) -> None:
    async with desk([Scripted(raw=b"[" * 200_000), "fine"]) as d:
        assert (await d.ask()).text == "fine"


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


@pytest.mark.parametrize(
    "fault", [http_error(500, "oops"), html_page(), Scripted(""), Scripted(reset=True)], ids=repr
)
async def test_a_lasting_fault_ends_after_a_bounded_number_of_requests(
    desk: OpenDesk, fault: Scripted
) -> None:
    async with desk(lambda body, number: fault) as d:
        with pytest.raises(ModelUnavailable):
            await d.ask()
        assert 2 <= len(d.server.received) <= 9


async def test_waits_grow_and_outlast_a_per_minute_limit(desk: OpenDesk) -> None:
    async with desk(lambda body, number: http_error(503, "busy")) as d:
        with pytest.raises(ModelUnavailable, match="503"):
            await d.ask()
        assert d.room.waits[0] < d.room.waits[3] < d.room.waits[5] <= 80
        assert sum(d.room.waits) >= 120


async def test_a_long_retry_after_is_followed(desk: OpenDesk) -> None:
    async with desk([rate_limited("300"), "fine"]) as d:
        assert (await d.ask()).text == "fine"
        assert 300 <= d.room.waits[0] <= 331


async def test_a_retry_after_date_is_followed(desk: OpenDesk) -> None:
    async with desk([rate_limited("Sat, 21 Nov 2026 00:02:00 GMT"), "fine"]) as d:
        assert (await d.ask()).text == "fine"
        assert 120 <= d.room.waits[0] <= 133


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for(desk: OpenDesk) -> None:
    async with desk([rate_limited("300")], deadline_in=60) as d:
        with pytest.raises(ModelUnavailable, match="less time left"):
            await d.ask()
        assert d.room.waits == []


async def test_no_request_is_sent_after_the_deadline(desk: OpenDesk) -> None:
    async with desk([], deadline_in=0) as d:
        with pytest.raises(LimitReached, match="time is up"):
            await d.ask()
        assert d.server.received == []


@pytest.mark.parametrize("fault", [hanging(), Scripted("slow", drip=0.05)], ids=["hangs", "drips"])
async def test_a_call_ends_at_its_limit_however_it_stalls(desk: OpenDesk, fault: Scripted) -> None:
    settings = ModelSettings(call_seconds=0.3)
    async with desk([fault, fault], settings=settings) as d:
        with pytest.raises(ModelUnavailable, match="in time"):
            await d.ask()
        assert len(d.server.received) == 2


FATAL = {
    "quota": (no_quota(), "no quota left"),
    "payment": (http_error(402, "add credit"), "no quota left"),
    "forbidden": (http_error(403, "not for you"), "refused the key"),
    "bad request": (http_error(400, "messages are odd"), "does not accept"),
    "model gone, with status 200": (Scripted(error={"code": "model_not_found", "message": "gone"}), "404"),
    "not found": (http_error(404, "nothing here"), "404"),
}


@pytest.mark.parametrize(("fault", "words"), FATAL.values(), ids=FATAL.keys())
async def test_a_refusal_for_good_is_raised_at_once(desk: OpenDesk, fault: Scripted, words: str) -> None:
    async with desk([fault]) as d:
        with pytest.raises(ModelRefused, match=words) as raised:
            await d.ask()
        assert raised.value.hint
        assert len(d.server.received) == 1
        assert d.room.waits == []


async def test_a_key_is_never_part_of_a_message_or_a_record(desk: OpenDesk) -> None:
    async with desk([], api_key="sk-secret-123") as d:
        d.server.api_key = "sk-right"
        with pytest.raises(ModelRefused) as raised:
            await d.ask()
    assert "[key]" in str(raised.value)
    assert "sk-secret-123" not in str(raised.value)
    assert "sk-secret-123" not in repr(Endpoint("m", api_key="sk-secret-123"))


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
        assert d.room.waits == []


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


@pytest.mark.parametrize(
    "fault",
    [Scripted(None, refusal="I cannot."), Scripted("", finish="content_filter")],
    ids=["no", "filter"],
)
async def test_a_model_that_declines_twice_is_reported(desk: OpenDesk, fault: Scripted) -> None:
    async with desk([fault, fault]) as d:
        with pytest.raises(ReplyWithheld, match="declined"):
            await d.ask()
        assert d.server.left == 0


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


async def test_a_check_passes_and_leaves_no_record(desk: OpenDesk) -> None:
    async with desk([Scripted("", finish="length", reasoning_tokens=512)]) as d:
        await d.client.check()
        assert d.calls() == []
        assert d.server.left == 0


async def test_a_check_tells_a_wrong_name_from_a_wrong_address(desk: OpenDesk) -> None:
    async with desk([]) as d:
        d.server.models = ("another",)
        with pytest.raises(ModelRefused, match="does not know the model 'scripted'"):
            await d.client.check()


async def test_a_check_of_a_server_that_is_not_there_says_so(desk: OpenDesk) -> None:
    async with desk([]) as d:
        url = d.server.url
    room = WaitingRoom()
    client = ModelClient(
        endpoints={"coder": Endpoint("m", url)},
        log=StoreLog(d.store),
        budget=Budget(clock=room.clock),
        clock=room.clock,
        rng=random.Random(0),
        sleep=room.sleep,
    )
    with pytest.raises(ModelUnavailable, match="cannot reach") as raised:
        await client.check()
    await client.aclose()
    assert "running" in raised.value.hint
    assert len(room.waits) <= 2


async def test_a_proxy_in_the_environment_does_not_stand_before_a_local_server(
    desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with desk(["direct"]) as d:
        assert (await d.ask()).text == "direct"


async def test_an_in_process_transport_answers_in_place_of_the_network(tmp_path: Path) -> None:
    def recipes(request: httpx2.Request) -> httpx2.Response:
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "recipe"}}
        return httpx2.Response(200, json={"id": "1", "object": "chat.completion", "choices": [choice]})

    room = WaitingRoom()
    endpoint = Endpoint(
        "recipes", "http://offline.invalid/v1", label="recipes, no language model", price=FREE
    )
    with Store(tmp_path / "run.sqlite", clock=room.clock) as store:
        client = ModelClient(
            endpoints={"coder": endpoint},
            log=StoreLog(store),
            budget=Budget(clock=room.clock, max_dollars=0.0001),
            clock=room.clock,
            rng=random.Random(0),
            transport=httpx2.MockTransport(recipes),
        )
        call = (await client.ask("coder", KEY, QUESTION)).call
        await client.aclose()
    assert (call.reply, call.model, call.dollars) == ("recipe", "recipes, no language model", 0.0)


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
