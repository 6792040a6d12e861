"""What is said after the screens are closed, with commands and paths that work from here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from comind.state.runs import RunFolder
from comind_tui.text.ending import farewell
from comind_tui.text.invocation import program
from tests.comind_tui import sample_run


def test_a_run_that_goes_on_says_how_to_come_back(live_run: RunFolder) -> None:
    assert farewell(live_run) == [
        f"Run {live_run.id} goes on. Come back: comind-tui attach {live_run.id}"
        f" --state {live_run.path.parent.parent}"
    ]


def test_a_finished_run_names_result_submission_and_the_way_to_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = sample_run.build(Path("state"), run_id="done", status="finished")
    lines = farewell(folder)
    assert lines == [
        "✓ Run done finished",
        "  best        0.95600 [0.93800, 0.97200] accuracy ↑",
        "  test        0.96880, rank 14/212 (synthetic)",
        "  submission  state/runs/done/best/submission.csv",
        "  more        comind-tui show done",
    ]
    assert Path(lines[3].split()[1]).is_file()


@pytest.mark.parametrize("status", ["stopped", "failed", "running"])
def test_a_run_that_can_go_on_names_resume(tmp_path: Path, status: Any) -> None:
    assert "comind-tui resume" in farewell(sample_run.build(tmp_path, status=status))[-1]


def test_a_run_that_never_began_is_no_error(tmp_path: Path) -> None:
    assert farewell(RunFolder(tmp_path / "runs" / "soon")) == ["Run soon has not begun."]


def test_the_program_is_named_as_it_can_be_called_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "bin" / "comind-tui"
    installed.parent.mkdir()
    installed.write_text("#!/bin/sh\n", encoding="utf-8")
    installed.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert program("bin/comind-tui") == "bin/comind-tui"
    assert program(str(installed)) == str(installed)
    assert program("/somewhere/comind_tui/__main__.py") == "comind-tui"
    monkeypatch.setenv("PATH", str(installed.parent))
    assert program(str(installed)) == "comind-tui"
    assert program("bin/comind-tui") == "comind-tui"
