"""The real `aideml` in an environment of its own: installing it, running it, and catching what it submits.

It is never a dependency of ours. One version is installed, with the pins of its own metadata for what its
running code imports; the rest of its list (torch, fastai, streamlit, …) serves its web page and other
scripts than these. Nothing here grades.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.slow_endpoint import SlowEndpoint
from kaggle_runner.errors import MachineError

VERSION = "0.2.2"
_REQUIREMENTS = (
    "black==24.3.0", "funcy==2.0", "humanize==4.8.0", "jsonschema==4.19.2", "numpy==1.26.2", "openai>=1.69.0",
    "anthropic>=0.20.0", "pandas==2.1.4", "scikit-learn==1.5.0", "rich==13.7.0", "scipy==1.11.4",
    "dataclasses_json>=0.6.4", "omegaconf>=2.3.0", "shutup>=0.2.0", "coolname>=2.2.0", "igraph>=0.11.3",
    "genson>=1.2.0", "backoff", "python-dotenv", "Pillow",
)  # fmt: skip
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Submitted:
    """One version of AIDE's submission file, copied as soon as it was whole."""

    seconds: float
    """From the start of the process to the last write of the file."""
    path: Path


@dataclass(frozen=True, slots=True)
class Ended:
    """What AIDE left. `nodes` and `buggy` count the steps that its journal holds."""

    submissions: list[Submitted]
    nodes: int
    buggy: int
    seconds: float


def install(venv: Path) -> Path:
    """The `aide` command of `venv`, which is made when it is not there. MachineError when pip refuses."""
    command = venv / "bin" / "aide"
    if command.is_file():
        return command
    # numpy 1.26 has no wheels above Python 3.12
    python = next(
        (found for name in ("python3.11", "python3.12") if (found := shutil.which(name))), sys.executable
    )
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
        subprocess.run([*pip, *_REQUIREMENTS], check=True)
        subprocess.run([*pip, "--no-deps", f"aideml=={VERSION}"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(venv, ignore_errors=True)
        raise MachineError(
            f"aideml {VERSION} could not be installed in {venv}: {error}",
            hint="it needs Python 3.11 or 3.12 and a package index; --venv names an environment that has it",
        ) from error
    return command


def run_aide(
    command: Path,
    endpoint: SlowEndpoint,
    *,
    data: Path,
    task: str,
    work: Path,
    seconds: float,
    threads: int,
) -> Ended:
    """Run AIDE on `data` for `seconds`, with its own defaults but for models, report and number of steps.

    `threads` limits its scripts' OpenMP; 0 leaves them all cores, as AIDE does.
    """
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "task.md").write_text(task, encoding="utf-8")
    options = {
        "data_dir": data.resolve(), "desc_file": (work / "task.md").resolve(), "exp_name": "bench",
        "log_dir": (work / "logs").resolve(), "workspace_dir": (work / "workspaces").resolve(),
        "agent.code.model": "recipes", "agent.feedback.model": "recipes", "report.model": "recipes",
        "generate_report": False, "agent.steps": 1000, "exec.timeout": int(seconds),
        # the recipes validate on three folds, in CoMind's notebooks as here
        "agent.k_fold_validation": 3,
    }  # fmt: skip
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(work.resolve()), "TERM": "dumb", "COLUMNS": "120",
        "OPENAI_BASE_URL": endpoint.url("aide"), "OPENAI_API_KEY": "unused",
    }  # fmt: skip
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    with (work / "aide.log").open("wb") as log:
        started, clock = time.time(), time.monotonic()
        process = subprocess.Popen(
            [str(command.resolve()), *(f"{name}={value}" for name, value in options.items())],
            cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
        try:
            submissions = _watch(process, work, started, clock + seconds)
        finally:
            _end(process)
    return Ended(submissions, *_journal(work), seconds=time.monotonic() - clock)


def _watch(process: subprocess.Popen[bytes], work: Path, started: float, deadline: float) -> list[Submitted]:
    """Copies of the submission file, each taken when two looks in a row saw the same size and time."""
    taken: list[Submitted] = []
    last: tuple[int, int] | None = None
    kept: tuple[int, int] | None = None
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(_LOOK_SECONDS)
        file = next(iter(work.glob("workspaces/*/working/submission.csv")), None)
        try:
            status = file.stat() if file else None
        except FileNotFoundError:  # replaced between two looks
            continue
        if file is None or status is None:
            continue
        now = (status.st_mtime_ns, status.st_size)
        if now == last and now != kept:
            copy = work / f"submission-{len(taken) + 1:02d}.csv"
            shutil.copyfile(file, copy)
            taken.append(Submitted(status.st_mtime_ns / 1e9 - started, copy))
            kept = now
        last = now
    return taken


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole session, script included."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=5)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _journal(work: Path) -> tuple[int, int]:
    """(steps, buggy steps) of AIDE's own journal; zeros when it ended none."""
    path = next(iter(work.glob("logs/*/journal.json")), None)
    nodes = json.loads(path.read_text())["nodes"] if path else []
    return len(nodes), sum(bool(node["is_buggy"]) for node in nodes)
