"""The small-model preset as a user would run it: whole scripts, changed one thing at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from comind.state.reader import Reader, reading
from comind.state.records import Agent, Idea, LlmCall
from comind.state.runs import list_runs
from tests.e2e.commands import AMPLE, comind
from tests.e2e.small_competition import write_small_competition

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], Reader, Path]]:
    root = tmp_path_factory.mktemp("small-model")
    folder = write_small_competition(root / "fruit")
    done = comind(
        "run", f"{folder}/", "--offline", "--preset", "small-model", "--coders", "1", "--rounds", "2",
        "--steps", "2", "--time-limit", AMPLE, "--json", state=root / "state",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [run] = list_runs(root / "state")
    with reading(run.database) as reader:
        yield json.loads(done.stdout), reader, root / "state"


def test_a_folder_without_a_community_ends_beyond_the_sample(outcome: Any) -> None:
    shown, _, _ = outcome
    assert shown["status"] == "finished"
    assert shown["best"]["interval"][0] > shown["baseline_score"]


def test_one_question_a_step_and_no_other_roles(outcome: Any) -> None:
    _, reader, _ = outcome
    assert {call.kind for call in reader.all(LlmCall)} == {"change"}
    agents = reader.all(Agent, "round > 0")
    assert {agent.style for agent in agents} == {"script"} and len(agents) == 2
    assert reader.count(Idea) == 4


def test_prompts_fit_the_small_window(outcome: Any) -> None:
    _, reader, _ = outcome
    assert max(call.prompt_tokens for call in reader.all(LlmCall)) < 0.6 * 8192


def test_the_best_script_runs_again_and_writes_the_same(outcome: Any) -> None:
    shown, _, state = outcome
    done = comind("reproduce", shown["run"], "--json", state=state)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["largest_difference"] < 1e-12  # sums of threads may differ in the last bit


def test_a_real_small_models_recorded_replies_beat_the_sample_again(
    prepared_root: Callable[[str], Path], tmp_path: Path
) -> None:
    """Imperfect replies and all: some cannot be read, some scripts fail, and what works is scored anew."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "mle_live").symlink_to(prepared_root("digits-5k"))
    recording = Path(__file__).parents[1] / "recordings" / "small_model" / "script_agents.jsonl"
    config = tmp_path / "run.yaml"
    config.write_text("sample_kernels: 3\nsteps: 2\n")
    done = comind("run", "--replay", str(recording), "--config", str(config), "--json", state=state)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    own = [one["best_score"] for one in shown["coders"] if one["best_score"] is not None]
    assert own and max(own) > shown["best"]["interval"][0] > shown["baseline_score"]
    [model] = shown["models"]
    assert model["model"].startswith("recording of ") and model["unreadable"] > 0
    assert shown["cost"]["tokens"] == 0
