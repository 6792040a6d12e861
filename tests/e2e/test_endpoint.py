"""A run through the real client and a strict OpenAI-compatible server, with faults on the way.

The server's answers come from the offline policy; that nothing in the agents knows this is the point.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comind.state.reader import Reader, reading
from comind.state.records import Event, LlmCall
from comind.state.runs import list_runs
from tests.e2e.commands import AMPLE, SECRET, comind
from tests.e2e.small_competition import write_small_competition
from tests.fakes.plain_policy import plain
from tests.fakes.scripted_llm import Scripted, ScriptedModel, html_page, rate_limited

pytestmark = pytest.mark.e2e


def troubled(request: dict[str, Any], number: int) -> Scripted | str:
    """Now and then a login page, a rate limit, an empty reply or a refusal to follow the format."""
    match number:
        case 2:
            return html_page()
        case 4:
            return rate_limited("0")
        case 6:
            return Scripted("Certainly! I would be happy to help.")
        case 9:
            return Scripted("")
    return plain(request, number)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Reader, Path]]:
    root = tmp_path_factory.mktemp("endpoint")
    folder = write_small_competition(root / "fruit")
    with ScriptedModel(troubled) as server:
        done = comind(
            "run", f"{folder}/", "--model", "scripted", "--base-url", server.url, "--coders", "2",
            "--rounds", "1", "--time-limit", AMPLE, "--json",
            state=root / "state",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [run] = list_runs(root / "state")
    with reading(run.database) as reader:
        yield json.loads(done.stdout), reader, run.path


def test_the_run_ends_with_a_result_in_spite_of_faults(outcome: Any) -> None:
    shown, _, _ = outcome
    assert shown["status"] == "finished"
    assert shown["best"]["interval"][0] > shown["baseline_score"]


def test_an_unknown_price_is_unknown_and_not_zero(outcome: Any) -> None:
    shown, _, _ = outcome
    assert shown["cost"]["dollars"] is None
    assert shown["cost"]["tokens"] > 1000


def test_an_unreadable_reply_was_asked_again_under_a_new_attempt(outcome: Any) -> None:
    _, reader, _ = outcome
    again = reader.all(LlmCall, "attempt > 1")
    assert again
    assert any("could not be used" in call.messages[-1]["content"] for call in again)


def test_the_key_is_in_no_file_of_the_run(outcome: Any) -> None:
    _, _, path = outcome
    assert not [file for file in path.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]


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
            "run", f"{folder}/", "--model", "scripted", "--base-url", server.url, "--coders", "1",
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
