"""Who answers when a role's own model cannot any more: in order, told to people, each at its own price."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from comind.config import RunConfig
from comind.llm.client import CallKey
from comind.llm.endpoints import NO_KEY, Endpoint, endpoints_by_role, fallback_endpoints
from comind.llm.faults import ContextOverflow
from comind.llm.prices import Price
from comind.llm.profiles import ModelSettings
from comind.run.models import check_models, open_models
from comind.state.store import Store
from kaggle_runner.errors import ConfigError, ModelRefused, ModelUnavailable
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.comind.llm.desk import OpenDesk
from tests.fakes.scripted_llm import (
    Scripted,
    ScriptedModel,
    hanging,
    html_page,
    http_error,
    no_quota,
    rate_limited,
)


@pytest.fixture
def second() -> Iterator[ScriptedModel]:
    with ScriptedModel(lambda body, number: f"second {number}", models=("second",)) as server:
        yield server


def turn(step: int) -> CallKey:
    return CallKey("r1-a1", step, "turn")


LASTING = {
    "key": http_error(401, "no such key"),
    "forbidden": http_error(403, "not yours"),
    "model gone": http_error(404, "gone", code="model_not_found"),
    "quota": no_quota(),
    "payment": http_error(402, "pay"),
}


@pytest.mark.parametrize("fault", LASTING.values(), ids=LASTING.keys())
async def test_an_endpoint_that_refused_for_good_is_not_asked_again(
    desk: OpenDesk, second: ScriptedModel, fault: Scripted
) -> None:
    async with desk([fault], fallbacks=[Endpoint("second", second.url)]) as d:
        reply = await d.ask(turn(1))
        assert (reply.text, reply.call.model, reply.call.base_url) == ("second 0", "second", second.url)
        assert (await d.ask(turn(2))).text == "second 1"
        assert len(d.server.received) == 1
        assert [kind for kind, _ in d.told] == ["model_switched"]
        assert "not asked again in this run" in d.told[0][1] and "second" in d.told[0][1]


EXHAUSTED = {
    "503": http_error(503, "busy"),
    "reset": Scripted(reset=True),
    "login page": html_page(),
    "empty": Scripted(""),
    "rate limit of an hour": rate_limited("3000"),
}


@pytest.mark.parametrize("fault", EXHAUSTED.values(), ids=EXHAUSTED.keys())
async def test_an_endpoint_whose_tries_are_used_up_rests_and_is_tried_again(
    desk: OpenDesk, second: ScriptedModel, fault: Scripted
) -> None:
    async with desk(lambda body, number: fault, fallbacks=[Endpoint("second", second.url)]) as d:
        assert (await d.ask(turn(1))).call.model == "second"
        asked = len(d.server.received)
        assert (await d.ask(turn(2))).call.model == "second"
        assert len(d.server.received) == asked, "it rests"
        d.room.step(-86_400)  # the machine's time is put back: a rest does not get longer by that
        await d.room.sleep(4000)
        d.server._script = lambda body, number: "first again"
        assert (await d.ask(turn(3))).text == "first again"
        told = [message for kind, message in d.told if kind == "model_switched"]
        assert "rests for 60 s" in told[0]
        assert "answers again" in told[1]


async def test_who_has_a_fallback_waits_seconds_for_a_server_that_is_away_and_not_minutes(
    desk: OpenDesk, second: ScriptedModel
) -> None:
    def away(body: object, number: int) -> Scripted:
        return http_error(503, "busy")

    async with desk(away, fallbacks=[Endpoint("second", second.url)]) as d:
        await d.ask(turn(1))
        assert len(d.server.received) == 4


async def test_rests_grow_while_an_endpoint_stays_away(desk: OpenDesk, second: ScriptedModel) -> None:
    async with desk(
        lambda body, number: http_error(503, "busy"), fallbacks=[Endpoint("second", second.url)]
    ) as d:
        for step in range(6):
            await d.ask(turn(step))
            await d.room.sleep(1000)
        told = [message for kind, message in d.told if "rests for" in message]
        assert [message.split("rests for ")[1].split(" s")[0] for message in told] == [
            "60", "120", "240", "480", "900", "900",
        ]  # fmt: skip


async def test_a_time_out_moves_on_too(desk: OpenDesk, second: ScriptedModel) -> None:
    settings = ModelSettings(call_seconds=2.0)  # the second's answer must come in that time, too
    async with desk(
        lambda body, number: hanging(), settings=settings, fallbacks=[Endpoint("second", second.url)]
    ) as d:
        assert (await d.ask()).call.model == "second"


async def test_what_one_model_declines_another_is_asked_and_the_first_stays(
    desk: OpenDesk, second: ScriptedModel
) -> None:
    refusal = Scripted(None, refusal="I cannot.")
    async with desk([refusal, refusal, "fine"], fallbacks=[Endpoint("second", second.url)]) as d:
        assert (await d.ask(turn(1))).call.model == "second"
        assert (await d.ask(turn(2))).text == "fine"


async def test_a_moderated_prompt_does_not_cost_the_endpoint(desk: OpenDesk, second: ScriptedModel) -> None:
    flagged = http_error(403, "Your input was flagged by moderation")
    async with desk([flagged, flagged, "fine"], fallbacks=[Endpoint("second", second.url)]) as d:
        assert (await d.ask(turn(1))).call.model == "second"
        assert (await d.ask(turn(2))).text == "fine"


async def test_an_overflow_is_the_callers_to_shorten_not_the_fallbacks(
    desk: OpenDesk, second: ScriptedModel
) -> None:
    async with desk([], context=4096, fallbacks=[Endpoint("second", second.url)]) as d:
        with pytest.raises(ContextOverflow):
            await d.ask(messages=[{"role": "user", "content": "a row\n" * 9000}])
        assert second.received == []


async def test_when_nobody_answers_the_first_endpoints_error_is_raised(
    desk: OpenDesk, second: ScriptedModel
) -> None:
    second._script = lambda body, number: no_quota()
    async with desk(
        lambda body, number: http_error(503, "first is busy"), fallbacks=[Endpoint("second", second.url)]
    ) as d:
        with pytest.raises(ModelUnavailable, match="first is busy"):
            await d.ask()


async def test_when_all_refused_for_good_the_refusal_is_repeated_without_a_request(
    desk: OpenDesk, second: ScriptedModel
) -> None:
    second._script = lambda body, number: no_quota()
    async with desk([no_quota()], fallbacks=[Endpoint("second", second.url)]) as d:
        for step in (1, 2):
            with pytest.raises(ModelRefused, match="no quota left"):
                await d.ask(turn(step))
        assert (len(d.server.received), len(second.received)) == (1, 1)


async def test_parallel_calls_tell_a_switch_once(desk: OpenDesk, second: ScriptedModel) -> None:
    async with desk(lambda body, number: no_quota(), fallbacks=[Endpoint("second", second.url)]) as d:
        await asyncio.gather(*(d.ask(CallKey(f"r1-a{n}", 1, "turn")) for n in range(5)))
        assert len(d.told) == 1


async def test_the_answering_endpoint_sets_the_price(desk: OpenDesk, second: ScriptedModel) -> None:
    prices = {"scripted": Price(100.0, 100.0), "second": Price(1.0, 1.0)}
    fallbacks = [Endpoint("second", second.url)]
    async with desk([no_quota()], prices=prices, fallbacks=fallbacks, budget={"max_dollars": 50.0}) as d:
        call = (await d.ask()).call
        tokens = call.prompt_tokens + call.completion_tokens
        assert call.dollars == pytest.approx(tokens / 1e6)


async def test_a_dollar_limit_with_a_fallback_of_unknown_price_is_refused_up_front(
    desk: OpenDesk, second: ScriptedModel
) -> None:
    prices = {"scripted": Price(1.0, 1.0)}
    fallbacks = [Endpoint("second", second.url)]
    async with desk([], prices=prices, fallbacks=fallbacks, budget={"max_dollars": 1.0}) as d:
        with pytest.raises(ConfigError, match="price of second"):
            await d.client.check()
        assert d.server.received == []


async def test_a_check_passes_when_a_fallback_stands_in_and_says_so(
    desk: OpenDesk, second: ScriptedModel
) -> None:
    async with desk([http_error(401, "no")], fallbacks=[Endpoint("second", second.url)]) as d:
        facts = await d.client.check()
        assert [one.model for one in facts] == ["second"]
        assert d.told[0][0] == "model_switched"
        assert (await d.ask()).call.model == "second"
        assert len(d.server.received) == 1


def test_keys_go_to_their_own_fallback_only() -> None:
    env = {
        "OPENAI_API_KEY": "sk-main",
        "COMIND_API_KEY_FALLBACK_2": "sk-two",
        "COMIND_API_KEY_FALLBACK_3": "sk-three",
    }
    texts = ["a", "b@https://other.example/v1", "c@https://gateway.example/v2", "d@http://127.0.0.1:1/v1"]
    found = fallback_endpoints(texts, "https://gateway.example/v1", env)
    assert [(one.model, one.api_key) for one in found] == [
        ("a", "sk-main"), ("b", "sk-two"), ("c", "sk-three"), ("d", NO_KEY),
    ]  # fmt: skip


def test_a_hosted_fallback_without_a_key_names_the_variable() -> None:
    with pytest.raises(ConfigError, match="COMIND_API_KEY_FALLBACK_1"):
        fallback_endpoints(["gpt-5.4-mini@https://api.openai.com/v1"], "http://127.0.0.1:1/v1", {})


@pytest.mark.parametrize("url", ["https://host/v1?api_key=secret", "https://host/v1#key"])
def test_an_address_that_would_carry_a_key_into_records_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="after `"):
        endpoints_by_role("m", url, {}, {})


async def test_a_run_is_opened_with_its_fallbacks_and_tells_its_events(
    second: ScriptedModel, tmp_path: Path
) -> None:
    with ScriptedModel([no_quota()], models=("first",)) as first:
        config = RunConfig(
            competition="c", model="first", base_url=first.url, fallback_models=[f"second@{second.url}"]
        )
        checked = await check_models(config, {}, SYSTEM_CLOCK)
        assert checked.label == "first"
        assert len(checked.remarks) == 1
        first._script = lambda body, number: no_quota()
        with Store(tmp_path / "run.sqlite") as store:
            async with open_models(config, {}, store, SYSTEM_CLOCK, lambda: 600.0) as models:
                assert models.budget.seconds_left() == 600
                reply = await models.client.ask("coder", turn(1), [{"role": "user", "content": "hello"}])
            assert reply.call.model == "second"
            assert [event.kind for event in store.events()] == ["model_switched"]
