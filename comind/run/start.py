"""Making a run: everything that can be checked for little, its folder with the first row, and its engine."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from comind.at_kaggle.setup import check_push
from comind.community.upstream import check_upstream, resolve_slug, settled
from comind.config import ENGINE_PYTHON, RunConfig
from comind.evaluator.metric_file import keep_metric_file
from comind.roles.prompts import Prompts
from comind.run.models import Checked, check_models, record_check
from comind.run.recording import recording_of
from comind.run.submission import check_leave
from comind.state.records import Run
from comind.state.runs import RunFolder, create_run, new_run_id
from comind.state.store import Store
from kaggle_runner.environments.record import made_python
from kaggle_runner.inside_kaggle import with_secrets
from kaggle_runner.interpreter import examine, require_kernel
from kaggle_runner.moments import SYSTEM_CLOCK, Clock, stamp
from kaggle_runner.sandbox.sandbox import require_sandbox

_ASKED_SECONDS = 0.5


def prepare_run(
    config: RunConfig, state: Path, *, clock: Clock = SYSTEM_CLOCK, runs_here: bool = False
) -> RunFolder:
    """Check everything that can be checked for little, then make the run's folder with its first row.

    With `runs_here` this process will be the engine too, so it imports what that needs while the endpoint is
    asked. Raises a ComindError that names the first thing wrong; nothing is on disk then.
    """
    slug = resolve_slug(config, state, os.environ)
    asyncio.run(require_sandbox())
    config, python = with_python(settled(config, os.environ).anchored(), state)
    remarks: list[str] = []
    if config.executor == "kaggle":
        remarks = asyncio.run(check_push(config, os.environ, state))
    else:
        remarks = asyncio.run(check_upstream(config, os.environ, state))
    if config.submit:
        asyncio.run(check_leave(config, os.environ))
    recording = recording_of(config.replay, state, slug) if config.replay else None
    checked = None if recording else asyncio.run(_check_models(config, clock, runs_here))
    label = recording.label if recording else checked.label if checked else ""
    Prompts().parts("coder")
    folder = create_run(state, new_run_id(state, slug, clock.now()))
    keep_metric_file(config, folder)
    if recording is not None:
        recording.write(folder.recording)
    run = Run(
        id=folder.id,
        competition=slug,
        rounds=config.rounds,
        model=label,
        config={**config.as_dict(), "state": str(state.resolve())},
        started_at=stamp(clock.now()),
    )
    with Store(folder.database, clock=clock) as store:
        store.save(run)
        store.event("created", f"Run {folder.id}: {label}")
        if python:
            store.event("environment", python)
        for remark in remarks:
            store.event("kaggle", remark)
        if checked is not None:
            record_check(store, checked)
    return folder


def with_python(config: RunConfig, state: Path) -> tuple[RunConfig, str]:
    """Notebooks' Python named for good, so that a resumed run goes on in the same one; a sentence about it,
    which is empty for the engine's own. Raises PythonUnusable."""
    named = config.python or made_python(state) or ENGINE_PYTHON
    if named == ENGINE_PYTHON:
        return replace(config, python=named), ""
    python = require_kernel(examine(named))
    told = f"Notebooks run in {python.path}: Python {python.told_version}, {len(python.packages)} packages"
    return replace(config, python=str(python.path)), told


async def _check_models(config: RunConfig, clock: Clock, runs_here: bool) -> Checked:
    asking = asyncio.create_task(check_models(config, with_secrets(os.environ), clock))
    if runs_here:
        await asyncio.wait({asking}, timeout=_ASKED_SECONDS)  # until the question is on its way
        await asyncio.to_thread(importlib.import_module, "mle_live.metrics")
    return await asking


def start_engine(folder: RunFolder) -> int:
    """Start the engine in a session of its own, so that it outlives the terminal; returns its pid."""
    with folder.engine_log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "comind.engine", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return process.pid
