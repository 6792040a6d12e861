"""What `doctor` finds of the Python that notebooks run in, and of what it lacks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from comind.config import ENGINE_PYTHON
from kaggle_runner.environments.needs import lacking
from kaggle_runner.environments.record import made_python, read_record
from kaggle_runner.errors import ComindError
from kaggle_runner.findings import Finding
from kaggle_runner.interpreter import Interpreter, examine, require_kernel

_CPU_TORCH = "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu comind-tui env create"


def environment_finding(state: Path, named: str, wanted: Sequence[str]) -> Finding:
    """Of `named`, else of what runs in this state folder would take; `wanted` are packages."""
    try:
        made = read_record(state)
        chosen = named or made_python(state) or ENGINE_PYTHON
        python = examine(sys.executable) if chosen == ENGINE_PYTHON else require_kernel(examine(chosen))
    except ComindError as error:
        return Finding("environment", "missing", error.message, error.hint)
    whose = "CoMind's own" if chosen == ENGINE_PYTHON else str(python.path)
    told = f"notebooks run in {whose} Python {python.told_version}"
    if chosen != ENGINE_PYTHON:
        told = f"notebooks run in {whose}, Python {python.told_version}"
    absent = lacking(python.packages, wanted)
    if not named and made is not None and not made.finished:
        unfinished = f"; the environment in {made.folder} is not finished"
        return Finding("environment", "optional", told + unfinished, "comind-tui env create goes on with it.")
    if not absent:
        return Finding("environment", "ok", f"{told}; what kernels mostly import is there")
    told += f"; without {', '.join(absent)}{_pandas(python)}"
    if chosen == ENGINE_PYTHON:
        hint = (
            "Public kernels import these: comind-tui env create makes an environment with Kaggle's versions."
        )
    elif made is not None and chosen == made.python:
        hint = f"What was left out may be had from pytorch's own index: {_CPU_TORCH}"
    else:
        hint = f"{python.path} -m pip install {' '.join(absent)}"
    return Finding("environment", "optional", told, hint)


def _pandas(python: Interpreter) -> str:
    version = python.packages.get("pandas", "")
    newer = version.split(".")[0].isdigit() and int(version.split(".")[0]) >= 3
    return f"; kernels written for Kaggle's pandas 2 may give something else with {version}" if newer else ""
