"""The coding agent's turns: what a weak model's replies cost it, with a notebook that only echoes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from comind.agents.coder import CodingAgent
from comind.agents.work import Assignment
from comind.state.records import Agent, Cell, Event
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.notebook.cell import CellResult
from kaggle_runner.notebook.session import NotebookSession
from tests.fakes.models import InstantModel
from tests.fakes.workshops import HERE, ToldSession, make_agent, make_workshop

TURN = "<goal>look</goal>\n<code>\nprint({n})\n</code>\n<validation_submission>{v}</validation_submission>\n"
PROSE = "Certainly! Here is how one would load the data: first, import pandas."


@pytest.fixture
def store(tmp_path: Path) -> Any:
    (tmp_path / "run").mkdir()
    with Store(tmp_path / "run" / "run.sqlite", clock=SYSTEM_CLOCK) as opened:
        yield opened


async def code_with(model: InstantModel, store: Store, *, steps: int) -> Agent:
    echo = ToldSession.opener(lambda code: CellResult("ok", code))
    agent, draft = make_agent(steps=steps)
    shop = make_workshop(store, model, open_notebook=echo)
    return await CodingAgent(Assignment(shop, agent, draft, 600, {}), HERE).run()


def turn(n: int, validation: str = "None") -> str:
    return TURN.format(n=n, v=validation) + "<submission>None</submission>"


async def test_a_step_whose_replies_cannot_be_read_is_lost_and_the_next_goes_on(store: Store) -> None:
    model = InstantModel([turn(1), PROSE, PROSE, PROSE, turn(3)])
    agent = await code_with(model, store, steps=3)
    assert agent.status == "finished"
    assert [cell.step for cell in store.all(Cell, order="step")] == [1, 3]
    assert "<code> part is missing" in store.all(Event, "kind = 'turn_lost'")[0].message


async def test_an_agent_that_loses_turn_after_turn_gives_up(store: Store) -> None:
    agent = await code_with(InstantModel([PROSE] * 9), store, steps=30)
    assert (agent.status, agent.step) == ("failed", 3)
    assert "<code>" in agent.stop_reason


async def test_one_file_of_two_is_told_with_the_output_of_the_cell(store: Store) -> None:
    model = InstantModel([turn(1, "validation.csv"), turn(2)])
    await code_with(model, store, steps=2)
    assert "print(1)" in model.shown[1]
    assert "not valid: only one prediction file was named" in model.shown[1]


async def test_cells_that_the_model_ran_ahead_with_are_not_shown_as_done(store: Store) -> None:
    model = InstantModel([f"{turn(1)}\n\n{turn(2)}", turn(3)])
    await code_with(model, store, steps=2)
    assert [cell.code for cell in store.all(Cell, order="step")] == ["print(1)", "print(3)"]


async def test_an_agent_without_predictions_is_reminded_in_its_second_half(store: Store) -> None:
    model = InstantModel([turn(n) for n in range(1, 5)])
    await code_with(model, store, steps=4)
    assert ["no valid pair" in shown for shown in model.shown[:4]] == [False, False, True, True]


async def test_a_dataset_of_the_competitions_name_does_not_hide_its_files(store: Store) -> None:
    echo, seen = ToldSession.opener(lambda code: CellResult("ok", code)), dict[str, Path]()

    def opener(name: str, inputs: Mapping[str, Path], workspace: Path) -> NotebookSession:
        seen.update(inputs)
        return echo(name, inputs, workspace)

    agent, draft = make_agent(steps=1)
    shop = make_workshop(store, InstantModel([turn(1)]), open_notebook=opener)
    resources = {"comp": Path("other"), "r0-a1": Path("earlier")}
    await CodingAgent(Assignment(shop, agent, draft, 600, resources), HERE).run()
    assert seen == {"comp": HERE.data, "competitions/comp": HERE.data, "r0-a1": Path("earlier")}
