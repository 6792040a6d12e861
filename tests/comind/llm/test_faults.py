"""What goes wrong with a request, and what the client does: waits, asks again, or refuses for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from comind.llm.client import CallKey
from comind.llm.endpoints import Endpoint
from comind.llm.faults import ReplyWithheld
from comind.llm.profiles import LEAST_CAP, ModelSettings, Profile
from kaggle_runner.errors import LimitReached, ModelRefused, ModelUnavailable
from tests.comind.llm.desk import OpenDesk
from tests.fakes.scripted_llm import (
    Scripted,
    hanging,
    html_page,
    http_error,
    no_quota,
    rate_limited,
)

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
        assert len(d.room.slept) == 1
        assert d.room.slept[0] >= 0.75


async def test_a_body_nested_beyond_measure_is_a_bad_reply(desk: OpenDesk) -> None:
    async with desk([Scripted(raw=b"[" * 200_000), "fine"]) as d:
        assert (await d.ask()).text == "fine"


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
        assert d.room.slept[0] < d.room.slept[3] < d.room.slept[5] <= 80
        assert sum(d.room.slept) >= 120


async def test_a_long_retry_after_is_followed(desk: OpenDesk) -> None:
    async with desk([rate_limited("300"), "fine"]) as d:
        assert (await d.ask()).text == "fine"
        assert 300 <= d.room.slept[0] <= 331


async def test_a_retry_after_date_is_followed(desk: OpenDesk) -> None:
    """It counts by the server's own date: our clock, which stands elsewhere, is not asked."""
    in_two_minutes = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    async with desk([rate_limited(in_two_minutes), "fine"]) as d:
        d.room.step(400 * 86_400)
        assert (await d.ask()).text == "fine"
        assert 110 <= d.room.slept[0] <= 133


async def test_a_retry_after_beyond_the_deadline_is_not_waited_for(desk: OpenDesk) -> None:
    async with desk([rate_limited("300")], seconds=60) as d:
        with pytest.raises(ModelUnavailable, match="less time left"):
            await d.ask()
        assert d.room.slept == []


async def test_no_request_is_sent_after_the_deadline(desk: OpenDesk) -> None:
    async with desk([], seconds=0) as d:
        with pytest.raises(LimitReached, match="time is up"):
            await d.ask()
        assert d.server.received == []


@pytest.mark.parametrize("fault", [hanging(), Scripted("slow", drip=0.05)], ids=["hangs", "drips"])
async def test_a_call_ends_at_its_limit_however_it_stalls(desk: OpenDesk, fault: Scripted) -> None:
    settings = ModelSettings(call_seconds=0.3)
    async with desk([fault, fault], settings=settings) as d:
        with pytest.raises(ModelUnavailable, match="in time"):
            await d.ask()
        assert len(d.room.slept) == 1, "it was asked a second time"


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
        assert d.room.slept == []


async def test_a_key_is_never_part_of_a_message_or_a_record(desk: OpenDesk) -> None:
    async with desk([], api_key="sk-secret-123") as d:
        d.server.api_key = "sk-right"
        with pytest.raises(ModelRefused) as raised:
            await d.ask()
    assert "[key]" in str(raised.value)
    assert "sk-secret-123" not in str(raised.value)
    assert "sk-secret-123" not in repr(Endpoint("m", api_key="sk-secret-123"))


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


async def test_a_proxy_in_the_environment_does_not_stand_before_a_local_server(
    desk: OpenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with desk(["direct"]) as d:
        assert (await d.ask()).text == "direct"


async def test_after_a_time_out_a_local_server_is_asked_later_and_for_less(desk: OpenDesk) -> None:
    """It is still at work on the request given up; the same size would queue behind it."""
    settings = ModelSettings(call_seconds=2.0, max_completion_tokens=4000)
    async with desk([hanging(), "short", "short"], settings=settings) as d:
        assert (await d.ask()).text == "short"
        assert [request.body["max_tokens"] for request in d.server.received] == [4000, 2000]
        assert d.room.slept[0] >= 0.5
        assert [kind for kind, _ in d.told] == ["model_slow"]
        assert "at most 2000 tokens" in d.told[0][1]
        await d.ask(CallKey("r1-a1", 4, "turn"))
        assert d.server.received[-1].body["max_tokens"] == 2000, "it stays so"


def test_parallel_time_outs_halve_the_reply_once_and_never_to_nothing() -> None:
    profile = Profile("max_tokens", 4000)
    assert [profile.ask_for_less(4000), profile.ask_for_less(4000)] == [True, False]
    assert profile.room(100) == 2000
    while profile.ask_for_less(profile.room(100)):
        pass
    assert profile.room(100) == LEAST_CAP


async def test_long_waits_are_told_once(desk: OpenDesk) -> None:
    async with desk([rate_limited("300"), "fine"]) as d:
        await d.ask()
        [(kind, message)] = d.told
        assert kind == "model_waits"
        assert "429" in message
