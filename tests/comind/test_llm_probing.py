"""The question before a run: what it costs, what it learns, and how it says what is wrong."""

from __future__ import annotations

import random

import pytest

from comind.llm.budget import Budget
from comind.llm.client import ModelClient
from comind.llm.endpoints import Endpoint
from comind.models import StoredCalls
from kaggle_runner.errors import ModelRefused, ModelUnavailable
from tests.comind.llm_desk import OpenDesk, WaitingRoom
from tests.fakes.scripted_llm import (
    Scripted,
)


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
        log=StoredCalls(d.store),
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
