"""Recordings at the command line: writing one from a run, and what a replay takes from one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from comind.state.runs import find_run
from comind_tui.text.invocation import from_here, program
from kaggle_runner.console import put_json, put_lines, say
from kaggle_runner.errors import UsageError

_MODEL_OPTIONS = ("offline", "model", "base_url", "role_models", "fallback_models")


def write_recording(arguments: Namespace) -> int:
    """`recording RUN [-o FILE]`: the replies of a run as JSON lines; its path on stdout."""
    from comind.run.recording import record_run

    folder = find_run(arguments.state, arguments.run_id)
    path = Path(arguments.output or f"{folder.id}.jsonl.gz")
    recording = record_run(folder)
    recording.write(path)
    if arguments.json:
        put_json({"run": folder.id, "file": str(path), "replies": len(recording.replies)})
        return 0
    put_lines(str(from_here(path)))
    say(f"{len(recording.replies)} replies. To run again without a model: {program()} run --replay {path}")
    return 0


def replay_settings(typed: dict[str, Any], state: Path) -> dict[str, Any]:
    """The recorded settings that stand below what was typed; `typed["replay"]` becomes a name that lasts.

    UsageError for options that name a model, and for a competition's folder that nothing tells the place of.
    """
    from comind.run.recording import settings_of

    named = [name for name in _MODEL_OPTIONS if typed.get(name)]
    if named:
        option = named[0].removesuffix("s").replace("_", "-")
        raise UsageError(
            f"--replay and --{option} exclude each other.",
            hint="A replay is answered from its recording; leave one of the two away.",
        )
    recorded = settings_of(typed["replay"], state)
    typed["replay"] = recorded["replay"]
    return recorded
