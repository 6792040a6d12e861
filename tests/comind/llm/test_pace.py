"""How fast one address is asked: limits of a sliding minute, pauses that a server asks for, fair turns."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comind.llm.client import CallKey
from comind.llm.pace import AddressPace, seconds_until_room
from comind.llm.profiles import ModelSettings
from tests.comind.llm.desk import OpenDesk
from tests.fakes.clocks import HandClock
from tests.fakes.scripted_llm import Scripted, rate_limited


def pace(room: HandClock, *, requests: int | None = None, tokens: int | None = None) -> AddressPace:
    return AddressPace(
        concurrency=8,
        requests_per_minute=requests,
        tokens_per_minute=tokens,
        clock=room,
        sleep=room.sleep,
    )


async def send_all(gate: AddressPace, room: HandClock, sizes: list[int]) -> list[tuple[float, int]]:
    sent: list[tuple[float, int]] = []

    async def one(size: int) -> None:
        async with gate.turn(size):
            sent.append((room.seconds, size))

    await asyncio.gather(*(one(size) for size in sizes))
    return sent


@given(
    sizes=st.lists(st.integers(1, 900), min_size=1, max_size=40),
    requests=st.integers(1, 9),
    tokens=st.integers(1000, 3000),
)
def test_no_minute_holds_more_than_the_limits(sizes: list[int], requests: int, tokens: int) -> None:
    room = HandClock()
    sent = asyncio.run(send_all(pace(room, requests=requests, tokens=tokens), room, sizes))
    assert [size for _, size in sent] == sizes, "first come, first served"
    for start, _ in sent:
        window = [size for at, size in sent if start <= at < start + 60]
        assert len(window) <= requests
        assert sum(window) <= tokens


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0], ids=["put back", "put on"])
async def test_the_machines_time_may_be_set_while_calls_wait(step: float) -> None:
    """A limit of the minute, and a pause that a server asked for, last as long as before."""
    room = HandClock()
    gate = pace(room, requests=1)
    await send_all(gate, room, [1])
    room.step(step)
    assert [at for at, _ in await send_all(gate, room, [1])] == [60]
    gate = pace(room)
    gate.pause(30)
    room.step(step)
    assert [at for at, _ in await send_all(gate, room, [1])] == [90]


async def test_without_limits_nobody_waits() -> None:
    room = HandClock()
    await send_all(pace(room), room, [10**6] * 50)
    assert room.slept == []


async def test_a_request_larger_than_the_limit_goes_alone() -> None:
    room = HandClock()
    sent = await send_all(pace(room, tokens=1000), room, [10, 5000, 10])
    assert [at for at, _ in sent] == [0, 60, 120]


async def test_who_gives_up_waiting_takes_no_turn() -> None:
    room = HandClock()
    gate = pace(room, requests=1)
    await send_all(gate, room, [1])
    forever = asyncio.Event()

    async def never(seconds: float) -> None:
        await forever.wait()

    gate._sleep = never
    waiting = asyncio.create_task(send_all(gate, room, [1]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate._sleep = room.sleep
    assert len(await send_all(gate, room, [1])) == 1
    assert sum(room.slept) == pytest.approx(60, abs=0.01)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"remaining-requests": "0", "reset-requests": "1m0.5s"}, 60.5),
        ({"remaining-requests": "3", "reset-requests": "59s"}, 0),
        ({"remaining-tokens": "0", "limit-tokens": "1000", "reset-tokens": "60s"}, 6),
        ({"remaining-tokens": "500", "limit-tokens": "1000", "reset-tokens": "60s"}, 0),
        ({"remaining-tokens": "0", "reset-tokens": "20ms"}, 0.02),
        ({"remaining-requests": "0", "reset-requests": "Sat, 21 Nov 2026"}, 0),
        ({"remaining-requests": "none", "reset-requests": "5s"}, 0),
    ],
)
def test_what_is_left_of_a_limit_is_read_from_headers(headers: dict[str, str], seconds: float) -> None:
    named = {f"x-ratelimit-{name}": value for name, value in headers.items()}
    assert seconds_until_room(named, 100) == pytest.approx(seconds)


async def test_a_429_pauses_the_whole_address(desk: OpenDesk) -> None:
    """A call that comes while another waits for the end of its 429 is not sent either."""
    async with desk([rate_limited("40"), "one", "two"]) as d:
        began = d.room.seconds

        async def another_asks(seconds: float) -> None:
            await d.ask(CallKey("r1-a2", 1, "turn"))

        d.client._trier._sleep = another_asks
        await d.ask()
        assert len(d.server.received) == 3
        assert d.room.seconds - began >= 40, "the other one slept the pause in its turn"


async def test_a_servers_limit_is_followed_before_it_refuses(desk: OpenDesk) -> None:
    used_up = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"}
    async with desk([Scripted("one", headers=used_up), "two"]) as d:
        await d.ask()
        await d.ask(CallKey("r1-a1", 4, "turn"))
        assert d.room.slept == pytest.approx([12], abs=0.01)


async def test_a_limit_that_was_set_goes_before_the_servers_headers(desk: OpenDesk) -> None:
    used_up = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12s"}
    settings = ModelSettings(requests_per_minute=2)
    async with desk(lambda body, number: Scripted("one", headers=used_up), settings=settings) as d:
        for step in (1, 2, 3):
            await d.ask(CallKey("r1-a1", step, "turn"))
        assert sum(d.room.slept) == pytest.approx(60, abs=0.01)
