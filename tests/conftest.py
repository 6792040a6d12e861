"""Fixtures that several packages' tests share: shelf competitions, prepared once and kept between runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from mle_live.shelf.preparation import prepare
from tests.tiny_kaggle import RunningServer, tiny_server

# Numerical libraries that are given all cores by several tests at once spin more than they work.
os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}

pytest_plugins = ["tests.quick", "tests.order"]

# How long one example takes says more about the machine's other work than about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """MLE-Live with the tiny competition, for one test."""
    with tiny_server(tmp_path) as running:
        yield running


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's machine stands where clocks are five and a half hours ahead of UTC."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(scope="session")
def prepared_root() -> Callable[[str], Path]:
    """`prepared_root(slug)`: an MLE-Live root that holds the competition; only to be read.

    Kept under $COMIND_TEST_CACHE (default ~/.cache/comind-tests), so that a package is downloaded once.
    """
    root = Path(os.environ.get("COMIND_TEST_CACHE", "~/.cache/comind-tests")).expanduser() / "mle_live"

    def prepared(slug: str) -> Path:
        prepare(slug, root, progress=lambda line: None)
        return root

    return prepared
