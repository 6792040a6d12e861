"""Money, tokens and time: what was spent, by whom, and whether one more call may be made.

The worst case of a call is reserved before it is sent and replaced by its true cost afterwards, so that
parallel agents cannot overspend together. A call whose connection broke is released as free: whether its
provider bills it cannot be known here.

**Limits of one agent** hold for coding agents (`r1-a2`); whatever is asked in such an agent's name counts,
its turns, its monitor and its report. A spent one refuses that agent only (`AgentLimitReached`).

**Reports come last and are paid for first.** Of every limit of the run a tenth is kept for them. Of an
agent's own limits every other call must leave room for a report as long as itself, at most a quarter of the
limit. So an agent whose limit is spent can still say what it learned.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from comind.llm.prices import Usage
from comind.state.records import LlmCall
from comind.state.runs import CODING_AGENT
from kaggle_runner.errors import AgentLimitReached, ConfigError, LimitReached

DollarsOf = Callable[[Usage], float | None]

REPORTS_SHARE = 0.1
"""Of the run's limits, kept for reports."""
AGENT_REPORT_SHARE = 0.25
"""Of one agent's limits, what is kept for its report at most."""


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


@dataclass(frozen=True, slots=True)
class Limits:
    """What the run or one agent may spend; None is no limit."""

    dollars: float | None = None
    tokens: int | None = None

    def spent(self, tally: Tally, owner: str) -> str:
        """Which limit is reached, or an empty string."""
        if self.dollars is not None and tally.known_dollars >= self.dollars:
            return f"{owner} limit of {self.dollars:.2f} $ is spent"
        if self.tokens is not None and tally.tokens >= self.tokens:
            return f"{owner} limit of {self.tokens:,} tokens is spent"
        return ""

    def too_little(self, tally: Tally, owner: str) -> str:
        """What is left, in words, when it does not pay for the next call."""
        parts = []
        if self.dollars is not None:
            parts.append(f"{self.dollars - tally.known_dollars:.4f} $ of {self.dollars:.2f} $")
        if self.tokens is not None:
            parts.append(f"{self.tokens - tally.tokens:,} of {self.tokens:,} tokens")
        return f"what is left of {owner} budget ({', '.join(parts)}) does not pay for one more call"


