"""Which run, competition and Kaggle a command means when it is not told, and what a mistyped word means."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from comind.state.runs import engine_lock
from comind_tui.cli import main
from mle_live.cli import main as mle_live
from tests.comind.run.run_to_submit import add_solution, make_run
from tests.comind_tui import sample_run


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, no Kaggle."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "COMIND_KAGGLE_URL", "COMIND_KAGGLE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["run", "census-income", "--preset", "smal-model"], "Did you mean 'small-model'?"),
        (["rnu"], "Did you mean run?"),
        (["run", "x", "--ofline"], "Did you mean --offline?"),
        (["run", "census-incom", "--offline"], "Did you mean census-income?"),
        (["show", "brid-calls"], "Did you mean bird-calls-20260101-120000?"),
        (["run", "census-income", "--offline", "--metric", "roc_ac"], "did you mean roc_auc"),
    ],
)
def test_a_mistyped_word_is_answered_by_the_nearest(
    words: list[str], meant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, run_id="bird-calls-20260101-120000")
    assert main([*words, "--state", str(tmp_path)]) == 2
    assert meant in capsys.readouterr().err


def test_the_other_command_answers_alike(capsys: pytest.CaptureFixture[str]) -> None:
    assert mle_live(["competitons"]) == 2 and "Did you mean competitions?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["ranks", "submissions"])
def test_a_shelf_competition_asks_for_no_token_of_kaggle_com(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "census-income", "--state", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "census-income is a competition of the shelf" in said and "--kaggle-url" in said
    assert "KAGGLE_API_TOKEN" not in said


@pytest.mark.parametrize("name", ["ranks", "submissions"])
def test_without_a_competition_the_newest_runs_is_meant_and_said(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path, run_id="newest", kaggle_url="http://127.0.0.1:9")
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", "t")
    once = ["--once"] if name == "ranks" else []
    assert main([name, *once, "--state", str(tmp_path)]) == 3
    assert "127.0.0.1:9, the competition of the newest run, " + run.id in capsys.readouterr().err


def test_submit_alone_takes_no_run_that_goes_on_or_has_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = make_run(tmp_path, run_id="empty")
    running = make_run(tmp_path, run_id="running")
    add_solution(running, "r1-a1", 20.0)
    with engine_lock(running):
        assert main(["submit", "--dry-run", "--state", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"Run {empty.id} has nothing to submit: not taken." in said
    assert f"Run {running.id} is still running: not taken." in said
    assert "No run in" in said and "has ended with something to submit" in said


@pytest.mark.parametrize(
    "words",
    ["comind_tui --help", "comind_tui show", "comind_tui doctor", "comind_tui competitions --offline",
     "mle_live serve --help"],
)  # fmt: skip
def test_a_terminal_of_ascii_gets_ascii(words: str, tmp_path: Path) -> None:
    sample_run.build(tmp_path / "state")
    done = subprocess.run(
        [sys.executable, "-m", *words.split()], cwd=tmp_path, capture_output=True, timeout=120,
        env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr and (done.stdout + done.stderr).isascii()


def test_a_run_of_recipes_says_so_and_counts_no_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample_run.build(tmp_path)
    assert main(["show", "--state", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "$0.00, answered by recipes" in said and "answers of recipes" in said
    assert "token" not in said and "llm" not in said
