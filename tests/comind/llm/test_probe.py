"""The question before a run: what it costs, what it learns, and how it says what is wrong."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from comind.config import RunConfig
from comind.llm.budget import Budget
from comind.llm.client import ModelClient
from comind.llm.endpoints import Endpoint
from comind.llm.probe import told
from comind.llm.profiles import ModelSettings
from comind.run.models import check_models, record_check
from comind.run.window import effective_context, fitted_config
from comind.state.records import EndpointFacts
from comind.state.store import Store
from kaggle_runner.errors import ConfigError, ModelRefused, ModelUnavailable
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.comind.llm.desk import KEY, QUESTION, OpenDesk
from tests.fakes.clocks import HandClock
from tests.fakes.scripted_llm import Scripted, ScriptedModel, http_error


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
    room = HandClock()
    client = ModelClient(
        endpoints={"coder": Endpoint("m", url)},
        log=d.store,
        budget=Budget(),
        clock=room,
        rng=random.Random(0),
        sleep=room.sleep,
    )
    with pytest.raises(ModelUnavailable, match="cannot reach") as raised:
        await client.check()
    await client.aclose()
    assert "running" in raised.value.hint
    assert len(room.slept) <= 2


COUNTED = " ".join(str(n) for n in range(1, 15))


def listing(**entry: Any) -> dict[str, Any]:
    return {"object": "list", "data": [{"id": "scripted", "object": "model", **entry}]}


WINDOWS = {
    "vllm": ({"/v1/models": listing(max_model_len=8192)}, 8192, "/v1/models max_model_len"),
    "gateway": ({"/v1/models": listing(context_length=65536)}, 65536, "/v1/models context_length"),
    "llama-server": (
        {
            "/v1/models": listing(meta={"n_ctx_train": 32768}),
            "/props": {"default_generation_settings": {"n_ctx": 8192}},
        },
        8192,
        "/props n_ctx",
    ),
    "llama.cpp without /props": (
        {"/v1/models": listing(meta={"n_ctx_train": 32768})}, 32768, "/v1/models meta.n_ctx_train",
    ),
    "nothing": ({}, None, "unknown"),
    "another shape": ({"/v1/models": {"data": "none"}}, None, "unknown"),
    "another model": (
        {"/v1/models": {"data": [{"id": "x", "max_model_len": 1}, {"id": "y"}]}}, None, "unknown",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("documents", "window", "source"), WINDOWS.values(), ids=WINDOWS.keys())
async def test_the_window_is_what_the_server_says(
    desk: OpenDesk, documents: dict[str, Any], window: int | None, source: str
) -> None:
    async with desk([Scripted(COUNTED, finish="length")], documents=documents) as d:
        [facts] = await d.client.check()
        assert (facts.facts["context_tokens"], facts.facts["context_from"]) == (window, source)


async def test_a_check_costs_one_small_completion_and_says_what_it_learned(desk: OpenDesk) -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 32, "prompt_tokens_details": {"cached_tokens": 0}}
    async with desk([Scripted(COUNTED, finish="length", usage=usage)]) as d:
        [facts] = await d.client.check()
        [request] = d.server.received
        assert request.body["max_tokens"] == 32
    known = facts.facts
    assert (facts.id, known["roles"]) == (f"scripted@{facts.base_url}", ["coder"])
    assert (known["usage"], known["cached_tokens"], known["cap_honoured"]) == ("reported", True, True)
    assert (known["cap_parameter"], known["temperature"], known["served_model"]) == (
        "max_tokens", "not sent", "scripted",
    )  # fmt: skip
    assert "window unknown" in told(facts)


async def test_what_a_server_refuses_is_learned_once_for_all_engines_of_the_run(desk: OpenDesk) -> None:
    settings = ModelSettings(temperature=0.3)
    async with desk([Scripted(COUNTED, finish="length"), "yes"], model="o4-mini", settings=settings) as d:
        [facts] = await d.client.check()
        assert (facts.facts["cap_parameter"], facts.facts["temperature"]) == (
            "max_completion_tokens", "refused",
        )  # fmt: skip
        assert "takes no temperature" in told(facts)
        address, script = d.server.url, d.server
        store = d.store
        room = HandClock()
        later = ModelClient(
            endpoints={"coder": Endpoint("o4-mini", address)},
            facts=[facts],
            log=store,
            budget=Budget(),
            clock=room,
            rng=random.Random(0),
            settings=settings,
        )
        before = len(script.received)
        assert (await later.ask("coder", KEY, QUESTION)).text == "yes"
        await later.aclose()
        assert len(script.received) == before + 1


async def test_a_server_that_ignores_the_reply_limit_is_noticed(desk: OpenDesk) -> None:
    everything = " ".join(str(n) for n in range(1, 101))
    async with desk([Scripted(everything, usage={})]) as d:
        [facts] = await d.client.check()
        assert facts.facts["cap_honoured"] is False
        assert facts.facts["usage"] == "estimated"
        assert "does not keep to the reply limit" in told(facts)


async def test_a_reasoning_model_without_room_for_words_has_answered(desk: OpenDesk) -> None:
    cut = http_error(400, "Could not finish the message because max_tokens or model output limit was reached")
    async with desk([cut]) as d:
        [facts] = await d.client.check()
        assert facts.facts["reasoning"] is True
        assert facts.facts["tokens_per_second"] is None


def facts_with(window: int | None, roles: list[str], model: str = "m") -> EndpointFacts:
    known = {"context_tokens": window, "context_from": "/v1/models max_model_len", "roles": roles}
    return EndpointFacts(id=f"{model}@u", model=model, base_url="u", facts=known)


def test_prompts_are_made_for_the_smallest_window_of_the_roles_own_models() -> None:
    config = RunConfig(competition="c")
    coder, other = facts_with(8192, ["coder"]), facts_with(32768, ["analyzer", "proposer"])
    assert effective_context(config, []) == 128_000
    assert effective_context(config, [facts_with(None, ["coder"])]) == 128_000
    assert effective_context(config, [facts_with(1_000_000, ["coder"])]) == 128_000
    assert effective_context(config, [other, coder]) == 8192
    assert effective_context(config, [facts_with(8192, ["monitor"]), facts_with(8192, [])]) == 128_000


def test_a_fitted_config_leaves_room_for_prompts() -> None:
    fitted = fitted_config(RunConfig(competition="c"), [facts_with(8192, ["coder"])])
    assert (fitted.context_tokens, fitted.reply_tokens) == (8192, 2048)
    same = RunConfig(competition="c", context_tokens=8192, reply_tokens=4000)
    assert fitted_config(same, [facts_with(32768, ["coder"])]) == same


@pytest.mark.parametrize("roles", [["coder"], ["monitor"], []])
def test_a_window_too_small_for_any_prompt_is_refused(roles: list[str]) -> None:
    with pytest.raises(ConfigError, match="2,048 tokens") as raised:
        effective_context(RunConfig(competition="c"), [facts_with(2048, roles)])
    assert "llama.cpp" in raised.value.hint


async def test_a_run_keeps_the_facts_and_tells_them_in_a_line(tmp_path: Path) -> None:
    with ScriptedModel(
        [Scripted(COUNTED, finish="length")], documents={"/v1/models": listing(max_model_len=16384)}
    ) as server:
        config = RunConfig(competition="c", model="scripted", base_url=server.url)
        checked = await check_models(config, {}, SYSTEM_CLOCK)
    with Store(tmp_path / "run.sqlite") as store:
        record_check(store, checked)
        [event] = store.events()
        assert event.kind == "endpoint"
        assert "window 16,384 tokens (/v1/models max_model_len)" in event.message
        assert effective_context(config, store.all(EndpointFacts)) == 16384


async def test_the_recipes_have_no_facts() -> None:
    checked = await check_models(RunConfig(competition="c", offline=True), {}, SYSTEM_CLOCK)
    assert checked.facts == []
