"""The engine inside a Kaggle session: what it tells, what it closes, and when it stops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from comind.control import Control
from comind.in_kaggle.session import confine, watch_session
from comind.state.records import Event
from comind.state.store import Store
from kaggle_runner.inside_kaggle import LENGTH, MARK, SESSION_ENDED
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.sandbox import fence
from kaggle_runner.sandbox.bubblewrap import SandboxReport
from kaggle_runner.sandbox.fence import Abilities

SESSION = {"KAGGLE_KERNEL_RUN_TYPE": "Batch", MARK: "1"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "run.sqlite") as opened:
        yield opened


@pytest.fixture
def fenced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A session whose container forbids namespaces and whose kernel has no Landlock."""
    nothing = tmp_path / "bin" / "bwrap"
    nothing.parent.mkdir()
    nothing.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap 0.11.0" && exit 0\nexit 1\n')
    nothing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{nothing.parent}:{os.environ['PATH']}")
    for name, value in SESSION.items():
        monkeypatch.setenv(name, value)

    async def probe() -> SandboxReport:
        return fence._report({"own": False, "common": True, "network": False}, Abilities(0, True, True))

    monkeypatch.setattr(fence, "probe", probe)
    mask = os.umask(0o022)
    yield
    os.umask(mask)


async def test_attached_data_are_closed_where_that_is_possible(
    fenced: None, store: Store, tmp_path: Path
) -> None:
    state, inputs = tmp_path / "state", tmp_path / "input"
    inputs.mkdir(mode=0o755)
    await confine(store, state, inputs=inputs)
    assert inputs.stat().st_mode & 0o077 == 0
    (event,) = store.all(Event, "kind = 'sandbox'")
    assert event.data == {"labels_readable": False}
    assert "fenced in by another user" in event.message and "closed to it" in event.message
    assert not state.stat().st_mode & 0o077


async def test_labels_that_stay_readable_are_told(fenced: None, store: Store, tmp_path: Path) -> None:
    await confine(store, tmp_path / "state", inputs=tmp_path / "cannot be changed")
    (event,) = store.all(Event, "kind = 'sandbox'")
    assert event.data == {"labels_readable": True}
    assert "cannot be compared" in event.message


async def test_on_a_machine_of_ones_own_nothing_is_told_or_closed(store: Store, tmp_path: Path) -> None:
    inputs = tmp_path / "input"
    inputs.mkdir(mode=0o755)
    await confine(store, tmp_path / "state", inputs=inputs)
    assert not store.all(Event) and inputs.stat().st_mode & 0o077
    assert not (tmp_path / "state").exists()


async def test_a_run_stops_before_its_session_ends(store: Store) -> None:
    control = Control(time_limit=3600, seconds_used=0, clock=SYSTEM_CLOCK)
    await watch_session(store, control, {})
    assert control.stop_reason() == ""
    await watch_session(store, control, {**SESSION, LENGTH: "1"})
    assert control.stop_reason() == SESSION_ENDED
    assert [event.kind for event in store.all(Event)] == ["stopping"]
