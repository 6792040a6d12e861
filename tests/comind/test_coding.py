"""The coding agent's turns: what a weak model's replies cost it, with a notebook that only echoes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from comind.coding import CodingAgent
from comind.control import Control
from comind.evaluator.evaluator import Evaluator
from comind.llm.client import CallKey, Reply
from comind.prompts import Prompts
from comind.records import Agent, Cell, Draft, Event, LlmCall
from comind.roles.desk import Brief, Desk
from comind.runs import RunFolder
from comind.store import Store
from comind.working import Workshop
from kaggle_runner.cells import CellResult
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.session import NotebookSession

TURN = "<goal>look</goal>\n<code>\nprint({n})\n</code>\n<validation_submission>{v}</validation_submission>\n"
PROSE = "Certainly! Here is how one would load the data: first, import pandas."
REPORT = "<pipeline>p</pipeline><summary>=== model ===\neffectiveness: 2 - little was measured</summary>"


class EchoSession:
    """Every cell ends well and prints its own code."""

    async def start(self) -> float:
        return 0.0

    async def execute(self, code: str, **_: object) -> CellResult:
        return CellResult("ok", code)

    def progress(self) -> None:
        return None

    async def close(self) -> None:
        return None


class Model:
    """Answers from a list; keeps what it was shown."""

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = list(replies)
        self.shown: list[str] = []

    async def ask(self, role: str, key: CallKey, messages: Sequence[dict[str, str]]) -> Reply:
        self.shown.append(messages[-1]["content"])
        text = REPORT if key.kind == "report" else self._replies.pop(0)
        call = LlmCall(
            id=key.id, role=role, agent=key.agent, step=key.step, kind=key.kind, attempt=key.attempt,
            model="m", base_url="",
        )  # fmt: skip
        return Reply(text, "stop", call, replayed=False)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    (tmp_path / "run").mkdir()
    with Store(tmp_path / "run" / "run.sqlite", clock=SYSTEM_CLOCK) as opened:
        yield opened


async def code_with(model: Model, store: Store, tmp_path: Path, *, steps: int) -> Agent:
    def open_session(agent: str, resources: Mapping[str, Path]) -> NotebookSession:
        return cast(NotebookSession, EchoSession())

    shop = Workshop(
        folder=RunFolder(tmp_path / "run"),
        store=store,
        desk=Desk(model, Prompts()),
        brief=Brief("c", "m", "h", "d"),
        evaluator=cast(Evaluator, SimpleNamespace()),
        control=Control(time_limit=600, seconds_used=0, clock=SYSTEM_CLOCK),
        clock=SYSTEM_CLOCK,
        open_session=open_session,
        slug="digits",
        context_tokens=8192,
        cell_seconds=60,
        memory_bytes=None,
    )
    agent = Agent(id="r1-a1", round=1, index=1, title="t", max_steps=steps)
    draft = Draft(id="r1-a1", round=1, title="t", description="d")
    return await CodingAgent(shop, agent, draft, seconds=600, resources={}).run()


def turn(n: int, validation: str = "None") -> str:
    return TURN.format(n=n, v=validation) + "<submission>None</submission>"


async def test_a_step_whose_replies_cannot_be_read_is_lost_and_the_next_goes_on(
    store: Store, tmp_path: Path
) -> None:
    model = Model([turn(1), PROSE, PROSE, PROSE, turn(3)])
    agent = await code_with(model, store, tmp_path, steps=3)
    assert agent.status == "finished"
    assert [cell.step for cell in store.all(Cell, order="step")] == [1, 3]
    assert "<code> part is missing" in store.all(Event, "kind = 'turn_lost'")[0].message


async def test_an_agent_that_loses_turn_after_turn_gives_up(store: Store, tmp_path: Path) -> None:
    agent = await code_with(Model([PROSE] * 9), store, tmp_path, steps=30)
    assert (agent.status, agent.step) == ("failed", 3)
    assert "<code>" in agent.stop_reason


async def test_one_file_of_two_is_told_with_the_output_of_the_cell(store: Store, tmp_path: Path) -> None:
    model = Model([turn(1, "validation.csv"), turn(2)])
    await code_with(model, store, tmp_path, steps=2)
    assert "print(1)" in model.shown[1]
    assert "not valid: only one prediction file was named" in model.shown[1]


async def test_cells_that_the_model_ran_ahead_with_are_not_shown_as_done(
    store: Store, tmp_path: Path
) -> None:
    model = Model([f"{turn(1)}\n\n{turn(2)}", turn(3)])
    await code_with(model, store, tmp_path, steps=2)
    assert [cell.code for cell in store.all(Cell, order="step")] == ["print(1)", "print(3)"]


async def test_an_agent_without_predictions_is_reminded_in_its_second_half(
    store: Store, tmp_path: Path
) -> None:
    model = Model([turn(n) for n in range(1, 5)])
    await code_with(model, store, tmp_path, steps=4)
    assert ["no valid pair" in shown for shown in model.shown[:4]] == [False, False, True, True]
