"""The loop: what ends it, what one agent's fault does, and what goes back to the community."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comind.agents.work import AgentAtWork, Assignment
from comind.config import RunConfig
from comind.coordinator import Coordinator
from comind.llm.formats import MalformedReply
from comind.roles.coder import SolutionReport
from comind.state.records import Agent, Dataset, Draft, Evaluation, Event, Kernel, Link, Report, Run
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import LimitReached, SandboxUnavailable
from tests.comind.round.planning import scored, workshop
from tests.fakes.models import InstantModel
from tests.fakes.workshops import HERE

ENDED = "2026-10-31T12:00:00.000Z"


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run")


@pytest.fixture
def store(folder: RunFolder) -> Iterator[Store]:
    with Store(folder.database) as opened:
        opened.save(Run(id="run", competition="comp"))
        yield opened


class Rounds(Coordinator):
    """Every round does what a test says instead of planning and coding."""

    def __init__(self, store: Store, folder: RunFolder, work: Callable[[int], None], **settings: Any) -> None:
        config = RunConfig(competition="comp", **settings)
        super().__init__(workshop(store, InstantModel([])), config, None, executor=HERE)
        self._work = work
        self.done: list[int] = []

    async def run_round(self, round: int) -> None:
        self.done.append(round)
        self._work(round)


async def test_rounds_without_a_gain_beyond_noise_end_the_run(store: Store, folder: RunFolder) -> None:
    gains = {1: 0.80, 2: 0.90, 3: 0.905, 4: 0.91, 5: 0.91}
    rounds = Rounds(
        store, folder, lambda n: scored(store, folder, f"r{n}-a1", gains[n]), rounds=9, plateau_rounds=2
    )
    assert await rounds.run() == "no gain beyond noise in 2 rounds"
    assert rounds.done == [1, 2, 3, 4]


async def test_gains_beyond_noise_go_on_and_a_patience_of_none_never_stops(
    store: Store, folder: RunFolder
) -> None:
    better = Rounds(
        store, folder, lambda n: scored(store, folder, f"r{n}-a1", 0.1 * n), rounds=6, plateau_rounds=1
    )
    assert (await better.run(), better.done) == ("", [1, 2, 3, 4, 5, 6])
    endless = Rounds(store, folder, lambda n: None, rounds=6, plateau_rounds=0)
    assert (await endless.run(), len(endless.done)) == ("", 6)


async def test_spent_money_ends_the_rounds_with_its_reason(store: Store, folder: RunFolder) -> None:
    def work(round: int) -> None:
        if round == 2:
            raise LimitReached("the limit of 1.00 $ is reached")

    rounds = Rounds(store, folder, work, rounds=5)
    assert await rounds.run() == "the limit of 1.00 $ is reached"
    assert rounds.done == [1, 2]


async def test_a_persons_word_ends_the_rounds(store: Store, folder: RunFolder) -> None:
    rounds = Rounds(store, folder, lambda n: rounds._shop.control.stop("a person stopped it"), rounds=5)
    assert await rounds.run() == "a person stopped it"
    assert rounds.done == [1]


class Works(AgentAtWork):
    """Ends at once with the evaluation that the test stored, or with a broken session."""

    async def run(self) -> Agent:
        if self.agent.id == "r2-a2":
            raise SandboxUnavailable("the sandbox could not be started")
        best = f"{self.agent.id}-s01"
        self._bench.update(status="finished", best_evaluation=best, finished_at=ENDED)
        return self.agent

    async def _work(self) -> str:
        raise AssertionError("not reached")

    async def _written_report(self, evaluations: str) -> SolutionReport:
        raise AssertionError("not reached")


class OneRound(Coordinator):
    async def _plan(self, round: int) -> list[Draft]:
        return self._store.all(Draft, "round = ?", (round,), order="id")

    def _agent_at_work(self, agent: Agent, draft: Draft, seconds: float) -> AgentAtWork:
        return Works(Assignment(self._shop, agent, draft, seconds, self._resources(draft)), HERE)


async def test_what_worked_is_published_with_its_descent_and_a_broken_agent_ends_alone(
    store: Store, folder: RunFolder
) -> None:
    for agent in ("r1-a1", "r2-a1", "r2-a2"):
        scored(store, folder, agent, 0.9 if agent == "r2-a1" else 0.8, predictions=[0.1, 0.2])
        graded = folder.evaluation(f"{agent}-s01") / "submission.csv"
        graded.write_text("id,p\n1,0.5\n")
        evaluation = store.get(Evaluation, f"{agent}-s01")
        assert evaluation is not None
        store.save(replace(evaluation, submission=folder.relative(graded)))
    draft = store.get(Draft, "r2-a1")
    assert draft is not None
    store.save(
        replace(draft, parent="report-1801", resources=["r1-a1"]),
        Report(
            id="report-1801", round=1, kind="solution", subject="r1-a1", title="", pipeline="", summary=""
        ),
        Kernel(id="comind/r1-a1", title="", author="r1-a1", source="x", origin="run", round=1),
        Dataset(id="comind/r1-a1", title="", path="datasets/r1-a1"),
    )
    leader = OneRound(workshop(store, InstantModel([])), RunConfig(competition="comp"), None, executor=HERE)
    await leader.run_round(2)
    assert {(one.kind, one.target) for one in store.all(Link, "source = 'comind/r2-a1'")} == {
        ("publishes", "comind/r2-a1"),
        ("uses", "comind/r1-a1"),
        ("forks", "comind/r1-a1"),
    }
    broken = store.get(Agent, "r2-a2")
    assert broken is not None and broken.status == "failed"
    assert store.get(Kernel, "comind/r2-a2") is not None, "what it had scored before still counts"
    assert len(store.all(Event, "kind = 'agent_failed'")) == 1
    run = store.run()
    assert run is not None and run.best_evaluation == "r2-a1-s01"


async def test_an_unreadable_reply_is_no_reason_to_stop_the_round(store: Store, folder: RunFolder) -> None:
    async def unreadable() -> str:
        raise MalformedReply("prose")

    known = Rounds(store, folder, lambda n: None)._known
    assert await known.or_skip(unreadable(), "Nothing was read", 1) is None
    assert [event.message for event in store.events()] == ["Nothing was read: prose"]
