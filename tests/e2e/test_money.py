"""Money ends a run: it winds down through the real client and a strict OpenAI-compatible server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comind.state.reader import reading
from comind.state.records import Event
from comind.state.runs import list_runs
from tests.e2e.commands import AMPLE, asking, comind
from tests.e2e.small_competition import write_small_competition
from tests.fakes.plain_policy import plain
from tests.fakes.scripted_llm import ScriptedModel

pytestmark = pytest.mark.e2e


def test_a_money_limit_winds_the_run_down_with_a_submission_and_a_report(tmp_path: Path) -> None:
    folder = write_small_competition(tmp_path / "fruit")
    config = tmp_path / "run.yaml"
    # How often the monitor is asked depends on the machine's speed: that costs nothing here.
    config.write_text(
        "role_models: {monitor: watcher}\n"
        "prices: {scripted: {input: 100, output: 100}, watcher: {input: 0, output: 0}}\n"
    )
    models = ("scripted", "watcher")
    with ScriptedModel(plain, models=models) as server:
        done = comind(
            "run", f"{folder}/", *asking(server), "--coders", "1",
            "--rounds", "3", "--time-limit", AMPLE, "--max-cost", "6", "--config", str(config), "--json",
            state=tmp_path / "state",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert 0 < shown["cost"]["dollars"] <= 6
    [run] = list_runs(tmp_path / "state")
    assert (run.path / shown["best"]["submission"]).is_file()
    assert run.report.is_file()
    with reading(run.database) as reader:
        assert any("budget" in event.message for event in reader.all(Event, "kind = 'ended'"))
