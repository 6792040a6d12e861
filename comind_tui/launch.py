"""Starts an engine without becoming one: a helper process prepares the run and detaches its engine.

The screens stay free of the engine's libraries and of its failures. The helper reads one JSON request on
stdin, narrates on stderr, and answers with one JSON object on stdout.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kaggle_runner.console import put_json
from kaggle_runner.errors import ComindError, MachineError

Launcher = Callable[[dict[str, Any], Path], str]
"""Starts what the request names in a state folder; the run's id."""


class LaunchFailed(ComindError):
    """What the helper reported, with the exit code of the error it met."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def launch(request: dict[str, Any], state: Path, *, quiet: bool = False) -> str:
    """The id of the run whose engine now lives on its own. Blocks while the run is prepared.

    The request is `{"config": settings}` for a new run or `{"resume": id}`. LaunchFailed says why not;
    with `quiet` the helper's narration is dropped (a screen is up).
    """
    done = subprocess.run(
        [sys.executable, "-m", "comind_tui.launch"],
        input=json.dumps({**request, "state": str(state)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise MachineError(
            f"The run could not be started (exit code {done.returncode}).",
            hint="Run it with --headless to see why; comind-tui doctor checks this machine.",
        ) from None
    if "run" not in answer:
        raise LaunchFailed(answer["error"], hint=answer["hint"], exit_code=answer["exit_code"])
    return str(answer["run"])


def launch_quietly(request: dict[str, Any], state: Path) -> str:
    """`launch` while a screen is up."""
    return launch(request, state, quiet=True)


def main() -> int:
    """The helper's side."""
    from comind.config import from_mapping
    from comind.state.runs import find_run
    from kaggle_runner.moments import SYSTEM_CLOCK

    request = json.load(sys.stdin)
    state = Path(request["state"])
    try:
        from comind.run.start import prepare_run, start_engine

        if "resume" in request:
            folder = find_run(state, request["resume"])
        else:
            config = from_mapping(request["config"], where="the new run")
            folder = prepare_run(config, state, clock=SYSTEM_CLOCK)
        start_engine(folder)
    except ComindError as error:
        put_json({"error": error.message, "hint": error.hint, "exit_code": error.exit_code}, indent=None)
        return error.exit_code
    put_json({"run": folder.id}, indent=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
