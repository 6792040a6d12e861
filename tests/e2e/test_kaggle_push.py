"""`--kaggle-push` through the command line, against an MLE-Live on a port where the kernels really run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from comind.at_kaggle.split_dataset import known_split
from comind.state.reader import reading
from comind.state.records import Push
from comind.state.runs import RunFolder, list_runs
from tests.e2e.commands import COMMAND, asking, comind, environment
from tests.e2e.small_competition import small_competition
from tests.fakes.plain_policy import once
from tests.fakes.scripted_llm import ScriptedModel
from tests.tiny_kaggle import TOKEN, RunningServer, running_server

pytestmark = pytest.mark.e2e


@dataclass
class Journey:
    """One finished run: its folder, `--json`'s document, and the server that ran its kernels."""

    folder: RunFolder
    shown: dict[str, Any]
    server: RunningServer
    narration: str


def settings(folder: Path) -> Path:
    """A small run: nothing of the community is verified, and one agent works for four cells."""
    file = folder / "run.yaml"
    file.write_text(
        "verify_kernels: false\ncpu_threads: 1\naccelerator: none\ncoders: 1\nrounds: 1\nsteps: 4\n"
        "time_limit: 12m\n"
    )
    return file


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel(once) as server:
        yield server


def access(server: RunningServer) -> dict[str, str]:
    return {"COMIND_KAGGLE_TOKEN": TOKEN, "COMIND_KAGGLE_URL": server.url}


