"""An engine's first steps: what it refuses it leaves as it was, and a stop is no failure."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from comind.config import RunConfig
from comind.engine import run_engine
from comind.run.start import prepare_run
from comind.state.records import Event
from comind.state.runs import RunFolder, read_run
from kaggle_runner.errors import UsageError
from tests.comind_tui import sample_run
from tests.comind_tui.bad_runs import Harm, be_foreign, be_text
from tests.e2e.small_competition import write_small_competition


def be_new(folder: RunFolder) -> None:
    folder.database.write_bytes(b"")


@pytest.mark.parametrize("harm", [be_foreign, be_text, be_new])
def test_nothing_is_written_to_what_holds_no_run(tmp_path: Path, harm: Harm) -> None:
    folder = sample_run.build(tmp_path)
    harm(folder)
    files, before = sorted(folder.path.iterdir()), folder.database.read_bytes()
    with pytest.raises(UsageError):
        run_engine(folder)
    assert folder.database.read_bytes() == before
    assert sorted(folder.path.iterdir()) == files


def test_a_run_that_was_stopped_while_it_was_prepared_has_not_failed(tmp_path: Path) -> None:
    fruit = write_small_competition(tmp_path / "fruit")
    folder = prepare_run(RunConfig(competition=f"{fruit}/", offline=True), tmp_path / "state")
    told: list[str] = []

    def interrupt(event: Event) -> None:
        told.append(event.message)
        if event.kind == "download" and "winding down" not in " ".join(told):
            os.kill(os.getpid(), signal.SIGTERM)

    assert run_engine(folder, on_event=interrupt) == 130
    run = read_run(folder)
    assert (run.status, run.status_detail) == ("stopped", "interrupted")
    assert told[-1] == "stopped: interrupted"
    assert folder.report.is_file()
