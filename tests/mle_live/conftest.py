"""The official `kaggle` command against a module's server, for every test here that drives it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mle_live.api.official_command import Kaggle
from tests.tiny_kaggle import TOKEN, RunningServer


@pytest.fixture
def kaggle(server: RunningServer, tmp_path: Path) -> Kaggle:
    """Run `kaggle …` in a home of its own; https goes nowhere, so no credential can leave the machine."""

    def run(*arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(Path(sys.executable).with_name("kaggle")), *arguments],
            cwd=tmp_path,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
                "KAGGLE_API_TOKEN": token,
                "HTTP_PROXY": server.url,
                "HTTPS_PROXY": "http://127.0.0.1:9",
                "NO_PROXY": "",
            },
            capture_output=True,
            text=True,
            timeout=90,
        )

    return run
