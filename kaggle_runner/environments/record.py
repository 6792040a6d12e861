"""Which environment was made for the notebooks of a state folder: one file there, `environment.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kaggle_runner.errors import PythonUnusable, Unusable
from kaggle_runner.files import write_whole
from kaggle_runner.rows import from_json, to_json

_FILE = "environment.json"
_HINT = "Remove it, and make the environment again: comind-tui env create"


@dataclass(frozen=True, slots=True)
class MadeEnvironment:
    """One that `env create` made, whole or as far as it came."""

    folder: str
    python: str
    """The interpreter in it, by its path."""
    build: str
    """`cpu` or `cuda`."""
    finished: bool = False
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Package of the list → why it is not there."""


def read_record(state: Path) -> MadeEnvironment | None:
    """None where none was made. Raises Unusable for a file that is no such record."""
    path = state / _FILE
    try:
        return from_json(MadeEnvironment, path.read_bytes(), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(path, f"it cannot be read ({error})", hint=_HINT) from error
    except Unusable as error:
        raise Unusable(path, error.why, hint=_HINT) from error


def write_record(state: Path, made: MadeEnvironment) -> None:
    state.mkdir(parents=True, exist_ok=True)
    write_whole(state / _FILE, to_json(made) + "\n", durable=True)


def forget_record(state: Path) -> None:
    (state / _FILE).unlink(missing_ok=True)


def made_python(state: Path) -> str:
    """The interpreter of the environment that was made to its end; empty where there is none.

    Raises PythonUnusable where it is gone: notebooks that went on in another would say something else.
    """
    made = read_record(state)
    if made is None or not made.finished:
        return ""
    if not Path(made.python).exists():
        raise PythonUnusable(
            f"The environment for notebooks in {made.folder} is gone.",
            hint="comind-tui env create makes it again; comind-tui env remove forgets it.",
        )
    return made.python
