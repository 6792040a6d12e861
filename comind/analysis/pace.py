"""What steps, agents, reports and rounds of a run took so far, as means with their errors.

`comind.analysis.forecast` builds the rest of the run from them. Nothing here knows of limits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from comind.state.reader import AgentWork
from comind.state.records import Agent, Run
from comind.state.runs import CODING_AGENT

LEAST_STEPS = 2
"""Finished steps before anything is forecast."""
_ERRORS = 1.3
_LEAST_SPREAD = 0.1
_UNSEEN_SPREAD = 0.3
"""Of a mean that was seen once."""
_UNSEEN_STEPS = 0.9
"""Before an agent has finished: some need all their steps, some a tenth of them."""
_UNSEEN_SLOWEST = 1.3
_DRAWN = 2
"""Mean steps that an agent's own pace is averaged with."""
_KERNELS_AT_ONCE = 2
"""Community kernels are verified two at a time (comind.round.verification)."""


class Cost(NamedTuple):
    """An amount of all three kinds."""

    tokens: float = 0.0
    dollars: float = 0.0
    seconds: float = 0.0

    def plus(self, other: Cost, times: float = 1.0) -> Cost:
        return Cost(*(a + times * b for a, b in zip(self, other, strict=True)))


class Rate(NamedTuple):
    """What a step takes: the mean, its relative error, its growth a step, and where the mean lies."""

    mean: float
    error: float
    growth: float
    middle: float
    largest: float

    def of(self, first: float, count: float, lean: int) -> float:
        """`count` steps from number `first` on, with the mean moved by `lean` errors."""
        at = self.mean + self.growth * (first + (count - 1) / 2 - self.middle)
        return count * min(max(at, 0.0), 2 * self.largest) * max(0.0, 1 + lean * self.error)


class Past(NamedTuple):
    """What the run did so far, as means."""

    spent: Cost
    rates: tuple[Rate, Rate, Rate]
    report: Cost
    overhead: Cost
    overhead_error: float
    steps: float
    steps_error: float
    working: tuple[Agent, ...]
    """Agents of this round that have not finished; absent ones are counted by the coders of the config."""
    begun: bool
    """Whether this round's agents are at work, so that its overhead is spent."""
    slowest: float
    """How much longer than the mean agent a round's slowest one takes; the round waits for it."""
    paces: Mapping[str, float]
    """Agent → seconds of its steps over those of the mean step, drawn to 1 while it has few."""
    priced: bool

    @classmethod
    def of(cls, work: Sequence[AgentWork], agents: Sequence[Agent], run: Run) -> Past | None:
        by_id = {agent.id: agent for agent in agents}
        done = _finished_steps(work, by_id)
        if len(done) < LEAST_STEPS:
            return None
        steps, steps_error = _steps_of_an_agent(agents, run.settings.steps)
        here = [agent for agent in agents if agent.round == run.round]
        reports = [_cost([one]) for one in work if one.kind == "report"]
        overhead, overhead_error = _overhead(work, run.round)
        rates = tuple(_rate(done, index) for index in range(3))
        return cls(
            spent=_cost(work),
            rates=(rates[0], rates[1], rates[2]),
            report=_mean(reports) if reports else Cost(*(rate.mean for rate in rates)),
            overhead=overhead,
            overhead_error=overhead_error,
            steps=steps,
            steps_error=steps_error,
            working=tuple(agent for agent in here if not agent.finished_at),
            begun=bool(here),
            slowest=_slowest(done, agents),
            paces=_paces(done, rates[2].mean),
            priced=all(one.dollars is not None for one in work),
        )


def _finished_steps(work: Iterable[AgentWork], agents: Mapping[str, Agent]) -> dict[tuple[str, int], Cost]:
    """(agent, step) → what it took, of coding agents' steps that are over."""
    done: dict[tuple[str, int], list[AgentWork]] = defaultdict(list)
    for one in work:
        agent = agents.get(one.agent)
        if agent is not None and one.kind != "report" and (agent.finished_at or one.step < agent.step):
            done[one.agent, one.step].append(one)
    return {key: _cost(parts) for key, parts in done.items()}


def _cost(work: Iterable[AgentWork]) -> Cost:
    """Sums; the monitor's calls take no time of their own, since the cell runs meanwhile."""
    total = Cost()
    for one in work:
        seconds = 0.0 if one.kind.startswith("watch") else one.seconds
        total = total.plus(Cost(one.tokens, one.dollars or 0.0, seconds))
    return total


