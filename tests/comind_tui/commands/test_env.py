"""`env create`, `show` and `remove`, and who takes the environment that was made."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comind.config import RunConfig
from comind.run.start import with_python
from comind_tui.cli import main
from comind_tui.core.environment import environment_finding
from kaggle_runner.environments.needs import needed_for
from kaggle_runner.environments.record import read_record, write_record
from tests.fakes.pythons import other_python, pretend
from tests.fakes.wheels import write_wheel

CONFIG = RunConfig(competition="census-income")


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code = main([*words, "--json"])
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, answer


def test_an_environment_is_made_shown_taken_by_new_runs_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (
        ("CONFIG_FILE", os.devnull),
        ("NO_INDEX", "1"),
        ("FIND_LINKS", str(tmp_path / "wheels")),
    ):
        monkeypatch.setenv(f"PIP_{name}", value)
    write_wheel(tmp_path / "wheels", "numpy", "2.0.2")
    (tmp_path / "list").write_text("numpy==2.0.2\npandas==2.2.2\n")
    state, folder = tmp_path / "state", tmp_path / "state" / "environment"
    where = ("--state", str(state))
    assert with_python(CONFIG, state) == (replace(CONFIG, python="engine"), "")
    assert ask(capsys, "env", "show", *where) == (0, {"environment": None})

    code, made = ask(capsys, "env", "create", "--list", str(tmp_path / "list"), *where)
    assert code == 0 and made["finished"] and made["folder"] == str(folder) and made["bytes"] > 0
    assert [(one["name"], one["status"]) for one in made["packages"]] == [
        ("numpy", "installed"), ("pandas", "left out"),
    ]  # fmt: skip
    assert list(made["left_out"]) == ["pandas"]

    main(["env", "show", *where])
    shown = " ".join(capsys.readouterr().out.split())
    assert "cpu build" in shown and "numpy 2.0.2" in shown and "without pandas no wheel is to be had" in shown
    config, told = with_python(CONFIG, state)
    assert config.python == f"{folder}/bin/python" and told.startswith("Notebooks run in")
    assert with_python(replace(CONFIG, python="engine"), state)[1] == ""
    finding = environment_finding(state, "", ("numpy", "pandas"))
    assert finding.verdict == "optional" and finding.detail.endswith("without pandas")

    code, gone = ask(capsys, "env", "remove", *where)
    assert (code, gone["removed"]) == (0, str(folder)) and not folder.exists()
    assert ask(capsys, "env", "remove", *where)[0] == 2 and read_record(state) is None


def test_what_is_not_finished_is_not_taken_and_doctor_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kaggle_runner.environments.record import MadeEnvironment

    other_python(tmp_path / "half")
    write_record(tmp_path, MadeEnvironment(str(tmp_path / "half"), str(tmp_path / "half/bin/python"), "cpu"))
    assert with_python(CONFIG, tmp_path)[0].python == "engine"
    finding = environment_finding(tmp_path, "", ())
    assert "is not finished" in finding.detail and "env create goes on" in finding.hint


def test_a_python_that_is_named_is_looked_into_for_the_competition_at_hand(tmp_path: Path) -> None:
    python = other_python(tmp_path / "mine")
    pretend(tmp_path / "mine", "opencv_python_headless", "4.13")
    pretend(tmp_path / "mine", "pandas", "3.1.1")
    needed = needed_for(["train.csv", "train/cat.1.JPG", "song.flac"])
    finding = environment_finding(tmp_path, str(python), needed)
    assert finding.hint == f"{python} -m pip install pillow torchvision timm soundfile librosa"
    assert "kernels written for Kaggle's pandas 2" in finding.detail
    assert environment_finding(tmp_path, str(python), ("pandas",)).verdict == "ok"
    assert environment_finding(tmp_path, "/etc", ()).verdict == "missing"
    assert needed_for(["train.csv", "notes.txt"]) == ()
