"""Money, tokens and time: what was spent, by whom, and whether one more call may be made.

The worst case of a call is reserved before it is sent and replaced by its true cost afterwards, so that
parallel agents cannot overspend together. A call whose connection broke is released as free: whether its
provider bills it cannot be known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from comind.clock import Clock
from comind.llm.prices import Usage
from comind.records import LlmCall
from kaggle_runner.errors import ConfigError, LimitReached

DollarsOf = Callable[[Usage], float | None]


@dataclass(slots=True)
class Tally:
    """Sums over calls. Tokens count what the endpoint reported, or our estimate where it reported none."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    known_dollars: float = 0.0
    """Of the calls whose price is known."""
    unpriced_calls: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def dollars(self) -> float | None:
        """None as soon as one call's price is unknown: a partial sum would read as the whole."""
        return None if self.unpriced_calls else self.known_dollars

    def add(self, usage: Usage, dollars: float | None) -> None:
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += usage.cached_tokens
        self.completion_tokens += usage.completion_tokens
        self.reasoning_tokens += usage.reasoning_tokens
        if dollars is None:
            self.unpriced_calls += 1
        else:
            self.known_dollars += dollars


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Room for one call. `completion_tokens` is what the call may generate, at most what was wanted."""

    agent: str
    completion_tokens: int
    tokens: int
    dollars: float


class Budget:
    """The run's limits (None: no limit) and what was spent. For one event loop; not thread-safe.

    `deadline` may be moved while the run goes on (a pause moves it).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        max_dollars: float | None = None,
        max_tokens: int | None = None,
        deadline: datetime | None = None,
    ) -> None:
        self.max_dollars = max_dollars
        self.max_tokens = max_tokens
        self.deadline = deadline
        self.total = Tally()
        self._clock = clock
        self._agents: dict[str, Tally] = {}
        self._open: set[Reservation] = set()
        self._settled = asyncio.Event()
        self._refusal = ""

    def of(self, agent: str) -> Tally:
        """What one agent spent so far; an empty tally for one that never asked."""
        return self._agents.get(agent, Tally())

    def seconds_left(self) -> float | None:
        """Until the deadline, not below zero; None without one."""
        if self.deadline is None:
            return None
        return max(0.0, (self.deadline - self._clock()).total_seconds())

    def exhausted(self) -> str:
        """Why no further call can be made, or an empty string."""
        if self.seconds_left() == 0.0:
            return "the time is up"
        if self.max_dollars is not None and self.total.known_dollars >= self.max_dollars:
            return f"the limit of {self.max_dollars:.2f} $ is spent"
        if self.max_tokens is not None and self.total.tokens >= self.max_tokens:
            return f"the limit of {self.max_tokens:,} tokens is spent"
        return self._refusal

    def restore(self, calls: Iterable[LlmCall]) -> None:
        """Counts the calls that earlier engines of this run have paid for."""
        for call in calls:
            self.record(call)

    def record(self, call: LlmCall) -> None:
        """Adds a paid call to the sums."""
        usage = Usage(call.prompt_tokens, call.completion_tokens, call.cached_tokens, call.reasoning_tokens)
        self.spend(call.agent, usage, call.dollars)

    def spend(self, agent: str, usage: Usage, dollars: float | None) -> None:
        self.total.add(usage, dollars)
        self._agents.setdefault(agent, Tally()).add(usage, dollars)

    async def reserve(
        self, agent: str, prompt_tokens: int, wanted: int, least: int, dollars_of: DollarsOf
    ) -> Reservation:
        """Room for a call of `prompt_tokens` and up to `wanted` (at least `least`) completion tokens.

        Near a limit it grants fewer completion tokens than wanted; when even the least does not fit it
        waits for open calls to settle below their worst case. Raises LimitReached when there is none to
        wait for or time is up, ConfigError when dollars are limited and the price is not known.
        """
        least = min(least, wanted)
        while True:
            reason = self.exhausted()
            if not reason:
                granted = self._fitting(prompt_tokens, wanted, least, dollars_of)
                if granted is not None:
                    return self._hold(agent, prompt_tokens, granted, dollars_of)
                reason = f"what is left of the budget ({self._left()}) does not pay for one more call"
                if not self._open:
                    self._refusal = reason
            if not self._open or self.exhausted():
                raise LimitReached(
                    reason, hint="raise the limit and resume the run; nothing paid for is lost"
                )
            self._settled.clear()
            await self._settled.wait()

    def release(self, reservation: Reservation) -> None:
        """Gives the room back; the call's true cost is added by `record`."""
        self._open.discard(reservation)
        self._settled.set()

    def _hold(self, agent: str, prompt_tokens: int, granted: int, dollars_of: DollarsOf) -> Reservation:
        worst = dollars_of(Usage(prompt_tokens, granted)) or 0.0
        held = Reservation(agent, granted, prompt_tokens + granted, worst)
        self._open.add(held)
        return held

    def _fitting(self, prompt_tokens: int, wanted: int, least: int, dollars_of: DollarsOf) -> int | None:
        """The largest of wanted, wanted/2, ... least that fits beside the open reservations."""
        granted = wanted
        while not self._fits(Usage(prompt_tokens, granted), dollars_of):
            if granted <= least:
                return None
            granted = max(least, granted // 2)
        return granted

    def _fits(self, worst: Usage, dollars_of: DollarsOf) -> bool:
        tokens = worst.prompt_tokens + worst.completion_tokens + sum(held.tokens for held in self._open)
        if self.max_tokens is not None and self.total.tokens + tokens > self.max_tokens:
            return False
        if self.max_dollars is None:
            return True
        dollars = dollars_of(worst)
        if dollars is None:
            raise ConfigError(
                "a dollar limit cannot be kept for a model whose price is not known",
                hint="give its price in the config (prices: MODEL: {input: .., output: ..}) or limit tokens",
            )
        held_dollars = sum(held.dollars for held in self._open)
        return self.total.known_dollars + held_dollars + dollars <= self.max_dollars

    def _left(self) -> str:
        parts = []
        if self.max_dollars is not None:
            parts.append(f"{self.max_dollars - self.total.known_dollars:.4f} $")
        if self.max_tokens is not None:
            parts.append(f"{self.max_tokens - self.total.tokens:,} tokens")
        return ", ".join(parts)
