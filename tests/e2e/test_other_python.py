"""A whole run in another Python than the engine: cells, prompts, pushed kernels, reproduction."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from comind.state.reader import reading
from comind.state.records import Cell, LlmCall, Run
from comind.state.runs import RunFolder, list_runs
from kaggle_runner.environments.record import MadeEnvironment, write_record
from mle_live.process import MleLiveProcess
from tests.e2e.commands import AMPLE, comind
from tests.e2e.small_competition import write_small_competition
from tests.fakes.pythons import other_python, pretend
from tests.mle_live.api.pushing import Pusher

pytestmark = pytest.mark.e2e
SAYS_WHERE = "import sys\nprint('prefix', sys.prefix)"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of a state folder; it has what recipes need, and no kernel of its own."""
    state = tmp_path_factory.mktemp("journey") / "state"
    folder = state / "environment"
    python = other_python(folder, "pandas", "scikit-learn")
    pretend(folder, "pandas", "2.2.2")
    write_record(state, MadeEnvironment(str(folder), str(python), "cpu", finished=True))
    return folder


@pytest.fixture(scope="module")
def finished(other: Path) -> RunFolder:
    """Of a run that was told nothing: it takes the environment that was made."""
    state = other.parent
    data = write_small_competition(state.with_name("fruit"))
    done = comind(
        "run", f"{data}/", "--offline", "--coders", "1", "--rounds", "1",
        "--time-limit", AMPLE, "--json", state=state,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Notebooks run in {other}/bin/python: Python 3." in done.stderr
    [folder] = list_runs(state)
    return folder


def test_prompts_state_what_is_in_the_other_python(finished: RunFolder, other: Path) -> None:
    with reading(finished.database) as reader:
        run, calls, cells = reader.run(), reader.all(LlmCall), reader.all(Cell)
    assert isinstance(run, Run) and run.settings.python == f"{other}/bin/python"
    told = [message["content"] for call in calls for message in call.messages]
    assert any("pandas 2.2.2" in text for text in told)
    assert not any("in these versions `frame[column].fillna" in text for text in told)
    assert any(cell.status == "ok" for cell in cells)


def test_a_solution_is_reproduced_in_the_runs_own_python_or_in_one_that_is_named(
    finished: RunFolder, tmp_path: Path
) -> None:
    done = comind("reproduce", finished.id, "--json", state=finished.state)
    assert done.returncode == 0 and json.loads(done.stdout)["reproduced"], done.stderr
    bare = other_python(tmp_path / "bare")
    done = comind("reproduce", finished.id, "--python", str(bare), state=finished.state)
    assert done.returncode == 1 and "No module named" in done.stderr


def test_a_python_that_is_none_is_told_before_anything_is_made(tmp_path: Path) -> None:
    data = write_small_competition(tmp_path / "fruit")
    done = comind("run", f"{data}/", "--offline", "--python", "/bin/false", state=tmp_path / "state")
    assert done.returncode == 2 and "/bin/false is not a Python that can be used" in done.stderr
    assert not (tmp_path / "state" / "runs").exists()


def test_a_python_that_is_gone_is_told(finished: RunFolder, other: Path) -> None:
    shutil.move(other, other.with_name("away"))
    try:
        done = comind("reproduce", finished.id, state=finished.state)
    finally:
        shutil.move(other.with_name("away"), other)
    assert done.returncode == 2 and f"There is no Python at {other}/bin/python." in done.stderr


def test_pushed_kernels_run_in_it(other: Path, tmp_path: Path) -> None:
    data = write_small_competition(tmp_path / "fruit")

    async def pushed() -> tuple[str, ...]:
        serving = MleLiveProcess(
            tmp_path, folder=data, python=other / "bin" / "python", log_path=tmp_path / "log", token="secret"
        )
        async with serving as server:
            pusher = Pusher(server, user="comind", token="secret")
            script = await asyncio.to_thread(pusher.run, "A script", SAYS_WHERE)
            await asyncio.to_thread(pusher.push_notebook, "A notebook", SAYS_WHERE)
            notebook = await asyncio.to_thread(pusher.wait, "a-notebook")
            assert (script, notebook) == (("COMPLETE", ""), ("COMPLETE", ""))
            return pusher.log("a-script"), pusher.log("a-notebook")

    assert all(f"prefix {other}" in log for log in asyncio.run(pushed()))
