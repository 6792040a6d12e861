"""Small competitions of every modality, a notebook in a process of its own, and the loop of one coding agent.

The loop renders the real prompts and reads the replies with the real parsers, but knows no engine: what it
checks is the offline policy against its contract.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from comind.evaluator.profile import CompetitionProfile, profile_competition
from comind.offline.responder import respond
from comind.roles.coder import Turn, parse_turn
from comind.roles.prompts import Message, Prompts
from mle_live.layout.formats import read_text
from mle_live.layout.tables import Stated, typed
from mle_live.metrics import get_metric

_WORKER = """
import contextlib, io, json, os, sys, traceback
space = {}
for line in sys.stdin:
    request = json.loads(line)
    if "folder" in request:
        os.chdir(request["folder"])
        space = {"__name__": "__main__"}
        continue
    out, error = io.StringIO(), ""
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            exec(compile(request["code"], "<cell>", "exec"), space)
        except BaseException as caught:
            error = type(caught).__name__
            traceback.print_exc()
    print(json.dumps({"output": out.getvalue(), "error": error}), flush=True)
"""


class Notebook:
    """Runs cells one after another in one process. `start` drops all variables; imported libraries stay."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "default", "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, folder: Path) -> None:
        self._send({"folder": str(folder)})

    def run(self, code: str) -> tuple[str, str]:
        """(output, name of the error or an empty string)."""
        self._send({"code": code})
        assert self._process.stdout
        result = json.loads(self._process.stdout.readline())
        return result["output"], result["error"]

    def _send(self, request: dict[str, str]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.communicate("")


@dataclass
class World:
    """A competition folder, its split, and the profile as prompt text."""

    public: Path
    truth: pd.DataFrame
    profile: CompetitionProfile
    metric: str
    published: list[tuple[str, Path, str]] = field(default_factory=list)
    """Datasets: name, folder, what the list says about it."""

    @property
    def metric_text(self) -> str:
        known = get_metric(self.metric)
        direction = "higher" if known.higher_is_better else "lower"
        return f"name: {known.name}\ntitle: {known.title}\ndirection: {direction} is better"

    @property
    def files_text(self) -> str:
        lines = [
            f"competition folder: {self.public}",
            f"training part: {self.public}/train.csv",
            f"validation inputs: {self.public}/validation.csv",
            f"sample of validation predictions: {self.public}/sample_validation_submission.csv",
            f"test inputs: {self.public}/test.csv",
            f"sample of test predictions: {self.public}/sample_submission.csv",
            "working folder: .",
        ]
        return "\n".join(lines)

    def score(self, name: Path) -> float:
        prediction = typed(read_text(name))
        shape = typed(read_text(self.public / "sample_validation_submission.csv"))
        assert list(prediction.columns) == list(shape.columns)
        assert prediction.iloc[:, 0].tolist() == shape.iloc[:, 0].tolist()
        columns = list(shape.columns[1:])
        return get_metric(self.metric).score(self.truth, prediction, columns)


@dataclass
class Result:
    turns: list[Turn]
    messages: list[Message]
    outputs: list[str]
    scores: list[float]
    seconds: float
    work: Path


def make_world(
    root: Path,
    metric: str,
    train: pd.DataFrame,
    test: pd.DataFrame,
    targets: list[str],
    *,
    group: str = "",
    sample: pd.DataFrame | None = None,
    holdout: np.ndarray[Any, Any] | None = None,
) -> World:
    """Writes the folder (images are there already), and takes every fourth row for validation."""
    original, public = root / "original", root / "original"
    original.mkdir(parents=True, exist_ok=True)
    if sample is None:
        sample = pd.DataFrame({"id": test["id"], **{name: train[name].iloc[0] for name in targets}})
    train.to_csv(original / "train.csv", index=False)
    test.to_csv(original / "test.csv", index=False)
    sample.to_csv(original / "sample_submission.csv", index=False)
    profile = profile_competition(
        original,
        description="",
        metric=metric,
        higher_is_better=get_metric(metric).higher_is_better,
        stated=Stated("id", group),
    )
    held = holdout if holdout is not None else np.arange(len(train)) % 4 == 0
    labels = [name for name in train.columns if name in targets or name == profile.label_column]
    truth = train.loc[held, ["id", *labels]].reset_index(drop=True)
    valid = train.loc[held, list(test.columns)].reset_index(drop=True)
    train.loc[~held].to_csv(public / "train.csv", index=False)
    valid.to_csv(public / "validation.csv", index=False)
    shape = pd.DataFrame(
        {"id": valid["id"], **{name: sample[name].iloc[0] for name in sample.columns.drop("id")}}
    )
    shape.to_csv(public / "sample_validation_submission.csv", index=False)
    return World(public, truth, profile, metric)


def values_of(world: World, **more: str) -> dict[str, str]:
    packages = "packages: numpy, pandas, scikit-learn, scipy, pillow"
    base = {
        "competition": "A small competition.",
        "metric": world.metric_text,
        "machine": f"2 cores, no GPU.\n{packages}",
        "data": world.profile.text,
        "files": world.files_text,
    }
    return {**base, **more}


def run_agent(
    world: World,
    draft: str,
    work: Path,
    notebook: Notebook,
    *,
    seconds: float = 120.0,
    steps: int = 12,
    spoil: Callable[[int, str], str] = lambda step, code: code,
) -> Result:
    """One coding agent from its draft to its last turn. `spoil` may change a cell before it runs."""
    work.mkdir(parents=True, exist_ok=True)
    prompts = Prompts()
    notebook.start(work)
    started = time.perf_counter()
    limits = _limits(1, steps, seconds)
    values = values_of(world, draft=draft, limits=limits)
    values["files"] += "".join(
        f"\n- dataset {folder}: {', '.join(sorted(p.name for p in folder.iterdir()))}"
        for name, folder, _ in world.published
        if name in draft
    )
    messages = prompts.opening("coder", "implement", values)
    result = Result([], messages, [], [], 0.0, work)
    for step in range(1, steps + 1):
        reply = respond(messages)
        one = parse_turn(reply)
        result.turns.append(one)
        messages.append({"role": "assistant", "content": reply})
        if not one.code.strip():
            break
        begin = time.perf_counter()
        output, error = notebook.run(spoil(step, one.code))
        took = time.perf_counter() - begin
        result.outputs.append(output)
        status = f"error ({error})" if error else "ok"
        evaluation = ""
        if one.submission and not error:
            value = world.score(work / one.validation_submission)
            result.scores.append(value)
            evaluation = f"score on feedback rows: {value:.5f} [0, 1] (100 rows)"
        left = seconds - (time.perf_counter() - started)
        observed = {
            "status": f"cell {step}: {status} in {took:.1f} s",
            "output": output[-4000:],
            "evaluation": evaluation,
            "limits": _limits(step + 1, steps, left),
        }
        messages.append({"role": "user", "content": prompts.render("coder", "observation", observed)})
    result.seconds = time.perf_counter() - started
    return result


def _limits(step: int, steps: int, left: float) -> str:
    return (
        f"step {step} of {steps}\nseconds left for this agent: {left:.0f}\n"
        f"seconds for one cell: {left / 2:.0f}"
    )
