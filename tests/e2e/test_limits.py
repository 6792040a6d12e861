"""Runs that reach a limit of theirs: each ends in time, with its best so far, and says which limit it was."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from comind.state.reader import reading
from comind.state.records import Agent, Event, LlmCall, Run
from comind.state.runs import RunFolder, list_runs
from comind.state.store import Store
from kaggle_runner.moments import parse_moment
from tests.e2e.commands import AMPLE, asking, comind
from tests.e2e.small_competition import write_small_competition
from tests.fakes.plain_policy import plain
from tests.fakes.scripted_llm import Script, Scripted, ScriptedModel

pytestmark = pytest.mark.e2e


SUBMITS = re.compile(r"<submission>\s*(?!none)\w", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    done: subprocess.CompletedProcess[str]
    shown: dict[str, Any]
    folder: RunFolder
    run: Run
    agents: list[Agent]
    events: list[Event]
    calls: list[LlmCall]

    def messages(self, kind: str) -> list[str]:
        return [event.message for event in self.events if event.kind == kind]

    def tokens_of(self, agent: str) -> int:
        return sum(one.prompt_tokens + one.completion_tokens for one in self.calls if one.agent == agent)


def run_of(root: Path, script: Script, *options: str) -> Outcome:
    """A whole run of two agents against the served script."""
    folder = write_small_competition(root / "fruit")
    with ScriptedModel(script) as server:
        done = comind(
            "run", f"{folder}/", *asking(server), "--coders", "2", *options, "--json", state=root / "state",
        )  # fmt: skip
    assert list_runs(root / "state"), done.stderr
    [found] = list_runs(root / "state")
    with reading(found.database) as reader:
        run = reader.run()
        assert run is not None
        return Outcome(
            done,
            json.loads(done.stdout),
            found,
            run,
            reader.all(Agent),
            reader.all(Event),
            reader.all(LlmCall),
        )


def hanging(request: dict[str, Any], number: int) -> Scripted | str:
    """Once an agent has named its files no turn of it is answered any more; its report is."""
    messages = request["messages"]
    own = "".join(message["content"] for message in messages if message["role"] == "assistant")
    asked_for_report = "<pipeline>" in messages[-1]["content"]
    hangs = SUBMITS.search(own) and not asked_for_report
    return Scripted("", delay=math.inf) if hangs else plain(request, number)


def hanging_run(root: Path, option: str, limits: Sequence[int], *options: str) -> tuple[Outcome, int]:
    """A run whose model hangs, and which limit in seconds it had: the first in which every agent has solved
    something before, which depends on the machine."""
    for limit in limits:
        outcome = run_of(root / f"{limit}", hanging, *options, option, f"{limit}s")
        if outcome.agents and all(agent.best_evaluation for agent in outcome.agents):
            return outcome, limit
    raise AssertionError(f"no agent came so far in {limits[-1]} s: {outcome.done.stderr}")


def assert_wound_down(outcome: Outcome, limit: str) -> None:
    """Finished, exit code 0, the limit named, everything written, nobody left half-way."""
    assert outcome.done.returncode == 0, outcome.done.stderr
    assert outcome.run.status == "finished"
    assert limit in outcome.run.status_detail
    assert (outcome.folder.best / "submission.csv").is_file()
    assert limit in outcome.folder.report.read_text(encoding="utf-8")
    assert all(agent.finished_at for agent in outcome.agents)
    assert outcome.shown["best"]["interval"][0] > outcome.shown["baseline_score"]


def test_a_token_limit_ends_the_run_and_pays_for_the_reports(tmp_path: Path) -> None:
    outcome = run_of(tmp_path, plain, "--rounds", "9", "--time-limit", AMPLE, "--max-tokens", "70000")
    assert_wound_down(outcome, "70,000 tokens")
    assert 50_000 < outcome.shown["cost"]["tokens"] <= 70_000
    [winding] = [event for event in outcome.events if event.kind == "winding_down"]
    assert "no new calls but reports" in winding.message
    told = parse_moment(winding.at).timestamp()
    asked_later = [one for one in outcome.calls if parse_moment(one.at).timestamp() - one.seconds > told]
    assert {call.kind for call in asked_later} <= {"report"}  # what was under way may still be answered


def test_an_agents_token_limit_ends_that_agent_and_the_next_round_comes(tmp_path: Path) -> None:
    outcome = run_of(tmp_path, plain, "--rounds", "2", "--time-limit", AMPLE, "--agent-max-tokens", "14000")
    assert outcome.done.returncode == 0, outcome.done.stderr
    assert (outcome.run.status, outcome.run.round) == ("finished", 2)
    ended = [agent for agent in outcome.agents if "this agent's" in agent.stop_reason]
    assert ended
    assert {agent.round for agent in outcome.agents} == {1, 2}
    assert all(outcome.tokens_of(agent.id) <= 14_000 for agent in outcome.agents)
    assert all(any(call.id.startswith(f"{agent.id}/") and call.kind == "report" for call in outcome.calls)
               for agent in ended)  # fmt: skip


def test_an_agents_time_limit_ends_it_while_it_waits_for_the_model(tmp_path: Path) -> None:
    limits, options = (20, 80, 250), ("--rounds", "2", "--time-limit", AMPLE)
    outcome, _ = hanging_run(tmp_path, "--agent-time-limit", limits, *options)
    assert outcome.done.returncode == 0, outcome.done.stderr
    assert (outcome.run.status, outcome.run.round) == ("finished", 2)
    assert {agent.stop_reason for agent in outcome.agents} == {"this agent's time is over"}
    assert len([call for call in outcome.calls if call.kind == "report"]) == len(outcome.agents) == 4


@pytest.fixture(scope="module")
def hung(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, int]:
    return hanging_run(tmp_path_factory.mktemp("hung"), "--time-limit", (70, 210, 630), "--rounds", "1")


def test_the_time_limit_ends_a_run_that_hangs_on_its_model(hung: tuple[Outcome, int]) -> None:
    outcome, limit = hung
    assert_wound_down(outcome, "time limit")
    assert outcome.run.seconds_used < 2 * limit  # a tenth of it is kept back, so it may be less than it


def test_a_run_resumed_after_its_time_leaves_no_agent_half_way(hung: tuple[Outcome, int]) -> None:
    """As if the engine had been killed while an agent wrote its report, at the end of the run's time."""
    outcome, limit = hung
    with Store(outcome.folder.database) as store:
        store.save(
            replace(
                outcome.run, status="running", finished_at="", best_evaluation="", seconds_used=float(limit)
            ),
            replace(outcome.agents[0], status="reporting", finished_at="", stop_reason=""),
        )
    done = comind("resume", outcome.folder.id, "--headless", state=outcome.folder.state)
    assert done.returncode == 0, done.stderr
    with reading(outcome.folder.database) as reader:
        run, agent = reader.run(), reader.get(Agent, outcome.agents[0].id)
    assert run is not None
    assert agent is not None
    assert (run.status, run.status_detail) == ("finished", "the time limit is reached")
    assert (agent.status, agent.stop_reason) == ("stopped", "the time limit is reached")
    assert agent.finished_at
