"""Commands and paths as the person at this terminal can type and open them."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from comind.state.runs import default_state

NAME = "comind-tui"


def program(typed: str | None = None) -> str:
    """How this program is called from here: by its name where the shell finds it, else as it was typed.

    A shell hands over the full path of what it found, so a slash alone does not tell the two apart.
    """
    typed = sys.argv[0] if typed is None else typed
    if Path(typed).name != NAME or "/" not in typed:
        return NAME
    found = shutil.which(NAME)
    is_found = found is not None and Path(found).absolute() == Path(typed).absolute()
    return NAME if is_found else shlex.quote(typed)


def command_line(command: str, run_id: str, state: Path) -> str:
    """The whole line that runs a command on a run of that state folder."""
    where = "" if state == default_state() else f" --state {shlex.quote(str(state))}"
    return f"{program()} {command} {run_id}{where}"


def from_here(path: Path) -> Path:
    """The path relative to the working folder where it lies below it, else as it is."""
    here = Path.cwd()
    whole = path.absolute()
    return whole.relative_to(here) if whole.is_relative_to(here) else path
