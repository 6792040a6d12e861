"""Whether the run and each of its agents may go on: a person's pause and stop, and the time that is left.

Money is the budget's (`comind.llm.budget`); when it ends, `wind_down` is called here. Waiting happens between
cells; what must end at once is ended by the watcher of the cell, which asks `stop_reason`, and by
`while_wanted`, as calls of the model are (`comind.run.models.Timely`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from kaggle_runner.errors import AgentLimitReached, LimitReached
from kaggle_runner.moments import Clock

Result = TypeVar("Result")

GRACE_SECONDS = 60.0
"""How long cells and calls that are under way may still take when money or tokens have ended."""
REPORT_SECONDS = 300.0
"""How long an agent whose time is over may still write its report."""
TIME_LIMIT = "the time limit is reached"
AGENT_TIME = "this agent's time is over"
_LOOK_SECONDS = 0.5
"""How often it is looked whether anybody still wants what is waited for."""


class Control:
    """Shared by the engine (which sets) and the agents (which ask). One event loop, no threads."""

    def __init__(self, *, time_limit: float, seconds_used: float, clock: Clock) -> None:
        self._limit = time_limit
        self._before = seconds_used
        self._monotonic = clock.monotonic
        self._started = clock.monotonic()
        self._paused_for = 0.0
        self._paused_at: float | None = None
        self._running = asyncio.Event()
        self._running.set()
        self._stop = ""
        self._stopped_agents: dict[str, str] = {}
        self._deadlines: dict[str, float] = {}
        self._winding = ""
        self._grace_ends = 0.0

    @property
    def seconds_used(self) -> float:
        """Wall time of all engine processes of this run, pauses excluded."""
        now = self._monotonic()
        pausing = now - self._paused_at if self._paused_at is not None else 0.0
        return self._before + (now - self._started) - self._paused_for - pausing

    @property
    def seconds_left(self) -> float:
        return self._limit - self.seconds_used

    @property
    def reserve(self) -> float:
        """Seconds kept back for the last grading, the submission and the report."""
        return reserve_of(self._limit)

    @property
    def working_seconds_left(self) -> float:
        """What agents may still spend."""
        return max(0.0, self.seconds_left - self.reserve)

    @property
    def paused(self) -> bool:
        return self._paused_at is not None

    def pause(self) -> None:
        if self._paused_at is None:
            self._paused_at = self._monotonic()
            self._running.clear()

    def resume(self) -> None:
        if self._paused_at is not None:
            self._paused_for += self._monotonic() - self._paused_at
            self._paused_at = None
            self._running.set()

    def stop(self, reason: str) -> None:
        """Wind the whole run down; the first reason stays."""
        self._stop = self._stop or reason
        self.resume()

    def wind_down(self, reason: str) -> None:
        """Begin nothing new, since money or tokens have ended; what is under way has GRACE_SECONDS to finish.

        The first reason stays.
        """
        if not self._winding:
            self._winding = reason
            self._grace_ends = self.seconds_used + GRACE_SECONDS

    @property
    def winding(self) -> str:
        """Why the run winds down; empty while it does not."""
        return self._winding

    @property
    def stopped(self) -> bool:
        """Whether somebody asked the run to stop; a limit that was reached is not that."""
        return bool(self._stop)

    def stopped_by_person(self, agent: str) -> bool:
        """Whether somebody asked the run or this agent to stop."""
        return self.stopped or agent in self._stopped_agents

    def stop_agent(self, agent: str, reason: str) -> None:
        self._stopped_agents.setdefault(agent, reason)

    def set_agent_deadline(self, agent: str, seconds_used_at: float) -> None:
        """The agent's time is over when `seconds_used` of the run reaches this."""
        self._deadlines[agent] = seconds_used_at

    def agent_seconds_left(self, agent: str) -> float:
        """What this agent may still spend; what the run has left where it has no share of its own."""
        deadline = self._deadlines.get(agent)
        left = self.working_seconds_left
        return left if deadline is None else max(0.0, min(left, deadline - self.seconds_used))

    def stop_reason(self, agent: str = "") -> str:
        """Why this agent, or without one the run, must end now; empty when it may go on.

        When money has ended the run begins nothing new at once, while its agents have a grace.
        """
        if self._stop:
            return self._stop
        if agent in self._stopped_agents:
            return self._stopped_agents[agent]
        if self.working_seconds_left <= 0:
            return TIME_LIMIT
        if self._winding and (not agent or self.seconds_used >= self._grace_ends):
            return self._winding
        if agent and self.agent_seconds_left(agent) <= 0:
            return AGENT_TIME
        return ""

    def report_stop_reason(self, agent: str = "") -> str:
        """Why a report is not waited for any more.

        Reports are still written after a stop and after money has ended (from what was kept for them), up to
        REPORT_SECONDS after the agent's own time and in the first half of the run's reserve.
        """
        if self.seconds_left < self.reserve / 2:
            return TIME_LIMIT
        deadline = self._deadlines.get(agent)
        late = deadline is not None and self.seconds_used >= deadline + REPORT_SECONDS
        return AGENT_TIME if late else ""

    async def wait_while_paused(self) -> None:
        await self._running.wait()


async def while_wanted(work: Coroutine[Any, Any, Result], ended: Callable[[], str]) -> Result:
    """What `work` returns. As soon as `ended` names a reason it is cancelled, and LimitReached tells that."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            if reason := ended():
                raise AgentLimitReached(reason) if reason == AGENT_TIME else LimitReached(reason)
            await asyncio.wait({task}, timeout=_LOOK_SECONDS)
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


def reserve_of(time_limit: float) -> float:
    """Seconds kept back for the end of a run with this limit."""
    return min(120.0, 0.1 * time_limit)
