"""A run with --submit against MLE-Live on a port, with Kaggle's own file names; its engine is killed while it
sends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from comind.state.reader import reading
from comind.state.records import Event
from comind.state.runs import list_runs
from kaggle_runner.moments import SYSTEM_CLOCK
from mle_live.competitions.board import ranked
from tests.e2e.commands import AMPLE, COMMAND, asking, comind, environment
from tests.e2e.small_competition import small_competition
from tests.fakes.kaggle_line import KaggleLine
from tests.fakes.plain_policy import once, plain
from tests.fakes.scripted_llm import ScriptedModel
from tests.tiny_kaggle import TOKEN, RunningServer, running_server

pytestmark = pytest.mark.e2e

SLUG = "titanic"
SAMPLE = "gender_submission.csv"
"""As Kaggle calls it there."""
LIMIT = 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    competition = small_competition(tmp_path, daily=LIMIT, name=SLUG, sample=SAMPLE)
    with running_server([competition], tmp_path / "server", now=SYSTEM_CLOCK.now()) as running:
        yield running


@pytest.mark.parametrize(("how", "rounds"), [("run", 2), ("--kaggle-push", 1)])
def test_a_run_submits_within_the_limit_and_a_killed_engine_repeats_nothing(
    how: str, rounds: int, server: RunningServer, tmp_path: Path
) -> None:
    state, config = tmp_path / "state", tmp_path / "run.yaml"
    config.write_text(
        f"verify_kernels: false\ncpu_threads: 1\naccelerator: none\ncoders: 1\nrounds: {rounds}\nsteps: 4\n"
    )
    with KaggleLine(server.url) as line, ScriptedModel(plain if how == "run" else once) as model:
        line.spoil("CreateSubmission", "held")
        words = [
            COMMAND, how, SLUG, *asking(model), "--submit", "--kaggle-url", line.url, "--headless",
            "--config", str(config), "--time-limit", AMPLE, "--state", str(state),
        ]  # fmt: skip
        with subprocess.Popen(
            words,
            env=environment(COMIND_KAGGLE_TOKEN=TOKEN),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as engine:
            while not line.arrived.wait(0.2):
                assert engine.poll() is None, "the run ended before it submitted anything"
            os.kill(engine.pid, signal.SIGKILL)
        line.release.set()
        done = comind("resume", "--headless", "--json", state=state, COMIND_KAGGLE_TOKEN=TOKEN)
        assert done.returncode == 0, done.stderr
        told = comind(
            "submissions", SLUG, "--kaggle-url", line.url, "--json", state=state, COMIND_KAGGLE_TOKEN=TOKEN
        )
        place = comind(
            "ranks", SLUG, "--once", "--json", "--kaggle-url", line.url, state=state,
            COMIND_KAGGLE_TOKEN=TOKEN,
        )  # fmt: skip
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    rows = server.service.state.submissions(SLUG)
    assert 1 <= len(rows) <= LIMIT
    assert max(Counter(row.description for row in rows).values()) == 1
    sent = {row["ref"]: row for row in document["submissions"]}
    assert sorted(sent) == sorted(row.ref for row in rows)
    assert all(row["state"] == "scored" and row["local"] for row in sent.values())
    assert document["limits"]["allowed_now"] == LIMIT - len(rows)
    assert document["ledger"]["final_picks"]
    assert place.returncode == 0, place.stderr
    board = ranked(server.service.board(server.competition, server.service.clock.now()), "public", True)
    held = {team.name: (rank, team.public_score) for rank, team in board}
    shown = json.loads(place.stdout)
    assert (shown["rank"], shown["score"]) == pytest.approx(held["alice"], abs=1e-5)
    [folder] = list_runs(state)
    with reading(folder.database) as reader:
        scored = reader.all(Event, "kind = 'submission_scored'")
    assert {event.data["ref"] for event in scored} == set(sent)
