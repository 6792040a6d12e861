"""Pushed agents at a real MLE-Live: what is rehearsed, pushed, brought home, and what is never sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from comind.at_kaggle.sample import SampleSizes
from comind.at_kaggle.setup import check_push
from comind.config import RunConfig
from comind.control import Control
from comind.run.ending import INTERRUPTED, NO_MACHINE, RUN_STOPPED, reopen_agents
from comind.state.records import Agent, Evaluation
from comind.state.store import Store
from kaggle_runner.errors import BadCompetition, ConfigError
from kaggle_runner.inside_kaggle import SESSION_ENDED
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.comind.agents.pushing_world import CANARY, PREDICT, TRAIN, World, open_world, turn
from tests.tiny_kaggle import make_root, running_server, tiny_server

WRITE = turn(PREDICT, submits=True, goal="predict")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    run = tmp_path / "state" / "runs" / "tiny-comp-20261122-101112"
    run.mkdir(parents=True)
    with (
        tiny_server(tmp_path) as server,
        Store(run / "run.sqlite", clock=SYSTEM_CLOCK) as store,
    ):
        yield open_world(server, store)


def told(shown: str) -> str:
    """The Kaggle section of an observation."""
    found = re.search(r"## Kaggle\n<<<\n(.*?)\n>>>", shown, re.S)
    return found[1] if found else ""


async def until_it_runs(world: World, running: asyncio.Task[Agent], *, times: int = 1) -> None:
    """Until a kernel of the agent runs at Kaggle; its own error when it ends before."""
    while sum("Runs at Kaggle" in line for line in world.events("kernel")) < times:
        assert not running.done(), running.result()
        await asyncio.sleep(0.1)


async def test_predictions_come_from_all_rows_and_cells_from_a_sample(world: World) -> None:
    agent, model = await world.agent([WRITE])
    done = await agent.run()
    assert done.status == "finished"
    assert "2000 training rows" in model.shown[1]
    [push] = world.pushes
    assert (push.state, push.fault, push.accelerator) == ("complete", "", "")
    assert world.evaluator.rows == {"r1-a1-s02": (600, 600)}
    assert f"{TRAIN} training rows" in told(model.shown[2])
    assert "val.csv" in told(model.shown[2])
    assert "score on feedback rows" in model.shown[2]
    assert world.versions == {push.ref: 1}
    assert push.ref == "alice/comind-20261122-101112-1712-r1-a1-s02"


async def test_the_opening_says_where_code_runs(world: World) -> None:
    agent, model = await world.agent([])
    await agent.run()
    assert "## Kaggle" in model.shown[0]
    assert "2,000 of 2,400 training rows" in model.shown[0]
    assert "Kernels have no internet" in model.shown[0]
    assert any("no way to cancel a kernel" in line for line in world.events("kaggle"))


async def test_a_notebook_that_only_works_live_goes_back_and_nothing_is_pushed(world: World) -> None:
    failing = turn("helper = 3\nraise ValueError('after it was set')")
    agent, model = await world.agent([failing, turn(f"print(helper)\n{PREDICT}", submits=True)])
    await agent.run()
    [push] = world.pushes
    assert push.state == "refused"
    assert "run from the top, the notebook fails with NameError" in push.fault
    assert "name 'helper' is not defined" in told(model.shown[3])
    assert "not valid: run from the top" in model.shown[3]
    assert world.versions == {}


async def test_a_cell_that_failed_is_not_pushed(world: World) -> None:
    agent, model = await world.agent([turn(f"{PREDICT}\n1 / 0", submits=True)])
    await agent.run()
    assert world.pushes == []
    assert "the cell did not end well" in model.shown[2]


async def test_ill_formed_predictions_are_refused_by_the_rehearsal(world: World) -> None:
    short = turn(PREDICT.replace("inputs[['id']]", "inputs[['id']].head(10)"), submits=True)
    agent, model = await world.agent([short])
    await agent.run()
    [push] = world.pushes
    assert push.state == "refused"
    assert "val.csv would not be scored: some ids of the sample have no prediction" in push.fault
    assert "not valid: in the rehearsal val.csv would not be scored" in model.shown[2]
    assert world.versions == {}
    assert world.store.count(Evaluation) == 0


async def test_the_id_may_stand_in_any_column_of_the_sample(world: World) -> None:
    for name in ("sample_validation_submission.csv", "sample_submission.csv"):
        pd.read_csv(world.folder.public / name)[["label", "id"]].to_csv(
            world.folder.public / name, index=False
        )
    agent, _ = await world.agent([WRITE])
    await agent.run()
    [push] = world.pushes
    assert (push.state, push.fault) == ("complete", "")


async def test_what_fails_with_all_rows_is_told_with_its_traceback(world: World) -> None:
    code = f"if len(train) > 2000:\n    raise RuntimeError('too many rows')\n{PREDICT}"
    agent, model = await world.agent([turn(code, submits=True)])
    done = await agent.run()
    [push] = world.pushes
    assert (push.state, done.status) == ("failed", "finished")
    assert "cell 2 of the notebook failed with" in push.fault
    assert "too many rows" in told(model.shown[2])
    assert "too many rows" in model.shown[2].partition("## Evaluation")[2]
    assert world.store.count(Evaluation) == 0


async def test_a_notebook_that_cannot_end_in_time_is_not_pushed(world: World) -> None:
    slow = turn(f"import time; time.sleep(3)\n{PREDICT}", submits=True)
    sizes = SampleSizes(20, 20_000, 10, 10_000, 10, 10_000)
    agent, _ = await world.agent([slow], kernel_time_limit=60.0, sizes=sizes)
    await agent.run()
    [push] = world.pushes
    assert push.state == "refused"
    assert "would take about" in push.fault
    assert world.versions == {}


async def test_a_persons_stop_abandons_the_kernel_and_says_what_that_means(world: World) -> None:
    endless = f"import time\nwhile len(train) > 2000:\n    time.sleep(0.1)\n{PREDICT}"
    agent, _ = await world.agent([turn(endless, submits=True)])
    running = asyncio.create_task(agent.run())
    await until_it_runs(world, running)
    world.control.stop("stopped by a person")
    done = await running
    [push] = world.pushes
    assert push.state == "abandoned"
    assert "stopped by a person" in push.fault
    assert "runs on until its own end" in push.told
    assert done.status == "stopped"
    await world.client.delete_kernel(push.ref)


@pytest.mark.parametrize("reason", [RUN_STOPPED, INTERRUPTED, SESSION_ENDED])
async def test_a_run_that_was_stopped_as_a_whole_harvests_its_kernel_when_it_is_resumed(
    world: World, reason: str
) -> None:
    waits = f"import time\nif len(train) > 2000:\n    time.sleep(4)\n{PREDICT}"
    script = [turn(waits, submits=True)]
    first, _ = await world.agent(script)
    running = asyncio.create_task(first.run())
    await until_it_runs(world, running)
    world.control.stop(reason)
    stopped = await running
    assert (stopped.status, stopped.stop_reason) == ("stopped", reason)
    assert [push.state for push in world.pushes] == ["running"]
    reopen_agents(world.store)
    [reopened] = world.store.all(Agent)
    assert (reopened.status, reopened.finished_at, reopened.stop_reason) == ("waiting", "", "")
    again, _ = await replace(
        world, control=Control(time_limit=3600, seconds_used=0, clock=SYSTEM_CLOCK)
    ).agent(script)
    done = await again.run()
    [push] = world.pushes
    assert (done.status, push.state, world.versions) == ("finished", "complete", {push.ref: 1})


async def test_a_killed_agent_finds_its_kernel_again_and_pushes_nothing_twice(world: World) -> None:
    waits = f"import time\nif len(train) > 2000:\n    time.sleep(4)\n{PREDICT}"
    script = [turn(waits, submits=True)]
    first, _ = await world.agent(script)
    running = asyncio.create_task(first.run())
    await until_it_runs(world, running)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [push.state for push in world.pushes] == ["running"]
    again, model = await world.agent(script)
    await again.run()
    [push] = world.pushes
    assert (push.state, world.versions) == ("complete", {push.ref: 1})
    assert world.evaluator.rows == {"r1-a1-s02": (600, 600)}
    assert model.shown


@pytest.mark.parametrize("deaths", [1, 2])
async def test_a_kernel_that_died_with_the_runs_own_server_runs_again(tmp_path: Path, deaths: int) -> None:
    root, run = make_root(tmp_path / "root"), tmp_path / "state" / "runs" / "tiny-comp-20261122-101112"
    run.mkdir(parents=True)
    script = [turn(f"import time\nif len(train) > 2000:\n    time.sleep(8)\n{PREDICT}", submits=True)]
    with Store(run / "run.sqlite", clock=SYSTEM_CLOCK) as store:
        for life in range(deaths):
            with running_server(root, tmp_path / "server") as server:
                world = open_world(server, store, simulated=True)
                agent, _ = await world.agent(script)
                running = asyncio.create_task(agent.run())
                await until_it_runs(world, running, times=life + 1)
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        with running_server(root, tmp_path / "server") as server:
            world = open_world(server, store, simulated=True)
            again, _ = await world.agent(script)
            await again.run()
            [push] = world.pushes
            assert (push.state, world.versions) == ("complete", {push.ref: deaths + 1})


async def test_earlier_outputs_are_at_kaggle_under_the_name_they_have_here(
    world: World, tmp_path: Path
) -> None:
    earlier = tmp_path / "r0-a1"
    earlier.mkdir()
    (earlier / "oof.csv").write_text("id,label\n")
    reads = f"print(len(open(next(Path('/kaggle/input').glob('*r0-a1*')) / 'oof.csv').read()))\n{PREDICT}"
    agent, model = await world.agent([turn(reads, submits=True)], resources={"r0-a1": earlier})
    await agent.run()
    [push] = world.pushes
    assert push.state == "complete", push.told
    assert "- dataset /kaggle/input/comind-20261122-101112-r0-a1-1712: oof.csv" in model.shown[0]


async def test_nothing_private_is_ever_sent(world: World, tmp_path: Path) -> None:
    agent, _ = await world.agent([WRITE])
    await agent.run()
    assert CANARY in (world.folder.private / "validation.csv").read_text()
    sent = [path for path in (tmp_path / "server").rglob("*") if path.is_file()]
    assert any(path.name == "train.csv" for path in sent)
    assert [path for path in sent if CANARY.encode() in path.read_bytes()] == []


async def test_cells_that_an_earlier_kernel_ran_are_carried_and_not_run_again(world: World) -> None:
    costly = turn("print('costly work is done'); means = train.mean(numeric_only=True)")
    again = turn(PREDICT.replace("train['label'].mean()", "means['label']"), submits=True, goal="use it")
    agent, model = await world.agent([costly, WRITE, again])
    await agent.run()
    first, second = world.pushes
    assert (first.state, second.state) == ("complete", "complete")
    assert "costly work is done" in told(model.shown[3])
    assert "costly work is done" not in told(model.shown[4])
    assert "1: carried 0 s, 2: carried 0 s, 3: carried 0 s, 4: ok" in told(model.shown[4])
    assert world.evaluator.rows[second.id] == (600, 600)


async def test_a_split_above_the_limit_is_refused_before_anything_is_uploaded(world: World) -> None:
    with pytest.raises(ConfigError, match=r"kaggle_dataset_limit allows 0\.001 GB"):
        (world.folder.public / "big.bin").write_bytes(bytes(2_000_000))
        await world.backend(kaggle_dataset_limit=0.001)
    assert world.events("dataset") == []


async def test_a_second_run_with_the_same_split_uploads_nothing(world: World) -> None:
    await world.backend()
    (world.folder.path / "data" / "kaggle_dataset.json").unlink()
    await world.backend()
    uploaded, found = world.events("dataset")
    assert uploaded.startswith("Uploaded the private dataset alice/comind-tiny-comp-")
    assert found.endswith("is there already")


async def test_a_link_in_the_split_is_not_followed_to_kaggle(world: World) -> None:
    (world.folder.public / "labels.csv").symlink_to(world.folder.private / "validation.csv")
    with pytest.raises(BadCompetition, match=r"labels\.csv"):
        await world.backend()
    assert world.events("dataset") == []


async def test_no_gpu_is_asked_for_where_there_is_none_and_nobody_insists(world: World) -> None:
    code = f"try:\n    import torch\nexcept ImportError:\n    pass\n{PREDICT}"
    agent, _ = await world.agent([turn(code, submits=True)])
    await agent.run()
    [push] = world.pushes
    assert (push.state, push.accelerator) == ("complete", ""), push.fault
    assert not world.events("push_refused")


async def test_a_gpu_that_is_not_to_be_had_is_told_once_and_ends_the_run(world: World) -> None:
    agent, model = await world.agent([turn(PREDICT, submits=True)], accelerator="NvidiaTeslaT4")
    done = await agent.run()
    assert done.stop_reason == NO_MACHINE
    [told] = world.events("push_refused")
    assert "--accelerator none" in told and "--gpu-kernels cpu" in told
    assert len(model.shown) == 3, "beside its two turns and the report the model was asked for other code"
    reopen_agents(world.store)
    assert world.pushes[0].state == "waiting"


async def test_a_machine_that_the_runs_own_kaggle_lacks_is_told_before_anything(tmp_path: Path) -> None:
    config = RunConfig(
        competition="census-income", executor="kaggle", accelerator="T4", gpu_kernels="refuse", offline=True
    )
    with pytest.raises(ConfigError) as refused:
        await check_push(config, {}, tmp_path)
    assert "--accelerator none" in refused.value.hint and "--gpu-kernels cpu" in refused.value.hint
    assert await check_push(replace(config, gpu_kernels="cpu"), {}, tmp_path) == []