class Budget:
    """The run's and each agent's limits and what was spent. For one event loop; not thread-safe."""

    def __init__(
        self,
        *,
        max_dollars: float | None = None,
        max_tokens: int | None = None,
        agent_max_dollars: float | None = None,
        agent_max_tokens: int | None = None,
        is_default_cap: bool = False,
        seconds_left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        """`is_default_cap`: nobody asked for `max_dollars`; calls of unknown price pass it, uncounted.

        `seconds_left`: of the run's time, which stands still while it is paused.
        """
        self.limits = Limits(max_dollars, max_tokens)
        self._lets_unpriced_pass = is_default_cap
        self.agent_limits = Limits(agent_max_dollars, agent_max_tokens)
        self.total = Tally()
        self.seconds_left = seconds_left
        self._agents: dict[str, Tally] = {}
        self._open: set[Reservation] = set()
        self._settled = asyncio.Event()
        self._refusal = ""

    @property
    def limits_dollars(self) -> bool:
        """Whether every call's price must be known."""
        asked = self.limits.dollars is not None and not self._lets_unpriced_pass
        return asked or self.agent_limits.dollars is not None

    def of(self, agent: str) -> Tally:
        """What one agent spent so far; an empty tally for one that never asked."""
        return self._agents.get(agent, Tally())

    def exhausted(self) -> str:
        """Why no further call can be made but reports, or an empty string."""
        return self._over() or self._refusal

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
        self,
        agent: str,
        prompt_tokens: int,
        wanted: int,
        least: int,
        dollars_of: DollarsOf,
        *,
        report: bool = False,
    ) -> Reservation:
        """Room for a call of `prompt_tokens` and up to `wanted` (at least `least`) completion tokens.

        Near a limit it grants fewer completion tokens than wanted; when even the least does not fit it waits
        for open calls to settle below their worst case. A `report` may use what other calls must leave.
        Raises LimitReached when there is nothing to wait for or time is up, AgentLimitReached when it is the
        agent's own limit, ConfigError when dollars are limited and the price is not known.
        """
        least = min(least, wanted)
        while True:
            if reason := self._over() if report else self.exhausted():
                raise _limit_reached(reason)
            asked = _Asked(agent, prompt_tokens, least, dollars_of, report)
            if reason := self._own_limits(agent).spent(self.of(agent), "this agent's"):
                raise AgentLimitReached(reason, hint=_AGENT_HINT)
            for_run = self._granted(asked, wanted, self._run_fits)
            for_agent = self._granted(asked, wanted, self._agent_fits)
            if for_run is not None and for_agent is not None:
                return self._hold(asked, min(for_run, for_agent))
            if not self._awaited(asked, agent_only=for_run is not None):
                raise self._refused(asked, agent_only=for_run is not None)
            self._settled.clear()
            await self._settled.wait()

    def release(self, reservation: Reservation) -> None:
        """Gives the room back; the call's true cost is added by `record`."""
        self._open.discard(reservation)
        self._settled.set()

    def _over(self) -> str:
        if self.seconds_left() <= 0:
            return "the time is up"
        return self.limits.spent(self.total, "the")

    def _own_limits(self, agent: str) -> Limits:
        return self.agent_limits if CODING_AGENT.fullmatch(agent) else Limits()

    def _awaited(self, asked: _Asked, *, agent_only: bool) -> bool:
        """Whether an open call may still give back what this one lacks."""
        return any(not agent_only or held.agent == asked.agent for held in self._open)

    def _refused(self, asked: _Asked, *, agent_only: bool) -> LimitReached:
        if agent_only:
            limits = self._own_limits(asked.agent)
            reason = limits.too_little(self.of(asked.agent), "this agent's")
            return AgentLimitReached(reason, hint=_AGENT_HINT)
        reason = self.limits.too_little(self.total, "the run's")
        if not asked.report:
            self._refusal = reason
        return _limit_reached(reason)

    def _hold(self, asked: _Asked, granted: int) -> Reservation:
        worst = asked.dollars_of(Usage(asked.prompt_tokens, granted)) or 0.0
        held = Reservation(asked.agent, granted, asked.prompt_tokens + granted, worst)
        self._open.add(held)
        return held

    def _granted(self, asked: _Asked, wanted: int, fits: Callable[[_Asked, Usage], bool]) -> int | None:
        """The largest of wanted, wanted/2, ... least that fits beside the open reservations."""
        granted = wanted
        while not fits(asked, Usage(asked.prompt_tokens, granted)):
            if granted <= asked.least:
                return None
            granted = max(asked.least, granted // 2)
        return granted

    def _run_fits(self, asked: _Asked, worst: Usage) -> bool:
        usable = 1.0 if asked.report else 1.0 - REPORTS_SHARE
        uncounted = self._lets_unpriced_pass and asked.dollars_of(worst) is None
        limits = Limits(
            None if self.limits.dollars is None or uncounted else self.limits.dollars * usable,
            None if self.limits.tokens is None else int(self.limits.tokens * usable),
        )
        return _fits(limits, self.total, self._open, asked, worst)

    def _agent_fits(self, asked: _Asked, worst: Usage) -> bool:
        limits = self._own_limits(asked.agent)
        if not asked.report:
            report = Usage(asked.prompt_tokens, asked.least)
            limits = Limits(
                _less(limits.dollars, asked.dollars_of(report) or 0.0),
                None if limits.tokens is None else int(_less(limits.tokens, _tokens(report)) or 0),
            )
        own = {held for held in self._open if held.agent == asked.agent}
        return _fits(limits, self.of(asked.agent), own, asked, worst)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question to the budget."""

    agent: str
    prompt_tokens: int
    least: int
    dollars_of: DollarsOf
    report: bool


_AGENT_HINT = "the other agents go on; --agent-max-cost and --agent-max-tokens set what one agent may spend"


def _limit_reached(reason: str) -> LimitReached:
    return LimitReached(reason, hint="--max-cost, --max-tokens and --time-limit set what a run may spend")


def _fits(limits: Limits, tally: Tally, held: Iterable[Reservation], asked: _Asked, worst: Usage) -> bool:
    held = list(held)
    if limits.tokens is not None:
        tokens = tally.tokens + sum(one.tokens for one in held) + _tokens(worst)
        if tokens > limits.tokens:
            return False
    if limits.dollars is None:
        return True
    dollars = asked.dollars_of(worst)
    if dollars is None:
        raise ConfigError(
            "a dollar limit cannot be kept for a model whose price is not known",
            hint="give its price in the config (prices: MODEL: {input: .., output: ..}) or limit tokens",
        )
    return tally.known_dollars + sum(one.dollars for one in held) + dollars <= limits.dollars


def _tokens(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens


def _less(limit: float | None, report: float) -> float | None:
    """What calls other than the report may use of an agent's limit."""
    return None if limit is None else limit - min(AGENT_REPORT_SHARE * limit, report)
