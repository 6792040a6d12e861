"""The official `kagglehub` against MLE-Live: who one is, data, outputs, and what is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.mle_live.api.pushing import Pusher
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer, client_environment, tiny_server

pytest.importorskip("kagglehub")

Hub = Callable[..., list[Any]]
_ASK = """
import json, os, sys
import kagglehub
from pathlib import Path

def below(path):
    path = Path(path)
    inside = [file for file in path.rglob("*") if file.is_file()]
    return path.name if path.is_file() else sorted(str(file.relative_to(path)) for file in inside)

told = []
for expression in sys.argv[1:]:
    try:
        told.append(eval(expression))
    except Exception as error:
        told.append(f"{type(error).__name__}: {error}")
print("\\n" + json.dumps(told))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with tiny_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def hub(server: RunningServer, tmp_path: Path) -> Hub:
    """Values of expressions in a process that has kagglehub, a token and no other way out than the server."""

    def ask(*expressions: str, token: str = TOKEN) -> list[Any]:
        done = subprocess.run(
            [sys.executable, "-c", _ASK, *expressions],
            cwd=tmp_path,
            env=client_environment(server, tmp_path, token),
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stderr
        answers: list[Any] = json.loads(done.stdout.splitlines()[-1])
        return answers

    return ask


def test_it_knows_who_one_is(hub: Hub) -> None:
    known, login = hub(
        "kagglehub.whoami()",
        f"setattr(kagglehub.auth.getpass, 'getpass', lambda _: {TOKEN!r}) or kagglehub.login()",
    )
    assert known == {"username": "alice"} and login is None
    assert "not authenticated" in hub("kagglehub.whoami()", token="nobodys")[0]


def test_a_competitions_data_come_whole_or_by_path(hub: Hub) -> None:
    whole, one, nested, absent = hub(
        f"below(kagglehub.competition_download({SLUG!r}))",
        f"below(kagglehub.competition_download({SLUG!r}, path='train.csv'))",
        f"below(kagglehub.competition_download({SLUG!r}, path='images/one.png', output_dir='out'))",
        f"kagglehub.competition_download({SLUG!r}, path='no.csv')",
    )
    assert {"train.csv", "test.csv", "images/one.png"} <= set(whole)
    assert (one, nested) == ("train.csv", "one.png") and "404" in absent


def test_a_dataset_is_uploaded_and_comes_back_whole_by_file_and_by_folder(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / "mine" / "a.csv").write_text("x\n1\n")
    (tmp_path / "mine" / "deep" / "b.csv").write_text("x\n2\n")
    ref = "alice/hub-data"
    _, whole, one, folder, absent, _, second = hub(
        f"kagglehub.dataset_upload({ref!r}, 'mine')",
        f"below(kagglehub.dataset_download({ref!r}))",
        f"below(kagglehub.dataset_download('{ref}/versions/1', path='deep/b.csv', output_dir='one'))",
        f"below(kagglehub.dataset_download({ref!r}, path='deep', output_dir='folder'))",
        f"kagglehub.dataset_download({ref!r}, path='no')",
        f"kagglehub.dataset_upload({ref!r}, 'mine', version_notes='again')",
        f"kagglehub.dataset_download({ref!r}).rpartition('/')[2]",
    )
    assert whole == ["a.csv", "deep/b.csv"] and one == "b.csv" and folder == ["b.csv"]
    assert "404" in absent and second == "2"


def test_outputs_of_notebooks_come_with_and_without_a_path(hub: Hub, server: RunningServer) -> None:
    code = "import os; os.mkdir('d'); open('a.csv', 'w').write('1'); open('d/b.bin', 'wb').write(bytes(9))"
    assert Pusher(server).run("Hub outputs", code)[0] == "COMPLETE"
    ref = "alice/hub-outputs"
    whole, one, absent, recorded, nobodys = hub(
        f"below(kagglehub.notebook_output_download({ref!r}))",
        f"below(kagglehub.notebook_output_download('{ref}/versions/1', path='d/b.bin', output_dir='one'))",
        f"kagglehub.notebook_output_download({ref!r}, path='no.csv')",
        "below(kagglehub.notebook_output_download('ann/starter'))",
        "kagglehub.notebook_output_download('ann/nothing')",
    )
    assert whole == ["a.csv", "d/b.bin"] and one == "b.bin" and "404" in absent
    assert recorded == [] and "403" in nobodys


def test_that_there_are_no_models_is_said_in_one_sentence(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(9))
    for answer in hub(
        "kagglehub.model_download('google/gemma/keras/base')",
        "kagglehub.model_download('google/gemma/keras/base/1', path='weights.bin')",
        "kagglehub.model_upload('alice/mine/keras/base', 'weights.bin')",
    ):
        assert "does not offer models" in answer and "as a dataset" in answer
