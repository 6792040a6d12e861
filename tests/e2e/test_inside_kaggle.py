"""The whole engine inside a Kaggle notebook: exported, pushed to MLE-Live, run there, and resumed there.

A pushed kernel's sandbox allows no namespaces, as Kaggle's containers do, so the agents are fenced in there.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from comind.state.records import Kernel
from kaggle_runner.sandbox.fence import abilities
from mle_live.competitions.folder import look_at_folder
from tests.comind.in_kaggle.exported_run import make_run
from tests.e2e.commands import comind
from tests.e2e.small_competition import write_small_competition
from tests.mle_live.api.pushing import Pusher
from tests.tiny_kaggle import TOKEN, RunningServer, running_server

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not abilities().landlock, reason="agents inside need Landlock where no namespace nests"
    ),
]

Official = Callable[..., str]


@pytest.fixture(scope="module")
def competition(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_competition(tmp_path_factory.mktemp("data") / "ripe-fruit")


@pytest.fixture(scope="module")
def server(competition: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(
        [look_at_folder(competition, competition.parent / "arranged").hosted()],
        tmp_path_factory.mktemp("server"),
    ) as running:
        yield running


PUBLIC_KERNEL = """
import pandas as pd

train = pd.read_csv("/kaggle/input/ripe-fruit/train.csv")
test = pd.read_csv("../input/ripe-fruit/test.csv")
means = train.groupby("colour")["ripe"].mean()
table = pd.DataFrame({"id": test["id"], "ripe": test["colour"].map(means)})
table.to_csv("/kaggle/working/submission.csv", index=False)
"""


@pytest.fixture(scope="module")
def home(competition: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder with an offline run in it, which saw one public kernel."""
    state = tmp_path_factory.mktemp("home") / "state"
    kernel = Kernel(id="ann/means", title="Means", author="ann", source=PUBLIC_KERNEL, votes=3)
    description = (competition / "description.md").read_text()
    make_run(
        state, kernel, slug="ripe-fruit", description=description,
        offline=True, coders=1, rounds=1, steps=4, time_limit=600.0,
    )  # fmt: skip
    return state


@pytest.fixture
def official(server: RunningServer, tmp_path: Path) -> Official:
    """Kaggle's own command against the server."""

    def run(*arguments: str) -> str:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "KAGGLE_API_TOKEN": TOKEN,
            "HTTP_PROXY": server.url,
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "",
        }
        command = [str(Path(sys.executable).with_name("kaggle")), *arguments]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout + done.stderr

    return run


def export(home: Path, out: Path, *more: str, server: RunningServer | None = None) -> dict[str, Any]:
    variables = {"COMIND_KAGGLE_URL": server.url, "COMIND_KAGGLE_TOKEN": TOKEN} if server else {}
    done = comind("export", "--kaggle-notebook", "--json", "--out", str(out), *more, state=home, **variables)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_session_that_ends_too_soon_is_resumed_by_the_next_one(
    home: Path, server: RunningServer, competition: Path, official: Official, tmp_path: Path
) -> None:
    first = export(home, tmp_path / "first", "--user", "alice", "--session-time", "1s")
    metadata = json.loads((Path(first["notebook"]) / "kernel-metadata.json").read_text())
    assert "created" in official("datasets", "create", "-p", first["dataset"])
    assert "successfully pushed" in official("kernels", "push", "-p", first["notebook"])
    pusher, slug = Pusher(server), metadata["id"].removeprefix("alice/")
    assert pusher.wait(slug) == ("COMPLETE", ""), pusher.log(slug)
    assert "No earlier session's output is attached" in pusher.log(slug)
    assert "the Kaggle session ended" in pusher.log(slug)
    begun = json.loads(pusher.output(slug, "comind-state.json"))
    assert "submission.csv" not in pusher.output_names(slug)

    second = export(home, tmp_path / "second", "--push", "--after", metadata["id"], server=server)
    assert second["kernel"] == f"{metadata['id']}-2"
    slug = second["kernel"].removeprefix("alice/")
    assert pusher.wait(slug) == ("COMPLETE", ""), pusher.log(slug)
    log = pusher.log(slug)
    assert f"The state of {begun['run']} was found" in log
    assert "agent code is fenced in by Landlock" in log
    assert "ann/means: feedback score" in log, "a public kernel runs there as it is"
    ended = json.loads(pusher.output(slug, "comind-state.json"))
    assert (ended["run"], ended["status"]) == (begun["run"], "finished")
    rows = list(csv.DictReader(io.StringIO(pusher.output(slug, "submission.csv").decode())))
    wanted = list(csv.DictReader((competition / "test.csv").open()))
    assert {row["id"] for row in rows} == {row["id"] for row in wanted}
    assert "# Ripe fruit" in pusher.output(slug, "report.md").decode()
    assert len(pusher.output_names(slug)) < 10, "the state is one file, not hundreds"
