"""`comind-tui export` at the command line, against a real MLE-Live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comind.in_kaggle.notebook import read_plan
from comind_tui.cli import main
from comind_tui.commands import in_session
from kaggle_runner.errors import ConfigError
from kaggle_runner.inside_kaggle import MARK
from tests.comind.in_kaggle.exported_run import make_run
from tests.mle_live.api.pushing import Pusher
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer, tiny_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with tiny_server(folder) as running:
        yield running


@pytest.fixture(autouse=True)
def kaggle(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMIND_KAGGLE_URL", server.url)
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)


def export(state: Path, out: Path, *more: str) -> int:
    return main(["export", "--kaggle-notebook", "--state", str(state), "--out", str(out), *more])


def test_nothing_is_pushed_unless_it_is_typed(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "state", slug="not-pushed", offline=True)
    assert export(tmp_path / "state", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "out" / name) for name in ("dataset", "notebook")]
    assert "Nothing was pushed" in said.err and "kaggle kernels push -p" in said.err
    assert "YOUR-KAGGLE-NAME" in said.err
    listed = Pusher(server).call("ListKernels", user="alice").json().get("kernels", [])
    assert not [kernel for kernel in listed if "not-pushed" in kernel["ref"]]
    assert read_plan(tmp_path / "out" / "dataset").competition == "not-pushed"


def test_a_push_makes_dataset_and_kernel_and_the_next_one_versions_of_both(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "state", slug=SLUG, offline=True, metric="rmse")
    answers: list[dict[str, Any]] = []
    for _ in range(2):
        assert export(tmp_path / "state", tmp_path / "out", "--push", "--json", "--accelerator", "none") == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert [answer["version"] for answer in answers] == [1, 2]
    pusher, slug = Pusher(server), answers[0]["kernel"].removeprefix("alice/")
    pushed = pusher.call("GetKernel", userName="alice", kernelSlug=slug).json()["metadata"]
    assert pushed["competitionDataSources"] == [SLUG]
    (dataset,) = pushed["datasetDataSources"]
    metadata = json.loads((tmp_path / "out" / "dataset" / "dataset-metadata.json").read_text())
    assert metadata["id"] == dataset, "the owner in the files is the token's"
    assert not pushed.get("enableInternet") and not pushed.get("enableGpu")


def test_a_competition_that_cannot_be_attached_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "state", slug="elsewhere", offline=True)
    assert export(tmp_path / "state", tmp_path / "out", "--push") == 3
    assert "without elsewhere" in capsys.readouterr().err


def test_what_to_export_must_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path / "state")
    assert main(["export", "--state", str(tmp_path / "state")]) == 2
    assert "--kaggle-notebook" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "titanic-1", "--kaggle-notebook", "--state", str(tmp_path)]) == 2
    assert "titanic-1" in capsys.readouterr().err


def test_the_sessions_program_refuses_to_run_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    with pytest.raises(ConfigError, match="not a Kaggle session"):
        in_session.compete(tmp_path)


def test_a_session_without_a_key_says_where_secrets_are_attached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Batch")
    monkeypatch.setenv(MARK, "1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert main(["run", "census-income", "--headless", "--state", str(tmp_path / "state")]) == 2
    assert "Add-ons → Secrets" in capsys.readouterr().err
    assert not (tmp_path / "state" / "runs").exists()
