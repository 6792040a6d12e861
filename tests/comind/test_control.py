"""Time and a person's word: pauses do not count, the first reason stays, one agent's stop is its own."""

from __future__ import annotations

import asyncio

from comind.control import GRACE_SECONDS, REPORT_SECONDS, Control
from tests.fakes.clocks import HandClock


def control(watch: HandClock, *, limit: float = 1000.0, used: float = 0.0) -> Control:
    return Control(time_limit=limit, seconds_used=used, clock=watch)


async def test_pauses_do_not_count() -> None:
    watch = HandClock()
    one = control(watch)
    watch.seconds += 100
    one.pause()
    watch.seconds += 500
    assert one.seconds_used == 100
    one.resume()
    watch.seconds += 50
    assert one.seconds_used == 150


async def test_time_of_earlier_engines_counts() -> None:
    watch = HandClock()
    one = control(watch, used=900)
    assert one.seconds_left == 100
    assert one.working_seconds_left == 0
    assert "time limit" in one.stop_reason()


async def test_a_reserve_is_kept_for_the_end() -> None:
    assert control(HandClock(), limit=100).reserve == 10
    assert control(HandClock(), limit=86400).reserve == 120


async def test_stopping_one_agent_leaves_the_others() -> None:
    one = control(HandClock())
    one.stop_agent("r1-a1", "stopped by a person")
    assert one.stop_reason("r1-a1")
    assert not one.stop_reason("r1-a2")


async def test_the_first_reason_to_stop_stays() -> None:
    one = control(HandClock())
    one.stop("stopped by a person")
    one.stop("interrupted")
    assert one.stop_reason() == "stopped by a person"


async def test_a_stop_ends_a_pause() -> None:
    one = control(HandClock())
    one.pause()
    waiting = asyncio.create_task(one.wait_while_paused())
    await asyncio.sleep(0)
    assert not waiting.done()
    one.stop("stopped by a person")
    await asyncio.wait_for(waiting, 60)


async def test_an_agents_time_ends_that_agent_and_a_pause_moves_it() -> None:
    watch = HandClock()
    one = control(watch)
    one.set_agent_deadline("r1-a1", 200)
    watch.seconds += 150
    one.pause()
    watch.seconds += 500
    one.resume()
    assert one.agent_seconds_left("r1-a1") == 50
    assert not one.stop_reason("r1-a1")
    watch.seconds += 50
    assert one.stop_reason("r1-a1") == "this agent's time is over"
    assert not one.stop_reason("r1-a2")
    assert not one.stop_reason()


async def test_a_late_agent_may_still_report_for_a_while() -> None:
    watch = HandClock()
    one = control(watch)
    one.set_agent_deadline("r1-a1", 100)
    watch.seconds += 100 + REPORT_SECONDS - 1
    assert not one.report_stop_reason("r1-a1")
    watch.seconds += 1
    assert one.report_stop_reason("r1-a1") == "this agent's time is over"
    assert not one.report_stop_reason("r1-a2")


async def test_no_agent_has_more_time_than_the_run() -> None:
    one = control(HandClock(), limit=1000, used=500)
    one.set_agent_deadline("r1-a1", 5000)
    assert one.agent_seconds_left("r1-a1") == one.working_seconds_left == 400
    assert one.agent_seconds_left("r1-a2") == 400


async def test_winding_down_begins_nothing_and_gives_agents_a_grace() -> None:
    watch = HandClock()
    one = control(watch)
    one.wind_down("the limit of 5.00 $ is spent")
    one.wind_down("another")
    assert one.stop_reason() == "the limit of 5.00 $ is spent"
    assert not one.stop_reason("r1-a1")
    assert not one.stopped
    watch.seconds += GRACE_SECONDS
    assert one.stop_reason("r1-a1") == "the limit of 5.00 $ is spent"
    assert not one.report_stop_reason("r1-a1")
