"""Whole journeys with real kernels, a real MLE-Live and the offline policy, through the command line."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from comind.state.reader import reading
from comind.state.records import Agent, Cell, Event, LlmCall, Run
from comind.state.runs import RunFolder, list_runs
from tests.e2e.commands import AMPLE, COMMAND, SECRET, asking, comind, environment
from tests.e2e.small_competition import write_small_competition
from tests.fakes.plain_policy import plain
from tests.fakes.scripted_llm import Scripted, ScriptedModel

pytestmark = pytest.mark.e2e


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, dict[str, Any], dict[str, bool]]:
    """One finished run on a user's folder: its own folder, `show --json`, and what happened to the input."""
    root = tmp_path_factory.mktemp("journey")
    data = write_small_competition(root / "fruit")
    before = tree(data)
    done = comind(
        "run", f"{data}/", "--offline", "--coders", "1", "--rounds", "2", "--time-limit", AMPLE, "--json",
        state=root / "state",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [folder] = list_runs(root / "state")
    return folder, json.loads(done.stdout), {"untouched": tree(data) == before}


def test_a_run_beats_the_sample_beyond_its_interval(finished: Any) -> None:
    _, shown, _ = finished
    assert shown["status"] == "finished"
    assert shown["best"]["interval"][0] > shown["baseline_score"]
    assert shown["best"]["rows"] > 20
    assert shown["test"] is None  # a folder has no labels to grade with


def test_the_json_document_keeps_its_contract(finished: Any) -> None:
    _, shown, _ = finished
    assert {
        "run", "competition", "metric", "higher_is_better", "status", "rounds", "coders", "counts", "best",
        "baseline_score", "test", "cost", "models", "started_at", "finished_at",
    } <= shown.keys()  # fmt: skip
    assert {
        "kernels", "discussions", "ideas", "reports", "drafts", "cells", "monitor_decisions", "evaluations",
        "llm_calls",
    } <= shown["counts"].keys()  # fmt: skip
    assert all({"id", "status", "steps", "best_score"} <= coder.keys() for coder in shown["coders"])
    assert {"score", "interval", "rows", "submission", "agent", "round"} <= shown["best"].keys()
    assert shown["cost"]["dollars"] == 0
    assert shown["cost"]["tokens"] > 0
    assert shown["counts"]["drafts"] == 2


def test_the_users_folder_is_never_written_to(finished: Any) -> None:
    assert finished[2]["untouched"]


def test_a_finished_run_leaves_submission_notebook_script_and_report(finished: Any) -> None:
    folder, shown, _ = finished
    submission = pd.read_csv(folder.path / shown["best"]["submission"])
    sample = pd.read_csv(folder.original / "sample_submission.csv")
    assert list(submission.columns) == list(sample.columns)
    assert set(submission["id"]) == set(sample["id"])
    notebook = nbformat.read(folder.best / "solution.ipynb", as_version=4)
    nbformat.validate(notebook)
    compile((folder.best / "solution.py").read_text(), "solution.py", "exec")
    assert shown["best"]["agent"] in folder.report.read_text()


def test_the_best_script_writes_the_same_submission_again(finished: Any) -> None:
    folder, _, _ = finished
    done = comind("reproduce", folder.id, "--json", state=folder.path.parent.parent)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reproduced"] is True


def test_a_changed_submission_is_not_reproduced(finished: Any) -> None:
    folder, _, _ = finished
    path = folder.best / "submission.csv"
    kept = path.read_text()
    try:
        changed = pd.read_csv(path)
        changed["ripe"] = 1 - changed["ripe"]
        changed.to_csv(path, index=False)
        done = comind("reproduce", folder.id, state=folder.path.parent.parent)
    finally:
        path.write_text(kept)
    assert done.returncode == 1
    assert "differs" in done.stderr


def test_every_agent_leaves_a_valid_notebook_with_its_outputs(finished: Any) -> None:
    folder, shown, _ = finished
    for coder in shown["coders"]:
        notebook = nbformat.read(folder.notebook(coder["id"]), as_version=4)
        nbformat.validate(notebook)
        assert any(cell.get("outputs") for cell in notebook.cells if cell.cell_type == "code")


def test_the_second_round_builds_on_what_the_first_published(finished: Any) -> None:
    folder, _, _ = finished
    with reading(folder.database) as reader:
        prompts = [
            call.messages[-1]["content"] for call in reader.all(LlmCall, "kind = 'drafts'", order="step")
        ]
        assert "r1-a1" not in prompts[0]
        assert "- r1-a1 (round 1" in prompts[1]
        assert (folder.dataset("r1-a1") / "submission.csv").is_file()


def test_no_key_is_written_anywhere_in_the_run(finished: Any) -> None:
    folder, _, _ = finished
    holders = [
        path for path in folder.path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    assert holders == []


def test_no_label_lies_where_agents_can_read(finished: Any) -> None:
    folder, _, _ = finished
    labels = pd.read_csv(folder.private / "validation.csv")
    held_out = set(labels["id"])
    assert held_out.isdisjoint(pd.read_csv(folder.public / "train.csv")["id"])
    assert "ripe" not in pd.read_csv(folder.public / "validation.csv").columns


def wait_for_cells(state: Path, count: int) -> RunFolder:
    """Until a run in `state` has so many ended cells."""
    while True:
        for folder in list_runs(state):
            with reading(folder.database) as reader:
                done = reader.count(Cell, "status = 'ok'")
                run = reader.run()
            if done >= count:
                return folder
            assert run is None or not run.finished_at, folder.engine_log.read_text()
        time.sleep(0.2)


def test_ctrl_c_winds_down_and_keeps_the_best_so_far(tmp_path: Path) -> None:
    data = write_small_competition(tmp_path / "fruit")
    state, interrupted = tmp_path / "state", threading.Event()

    def thinks_until_interrupted(request: dict[str, Any], number: int) -> Scripted | str:
        """The first agent works; nobody is answered any more once it has seen its first score."""
        told = request["messages"][-1]["content"]
        seen = "## Evaluation" in told and "feedback score" in told
        waits = seen and not interrupted.is_set()
        return Scripted("", delay=math.inf) if waits else plain(request, number)

    with ScriptedModel(thinks_until_interrupted) as server:
        engine = subprocess.Popen(
            [COMMAND, "run", f"{data}/", *asking(server), "--headless",
             "--coders", "2", "--rounds", "1", "--time-limit", AMPLE, "--state", str(state)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
        )  # fmt: skip
        folder = wait_for_cells(state, 4)
        engine.send_signal(signal.SIGINT)
        assert engine.wait() == 130
        interrupted.set()
        check_interrupted_and_resumed(folder)


def check_interrupted_and_resumed(folder: RunFolder) -> None:
    with reading(folder.database) as reader:
        run = reader.run()
        assert run is not None
        assert run.finished_at
        assert folder.report.is_file()
        stopped = [agent.id for agent in reader.all(Agent, "stop_reason = 'interrupted'")]
        cells = reader.count(Cell)
        assert stopped
    done = comind("resume", folder.id, "--headless", state=folder.state)
    assert done.returncode == 0, done.stderr
    with reading(folder.database) as reader:
        assert not reader.count(Agent, "stop_reason = 'interrupted'")
        assert reader.count(Cell) > cells


@pytest.mark.parametrize("slug", ["census-income", "bike-demand", "snippet-sentiment", "digits-5k"])
def test_a_shelf_competition_is_won_against_its_sample_and_the_hidden_labels_agree(
    slug: str, prepared_root: Callable[[str], Path], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "mle_live").symlink_to(prepared_root(slug))
    config = tmp_path / "run.yaml"
    verifies = str(slug == "snippet-sentiment").lower()  # the shelf's own tests run every kernel
    config.write_text(f"coders: 1\nrounds: 1\nsteps: 4\nsample_kernels: 1\nverify_kernels: {verifies}\n")
    done = comind(
        "run", slug, "--offline", "--config", str(config), "--time-limit", AMPLE, "--json", state=state
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    low, high = shown["best"]["interval"]
    sample = shown["baseline_score"]
    assert low > sample if shown["higher_is_better"] else high < sample
    tested = shown["test"]
    assert tested["score"] > sample if shown["higher_is_better"] else tested["score"] < sample
    assert 1 <= tested["rank"] <= tested["teams"] + 1
    assert shown["counts"]["kernels"] > 2
    assert shown["counts"]["discussions"] > 0


def test_a_run_row_and_events_tell_the_story(finished: Any) -> None:
    folder, _, _ = finished
    with reading(folder.database) as reader:
        assert reader.all(Run)[0].status == "finished"
        kinds = {event.kind for event in reader.all(Event)}
        assert {
            "created",
            "evaluator",
            "baseline",
            "round",
            "draft",
            "cell",
            "evaluation",
            "published",
            "ended",
        } <= kinds
