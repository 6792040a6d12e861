"""Runs on disk for these tests, written by the real Store, one of them held by an engine's lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from comind.state.runs import RunFolder, engine_lock
from tests.comind_tui import sample_run


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, no state folder and no colour setting of whoever runs the tests."""
    for name in (
        "OPENAI_API_KEY", "OPENAI_BASE_URL", "COMIND_STATE", "NO_COLOR", "KAGGLE_API_TOKEN",
        "KAGGLE_USERNAME", "KAGGLE_KEY", "COMIND_KAGGLE_URL", "COMIND_KAGGLE_TOKEN",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")


@pytest.fixture
def live_run(tmp_path: Path) -> Iterator[RunFolder]:
    """A run in its second round whose engine holds the lock."""
    folder = sample_run.build(tmp_path)
    with engine_lock(folder):
        yield folder


@pytest.fixture
def finished_run(tmp_path: Path) -> RunFolder:
    return sample_run.build(tmp_path, run_id="digits-5k-finished", status="finished")