@pytest.fixture(scope="module")
def journey(model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    root = tmp_path_factory.mktemp("push")
    competition = small_competition(root, rows=6000)
    with running_server([competition], root / "server") as server:
        done = comind(
            "--kaggle-push", competition.slug, *asking(model), "--json", "--config", str(settings(root)),
            "--kaggle-url", server.url, state=root / "state", COMIND_KAGGLE_TOKEN=TOKEN,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        [folder] = list_runs(root / "state")
        yield Journey(folder, json.loads(done.stdout), server, done.stderr)


def kernels_of(server: RunningServer) -> dict[str, int]:
    """Every kernel that alice pushed, with the number of its versions."""
    service = server.service
    store = service.kernels.store
    found = store.visible(service.state.ensure_user("alice", TOKEN))
    newest = {one.ref: store.version(one) for one in found}
    return {ref: version.number if version else 0 for ref, version in newest.items()}


def test_predictions_of_kernels_are_graded_at_home(journey: Journey) -> None:
    pushes = journey.shown["pushes"]
    assert {push["state"] for push in pushes} == {"complete"}
    assert journey.shown["status"] == "finished"
    assert journey.shown["best"]["interval"][0] > journey.shown["baseline_score"]
    assert journey.shown["best"]["rows"] > 400  # half of all validation inputs; of the sample, 250


def test_each_push_is_one_private_kernel_with_one_version(journey: Journey) -> None:
    pushed = {push["ref"]: 1 for push in journey.shown["pushes"] if push["ref"]}
    assert pushed
    assert kernels_of(journey.server) == pushed
    service = journey.server.service
    mine = service.kernels.store.visible(service.state.ensure_user("alice", TOKEN))
    assert all(kernel.is_private for kernel in mine)


def test_the_report_names_the_kernels(journey: Journey) -> None:
    report = journey.folder.report.read_text()
    assert "## Kernels at Kaggle" in report
    assert all(push["url"] in report for push in journey.shown["pushes"] if push["url"])
    assert "Kaggle has no way to cancel a kernel" in journey.narration


def test_what_lies_at_kaggle_is_the_public_split_and_no_label(journey: Journey) -> None:
    folder = journey.folder
    split = known_split(folder)
    assert split is not None
    sent = uploaded(journey.server, split.slug)
    public = {path.relative_to(folder.public).as_posix(): path for path in folder.public.rglob("*.*")}
    assert {name: path.read_bytes() for name, path in sent.items()} == {
        name: path.read_bytes() for name, path in public.items()
    }
    assert all(
        path.read_bytes() != (folder.private / "validation.csv").read_bytes() for path in sent.values()
    )


def test_the_best_solution_is_reproduced_at_home(journey: Journey) -> None:
    done = comind("reproduce", journey.folder.id, "--json", state=journey.folder.state)
    assert done.returncode == 0, done.stderr


def uploaded(server: RunningServer, slug: str) -> dict[str, Path]:
    """The files of alice's dataset as kernels see them."""
    service = server.service
    folder = service.kernels.inputs.dataset_folder(service.state.ensure_user("alice", TOKEN), f"alice/{slug}")
    assert folder is not None
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    """A small folder competition, served to alice."""
    with running_server([small_competition(tmp_path)], tmp_path / "server") as server:
        yield server


def test_an_engine_killed_while_its_kernel_runs_harvests_it_and_pushes_nothing_twice(
    served: RunningServer, model: ScriptedModel, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    engine = subprocess.Popen(
        [COMMAND, "--kaggle-push", served.competition.slug, *asking(model), "--config",
         str(settings(tmp_path)), "--state", str(state)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        env=environment(**access(served)),
    )  # fmt: skip
    folder = wait_for_push(state, engine)
    os.kill(engine.pid, signal.SIGKILL)
    engine.communicate()
    before = kernels_of(served)
    done = comind("resume", folder.id, "--headless", "--json", state=state, COMIND_KAGGLE_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["status"] == "finished"
    first = shown["pushes"][0]
    assert first["state"] == "complete"
    assert first["ref"] in before
    assert set(kernels_of(served).values()) == {1}


def wait_for_push(state: Path, engine: subprocess.Popen[bytes]) -> RunFolder:
    """Until a kernel of a run in `state` is at Kaggle."""
    while engine.poll() is None:
        for folder in list_runs(state):
            with reading(folder.database) as reader:
                pushed = reader.count(Push, "ref != ''") if reader.run() else 0
            if pushed:
                return folder
        time.sleep(0.1)
    raise AssertionError(f"nothing was pushed: {engine.communicate()[1].decode()}")


def test_an_attached_competition_uploads_no_data_and_marks_every_score(
    served: RunningServer, model: ScriptedModel, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    done = comind(
        "--kaggle-push", served.competition.slug, *asking(model), "--json", "--attach-competition",
        "--config", str(settings(tmp_path)), state=state, **access(served),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    [folder] = list_runs(state)
    split = known_split(folder)
    assert split is not None
    samples = {"sample_validation_submission.csv", "sample_submission.csv"}
    assert set(uploaded(served, split.slug)) == {"split.json", *samples}
    assert shown["pushes"][0]["state"] == "complete", shown["pushes"]
    assert shown["best"]["interval"][0] > shown["baseline_score"]
    assert shown["labels_readable"] is True
    assert "Labels readable" in folder.report.read_text()
    assert "(labels readable)" in comind("leaderboard", state=state).stdout
    assert "(labels readable)" in comind("runs", state=state).stdout
    again = comind("reproduce", folder.id, "--json", state=state)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"COMIND_KAGGLE_URL": "http://127.0.0.1:9"}, "127.0.0.1:9"),
        ({"COMIND_KAGGLE_TOKEN": ""}, "no token for the Kaggle at 127.0.0.1"),
        ({"COMIND_KAGGLE_TOKEN": "wrong"}, "token"),
    ],
)
def test_what_is_missing_is_one_message_before_anything_is_spent(
    served: RunningServer, tmp_path: Path, change: dict[str, str], part: str
) -> None:
    state = tmp_path / "state"
    done = comind(
        "--kaggle-push", served.competition.slug, "--offline", state=state, **(access(served) | change)
    )
    assert done.returncode in (2, 3)
    assert part in done.stderr
    assert done.stderr.count("comind-tui: ") == 1
    assert "Traceback" not in done.stderr
    assert list_runs(state) == []
