"""The forecast against runs whose end is known: simulated ones, cut in the middle, in the real store."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from comind.analysis.forecast import Forecast, dollar_limit, forecast
from comind.config import RunConfig, Settings
from comind.control import Control
from comind.run.ending import close_agents, tell_winding, warn_of_limits
from comind.state.reader import Reader, reading
from comind.state.records import Agent, Cell, Event, LlmCall, Run
from comind.state.store import Store
from kaggle_runner.moments import stamp
from tests.fakes.clocks import HandClock

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PRICE = 2e-6
"""Dollars a token."""


@dataclass
class Simulated:
    """A whole run: every call and cell with the second at which it ended."""

    rounds: int = 3
    coders: int = 3
    steps: int = 8
    seed: int = 0
    calls: list[tuple[float, LlmCall]] = field(default_factory=list)
    cells: list[tuple[float, Cell]] = field(default_factory=list)
    agents: list[tuple[float, float, Agent]] = field(default_factory=list)
    round_starts: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._prompt = self._rng.uniform(1500, 8000)
        self._cell = self._rng.uniform(5, 200)
        for round in range(1, self.rounds + 1):
            self.round_starts.append(self.seconds)
            self._overhead(round)
            self.seconds = max(self._agent(round, index) for index in range(1, self.coders + 1))

    @property
    def tokens(self) -> int:
        return sum(call.prompt_tokens + call.completion_tokens for _, call in self.calls)

    def _call(self, agent: str, step: int, kind: str, prompt: float, seconds: float, at: float) -> None:
        tokens = int(prompt), self._rng.randrange(200, 2000)
        self.calls.append(
            (
                at,
                LlmCall(
                    id=f"{agent}/{step}/{kind}/1", role="coder", agent=agent, step=step, kind=kind, attempt=1,
                    model="m", base_url="u", prompt_tokens=tokens[0], completion_tokens=tokens[1],
                    dollars=sum(tokens) * PRICE, seconds=seconds,
                ),
            )
        )  # fmt: skip

    def _overhead(self, round: int) -> None:
        reading = [self._rng.uniform(5, 30) for _ in range(4)]
        for number, seconds in enumerate(reading):
            self._call(
                "analyzer", round, f"kernel{number}", 2 * self._prompt, seconds, self.seconds + seconds
            )
        self.seconds += max(reading)
        for agent, kind in (("proposer", "brainstorm"), ("proposer", "filter"), ("coordinator", "drafts")):
            seconds = self._rng.uniform(5, 40)
            self.seconds += seconds
            self._call(agent, round, kind, 3 * self._prompt, seconds, self.seconds)

    def _agent(self, round: int, index: int) -> float:
        """Prompts grow with the conversation; some agents are slower, some end early."""
        id, at, slow = f"r{round}-a{index}", self.seconds, self._rng.lognormvariate(0, 0.3)
        steps = self.steps if self._rng.random() < 0.7 else self._rng.randrange(2, self.steps + 1)
        for step in range(1, steps + 1):
            thinking = self._rng.uniform(5, 30)
            at += thinking
            self._call(id, step, "turn", self._prompt * (1 + 0.15 * step), thinking, at)
            seconds = slow * self._cell * self._rng.uniform(0.3, 2)
            at += seconds
            cell = Cell(
                id=f"{id}-s{step:02d}", agent=id, step=step, goal="", code="", status="ok", seconds=seconds
            )
            self.cells.append((at, cell))
        writing = self._rng.uniform(10, 60)
        at += writing
        self._call(id, self.steps + 1, "report", self._prompt * (1 + 0.15 * steps), writing, at)
        self.agents.append(
            (
                self.seconds,
                at,
                Agent(id=id, round=round, index=index, status="finished", step=steps, max_steps=self.steps),
            )
        )
        return at

    @contextmanager
    def cut(self, at: float, **settings: Any) -> Iterator[tuple[Reader, datetime]]:
        """What the store holds `at` seconds after the start."""
        now = START + timedelta(seconds=at)
        given: dict[str, Any] = {"competition": "c", "time_limit": 10 * self.seconds, "max_cost": 1000.0}
        config = RunConfig(**{**given, **settings}, coders=self.coders, steps=self.steps, rounds=self.rounds)
        run = Run(
            id="r", competition="c", status="running", round=sum(start <= at for start in self.round_starts),
            rounds=self.rounds, config=config.as_dict(), seconds_used=at, used_at=stamp(now),
        )  # fmt: skip
        with TemporaryDirectory() as folder:
            path = Path(folder) / "run.sqlite"
            with Store(path, clock=HandClock(now)) as store:
                store.save(run, *(call for ended, call in self.calls if ended <= at))
                store.save(*(cell for ended, cell in self.cells if ended <= at))
                store.save(*self._agents_at(at))
            with reading(path) as reader:
                yield reader, now

    def _agents_at(self, at: float) -> Iterator[Agent]:
        for began, ended, agent in self.agents:
            if began > at:
                continue
            agent = replace(agent, started_at=stamp(START + timedelta(seconds=began)))
            if ended <= at:
                yield replace(agent, finished_at=stamp(START + timedelta(seconds=ended)))
                continue
            done = sum(cell.agent == agent.id for moment, cell in self.cells if moment <= at)
            yield replace(agent, status="running", step=min(done + 1, agent.max_steps))

    def forecast(self, share: float, **settings: Any) -> Forecast | None:
        with self.cut(share * self.seconds, **settings) as (reader, now):
            return forecast(reader, HandClock(now))


def test_at_half_of_a_run_the_range_mostly_contains_the_truth() -> None:
    tokens = seconds = dollars = 0
    widths = []
    for seed in range(20):
        run = Simulated(seed=seed)
        seen = run.forecast(0.5)
        assert seen is not None
        assert seen.dollars is not None
        tokens += seen.tokens.low <= run.tokens <= seen.tokens.high
        dollars += seen.dollars.low <= run.tokens * PRICE <= seen.dollars.high
        seconds += seen.seconds_left.low <= run.seconds / 2 <= seen.seconds_left.high
        widths.append((seen.tokens.high - seen.tokens.low) / run.tokens)
    assert min(tokens, dollars, seconds) >= 14
    assert sum(widths) / len(widths) < 0.5  # a range that says everything says nothing


@pytest.mark.parametrize("share", [0.2, 0.9])
def test_the_expected_value_is_near_the_truth_early_and_late(share: float) -> None:
    for seed in range(4):
        run = Simulated(seed=seed, coders=4)
        seen = run.forecast(share)
        assert seen is not None
        assert seen.tokens.expected == pytest.approx(run.tokens, rel=0.4 if share < 0.5 else 0.1)


@pytest.mark.parametrize("share", [0.15, 0.4, 0.6, 0.85, 0.99, 1.0])
def test_whatever_is_left_and_spent_the_ranges_are_in_order(share: float) -> None:
    """Under every limit: reached already, soon, or never; with no time left and with much."""
    run = Simulated(seed=5, coders=2, rounds=2, steps=4)
    with run.cut(share * run.seconds) as (reader, now):
        [row] = reader.all(Run)
        spent = sum(call.prompt_tokens + call.completion_tokens for call in reader.all(LlmCall))
        for most in (None, 1, spent, int(spent / 0.9), run.tokens, 10**9):
            for time_limit in (0.5 * run.seconds, run.seconds, 1e7):
                for agent_most in (None, 1, 10_000):
                    limits = {"max_tokens": most, "time_limit": time_limit, "agent_max_tokens": agent_most}
                    with Store(reader.path) as store:
                        store.save(replace(row, config={**row.config, **limits}))
                    seen = forecast(reader, HandClock(now))
                    assert seen is not None
                    assert seen.dollars is not None
                    assert spent <= seen.tokens.low <= seen.tokens.expected <= seen.tokens.high
                    assert seen.dollars.low <= seen.dollars.expected <= seen.dollars.high
                    assert 0 <= seen.seconds_left.low <= seen.seconds_left.expected <= seen.seconds_left.high
                    assert bool(seen.passes) == bool(seen.warning())


def test_before_anything_was_done_and_after_the_end_there_is_no_forecast() -> None:
    run = Simulated()
    assert run.forecast(0.0) is None
    with run.cut(run.seconds / 2) as (reader, now):
        path = reader.path
        with Store(path) as store:
            store.save(replace(store.all(Run)[0], status="finished", finished_at=stamp(now)))
        assert forecast(reader, HandClock(now)) is None


def test_an_unknown_price_gives_tokens_only() -> None:
    run = Simulated(seed=1)
    run.calls = [(at, replace(call, dollars=None)) for at, call in run.calls]
    seen = run.forecast(0.5, max_cost=None)
    assert seen is not None
    assert seen.dollars is None
    assert seen.tokens.expected > 0
    assert (seen.as_dict()["dollars"], seen.as_dict()["price"]) == (None, "unknown")


def test_a_limit_that_will_be_reached_is_named_with_its_time_and_round() -> None:
    run = Simulated(seed=2)
    cost = run.tokens * PRICE
    seen = run.forecast(0.3, max_cost=0.6 * cost)
    assert seen is not None
    assert seen.dollars is not None
    assert seen.passes is not None
    assert (seen.passes.limit, seen.passes.round) == ("dollars", 2)
    assert seen.warning().startswith(f"at this rate the {0.6 * cost:.2f} $ are spent in about ")
    assert seen.warning().endswith("min, in round 2 of 3")
    assert seen.dollars.high <= 0.6 * cost + 1e-9
    assert seen.seconds_left.expected < 0.5 * run.seconds


def test_agents_that_may_spend_little_make_a_run_that_spends_little() -> None:
    run = Simulated(seed=3)
    free, tight = run.forecast(0.4), run.forecast(0.4, agent_max_tokens=5_000)
    assert free is not None
    assert tight is not None
    assert tight.tokens.expected < 0.8 * free.tokens.expected


def test_no_end_is_foreseen_beyond_the_runs_time() -> None:
    run = Simulated(seed=4)
    limit = 0.6 * run.seconds
    seen = run.forecast(0.5, time_limit=limit)
    assert seen is not None
    assert seen.seconds_left.high <= limit - 0.5 * run.seconds
    free = run.forecast(0.5)
    assert free is not None
    assert seen.tokens.expected < free.tokens.expected


@pytest.mark.parametrize(
    ("config", "priced", "limit"),
    [
        ({}, True, 5.0),
        ({}, False, None),
        ({"offline": True}, True, None),
        ({"replay": "r"}, True, None),
        ({"max_cost": float("inf")}, True, None),
        ({"max_cost": 2.5}, True, 2.5),
    ],
)
def test_the_cap_in_force(config: dict[str, Any], priced: bool, limit: float | None) -> None:
    assert dollar_limit(Settings(competition="c", **config), priced=priced) == limit


def test_a_limit_is_warned_of_once() -> None:
    run = Simulated(seed=2)
    cut = run.cut(0.3 * run.seconds, max_tokens=run.tokens // 2)
    with cut as (reader, now), Store(reader.path) as store:
        warn_of_limits(store, HandClock(now))
        warn_of_limits(store, HandClock(now))
        [event] = store.all(Event)
    assert event.kind == "forecast"
    assert f"{run.tokens // 2:,} tokens are spent" in event.message
    assert event.data["limit"] == "tokens"
    assert event.data["tokens"]["low"] <= event.data["tokens"]["high"]


def test_agents_that_nobody_goes_on_with_are_closed() -> None:
    run = Simulated(seed=2)
    with run.cut(0.5 * run.seconds) as (reader, now):
        before = {agent.id: agent for agent in reader.all(Agent) if agent.finished_at}
        with Store(reader.path) as store:
            store.save(replace(store.all(Agent, "finished_at = ''")[0], status="reporting"))
            close_agents(store, "the time limit is reached", HandClock(now))
            agents = store.all(Agent)
    assert all(agent.finished_at and agent.status in ("finished", "stopped") for agent in agents)
    assert {agent.stop_reason for agent in agents if agent.id not in before} == {"the time limit is reached"}
    assert [agent for agent in agents if agent.id in before] == list(before.values())


def test_the_winding_down_is_told_once(tmp_path: Path) -> None:
    control = Control(time_limit=100, seconds_used=0, clock=HandClock())
    with Store(tmp_path / "run.sqlite") as store:
        tell_winding(store, control)
        assert store.count(Event) == 0
        control.wind_down("the limit of 5.00 $ is spent")
        tell_winding(store, control)
        tell_winding(store, control)
        [event] = store.all(Event)
    assert event.kind == "winding_down"
    assert event.message.startswith("the limit of 5.00 $ is spent: no new calls but reports")
