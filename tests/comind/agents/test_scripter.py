"""Script agents and kernel runs: real sandboxed kernels, a real evaluator, a model with a list of replies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from comind.agents.scripter import ScriptAgent, _remove, prepare_view, script_drafts
from comind.agents.work import Assignment
from comind.agents.workshop import Workshop
from comind.llm.formats import MalformedReply
from comind.roles.edits import example_edit
from comind.roles.scripter import parse_change
from comind.round.verification import verify_kernels
from comind.run.solutions import solution_script
from comind.state.records import Agent, Dataset, Evaluation, Event, Idea, Kernel, Report
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.notebook.session import NotebookSession
from kaggle_runner.sandbox.sandbox import Sandbox
from tests.comind.evaluator.folders import houses, ready_evaluator
from tests.fakes.models import InstantModel
from tests.fakes.workshops import make_workshop

MEAN = """import pandas as pd
train = pd.read_csv("/kaggle/input/houses/train.csv")
test = pd.read_csv("/kaggle/input/houses/test.csv")
test["price"] = train["price"].mean()
test[["id", "price"]].to_csv("submission.csv", index=False)
"""
LINE = MEAN.replace(
    'train["price"].mean()', 'train["price"].mean() + 3 * (test["size"] - train["size"].mean())'
)
ZERO = MEAN.replace('train["price"].mean()', "0.0")
BROKEN = MEAN.replace("pd.read_csv", "pd.read_cvs", 1)
LEAVES = LINE + "leftover = True\n"
FINDS = LINE.replace("test[[", 'if "leftover" in globals(): test[[')


def reply(goal: str, script: str) -> str:
    return f"<goal>{goal}</goal>\n<code>\n{script}</code>"


@dataclass
class World:
    shop: Workshop
    store: Store
    model: InstantModel


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    folder = RunFolder(tmp_path / "state" / "runs" / "run")
    folder.path.mkdir(parents=True)
    evaluator = await ready_evaluator(
        folder.path, lambda path: houses(path, grouped=False), "mae", higher=False
    )

    def open_notebook(name: str, inputs: Mapping[str, Path], workspace: Path) -> NotebookSession:
        sandbox = Sandbox(inputs=inputs, workspace=workspace)
        return NotebookSession(sandbox, log_dir=workspace.parent / "logs", name=name)

    model = InstantModel([])
    with Store(folder.database) as store:
        shop = make_workshop(
            store, model, folder=folder, evaluator=evaluator, open_notebook=open_notebook, slug="houses"
        )
        yield World(shop, store, model)


def kernel(name: str, source: str) -> Kernel:
    return Kernel(id=f"ann/{name}", title=name, author="ann", source=source)


async def improve(world: World, replies: Sequence[str], *, steps: int) -> Agent:
    """Verify the mean kernel, then let a script agent change it."""
    world.store.save(kernel("mean", MEAN))
    await verify_kernels(world.shop, world.store.all(Kernel), seconds=600)
    draft = script_drafts(world.shop, 1, 1)[0]
    base = world.store.get(Evaluation, f"{draft.parent}-s01")
    assert base is not None
    world.model.will_say(*replies)
    agent = Agent(id=draft.id, round=1, index=1, style="script", title=draft.title, max_steps=steps)
    world.store.save(agent)
    given = Assignment(world.shop, agent, draft, 300, {})
    work = ScriptAgent(given, start=base.score("feedback"), hints="try a line")
    return await work.run()


async def test_kernels_are_run_as_they_are_and_scored_on_our_split(world: World) -> None:
    world.store.save(kernel("mean", MEAN), kernel("broken", BROKEN), kernel("line", LINE))
    verified = await verify_kernels(world.shop, world.store.all(Kernel), seconds=600)
    assert [(one.id, one.verified) for one in verified] == [
        ("ann/mean", "ok"), ("ann/broken", "failed"), ("ann/line", "ok"),
    ]  # fmt: skip
    mean, _, line = (one.local_score for one in verified)
    assert mean is not None and line is not None and line < mean / 2
    assert {one.id for one in world.store.all(Dataset)} == {"comind/k01", "comind/k03"}
    assert "AttributeError" in world.store.all(Event, "kind = 'verified' AND agent = 'k02'")[0].message


@pytest.mark.parametrize(
    "end",
    [
        "os.remove('submission.csv'); os.symlink('/etc/passwd', 'submission.csv')",
        "os.remove('submission.csv'); os.mkfifo('submission.csv')",
        "os.remove('submission.csv'); os.makedirs('submission.csv/a'); os.chmod('submission.csv', 0)",
    ],
)
async def test_a_kernel_that_leaves_no_plain_file_is_told_and_harms_nobody(world: World, end: str) -> None:
    world.store.save(kernel("trap", f"{MEAN}import os\n{end}\nos.chmod('.', 0)\n"))
    [trap] = await verify_kernels(world.shop, world.store.all(Kernel), seconds=600)
    assert trap.verified == "failed"
    assert "no submission.csv that can be read" in world.store.all(Event, "kind = 'verified'")[-1].message
    _remove(world.shop.folder.workspace("k01") / "submission.csv")
    assert not any(path.name == "submission.csv" for path in world.shop.folder.workspace("k01").iterdir())


async def test_what_was_verified_is_not_run_again(world: World) -> None:
    world.store.save(kernel("mean", MEAN))
    await verify_kernels(world.shop, world.store.all(Kernel), seconds=600)
    count = world.store.count(Event)
    again = await verify_kernels(world.shop, world.store.all(Kernel), seconds=600)
    assert again[0].verified == "ok"
    assert world.store.count(Event) == count


async def test_a_better_change_is_kept_and_a_worse_or_broken_one_is_told(world: World) -> None:
    replies = [
        reply("predict zero", ZERO), reply("break it", BROKEN), reply("use the size", LINE),
        reply("back to the mean", MEAN),
    ]  # fmt: skip
    agent = await improve(world, replies, steps=4)
    assert agent.status == "finished" and agent.best_evaluation == f"{agent.id}-s03"
    second, third, fourth = world.model.shown[1:]
    assert "pd.read_cvs" in third.partition("## Last try")[2]
    assert "predict zero" in second and "not better than" in second
    assert "AttributeError" in third and "read_cvs" in third
    assert LINE.splitlines()[3] in fourth
    report = world.store.all(Report)[0]
    assert "use the size" in report.summary and LINE.splitlines()[3] in report.pipeline
    texts = [idea.text for idea in world.store.all(Idea)]
    assert len(texts) == 4 and "not better" in texts[0]


async def test_every_script_starts_in_a_fresh_kernel_with_no_old_submission(world: World) -> None:
    silent = 'print("submission.csv is not written")\n'
    replies = [reply("a line", LEAVES), reply("find the rest", FINDS), reply("write nothing", silent)]
    agent = await improve(world, replies, steps=3)
    evaluations = world.store.all(Evaluation, "agent = ?", (agent.id,))
    assert [one.step for one in evaluations] == [1]
    assert "wrote no submission.csv" in world.model.shown[2]


async def test_only_the_best_script_itself_reproduces_the_result(world: World) -> None:
    replies = [reply("predict zero", ZERO), reply("use the size", LINE)]
    agent = await improve(world, replies, steps=2)
    script = solution_script(world.store, agent.id, 2)
    assert "3 * (test" in script and "= 0.0" not in script


async def test_an_unchanged_script_is_asked_again_and_costs_no_run(world: World) -> None:
    commented = MEAN + "# a remark is no change\n"
    agent = await improve(world, [reply("nothing", commented), reply("use the size", LINE)], steps=1)
    assert "does the same as before" in world.model.shown[1]
    assert agent.best_evaluation == f"{agent.id}-s01"


async def test_a_change_that_was_tried_is_not_run_twice(world: World) -> None:
    replies = [reply("zero", ZERO), reply("zero again", ZERO), reply("use the size", LINE)]
    agent = await improve(world, replies, steps=2)
    assert "was tried before" in world.model.shown[2]
    assert agent.best_evaluation == f"{agent.id}-s02"
    assert "this time, change" in world.model.shown[0]


async def test_without_any_kernel_the_first_script_is_written_from_nothing(world: World) -> None:
    await prepare_view(world.shop)
    drafts = script_drafts(world.shop, 1, 2)
    assert [draft.code for draft in drafts] == ["", ""]
    assert script_drafts(world.shop, 1, 2) == drafts


def test_edits_change_their_lines_whatever_the_indentation() -> None:
    script = "def f(x):\n        return x\n\nt['price'] = 1\nwrite('submission.csv')\n"
    text = (
        "<goal>clip</goal>\n<old>\n    t['price']  =  1\n</old>\n"
        "<new>\n```python\n    t['price'] = 2\n```\n</new>"
        "<old>return x</old><new>y = x\nreturn y"
    )
    change = parse_change(text, script)
    assert change.goal == "clip"
    assert change.script == (
        "def f(x):\n        y = x\n        return y\n\nt['price'] = 2\nwrite('submission.csv')\n"
    )


def test_lines_that_stand_twice_must_be_told_apart() -> None:
    with pytest.raises(MalformedReply, match="2 times"):
        parse_change("<old>a = 1</old><new>a = 2</new>", "a = 1\nb = 1\na = 1\n# submission.csv\n")


def test_the_failed_script_can_be_mended_and_own_remarks_are_no_lines_of_it() -> None:
    script = "a = 1\nwrite('submission.csv')\n"
    failed = "a = nump.array(1)\nwrite('submission.csv')\n"
    text = "<goal>mend</goal><old>\n# this line failed\na = nump.array(1)\n</old><new>\na = 2\n</new>"
    assert parse_change(text, script, failed).script == "a = 2\nwrite('submission.csv')\n"
    with pytest.raises(MalformedReply, match="not in the script"):
        parse_change(text, script)


def test_the_example_is_a_change_of_this_very_script_and_another_one_each_turn() -> None:
    script = "m = SVC(C=10, tol=0.5)\np = cross_val_score(m, cv=3)\nwrite('submission.csv')\n"
    goals = [example_edit(script, turn)[0] for turn in range(4)]
    assert goals == ["try C=20", "try tol=1", "try C=5", "try tol=1"]
    goal, edit = example_edit(script, 0)
    copied = f"<goal>{goal}</goal><old>\n{edit.old}\n</old><new>\n{edit.new}\n</new>"
    changed = parse_change(copied.replace("SVC", "dict"), script.replace("SVC", "dict"))
    assert changed.goal == "try C=20" and "dict(C=20, tol=0.5)" in changed.script


def test_a_forgotten_import_is_added_and_an_unknown_name_is_asked_about() -> None:
    text = "<goal>g</goal><old>y = 1</old><new>y = RandomForestRegressor().fit(np.ones(3))</new>"
    script = "x = 0\ny = 1\nprint('submission.csv')\n"
    changed = parse_change(text, script).script
    assert changed.startswith(
        "from sklearn.ensemble import RandomForestRegressor\nimport numpy as np\nx = 0\n"
    )
    with pytest.raises(MalformedReply, match="`shfit` is defined nowhere"):
        parse_change("<old>y = 1</old><new>y = shfit(x)</new>", script)


def test_marks_copied_from_the_prompt_are_not_code() -> None:
    change = parse_change(f"<goal>g</goal>\n<code>\n<<<\n{LINE}\n>>>\n</code>", MEAN)
    assert change.script.strip() == LINE.strip()


def test_a_flood_of_opening_tags_is_read_quickly() -> None:
    with pytest.raises(MalformedReply):
        parse_change("<old>" * 200_000, MEAN)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no tags at all", "no change in it"),
        ("<goal>g</goal><code></code>", "empty"),
        ("<goal>g</goal><code>x = 1</code>", "does not write submission.csv"),
        ("<goal>g</goal><old>\nx = 1\n</old><new>\nx = 2\n</new>", "is not in the script"),
        ("<old>\ntrain = pd.read_csv(x)\n</old><new>x</new>", "nearest line"),
        ('<old>test["price"] = train["price"].mean()</old><new>test[</new>', "not valid Python"),
        (f"<goal>g</goal><code>{MEAN}", "does the same"),
        ("<goal>g</goal><code>def f(:\n submission.csv</code>", "not valid Python"),
    ],
)
def test_what_is_no_whole_changed_script_is_named(text: str, complaint: str) -> None:
    with pytest.raises(MalformedReply, match=complaint):
        parse_change(text, MEAN)
