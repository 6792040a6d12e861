"""Bad input gets one clear message and an exit code, and nothing half-written.

The command runs in this process, as nothing of it is started; a wrong key is tried with the installed one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from comind_tui.cli import main
from tests.e2e.commands import SECRET, comind, environment
from tests.e2e.small_competition import write_small_competition
from tests.fakes.scripted_llm import Scripted, ScriptedModel

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Said:
    returncode: int
    stderr: str


Command = Callable[..., Said]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`comind` without a process of its own."""

    def run(*arguments: str, state: Path, **more: str) -> Said:
        variables = {key: value for key, value in environment(**more).items() if value}
        with monkeypatch.context() as patched:
            for name in os.environ.keys() - variables.keys():
                patched.delenv(name)
            for name, value in variables.items():
                patched.setenv(name, value)
            code = main([*arguments, "--state", str(state)])
        return Said(code, capsys.readouterr().err)

    return run


def without_test(folder: Path) -> None:
    (folder / "test.csv").unlink()


def with_other_ids(folder: Path) -> None:
    table = pd.read_csv(folder / "sample_submission.csv")
    table["id"] += 1_000_000
    table.to_csv(folder / "sample_submission.csv", index=False)


def without_target(folder: Path) -> None:
    pd.read_csv(folder / "train.csv").drop(columns="ripe").to_csv(folder / "train.csv", index=False)


def with_an_empty_train(folder: Path) -> None:
    (folder / "train.csv").write_text("")


def with_an_uncertain_metric(folder: Path) -> None:
    (folder / "description.md").write_text("# Fruit\n\nSubmissions are scored by a weighted AUC.\n")


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (without_test, "no test table was found"),
        (with_other_ids, "100"),
        (without_target, "ripe"),
        (with_an_empty_train, "train.csv"),
        (with_an_uncertain_metric, "--metric NAME"),
    ],
)
def test_a_folder_that_cannot_be_competed_on_says_why(
    tmp_path: Path, command: Command, damage: Callable[[Path], None], named: str
) -> None:
    folder = write_small_competition(tmp_path / "fruit")
    damage(folder)
    done = command("run", f"{folder}/", "--offline", "--headless", state=tmp_path / "state")
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state" / "runs").exists()


def test_an_unknown_competition_lists_what_there_is(tmp_path: Path, command: Command) -> None:
    done = command("run", "titanik", "--offline", "--headless", state=tmp_path / "state")
    assert done.returncode == 2
    assert "census-income" in done.stderr
    assert not (tmp_path / "state").exists()


def test_without_a_key_it_says_how_to_get_one_or_do_without(tmp_path: Path, command: Command) -> None:
    done = command("run", "census-income", "--headless", state=tmp_path / "state", OPENAI_API_KEY="")
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr
    assert "--offline" in done.stderr


def test_a_state_folder_that_cannot_be_written_is_named(tmp_path: Path, command: Command) -> None:
    folder = write_small_competition(tmp_path / "fruit")
    (tmp_path / "file").write_text("")
    done = command("run", f"{folder}/", "--offline", "--headless", state=tmp_path / "file" / "state")
    assert done.returncode == 2
    assert str(tmp_path / "file" / "state") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        ({"api_key": "another"}, 3, "key"),
        ({"models": ("other",)}, 3, "scripted"),
    ],
)
def test_a_wrong_key_and_an_unknown_model_show_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], code: int, named: str
) -> None:
    folder = write_small_competition(tmp_path / "fruit")
    with ScriptedModel(lambda request, n: Scripted("ready"), **options) as server:
        done = comind(
            "run", f"{folder}/", "--model", "scripted", "--base-url", server.url, "--headless",
            state=tmp_path / "state",
        )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert named in done.stderr
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_nobody_listening_is_said_in_one_message(tmp_path: Path, command: Command) -> None:
    folder = write_small_competition(tmp_path / "fruit")
    done = command(
        "run", f"{folder}/", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--headless",
        state=tmp_path / "state",
    )  # fmt: skip
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stderr
    assert not (tmp_path / "state").exists()


def test_a_malformed_config_names_file_and_key(tmp_path: Path, command: Command) -> None:
    (tmp_path / "run.yaml").write_text("coderz: 3\n")
    done = command(
        "run", "census-income", "--offline", "--headless", "--config", str(tmp_path / "run.yaml"),
        state=tmp_path / "state",
    )  # fmt: skip
    assert done.returncode == 2
    assert "coderz" in done.stderr
    assert "run.yaml" in done.stderr
    assert not (tmp_path / "state").exists()