def _mean(costs: Sequence[Cost]) -> Cost:
    return Cost(*(fmean(values) for values in zip(*costs, strict=True)))


def _rate(done: Mapping[tuple[str, int], Cost], index: int) -> Rate:
    """Of one kind of amount; the error is taken between agents, since steps of one agent are alike."""
    by_agent: dict[str, list[float]] = defaultdict(list)
    for (agent, _), cost in done.items():
        by_agent[agent].append(cost[index])
    values = [cost[index] for cost in done.values()]
    means = [fmean(own) for own in by_agent.values()]
    mean = fmean(values)
    spread = stdev(means) / math.sqrt(len(means)) if len(means) > 1 else stdev(values)
    error = max(_LEAST_SPREAD, _ERRORS * spread / mean) if mean > 0 else 0.0
    numbers = [step for _, step in done]
    return Rate(mean, min(error, 0.9), _growth(done, index), fmean(numbers), max(values))


def _growth(done: Mapping[tuple[str, int], Cost], index: int) -> float:
    """Least squares within agents, not below zero: what a step takes more than the one before."""
    by_agent: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for (agent, step), cost in done.items():
        by_agent[agent].append((step, cost[index]))
    above = below = 0.0
    for own in by_agent.values():
        step_mean, mean = fmean(step for step, _ in own), fmean(value for _, value in own)
        above += sum((step - step_mean) * (value - mean) for step, value in own)
        below += sum((step - step_mean) ** 2 for step, _ in own)
    return max(0.0, above / below) if below else 0.0


def _slowest(done: Mapping[tuple[str, int], Cost], agents: Sequence[Agent]) -> float:
    """The mean over rounds that are over."""
    taken: dict[str, float] = defaultdict(float)
    for (agent, _), cost in done.items():
        taken[agent] += cost.seconds
    ratios = []
    for round in {agent.round for agent in agents}:
        own = [agent for agent in agents if agent.round == round]
        mean = fmean(taken[agent.id] for agent in own)
        if all(agent.finished_at for agent in own) and mean > 0:
            ratios.append(max(taken[agent.id] for agent in own) / mean)
    return fmean(ratios) if ratios else _UNSEEN_SLOWEST


def _paces(done: Mapping[tuple[str, int], Cost], mean: float) -> dict[str, float]:
    seconds: dict[str, list[float]] = defaultdict(list)
    for (agent, _), cost in done.items():
        seconds[agent].append(cost.seconds)
    if mean <= 0:
        return {}
    return {agent: (sum(own) / mean + _DRAWN) / (len(own) + _DRAWN) for agent, own in seconds.items()}


def _steps_of_an_agent(agents: Sequence[Agent], most: int) -> tuple[float, float]:
    """Steps of agents that finished, or all they may have; and the relative error of that."""
    counts = [agent.step for agent in agents if agent.finished_at and agent.step]
    if not counts:
        return float(most), _UNSEEN_STEPS
    if len(counts) == 1:
        return float(counts[0]), _UNSEEN_SPREAD
    error = _ERRORS * stdev(counts) / math.sqrt(len(counts)) / fmean(counts)
    return fmean(counts), min(max(error, _LEAST_SPREAD), 0.9)


def _overhead(work: Sequence[AgentWork], rounds: int) -> tuple[Cost, float]:
    """What a round takes beside its agents. Artifacts are read at the same time as kernels are verified."""
    by_round: dict[int, list[AgentWork]] = defaultdict(list)
    verified = 0.0
    for one in work:
        if one.agent in ("analyzer", "proposer", "coordinator"):
            by_round[one.step].append(one)
        elif one.kind == "cell" and not CODING_AGENT.fullmatch(one.agent):
            verified += one.seconds
    if not by_round:
        return Cost(seconds=verified / _KERNELS_AT_ONCE / max(rounds, 1)), _UNSEEN_SPREAD
    costs = []
    for parts in by_round.values():
        reading = max((one.seconds for one in parts if one.agent == "analyzer"), default=0.0)
        rest = sum(one.seconds for one in parts if one.agent != "analyzer")
        reading = max(reading, verified / _KERNELS_AT_ONCE / len(by_round))
        costs.append(_cost(parts)._replace(seconds=reading + rest))
    return _mean(costs), _UNSEEN_SPREAD
