"""A clock that only a test moves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class HandClock:
    """Both hands go on by `advance` and by sleeping; `step` sets the machine's time and nothing else."""

    def __init__(self, moment: datetime = datetime(2026, 11, 21, tzinfo=UTC)) -> None:
        self._began = moment
        self.seconds = 0.0
        """Since it was made."""
        self._stepped = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.seconds + self._stepped)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float = 0.0, **longer: float) -> None:
        """`longer`: minutes, hours, days."""
        self.seconds += timedelta(seconds=seconds, **longer).total_seconds()

    def step(self, seconds: float) -> None:
        """Somebody sets the machine's time; below zero it goes back."""
        self._stepped += seconds

    async def sleep(self, seconds: float) -> None:
        """Several sleep at once: each ends when its own time has come, and none moves the clock back."""
        self.slept.append(seconds)
        until = self.seconds + seconds
        await asyncio.sleep(0)
        self.seconds = max(self.seconds, until)
