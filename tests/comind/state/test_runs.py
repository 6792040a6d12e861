"""Finding runs: newest first, a broken one hides nobody, resume picks what waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comind.state.reader import reading
from comind.state.records import Idea, Run
from comind.state.runs import (
    RunFolder,
    create_run,
    engine_alive,
    engine_lock,
    find_resumable,
    find_run,
    list_runs,
    read_run,
    run_folders,
)
from comind.state.store import Store
from kaggle_runner.errors import RunBusy, RunNotFound, StateUnwritable, Unusable


def make(state: Path, name: str, started: str, status: str = "stopped") -> RunFolder:
    folder = create_run(state, name)
    with Store(folder.database) as store:
        store.save(Run(id=name, competition="c", started_at=started, status=status))  # type: ignore[arg-type]
    return folder


def test_runs_are_newest_first_and_a_broken_one_hides_nobody(tmp_path: Path) -> None:
    make(tmp_path, "old", "2026-01-01T00:00:00Z")
    make(tmp_path, "new", "2026-02-01T00:00:00Z")
    (create_run(tmp_path, "broken").database).write_bytes(b"not a database" * 100)
    (create_run(tmp_path, "empty").database).write_bytes(b"")
    assert [folder.id for folder in list_runs(tmp_path)] == ["new", "old"]


def test_a_unique_beginning_is_enough_and_a_shared_one_is_not(tmp_path: Path) -> None:
    make(tmp_path, "census-1", "2026-01-01T00:00:00Z")
    make(tmp_path, "census-2", "2026-01-02T00:00:00Z")
    assert find_run(tmp_path, "census-2").id == "census-2"
    with pytest.raises(RunNotFound, match="More than one"):
        find_run(tmp_path, "census")
    with pytest.raises(RunNotFound, match="no run"):
        find_run(tmp_path, "digits")


def test_resume_without_a_name_takes_the_newest_that_waits(tmp_path: Path) -> None:
    make(tmp_path, "waiting", "2026-01-01T00:00:00Z", "running")  # its engine was killed
    make(tmp_path, "done", "2026-01-02T00:00:00Z", "finished")
    busy = make(tmp_path, "busy", "2026-01-03T00:00:00Z", "running")
    with engine_lock(busy):
        assert find_resumable(tmp_path, None).id == "waiting"
    assert find_resumable(tmp_path, "done").id == "done"


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    make(tmp_path, "done", "2026-01-02T00:00:00Z", "finished")
    with pytest.raises(RunNotFound, match="waits to be resumed"):
        find_resumable(tmp_path, None)


def test_two_engines_cannot_have_one_run(tmp_path: Path) -> None:
    folder = make(tmp_path, "one", "2026-01-01T00:00:00Z")
    assert not engine_alive(folder)
    with engine_lock(folder):
        for path in [*folder.path.glob("*.lock"), folder.database]:
            path.unlink(missing_ok=True)  # no file's removal lets a second engine in
        assert engine_alive(folder)
        with pytest.raises(RunBusy), engine_lock(folder):
            pass
    assert not engine_alive(folder)


def test_a_state_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateUnwritable, match="state"):
        create_run(tmp_path / "state", "run")


def test_what_may_not_be_looked_at_is_listed_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "good", "2026-01-01T00:00:00Z")
    closed = make(tmp_path, "closed", "2026-02-01T00:00:00Z").path
    looked = Path.lstat

    def denied(path: Path) -> os.stat_result:
        """As for anyone but root, whom no permission stops."""
        if path.parent == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path)

    monkeypatch.setattr(Path, "lstat", denied)
    assert [folder.id for folder in run_folders(tmp_path)] == ["closed", "good"]
    assert [folder.id for folder in list_runs(tmp_path)] == ["good"]
    with pytest.raises(Unusable, match="Permission denied"):
        read_run(RunFolder(closed))


def test_a_database_that_an_engine_has_just_made_is_no_other_program_s(tmp_path: Path) -> None:
    folder = create_run(tmp_path, "soon")
    folder.database.touch()
    with reading(folder.database) as reader, pytest.raises(Unusable, match="no run yet") as told:
        reader.all(Idea)
    assert "start it again" in told.value.hint
