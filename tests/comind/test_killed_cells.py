"""A cell that was running when its engine was killed is run again once; after two kills it is left out."""

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

TURN = (
    "<goal>g</goal>\n<code>\n{code}\n</code>\n"
    "<validation_submission>None</validation_submission>\n<submission>None</submission>"
)
REPORT = "<pipeline>p</pipeline><summary>=== model ===\neffectiveness: 2 - little was measured</summary>"
CODES = {1: "print('before')", 2: "fill_the_disk()", 3: "print('after')"}


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the engine runs after it."""


class Kernel:
    """Runs what it is given, until a cell takes the engine down."""

    def __init__(self, ran: list[str], deadly: str) -> None:
        self._ran = ran
        self._deadly = deadly

    async def start(self) -> float:
        return 0.0

    async def execute(self, code: str, **_: object) -> CellResult:
        self._ran.append(code)
        if code == self._deadly:
            raise Killed
        return CellResult("ok", code)

    def progress(self) -> None:
        return None

    async def close(self) -> None:
        return None


class Model:
    """Answers by key, so that every engine gets the same replies; keeps what it was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def ask(self, role: str, key: CallKey, messages: Sequence[dict[str, str]]) -> Reply:
        self.shown.append(messages[-1]["content"])
        text = REPORT if key.kind == "report" else TURN.format(code=CODES[key.step])
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


async def engine(store: Store, ran: list[str], *, deadly: str = "", model: Model | None = None) -> Agent:
    """One engine's work on the agent, from what the store holds."""

    def open_session(agent: str, resources: Mapping[str, Path]) -> NotebookSession:
        return cast(NotebookSession, Kernel(ran, deadly))

    shop = Workshop(
        folder=RunFolder(store.path.parent),
        store=store,
        desk=Desk(model or Model(), Prompts()),
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
    agent = store.get(Agent, "r1-a1") or Agent(id="r1-a1", round=1, index=1, title="t", max_steps=3)
    draft = Draft(id="r1-a1", round=1, title="t", description="d")
    return await CodingAgent(shop, agent, draft, seconds=600, resources={}).run()


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
    model = Model()
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
