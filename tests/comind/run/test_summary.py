"""The `show --json` document of runs in every state."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from comind.analysis.standings import standings
from comind.run.summary import summarize
from comind.state.grades import PartGrade
from comind.state.reader import reading
from comind.state.records import Evaluation, LlmCall, Run
from comind.state.runs import RunFolder, engine_lock
from comind.state.store import Store
from kaggle_runner.console import json_text
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.comind_tui import sample_run

KEYS = {
    "run", "competition", "metric", "higher_is_better", "status", "round", "rounds", "coders", "counts",
    "status_detail", "best", "baseline_score", "test", "cost", "models", "started_at",
    "finished_at", "labels_readable", "pushes", "attribution", "metric_source",
    "metric_sentence",
}  # fmt: skip
COUNTS = {
    "kernels", "discussions", "ideas", "reports", "drafts", "cells", "monitor_decisions", "evaluations",
    "llm_calls",
}  # fmt: skip


def document(folder: RunFolder) -> dict[str, Any]:
    with reading(folder.database) as reader:
        return summarize(reader, folder, SYSTEM_CLOCK)


def test_a_running_run_has_every_key_of_the_contract(tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path)
    with engine_lock(folder):
        found = document(folder)
    assert set(found) == KEYS
    assert set(found["counts"]) == COUNTS
    assert found["status"] == "running"
    assert found["coders"][0] == {"id": "r1-a1", "status": "finished", "steps": 3, "best_score": 0.89}
    assert found["best"]["interval"][0] < found["best"]["score"] < found["best"]["interval"][1]
    assert (folder.path / found["best"]["submission"]).is_file()
    assert found["baseline_score"] == 0.1012
    assert found["test"] is None


def test_the_best_is_the_one_the_run_chose_and_points_to_the_final_file(tmp_path: Path) -> None:
    found = document(sample_run.build(tmp_path, status="finished"))
    assert (found["best"]["agent"], found["best"]["round"]) == ("r2-a3", 2)
    assert found["best"]["submission"] == "best/submission.csv"
    assert found["test"]["medal"] == "silver"
    assert found["finished_at"].endswith("Z")


def test_a_run_whose_engine_was_killed_is_stopped(tmp_path: Path) -> None:
    assert document(sample_run.build(tmp_path, status="running"))["status"] == "stopped"


def test_an_empty_run_is_preparing_and_has_nothing(tmp_path: Path) -> None:
    found = document(sample_run.build_empty(tmp_path))
    assert (found["status"], found["best"], found["started_at"]) == ("preparing", None, None)
    assert set(found["counts"].values()) == {0}


def test_for_a_metric_to_minimise_the_lowest_score_is_best(tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path)
    with Store(folder.database) as store:
        flipped = [replace(one, higher_is_better=False) for one in store.all(Evaluation)]
        store.save(*flipped, replace(store.all(Run)[0], higher_is_better=False))
        board = standings(store.all(Evaluation))
    assert document(folder)["best"]["score"] == min(one.score.value for one in board)


def test_an_unknown_price_is_null_and_as_json_no_number_is_nan(tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path)
    with Store(folder.database) as store:
        store.save(
            LlmCall(
                id="x/1/turn/1",
                role="coder",
                agent="x",
                step=1,
                kind="turn",
                attempt=1,
                model="m",
                base_url="",
            )
        )
        store.save(replace(store.all(Run)[0], baseline={"score": math.nan, "interval": (0, 1), "rows": 5}))
    found = document(folder)
    assert found["cost"]["dollars"] is None
    assert json.loads(json_text(found))["baseline_score"] is None


def test_the_sample_submission_is_not_on_the_board(tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path)
    perfect: PartGrade = {"score": 1.0, "interval": (1.0, 1.0), "rows": 9}
    with Store(folder.database) as store:
        before = store.count(Evaluation)
        store.save(
            Evaluation(
                id="baseline", agent="", round=0, step=0, success=True, message="ok", selection=perfect
            )
        )
        assert all(one.score.value < 1 for one in standings(store.all(Evaluation)))
    assert document(folder)["counts"]["evaluations"] == before
