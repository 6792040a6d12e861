"""The official `kaggle` command against a module's server, for every test here that drives it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.mle_live.api.official_command import Kaggle
from tests.tiny_kaggle import TOKEN, RunningServer, client_environment


@pytest.fixture
def kaggle(server: RunningServer, tmp_path: Path) -> Kaggle:
    """Run `kaggle …` in a home of its own; https goes nowhere, so no credential can leave the machine."""

    def run(*arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("kaggle")), *arguments],
            cwd=tmp_path,
            env=client_environment(server, tmp_path, token),
            capture_output=True,
            text=True,
            timeout=90,
        )

    return run
