"""`comind-tui env`: makes, shows and removes an environment for notebooks, with the usual set of Kaggle's."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comind.state.reader import reading
from comind.state.runs import engine_alive, run_folders
from comind_tui.text.plain import labelled, terminal_width
from kaggle_runner.console import put, put_json, say
from kaggle_runner.environments.lists import KAGGLE_LIST, Build, read_list
from kaggle_runner.environments.making import Made, make, remove, size_of
from kaggle_runner.environments.record import MadeEnvironment, read_record
from kaggle_runner.errors import RunBusy, RunNotFound, Unusable
from kaggle_runner.interpreter import examine, normal_name


def env(arguments: Namespace) -> int:
    actions = {"create": _create, "show": _show, "remove": _remove}
    return actions[arguments.action](arguments)


def _create(arguments: Namespace) -> int:
    state: Path = arguments.state
    earlier = read_record(state)
    usual = Path(earlier.folder) if earlier else state / "environment"
    folder = Path(arguments.path).expanduser() if arguments.path else usual
    build: Build = "cuda" if arguments.cuda else "cpu"
    wanted = read_list(Path(arguments.list) if arguments.list else KAGGLE_LIST, build)
    base = examine(arguments.base_python).path if arguments.base_python else None
    try:
        made = make(folder, state, wanted, build, base=base, tell=say)
    except KeyboardInterrupt:
        say("Broken off. What is there stays: the same command goes on.")
        raise
    if arguments.json:
        put_json(_document(made))
        return 0
    count = sum(one.status != "left out" for one in made.packages)
    put(
        f"{count} packages, {made.bytes / 1e9:.1f} GB, {made.seconds / 60:.1f} min: {made.environment.python}"
        f" (Python {made.python})"
    )
    _put_left_out(made.environment)
    put("New runs of this state folder use it; `run --python engine` does not.")
    return 0


def _show(arguments: Namespace) -> int:
    made = read_record(arguments.state)
    if made is None:
        if arguments.json:
            put_json({"environment": None})
        else:
            put("Notebooks run in CoMind's own Python. comind-tui env create makes them an environment.")
        return 0
    python = examine(made.python)
    names = {normal_name(one.name): one.name for one in read_list(KAGGLE_LIST, _build(made))}
    versions = {names[name]: version for name, version in python.packages.items() if name in names}
    size = size_of(Path(made.folder))
    if arguments.json:
        shown = {"version": python.told_version, "packages": dict(python.packages), "bytes": size}
        put_json({"environment": asdict(made) | shown})
        return 0
    put(f"{made.python}: Python {python.told_version}, {made.build} build, {size / 1e9:.1f} GB")
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    put(labelled("packages", listed, indent=12, width=terminal_width(), whole=True))
    _put_left_out(made)
    if not made.finished:
        put("It is not finished: comind-tui env create goes on.")
    return 0


def _remove(arguments: Namespace) -> int:
    state: Path = arguments.state
    made = read_record(state)
    if made is not None and (users := _runs_in(state, Path(made.folder))):
        raise RunBusy(f"{users[0]} runs in it.", hint=f"Stop it first: comind-tui attach {users[0]}, then S.")
    folder, size = remove(state)
    if arguments.json:
        put_json({"removed": str(folder), "bytes": size})
    else:
        put(f"Removed {folder} ({size / 1e9:.1f} GB)." if size else f"Forgot {folder}; nothing was removed.")
    return 0


def _runs_in(state: Path, folder: Path) -> list[str]:
    """Runs that go on, and whose notebooks are in this environment."""
    found = []
    for one in run_folders(state):
        if not engine_alive(one):
            continue
        try:
            with reading(one.database) as reader:
                run = reader.run()
        except (RunNotFound, Unusable):
            continue
        python = run.settings.notebook_python if run else None
        if python is not None and python.is_relative_to(folder):
            found.append(one.id)
    return found


def _put_left_out(made: MadeEnvironment) -> None:
    for name, why in made.left_out.items():
        put(labelled(f"  without {name}", why, indent=24, width=terminal_width(), whole=False))


def _document(made: Made) -> dict[str, Any]:
    packages = [asdict(one) for one in made.packages]
    about = {"version": made.python, "bytes": made.bytes, "seconds": round(made.seconds, 1)}
    return asdict(made.environment) | about | {"packages": packages}


def _build(made: MadeEnvironment) -> Build:
    return "cuda" if made.build == "cuda" else "cpu"
