"""Runs the installed command as a script would: a process of its own, no terminal, a clean environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.scripted_llm import ScriptedModel

SECRET = "sk-canary-0f3c9a"
AMPLE = "10m"
"""A time limit that no run here reaches, on a busy machine either. With more, agents' recipes would grow."""
COMMAND = str(Path(sys.executable).with_name("comind-tui"))


def environment(**more: str) -> dict[str, str]:
    """The tests' own environment with a key that must never be found anywhere, and no Kaggle credentials."""
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("KAGGLE", "OPENAI", "COMIND_"))
    }
    return {**kept, "HOME": "/nonexistent", "OPENAI_API_KEY": SECRET, "NO_COLOR": "1", **more}


def asking(server: ScriptedModel) -> tuple[str, ...]:
    """The options of a run that asks this model."""
    return "--model", "scripted", "--base-url", server.url


def comind(*arguments: str, state: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """`more` are environment variables; an empty one is left out."""
    variables = {key: value for key, value in environment(**more).items() if value}
    return subprocess.run(
        [COMMAND, *arguments, "--state", str(state)],
        capture_output=True,
        text=True,
        env=variables,
        stdin=subprocess.DEVNULL,
        check=False,
    )
