"""Nobody waits for replies that come too late: after the run's time, or after a person's stop."""

from __future__ import annotations

import asyncio

import pytest

from comind.control import Control
from comind.llm.client import CallKey, NoLog, Reply
from comind.llm.tokens import Messages
from comind.run.models import Timely
from kaggle_runner.errors import AgentLimitReached, LimitReached
from tests.fakes.clocks import HandClock
from tests.fakes.models import reply_to


class SlowModel:
    """Answers when told to; knows whether it was left waiting."""

    log = NoLog()

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.cancelled = False

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        self.asked.set()
        try:
            await self.answer.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return reply_to(role, key, "text")


def control(*, used: float = 0.0) -> Control:
    """Of 600 seconds the last 60 are kept back for the end."""
    return Control(time_limit=600, seconds_used=used, clock=HandClock())


async def test_a_stop_ends_the_waiting_for_a_reply_and_the_request() -> None:
    model, said = SlowModel(), control()
    asking = asyncio.create_task(Timely(model, said).ask("coder", CallKey("r1-a1", 1, "turn"), []))
    await model.asked.wait()
    said.stop_agent("r1-a1", "stopped by a person")
    with pytest.raises(LimitReached, match="stopped by a person"):
        await asking
    assert model.cancelled


async def test_other_agents_and_reports_go_on() -> None:
    model, said = SlowModel(), control()
    desk = Timely(model, said)
    other = asyncio.create_task(desk.ask("coder", CallKey("r1-a2", 1, "turn"), []))
    report = asyncio.create_task(desk.ask("coder", CallKey("r1-a1", 9, "report"), []))
    await model.asked.wait()
    said.stop_agent("r1-a1", "stopped by a person")
    await asyncio.sleep(0)
    model.answer.set()
    assert [(await one).text for one in (other, report)] == ["text", "text"]


@pytest.mark.parametrize(("kind", "used"), [("turn", 541), ("drafts", 541), ("report", 571)])
async def test_no_reply_outlives_the_runs_time(kind: str, used: float) -> None:
    with pytest.raises(LimitReached, match="time limit"):
        await Timely(SlowModel(), control(used=used)).ask("coder", CallKey("r1-a1", 1, kind), [])


async def test_a_report_may_use_some_of_the_time_kept_back() -> None:
    model = SlowModel()
    model.answer.set()
    reply = await Timely(model, control(used=541)).ask("coder", CallKey("r1-a1", 9, "report"), [])
    assert reply.text == "text"


class Refusing:
    """A client whose budget says no."""

    log = NoLog()

    def __init__(self, error: LimitReached) -> None:
        self._error = error

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        raise self._error


async def test_an_agents_time_ends_its_waiting() -> None:
    model, said = SlowModel(), control(used=100)
    said.set_agent_deadline("r1-a1", 100)
    desk = Timely(model, said)
    with pytest.raises(AgentLimitReached, match="this agent's time is over"):
        await desk.ask("coder", CallKey("r1-a1", 1, "turn"), [])
    model.answer.set()
    assert (await desk.ask("coder", CallKey("r1-a1", 9, "report"), [])).text == "text"
    assert (await desk.ask("coder", CallKey("r1-a2", 1, "turn"), [])).text == "text"


async def test_money_that_ended_winds_the_run_down_and_an_agents_limit_does_not() -> None:
    for error, reason in (
        (AgentLimitReached("this agent's"), ""),
        (LimitReached("the run's"), "the run's"),
    ):
        said = control()
        with pytest.raises(LimitReached):
            await Timely(Refusing(error), said).ask("coder", CallKey("r1-a1", 1, "turn"), [])
        assert said.stop_reason() == reason
