"""How a submission that was made again differs from the first."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from comind.run.reproduction import NotReproduced, compare, reproduce
from comind.run.results import write_best
from comind.state.grades import PartGrade
from comind.state.records import Agent, Cell, Evaluation, Run
from comind.state.runs import create_run
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.fakes.package_index import package_index
from tests.fakes.pythons import other_python
from tests.fakes.wheels import write_wheel


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("id,y\n1,0.5\n2,1\n", "id,y\n2,1.0\n1,0.5\n", 0.0),
        ("id,y\n1,0.5\n2,1\n", "id,y\n2,1.25\n1,0.5\n", 0.25),
        ("y,id\n0.5,1\n0.5,2\n", "y,id\n0.5,2\n0.5,1\n", 0.0),
        ("id,y\n1,None\n2,b\n", "id,y\n2,b\n1,None\n", 0.0),
        ("id,y\n1,None\n2,b\n", "id,y\n1,NA\n2,b\n", math.inf),
        ("id,y\n1,True\n2,False\n", "id,y\n2,False\n1,True\n", 0.0),
        ("id,y\n1,a\n2,b\n", "id,y\n1,a\n3,b\n", math.inf),
        ("id,y\n1,0\n2,1\n", "id,y\n1,0\n", math.inf),
        ("id,y\n1,0\n2,1\n", "id,z\n1,0\n2,1\n", math.inf),
        ("id,y\n1,0\n2,1\n", "id,y\n1,0\n2,x\n", math.inf),
    ],
)
def test_rows_are_compared_by_id_and_values_as_they_are(
    tmp_path: Path, old: str, new: str, difference: float
) -> None:
    (tmp_path / "old.csv").write_text(old)
    (tmp_path / "new.csv").write_text(new)
    assert compare(tmp_path / "old.csv", tmp_path / "new.csv", "id")[1] == difference


SOLUTION = "import tiny\nopen('submission.csv', 'w').write(f'id,y\\n1,{tiny.value}\\n')\n"


async def test_what_the_solutions_agent_installed_is_installed_first(tmp_path: Path) -> None:
    folder = create_run(tmp_path / "state", "again")
    folder.public.mkdir(parents=True)
    (folder.path / "kept.csv").write_text("id,y\n1,7\n")
    grade: PartGrade = {"score": 0.8, "interval": (0.7, 0.9), "rows": 10}
    agent = Agent(id="r1-a1", round=1, index=1, packages=["tiny==1.0"])
    cell = Cell(id="r1-a1-s01", agent="r1-a1", step=1, goal="g", code=SOLUTION, status="ok")
    evaluation = Evaluation(
        id=cell.id, agent=agent.id, round=1, step=1, success=True, message="", submission="kept.csv",
        submission_name="submission.csv", feedback=grade, selection=grade,
    )  # fmt: skip
    config = {"competition": "comp", "allow_packages": True}
    run = Run(id="again", competition="comp", best_evaluation=cell.id, id_column="id", config=config)
    with Store(folder.database, clock=SYSTEM_CLOCK) as store:
        store.save(run, agent, cell, evaluation)
        write_best(store, folder)
    assert folder.requirements.read_text() == "tiny==1.0\n"
    for name in ("solution.py", "solution.ipynb"):
        assert "Its agent installed: tiny==1.0" in (folder.best / name).read_text()
    python = other_python(tmp_path / "small", "pip")
    write_wheel(tmp_path / "wheels", "tiny", "1.0", "value = 7\n")
    write_wheel(tmp_path / "wheels", "tiny", "2.0", "value = 8\n")
    with package_index(tmp_path / "wheels", tmp_path):
        assert (await reproduce(folder, python=python)).rows == 1
    with Store(folder.database, clock=SYSTEM_CLOCK) as store:
        store.save(replace(run, config={"competition": "comp"}))
    with pytest.raises(NotReproduced, match="cannot be installed here"):
        await reproduce(folder, python=python)
