"""A cell that was running when its engine was killed is run again once; after two kills it is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comind.agents.coder import CodingAgent
from comind.agents.work import Assignment
from comind.state.records import Agent, Cell, Event
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.notebook.cell import CellResult
from tests.fakes.models import REPORT, InstantModel, Question
from tests.fakes.workshops import HERE, ToldSession, make_agent, make_workshop

TURN = (
    "<goal>g</goal>\n<code>\n{code}\n</code>\n"
    "<validation_submission>None</validation_submission>\n<submission>None</submission>"
)
CODES = {1: "print('before')", 2: "fill_the_disk()", 3: "print('after')"}


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the engine runs after it."""


def by_step(question: Question) -> str:
    """Every engine gets the same replies."""
    return REPORT if question.key.kind == "report" else TURN.format(code=CODES[question.key.step])


@pytest.fixture
def store(tmp_path: Path) -> Any:
    (tmp_path / "run").mkdir()
    with Store(tmp_path / "run" / "run.sqlite", clock=SYSTEM_CLOCK) as opened:
        yield opened


async def engine(
    store: Store, ran: list[str], *, deadly: str = "", model: InstantModel | None = None
) -> Agent:
    """One engine's work on the agent, from what the store holds, until a cell takes the engine down."""

    def run(code: str) -> CellResult:
        ran.append(code)
        if code == deadly:
            raise Killed
        return CellResult("ok", code)

    shop = make_workshop(store, model or InstantModel(by_step), open_notebook=ToldSession.opener(run))
    agent, draft = make_agent(steps=3)
    given = Assignment(shop, store.get(Agent, "r1-a1") or agent, draft, 600, {})
    return await CodingAgent(given, HERE).run()


def told(store: Store) -> list[str]:
    return [event.message for event in store.all(Event, "kind = 'cell_interrupted'", order="seq")]


async def test_after_one_kill_the_cell_is_run_again(store: Store) -> None:
    ran: list[str] = []
    with pytest.raises(Killed):
        await engine(store, ran, deadly=CODES[2])
    assert (await engine(store, ran)).status == "finished"
    assert ran.count(CODES[2]) == 2
    assert [cell.status for cell in store.all(Cell, order="step")] == ["ok", "ok", "ok"]
    assert told(store) == ["cell 2 was running when the engine ended; it is run again"]


async def test_after_two_kills_it_is_left_out_and_the_agent_is_told(store: Store) -> None:
    ran: list[str] = []
    for _ in range(2):
        with pytest.raises(Killed):
            await engine(store, ran, deadly=CODES[2])
    model = InstantModel(by_step)
    agent = await engine(store, ran, deadly=CODES[2], model=model)
    assert agent.status == "finished"
    assert ran.count(CODES[2]) == 2
    assert [cell.status for cell in store.all(Cell, order="step")] == ["ok", "interrupted", "ok"]
    assert any("was running when the engine ended, twice" in text for text in model.shown)
    assert len(told(store)) == 2


async def test_kills_before_the_cell_has_started_again_do_not_count(store: Store) -> None:
    ran: list[str] = []
    with pytest.raises(Killed):
        await engine(store, ran, deadly=CODES[2])
    for _ in range(3):
        with pytest.raises(Killed):
            await engine(store, ran, deadly=CODES[1])  # in the kernel that is being rebuilt
    assert (await engine(store, ran)).status == "finished"
    assert ran.count(CODES[2]) == 2
    assert [cell.status for cell in store.all(Cell, order="step")] == ["ok", "ok", "ok"]
    assert len(told(store)) == 1
