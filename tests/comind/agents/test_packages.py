"""What an agent's cells install is there after a kill, and is recorded with the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from comind.agents.coder import CodingAgent
from comind.agents.executor import LocalExecutor
from comind.agents.work import Assignment
from comind.run.confinement import Confinement
from comind.state.records import Agent, Cell, Event
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.packages.indexes import package_source
from tests.fakes.models import REPORT, InstantModel, Question
from tests.fakes.package_index import SECRET, package_index
from tests.fakes.pythons import other_python
from tests.fakes.wheels import write_wheel
from tests.fakes.workshops import make_agent, make_workshop

TURN = (
    "<goal>g</goal>\n<code>\n{code}\n</code>\n"
    "<validation_submission>None</validation_submission>\n<submission>None</submission>"
)
CODES = {1: "%pip install -q tiny", 2: "import tiny, os; print(tiny.value, sorted(os.environ.items()))"}


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the engine runs after it."""


async def test_a_resumed_agent_has_its_packages(tmp_path: Path) -> None:
    write_wheel(tmp_path / "wheels", "tiny", "1.0", "value = 'one'\n")
    public, state = tmp_path / "public", tmp_path / "run"
    for folder in (public, state):
        folder.mkdir()
    kill = True

    def answer(question: Question) -> str:
        if kill and question.key.step == 2:
            raise Killed
        return REPORT if question.key.kind == "report" else TURN.format(code=CODES[question.key.step])

    with (
        package_index(tmp_path / "wheels", tmp_path),
        Store(state / "run.sqlite", clock=SYSTEM_CLOCK) as store,
    ):
        confined = Confinement((), 1, 4 << 30, other_python(tmp_path / "small", "pip"), package_source())
        model = InstantModel(answer)
        shop = make_workshop(store, model, open_notebook=confined.open_notebook, installs=True)
        agent, draft = make_agent(steps=2)
        here = LocalExecutor("comp", public)
        with pytest.raises(Killed):
            await CodingAgent(Assignment(shop, agent, draft, 600, {}), here).run()
        kept = store.get(Agent, "r1-a1")
        assert kept is not None and kept.packages == ["tiny==1.0"]
        kill = False
        done = await CodingAgent(Assignment(shop, kept, draft, 600, {}), here).run()
        assert done.packages == ["tiny==1.0"]
        cells = store.all(Cell, order="step")
        assert [cell.status for cell in cells] == ["ok", "ok"] and "\none [" in cells[1].output
        told = [event.message for event in store.all(Event, "kind = 'packages'")]
        assert told == ["installed tiny==1.0"]
        assert not any(SECRET in text for text in model.shown)
    assert not any(SECRET.encode() in path.read_bytes() for path in state.rglob("*") if path.is_file())
