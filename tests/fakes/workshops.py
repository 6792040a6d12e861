"""A workshop for agents under test: real store, prompts and clock; what a test is about it brings itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from comind.agents.executor import LocalExecutor
from comind.agents.workshop import Workshop
from comind.control import Control
from comind.evaluator.evaluator import Evaluator
from comind.llm.question import Asker
from comind.roles.desk import Brief, Desk
from comind.roles.prompts import Prompts
from comind.state.records import Agent, Draft
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.notebook.cell import CellResult
from kaggle_runner.notebook.session import NotebookSession

HERE = LocalExecutor("comp", Path("public"))


def make_workshop(store: Store, model: Asker, **changes: Any) -> Workshop:
    """Over the run folder of `store`; without an evaluator, and no session opens unless one is given."""
    settings: dict[str, Any] = {
        "folder": RunFolder(store.path.parent),
        "brief": Brief("c", "m", "h", "d"),
        "evaluator": cast(Evaluator, SimpleNamespace(profile=SimpleNamespace(has_ready_split=True))),
        "control": Control(time_limit=600, seconds_used=0, clock=SYSTEM_CLOCK),
        "clock": SYSTEM_CLOCK,
        "open_notebook": no_session,
        "slug": "comp",
        "context_tokens": 8192,
        "cell_seconds": 60,
        "memory_bytes": None,
    }
    return Workshop(store=store, desk=Desk(model, Prompts()), **settings | changes)


def make_agent(*, steps: int) -> tuple[Agent, Draft]:
    """The first agent of the first round, and its draft."""
    agent = Agent(id="r1-a1", round=1, index=1, title="t", max_steps=steps)
    return agent, Draft(id="r1-a1", round=1, title="t", description="d")


def no_session(name: str, inputs: Mapping[str, Path], workspace: Path) -> NotebookSession:
    raise AssertionError("no code is to be run here")


class ToldSession:
    """A notebook session without a kernel: what became of a cell is told by a function of its code."""

    def __init__(self, result: Callable[[str], CellResult]) -> None:
        self._result = result

    @classmethod
    def opener(cls, result: Callable[[str], CellResult]) -> Callable[..., NotebookSession]:
        return lambda name, inputs, workspace: cast(NotebookSession, cls(result))

    async def start(self) -> float:
        return 0.0

    async def execute(self, code: str, **_: object) -> CellResult:
        return self._result(code)

    def progress(self) -> None:
        return None

    async def close(self) -> None:
        return None
