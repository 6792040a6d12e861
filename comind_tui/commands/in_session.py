"""What an exported notebook runs in a Kaggle session: `python -m comind_tui.commands.in_session DATASET`.

It resumes the run of an attached earlier session or begins one, headless, and leaves submission, report and
packed state in the session's output, however the run ends.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from comind.config import from_mapping
from comind.in_kaggle.notebook import Plan, keep, read_plan, restore, session_config, session_settings
from comind.state.runs import RunFolder, default_state, list_runs, read_run
from comind_tui.commands.run import run_headless
from comind_tui.core.keys import check_key
from kaggle_runner.console import say, say_error
from kaggle_runner.errors import ComindError, ConfigError, ModelError
from kaggle_runner.inside_kaggle import SESSION_ENDED, WORKING, is_session, read_secrets
from kaggle_runner.moments import SYSTEM_CLOCK

_HANDED_OVER = {
    "submission.csv": "best/submission.csv",
    "solution.py": "best/solution.py",
    "report.md": "report.md",
}


def main() -> int:
    if len(sys.argv) != 2:
        say("usage: python -m comind_tui.commands.in_session DATASET")
        return 2
    try:
        return compete(Path(sys.argv[1]))
    except ComindError as error:
        say_error("comind", error)
        if isinstance(error, ModelError):
            say("  → Inside Kaggle: is Internet on, under Settings?")
        return error.exit_code


def compete(dataset: Path, *, working: Path = WORKING) -> int:
    """The whole session; the run's exit code. ComindError names what is missing, before anything is spent."""
    if not is_session(os.environ):
        raise ConfigError(
            "This is not a Kaggle session.", hint="On a machine of your own: comind-tui run COMPETITION"
        )
    plan, state = read_plan(dataset), default_state()
    say(restore(state))
    runs = list_runs(state)
    if runs:
        session_config(plan, state)  # the attached files may lie elsewhere in this session
        folder, is_new = runs[0], False
    else:
        folder, is_new = _begin(plan, state), True
    try:
        code = run_headless(folder, as_json=False, is_new=is_new)
        # that a session ends is no failure: with another exit code Kaggle might not keep the output
        return 0 if read_run(folder).status_detail == SESSION_ENDED else code
    finally:
        _hand_over(folder, state, working)


def _begin(plan: Plan, state: Path) -> RunFolder:
    from comind.run.start import prepare_run

    # the run's own time limit holds for all its sessions together; only a model may come from the Secrets
    below = {name: value for name, value in session_settings(os.environ).items() if name == "model"}
    config = from_mapping({**below, **session_config(plan, state)}, where="the exported run")
    if fault := read_secrets(os.environ).fault:
        say(fault[:1].upper() + fault[1:] + ".")
    check_key(config)
    return prepare_run(config, state, clock=SYSTEM_CLOCK)


def _hand_over(folder: RunFolder, state: Path, working: Path) -> None:
    """Results into the output, and the state into one file; a batch session needs the folder no more."""
    for name, source in _HANDED_OVER.items():
        if (folder.path / source).is_file():
            shutil.copyfile(folder.path / source, working / name)
            (working / name).chmod(0o644)
    pack = keep(state, working, run=folder.id, status=read_run(folder).status, now=SYSTEM_CLOCK.now())
    say(f"The state is packed: {pack.stat().st_size / 1e6:.1f} MB in {pack}")
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Batch" and state.resolve().is_relative_to(
        working.resolve()
    ):
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
