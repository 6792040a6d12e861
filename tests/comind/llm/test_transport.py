"""A model's endpoint that answers without measure or sends its callers on: little is read, nothing leaks."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from comind.llm.transport import MOST_BYTES
from kaggle_runner.errors import ModelError, ModelRefused, ModelUnavailable
from tests.comind.llm.desk import QUESTION, OpenDesk
from tests.fakes.scripted_llm import Scripted, ScriptedModel

PIECE = b" " * 2**20
TRIES = 4


def completion(text: str) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


@pytest.mark.parametrize(
    "flood",
    [
        Scripted(endless=PIECE),
        Scripted(endless=b"data: {}\n\n" * 50_000, content_type="text/event-stream"),
        Scripted(endless=PIECE, status=500),
        Scripted(endless=PIECE, status=307, headers={"location": "/v1/there"}),
    ],
    ids=["JSON", "events", "error", "redirect"],
)
async def test_an_answer_without_an_end_is_read_up_to_the_bound(desk: OpenDesk, flood: Scripted) -> None:
    async with desk(lambda body, number: flood) as d:
        with pytest.raises(ModelUnavailable, match=f"more than {MOST_BYTES} bytes"):
            await d.ask()
        assert len(d.server.received) <= TRIES
        buffers = 2**25  # what the two sockets hold on the way
        assert d.server.endless_bytes <= TRIES * (MOST_BYTES + buffers)


async def test_a_few_packed_bytes_may_not_become_gigabytes(desk: OpenDesk) -> None:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    bomb = b"".join(squeezed.compress(PIECE) for _ in range(200)) + squeezed.flush()
    async with desk(lambda body, number: Scripted(raw=bomb, headers={"content-encoding": "gzip"})) as d:
        with pytest.raises(ModelUnavailable, match=f"more than {MOST_BYTES} bytes"):
            await d.ask()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-encoding": "br"}, b"anything"),
        ({"content-encoding": "gzip"}, completion("not packed")),
        ({"content-encoding": "gzip"}, gzip.compress(completion("cut"))[:-20]),
    ],
    ids=["not asked for", "not packed", "cut"],
)
async def test_what_is_not_packed_as_it_says_is_no_answer(
    desk: OpenDesk, headers: dict[str, str], body: bytes
) -> None:
    async with desk(lambda received, number: Scripted(raw=body, headers=headers)) as d:
        with pytest.raises(ModelUnavailable, match="cannot be read"):
            await d.ask()


async def test_a_packed_answer_is_read(desk: OpenDesk) -> None:
    async with desk(
        [Scripted(raw=gzip.compress(completion("ä" * 10_000)), headers={"content-encoding": "gzip"})]
    ) as d:
        assert (await d.ask()).text == "ä" * 10_000


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"choices":['])
async def test_an_answer_nested_beyond_measure_is_no_answer(desk: OpenDesk, opening: bytes) -> None:
    async with desk(lambda body, number: Scripted(raw=opening * 100_000)) as d:
        with pytest.raises(ModelError):
            await d.ask()
        assert len(d.server.received) <= TRIES


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_prompt_goes_to_no_other_address(desk: OpenDesk, status: int) -> None:
    with ScriptedModel(lambda body, number: "stolen") as thief:
        away = Scripted(status=status, headers={"location": f"{thief.url}/chat/completions?token=x"})
        async with desk(lambda body, number: away, api_key="sk-secret-123") as d:
            with pytest.raises(ModelRefused, match="nothing is sent") as refused:
                await d.ask()
        assert thief.url in str(refused.value)
        assert thief.received == []


async def test_a_redirect_within_the_address_is_followed(desk: OpenDesk) -> None:
    moved = Scripted(status=307, headers={"location": "/v1/chat/completions/"})
    async with desk([moved, "here"]) as d:
        assert (await d.ask()).text == "here"
        assert d.server.received[1].body["messages"] == QUESTION


async def test_a_list_of_models_without_an_end_leaves_the_window_unknown(desk: OpenDesk) -> None:
    async with desk(["1 2 3"], documents={"/v1/models": Scripted(endless=PIECE)}) as d:
        [facts] = await d.client.check()
        assert facts.facts["context_from"] == "unknown"
        assert d.server.endless_bytes <= 2 * MOST_BYTES
