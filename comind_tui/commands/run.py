"""Commands that start or watch runs: run, resume, attach, and home when no command is given.

`--headless` keeps the engine in this process; otherwise it is a process of its own that outlives the screen.
"""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comind.config import ENGINE_PYTHON, ROLES, RunConfig, load_config
from comind.in_kaggle.notebook import session_settings, with_attached
from comind.state.runs import RunFolder, engine_alive, find_resumable, find_run, runs_folder
from comind_tui.commands.recordings import replay_settings
from comind_tui.core.corrections import files_named
from comind_tui.core.keys import check_key
from comind_tui.launch import launch
from comind_tui.text.plain import has_terminal
from kaggle_runner.console import put, put_json, say
from kaggle_runner.errors import RunBusy, UsageError
from kaggle_runner.inside_kaggle import is_session
from kaggle_runner.interpreter import examine
from kaggle_runner.moments import SYSTEM_CLOCK

_NOT_SETTINGS = {"command", "state", "json", "headless", "config"}


def home(arguments: Namespace) -> int:
    if not has_terminal():
        raise UsageError(
            "The home screen needs a terminal.",
            hint="Without one: comind-tui run COMPETITION --headless, or --help.",
        )
    return _open_screens(arguments.state, None)


def run(arguments: Namespace) -> int:
    config = config_from(arguments)
    if _is_headless(arguments):
        from comind.run.start import prepare_run

        say(f"Preparing {config.competition} …")
        folder = prepare_run(config, arguments.state, clock=SYSTEM_CLOCK, runs_here=True)
        return run_headless(folder, as_json=arguments.json, is_new=True)
    say(f"Preparing {config.competition} …")
    return _watch(arguments.state, launch({"config": config.as_dict()}, arguments.state))


def attach(arguments: Namespace) -> int:
    folder = find_run(arguments.state, arguments.run_id)
    if arguments.json or not has_terminal():
        raise UsageError(
            "Watching a run needs a terminal.", hint=f"Without one: comind-tui show {folder.id} [--json]"
        )
    return _watch(arguments.state, folder.id)


def resume(arguments: Namespace) -> int:
    folder = find_resumable(arguments.state, arguments.run_id)
    if engine_alive(folder):
        raise RunBusy(f"Run {folder.id} is running already.", hint=f"Watch it: comind-tui attach {folder.id}")
    if _is_headless(arguments):
        return run_headless(folder, as_json=arguments.json)
    return _watch(arguments.state, launch({"resume": folder.id}, arguments.state))


def reproduce(arguments: Namespace) -> int:
    """Run best/solution.py again in a sandbox and say whether it writes the same submission."""
    from comind.run.reproduction import reproduce as run_again

    folder = find_run(arguments.state, arguments.run_id)
    say(f"Running best/solution.py of {folder.id} again …")
    named = sys.executable if arguments.python == ENGINE_PYTHON else arguments.python
    python = examine(named).path if named else None
    outcome = asyncio.run(run_again(folder, python=python))
    if arguments.json:
        put_json({"run": folder.id, "reproduced": True, **asdict(outcome)})
    else:
        put(
            f"The same submission: {outcome.rows} rows, largest difference {outcome.largest_difference:.2g}, "
            f"{outcome.seconds:.0f} s."
        )
    return 0


def run_headless(folder: RunFolder, *, as_json: bool, is_new: bool = False) -> int:
    """Engine in the foreground, progress on stderr, the result on stdout.

    Of a new run the preparation is told too: which endpoints answer, and what they can do.
    """
    from comind.engine import run_engine
    from comind_tui.commands.headless import Printer

    with Printer(folder, sys.stderr, clock=SYSTEM_CLOCK) as printer:
        if is_new:
            printer.catch_up()
        code: int = run_engine(folder, on_event=printer.event)
    printer.finish(sys.stdout, as_json=as_json)
    return code


def config_from(arguments: Namespace) -> RunConfig:
    """Typed options over the YAML file over the preset over the defaults, checked as far as is free."""
    typed: dict[str, Any] = {k: v for k, v in vars(arguments).items() if k not in _NOT_SETTINGS}
    if "role_models" in typed:
        typed["role_models"] = dict(_role_model(text) for text in typed["role_models"])
    if "files" in typed:
        typed["files"] = files_named(typed["files"])
    if typed.get("offline") and (named := {"model", "base_url", "role_models"} & typed.keys()):
        option = sorted(named)[0].rstrip("s").replace("_", "-")
        raise UsageError(
            f"--offline and --{option} exclude each other.",
            hint="--offline uses recipes and no language model; leave one of the two away.",
        )
    recorded = replay_settings(typed, arguments.state) if typed.get("replay") else None
    below = {**session_settings(os.environ), **(recorded or {})}
    config = load_config(Path(arguments.config) if arguments.config else None, typed, below)
    if is_session(os.environ):
        config = with_attached(config, arguments.state)
    check_key(config)
    return config


def _role_model(text: str) -> tuple[str, str]:
    role, equals, model = text.partition("=")
    if not (role and equals and model):
        raise UsageError(
            f"--role-model {text!r} is not ROLE=MODEL or ROLE=MODEL@URL.", hint=f"Roles: {', '.join(ROLES)}."
        )
    return role, model


def _is_headless(arguments: Namespace) -> bool:
    return arguments.headless or arguments.json or not has_terminal()


def _watch(state: Path, run_id: str) -> int:
    return _open_screens(state, run_id)


def _open_screens(state: Path, run_id: str | None) -> int:
    """Show the screens until the person leaves; then say what became of the runs that were on them."""
    from comind_tui.app import ComindApp
    from comind_tui.text.ending import farewell

    app = ComindApp(state, run_id=run_id)
    app.run()
    for left in sorted(app.runs_watched()):
        say(*farewell(RunFolder(runs_folder(state) / left)))
    return app.return_code or 0
