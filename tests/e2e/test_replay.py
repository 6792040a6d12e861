"""A recorded run goes again without any model: the same cells, run again, the same scores, measured again."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comind.state.reader import reading
from comind.state.records import Cell, Evaluation, Event, LlmCall, Run
from comind.state.runs import RunFolder, list_runs
from tests.e2e.commands import AMPLE, asking, comind
from tests.e2e.small_competition import write_small_competition
from tests.fakes.plain_policy import plain
from tests.fakes.scripted_llm import ScriptedModel

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Outcome:
    run: Run
    cells: dict[str, tuple[str, str]]
    """Code and status by id."""
    scores: dict[str, Any]
    calls: list[LlmCall]
    events: list[Event]
    folder: RunFolder


def read(folder: RunFolder) -> Outcome:
    with reading(folder.database) as reader:
        return Outcome(
            reader.all(Run)[0],
            {cell.id: (cell.code, cell.status) for cell in reader.all(Cell)},
            {one.id: (one.code, one.feedback, one.selection) for one in reader.all(Evaluation)},
            reader.all(LlmCall),
            reader.all(Event),
            folder,
        )


@dataclass(frozen=True)
class Place:
    root: Path
    data: Path
    recording: Path
    original: Outcome


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A finished run with a seed of its own, and its recording."""
    root = tmp_path_factory.mktemp("replay")
    data = write_small_competition(root / "fruit")
    with ScriptedModel(plain) as server:
        done = comind(
            "run", f"{data}/", *asking(server), "--coders", "2", "--rounds", "1", "--seed", "7",
            "--time-limit", AMPLE, "--json", state=root / "state",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [folder] = list_runs(root / "state")
    file = root / "fruit.jsonl.gz"
    done = comind("recording", folder.id, "-o", str(file), state=root / "state")
    assert done.returncode == 0, done.stderr
    return Place(root, data, file, read(folder))


def replay(place: Place, *words: str, state: Path) -> Outcome:
    done = comind("run", *words, "--json", state=state, OPENAI_API_KEY="")
    assert done.returncode == 0, done.stderr
    return read(list_runs(state)[0])


def test_a_replay_from_a_file_makes_the_same_evaluations(place: Place, tmp_path: Path) -> None:
    again = replay(place, "--replay", str(place.recording), f"{place.data}/", state=tmp_path / "state")
    assert again.run.status == "finished"
    assert again.run.model == "recording of scripted"
    assert again.run.config["seed"] == 7
    assert again.cells == place.original.cells
    assert again.scores == place.original.scores
    assert len(again.scores) > 2
    assert (again.folder.best / "submission.csv").read_bytes() == (
        place.original.folder.best / "submission.csv"
    ).read_bytes()
    [told] = [event.message for event in again.events if event.kind == "replayed"]
    assert f"Replayed {len(place.original.calls)} replies" in told
    assert {call.dollars for call in again.calls} == {0.0}


def test_a_replay_from_a_run_ends_with_what_it_has_where_the_replies_end(place: Place) -> None:
    source = place.root / "state" / "runs" / "cut-short"
    source.mkdir()
    shutil.copy(place.original.folder.database, source / "run.sqlite")
    last = max(call.step for call in place.original.calls if call.agent == "r1-a1" and call.kind == "turn")
    kept = [one for one in place.original.calls if not one.agent.startswith("r1-") or one.step < last]
    forget_calls(source, {one.id for one in place.original.calls} - {one.id for one in kept})
    again = replay(place, "--replay", "cut-short", state=place.root / "state")
    told = "\n".join(event.message for event in again.events)
    assert f"no reply to r1-a1/{last}/turn/1" in told
    assert f"Replayed {len(kept)} replies" in told
    assert again.scores.items() <= place.original.scores.items()
    assert len(again.scores) > 1
    assert again.folder.report.is_file()


def forget_calls(run: Path, ids: set[str]) -> None:
    connection = sqlite3.connect(run / "run.sqlite")
    connection.executemany("DELETE FROM llm_calls WHERE id = ?", [(id,) for id in ids])
    connection.commit()
    connection.close()


def test_a_recording_of_another_competition_is_refused_before_the_run(place: Place, tmp_path: Path) -> None:
    other = write_small_competition(tmp_path / "apples")
    done = comind("run", "--replay", str(place.recording), f"{other}/", state=tmp_path / "state")
    assert done.returncode == 2
    assert "of the competition 'fruit', not of 'apples'" in done.stderr
    assert list_runs(tmp_path / "state") == []
