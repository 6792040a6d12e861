"""Where a run's notebooks may install packages from, and what people are told of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comind.config import RunConfig
from comind.run import confinement
from comind.run.confinement import Confinement, can_install
from comind.state.records import Event
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.packages.indexes import Host


def confined(folder: Path, *, allow: bool) -> tuple[Confinement, list[str]]:
    folder.mkdir(exist_ok=True)
    config = RunConfig(competition="comp", allow_packages=allow)
    with Store(folder / "run.sqlite", clock=SYSTEM_CLOCK) as store:
        made = Confinement.of(config, folder, store)
        assert can_install(config) == (made.packages is not None)
        return made, [event.message for event in store.all(Event)]


def test_packages_come_from_pips_own_settings_once_they_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "https://me:my-pass-word-9@wheels.example/cpu /srv/wheels")
    made, told_nothing = confined(tmp_path, allow=False)
    assert (made.packages, told_nothing) == (None, [])
    made, [told] = confined(tmp_path / "allowed", allow=True)
    assert made.packages is not None and made.packages.hosts == {Host("wheels.example", 443)}
    assert told == (
        "Notebooks may install packages of wheels.example. wheels.example is asked without the name and "
        "password that pip has for it. A folder that pip is set up with is not shown inside."
    )


def test_in_a_session_that_is_only_fenced_none_can_be_installed_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "needs_fence", lambda: True)
    made, told = confined(tmp_path, allow=True)
    assert made.packages is None
    assert told == ["Notebooks cannot install packages in this Kaggle session: no network is let in"]
