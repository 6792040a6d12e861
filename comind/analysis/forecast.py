"""What a run will have cost and when it will end, judged by what its steps took so far.

A step takes what steps took on average, and as much more as they grew with their number (a conversation
gets longer). An agent has as many steps as agents that finished had. A round takes its overhead (reading,
proposing, drafting, verifying) and its agents, which share the time that is left as the coordinator shares
it. Limits of the run and of agents bound all of it. Low and high move every mean by 1.3 standard errors the
same way, but by a tenth at least. An early end by plateau, by a person or by a lost model is not foreseen.

It reads and computes only; `comind.run.ending` tells people.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from comind.analysis.pace import Cost, Past
from comind.config import DEFAULT_MAX_DOLLARS, Settings
from comind.control import reserve_of
from comind.llm.budget import REPORTS_SHARE
from comind.state.reader import Reader
from comind.state.records import Agent, Run
from kaggle_runner.moments import Clock, parse_moment, stamp


class Range(NamedTuple):
    low: float
    expected: float
    high: float


class Passing(NamedTuple):
    """A limit that ends the run before its rounds do."""

    limit: Literal["dollars", "tokens"]
    amount: float
    seconds: float
    """From now."""
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    tokens: Range
    """At the end of the run."""
    dollars: Range | None
    """None when a call's price is unknown."""
    seconds_left: Range
    now: datetime
    passes: Passing | None
    rounds: int

    def ends_at(self) -> tuple[datetime, datetime, datetime]:
        """Earliest, expected and latest end."""
        low, expected, high = (self.now + timedelta(seconds=left) for left in self.seconds_left)
        return low, expected, high

    def as_dict(self) -> dict[str, Any]:
        """For JSON: ranges as low, expected, high; times in UTC; `passes` is the limit that ends the run."""
        passes = self.passes
        return {
            "tokens": _rounded(self.tokens, 0),
            "dollars": _rounded(self.dollars, 4) if self.dollars else None,
            "price": "known" if self.dollars else "unknown",
            "ends_at": dict(zip(Range._fields, map(stamp, self.ends_at()), strict=True)),
            "passes": {**passes._asdict(), "words": self.warning()} if passes else None,
        }

    def warning(self) -> str:
        """`at this rate the 5.00 $ are spent in about 40 min, in round 2 of 3`; empty where none is."""
        if self.passes is None:
            return ""
        limit, amount, seconds, round = self.passes
        what = f"{amount:.2f} $" if limit == "dollars" else f"{amount:,.0f} tokens"
        minutes = math.ceil(seconds / 60)
        when = f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"
        return f"at this rate the {what} are spent in about {when}, in round {round} of {self.rounds}"


def dollar_limit(settings: Settings, *, priced: bool) -> float | None:
    """The cap in force: the person's, else the default where prices are known; None is no limit."""
    limit = settings.max_cost
    if limit is None:
        own_model = not settings.offline and not settings.replay
        return DEFAULT_MAX_DOLLARS if own_model and priced else None
    return None if math.isinf(limit) else limit


def forecast(reader: Reader, clock: Clock) -> Forecast | None:
    """The forecast of a run at work; None when it has ended or has done too little to tell."""
    run = reader.run()
    if run is None or run.finished_at or run.round == 0:
        return None
    past = Past.of(reader.work(), reader.all(Agent, "round > 0"), run)
    if past is None:
        return None
    now = clock.now()
    spent = [_Trajectory(run, past, now, *lean) for lean in ((-1, -1, 1), (0, 0, 0), (1, 1, -1))]
    timed = [_Trajectory(run, past, now, *lean) for lean in ((-1, 1, -1), (0, 0, 0), (1, -1, 1))]
    middle = spent[1]
    tokens, dollars = (_ordered(getattr(one.end, name) for one in spent) for name in ("tokens", "dollars"))
    return Forecast(
        tokens=tokens,
        dollars=dollars if past.priced else None,
        seconds_left=_ordered(one.end.seconds for one in timed),
        now=now,
        passes=middle.passing,
        rounds=run.rounds,
    )


class _Point(NamedTuple):
    """The run's sums at one moment, `seconds` from now."""

    tokens: float
    dollars: float
    seconds: float
    round: int


