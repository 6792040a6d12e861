"""Keys go to their own server and nowhere else: not into messages, records, events or logs."""

from __future__ import annotations

import json
import logging
import random
from pathlib import Path

import httpx2
import pytest

from comind.config import RunConfig
from comind.llm.budget import Budget
from comind.llm.client import CallKey, ModelClient
from comind.llm.endpoints import HOSTED_URL, Endpoint, fallback_endpoints
from comind.run.models import check_models, open_models, record_check
from comind.state.store import Store
from kaggle_runner.errors import ComindError, ConfigError
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.comind.llm.desk import KEY, QUESTION, OpenDesk
from tests.fakes.clocks import HandClock
from tests.fakes.scripted_llm import Scripted, ScriptedModel, http_error

SECRETS = {
    "OPENAI_API_KEY": "sk-main-7f21",
    "COMIND_API_KEY_CODER": "sk-coder-93aa",
    "COMIND_API_KEY_FALLBACK_1": "sk-fallback-c0de",
}


def echoing(key: str) -> list[Scripted]:
    """A server that repeats the key wherever a server says anything."""
    return [
        http_error(500, f"cannot log in with Bearer {key}"),
        Scripted(raw=f"<html>{key}</html>".encode(), content_type="text/html"),
        Scripted(error={"message": f"key {key} is busy", "code": 503}),
        Scripted(None, refusal=f"I know {key}"),
        Scripted(f"your key is {key}"),
    ]


@pytest.mark.parametrize("number", range(5))
async def test_a_key_that_the_server_repeats_is_replaced(desk: OpenDesk, number: int) -> None:
    key = "sk-secret-123"
    said = echoing(key)[number]
    told = ""
    async with desk(lambda body, n: said, api_key=key) as d:
        try:
            told = (await d.ask()).text
        except ComindError as error:
            told = f"{error} {error.__cause__}"
        assert "[key]" in told
        assert key not in told
        assert key not in json.dumps([[*call.messages, {"reply": call.reply}] for call in d.calls()])
        assert not [message for _, message in d.told if key in message]


CODE = """<code>
api_key, x, test = "not-needed", 1, 2
model = DecisionTreeClassifier(max_depth=x)  # sk-no-key-required
</code>"""


@pytest.mark.parametrize("key", ["x", "test", "api_key", "max_depth", "not-needed", "sk-no-key-required"])
async def test_a_placeholder_in_a_keys_place_changes_no_reply(desk: OpenDesk, key: str) -> None:
    """Servers of one's own take anything for a key, and often want something there."""
    async with desk([CODE], api_key=key) as d:
        assert (await d.ask()).text == CODE
        assert [call.reply for call in d.calls()] == [CODE]


async def test_an_unhandled_error_logs_no_key(desk: OpenDesk, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK's exception holds the server's words; a traceback must not print it."""
    key = "sk-secret-123"
    async with desk([http_error(401, f"no such key: {key}")], api_key=key) as d:
        try:
            await d.ask()
        except ComindError:
            logging.getLogger("engine").exception("the engine failed")
    assert "refused the key" in caplog.text
    assert key not in caplog.text


async def test_no_file_of_a_run_holds_a_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        ScriptedModel(lambda body, n: echoing(SECRETS["OPENAI_API_KEY"])[n % 5]) as main,
        ScriptedModel(lambda body, n: echoing(SECRETS["COMIND_API_KEY_CODER"])[4]) as coder,
        ScriptedModel(lambda body, n: echoing(SECRETS["COMIND_API_KEY_FALLBACK_1"])[4]) as fallback,
    ):
        config = RunConfig(
            competition="c",
            model="scripted",
            base_url=main.url,
            role_models={"coder": f"scripted@{coder.url}"},
            fallback_models=[f"scripted@{fallback.url}"],
            call_time_limit=5,
        )
        checked = await check_models(config, SECRETS, SYSTEM_CLOCK)
        with Store(tmp_path / "run.sqlite") as store:
            record_check(store, checked)
            async with open_models(config, SECRETS, store, SYSTEM_CLOCK, lambda: 600.0) as models:
                for role in ("coder", "monitor"):
                    reply = await models.client.ask(role, CallKey(role, 1, "turn"), QUESTION)
                    assert "[key]" in reply.text
            assert store.events()
        sent = {server.received[-1].headers["authorization"] for server in (main, coder)}
    assert sent == {f"Bearer {SECRETS[name]}" for name in ("OPENAI_API_KEY", "COMIND_API_KEY_CODER")}
    for file in tmp_path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not [name for name, key in SECRETS.items() if key.encode() in content], file


async def test_only_openais_own_host_gets_a_cache_key_and_a_refusal_ends_it(tmp_path: Path) -> None:
    bodies: list[dict[str, object]] = []

    def hosted(request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        bodies.append(body)
        if "prompt_cache_key" in body and len(bodies) > 1:
            error = {
                "message": "Unsupported parameter: 'prompt_cache_key'", "code": "unsupported_parameter",
                "param": "prompt_cache_key", "type": "invalid_request_error",
            }  # fmt: skip
            return httpx2.Response(400, json={"error": error})
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}
        return httpx2.Response(200, json={"id": "1", "object": "chat.completion", "choices": [choice]})

    room = HandClock()
    with Store(tmp_path / "run.sqlite", clock=room) as store:
        client = ModelClient(
            endpoints={
                "coder": Endpoint("gpt-5.4-mini", HOSTED_URL, "sk-x"),
                "monitor": Endpoint("other", "https://gateway.example/v1"),
            },
            run="fruit-1",
            log=store,
            budget=Budget(),
            clock=room,
            rng=random.Random(0),
            transport=httpx2.MockTransport(hosted),
        )
        await client.ask("coder", KEY, QUESTION)
        await client.ask("coder", CallKey("r1-a1", 4, "turn"), QUESTION)
        await client.ask("coder", CallKey("r1-a1", 5, "turn"), QUESTION)
        await client.ask("monitor", CallKey("r1-a1", 5, "watch"), QUESTION)
        await client.aclose()
    assert [body.get("prompt_cache_key") for body in bodies] == [
        "fruit-1:r1-a1", "fruit-1:r1-a1", None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("bad", ["sk-half\nof-it", "“sk-quoted”", "schlüssel"])
def test_a_key_that_no_request_can_carry_is_told_without_it(bad: str) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY") as told:
        fallback_endpoints(["m"], "http://127.0.0.1:9/v1", {"OPENAI_API_KEY": bad})
    assert bad not in str(told.value)
