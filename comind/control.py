"""Whether the run may go on: a person's pause and stop, and the time that is left.

Money is the budget's (`comind.llm.budget`). Waiting happens between cells; what must end at once is ended by
the watcher of the cell, which asks `stop_reason` here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Seconds = Callable[[], float]
"""A monotonic clock in seconds."""


class Control:
    """Shared by the engine (which sets) and the agents (which ask). One event loop, no threads."""

    def __init__(self, *, time_limit: float, seconds_used: float, monotonic: Seconds) -> None:
        self._limit = time_limit
        self._before = seconds_used
        self._monotonic = monotonic
        self._started = monotonic()
        self._paused_for = 0.0
        self._paused_at: float | None = None
        self._running = asyncio.Event()
        self._running.set()
        self._stop = ""
        self._stopped_agents: dict[str, str] = {}

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
        return min(120.0, 0.1 * self._limit)

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

    @property
    def stopped(self) -> bool:
        """Whether somebody asked the run to stop; a limit that was reached is not that."""
        return bool(self._stop)

    def stop_agent(self, agent: str, reason: str) -> None:
        self._stopped_agents.setdefault(agent, reason)

    def stop_reason(self, agent: str = "") -> str:
        """Why this agent (or the run) must end now; empty when it may go on."""
        if self._stop:
            return self._stop
        if agent in self._stopped_agents:
            return self._stopped_agents[agent]
        if self.working_seconds_left <= 0:
            return "the time limit is reached"
        return ""

    async def wait_while_paused(self) -> None:
        await self._running.wait()
