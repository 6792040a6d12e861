"""What an engine refuses, it leaves as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from comind.engine import run_engine
from comind.state.runs import RunFolder
from kaggle_runner.errors import UsageError
from tests.comind_tui import sample_run
from tests.comind_tui.bad_runs import Harm, be_foreign, be_text


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