class _Trajectory:
    """The rest of the run with its means moved: fewer or more steps, cheaper or dearer, faster or slower."""

    def __init__(self, run: Run, past: Past, now: datetime, steps: int, price: int, pace: int) -> None:
        self._run, self._past, self._settings = run, past, run.settings
        self._steps, self._price, self._pace = steps, price, pace
        self._limits = _Limits.of(self._settings, past.priced)
        self._used = _seconds_used(run, now)
        self._points = [_Point(past.spent.tokens, past.spent.dollars, 0.0, run.round)]
        self._go(now)
        self.passing = self._first_passing()
        self.end = self._ended()

    def _go(self, now: datetime) -> None:
        """This round's rest, then the rounds that are left, each with its share of the time."""
        past, run = self._past, self._run
        left = run.rounds - run.round + 1
        working_left = self._limits.working_seconds - self._used
        if past.begun:
            begun = min((parse_moment(one.started_at) for one in past.working if one.started_at), default=now)
            since = min(max((now - begun).total_seconds(), 0.0), self._used)
            share = (working_left + since) / left - since
            self._add([self._rest_of(agent) for agent in past.working], share, run.round)
            left -= 1
        whole = self._agent(1.0, self._steps_expected())
        for round in range(run.rounds - left + 1, run.rounds + 1):
            self._add_overhead(round)
            free = working_left - self._points[-1].seconds
            if free <= 0:
                return
            coders = self._settings.coders
            slowest = past.slowest if coders > 1 else 1.0
            self._add([whole] * coders, free / (run.rounds - round + 1), round, slowest)

    def _steps_expected(self) -> float:
        limit = self._settings.steps
        return min(limit, max(1.0, self._past.steps * (1 + self._steps * self._past.steps_error)))

    def _rest_of(self, agent: Agent) -> Cost:
        """From the middle of the step it is in, at its own pace; one at the usual end has one more."""
        goal = max(self._steps_expected(), min(agent.step + 1, agent.max_steps))
        rest = self._agent(agent.step + 0.5, goal - max(0.0, agent.step - 0.5))
        return rest._replace(seconds=rest.seconds * self._past.paces.get(agent.id, 1.0))

    def _agent(self, first: float, count: float) -> Cost:
        leans = (self._price, self._price, self._pace)
        amounts = zip(self._past.rates, leans, strict=True)
        return Cost(*(rate.of(first, count, lean) for rate, lean in amounts)).plus(self._past.report)

    def _add_overhead(self, round: int) -> None:
        last, error = self._points[-1], self._past.overhead_error
        price, pace = 1 + self._price * error, 1 + self._pace * error
        tokens, dollars, seconds = self._past.overhead
        self._points.append(
            _Point(
                last.tokens + price * tokens,
                last.dollars + price * dollars,
                last.seconds + pace * seconds,
                round,
            )
        )

    def _add(self, agents: Sequence[Cost], share: float, round: int, slowest: float = 1.0) -> None:
        """Agents side by side, each within its share of time, its money and its tokens."""
        sum_, longest = Cost(), 0.0
        for agent in agents:
            part = self._limits.part_of_agent(agent, share)
            sum_ = sum_.plus(agent, part)
            longest = max(longest, min(share, slowest * part * agent.seconds))
        last = self._points[-1]
        self._points.append(
            _Point(last.tokens + sum_.tokens, last.dollars + sum_.dollars, last.seconds + longest, round)
        )

    def _first_passing(self) -> Passing | None:
        found = [self._passed("tokens", self._limits.tokens)]
        if self._past.priced:
            found.append(self._passed("dollars", self._limits.dollars))
        return min((one for one in found if one), key=lambda one: one.seconds, default=None)

    def _passed(self, kind: Literal["dollars", "tokens"], limit: float | None) -> Passing | None:
        """When the sum reaches what calls other than reports may use, by straight lines between points."""
        if limit is None:
            return None
        usable = limit * (1 - REPORTS_SHARE)
        for before, after in zip(self._points, self._points[1:], strict=False):
            low, high = getattr(before, kind), getattr(after, kind)
            if high > usable:
                along = 0.0 if low >= usable else (usable - low) / (high - low)
                seconds = before.seconds + along * (after.seconds - before.seconds)
                return Passing(kind, limit, seconds, after.round)
        return None

    def _ended(self) -> _Point:
        """The last point, or where a limit is passed."""
        last = self._points[-1]
        if self.passing is None:
            return last
        seconds = self.passing.seconds
        for before, after in zip(self._points, self._points[1:], strict=False):
            if after.seconds >= seconds > before.seconds:
                along = (seconds - before.seconds) / (after.seconds - before.seconds)
                tokens = before.tokens + along * (after.tokens - before.tokens)
                dollars = before.dollars + along * (after.dollars - before.dollars)
                return _Point(tokens, dollars, seconds, after.round)
        return self._points[0]


class _Limits(NamedTuple):
    tokens: float | None
    dollars: float | None
    agent_tokens: float | None
    agent_dollars: float | None
    agent_seconds: float | None
    working_seconds: float

    @classmethod
    def of(cls, settings: Settings, priced: bool) -> _Limits:
        return cls(
            settings.max_tokens,
            dollar_limit(settings, priced=priced),
            settings.agent_max_tokens,
            settings.agent_max_cost,
            settings.agent_time_limit,
            settings.time_limit - reserve_of(settings.time_limit),
        )

    def part_of_agent(self, agent: Cost, share: float) -> float:
        """How much of its work an agent gets done within its own limits, 0–1."""
        seconds = min(share, self.agent_seconds or math.inf)
        pairs = (
            (agent.tokens, self.agent_tokens), (agent.dollars, self.agent_dollars), (agent.seconds, seconds)
        )  # fmt: skip
        parts = [max(0.0, limit) / amount for amount, limit in pairs if limit is not None and amount > 0]
        return min([1.0, *parts])


def _seconds_used(run: Run, now: datetime) -> float:
    """The run's clock now: it goes on from the engine's last count, unless paused."""
    since = (now - parse_moment(run.used_at)).total_seconds() if run.used_at else 0.0
    return run.seconds_used + (max(0.0, since) if run.status == "running" and since < 300 else 0.0)


def _ordered(values: Iterable[float]) -> Range:
    low, middle, high = values
    return Range(min(low, middle, high), middle, max(low, middle, high))


def _rounded(values: Range, places: int) -> dict[str, float | int]:
    kept = (round(value, places) if places else round(value) for value in values)
    return dict(zip(Range._fields, kept, strict=True))
