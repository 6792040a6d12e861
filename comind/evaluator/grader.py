"""Grade prediction files; runs alone in the sandbox as `python grader.py REQUEST`, where labels are mounted.

REQUEST is one JSON object (see `comind.evaluator.scripts`); an answer is one JSON line on stdout, always.
Asked for two, a process of its own gives each: they share what is imported, and no prediction.
What it says about predictions is a fixed code, row ids of the sample submission (or `row N`), and numbers.
Whatever evaluate.py prints is dropped. Of comind only this file is mounted, so nothing of it is imported;
kaggle_runner and mle_live are found once the request is read.

evaluate.py defines `score(truth, submission) -> float`, both frames indexed by id in the same order, and
`HIGHER_IS_BETTER`; where it also defines METRIC (one of mle_live's), its own checks and bootstrap serve.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import random
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

_IDS_SHOWN = 5
_FEWEST_SAMPLES = 20
_MOST_CLASSES = 50
_EXACT = 2.0**53
"""Whole numbers below it are exact as floats."""


class BadPredictions(Exception):
    """A fault of a prediction file: its fixed code and the first ids concerned."""

    def __init__(self, code: str, ids: Sequence[object] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.ids = [str(one) for one in ids[:_IDS_SHOWN]]


class Grader:
    """Labels and metric, loaded once for all cases of a request."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.id_column: str = request["id_column"]
        self.targets: list[str] = request["targets"]
        self.group: str | None = request["group"]
        self.seed: int = request["seed"]
        self.evaluate = _load(Path(request["evaluate"]))
        self.metric = getattr(self.evaluate, "METRIC", None)
        texts = self.targets if getattr(self.metric, "texts", False) else []
        self.truth = _read_labels(Path(request["truth"]), self.id_column, texts)
        self.forms = self._forms()
        for name in (name for name, kind in self.forms["validation"].columns.items() if kind == "text"):
            self.truth[name] = self.truth[name].fillna("")
        self.groups = self.truth[self.group].astype(str).to_numpy() if self.group else None
        self.feedback_rows = feedback_rows(
            self.truth.index, self.truth[self.targets], self.groups, seed=self.seed
        )

    def grade(self, case: dict[str, Any]) -> dict[str, Any]:
        """The verdict on one pair of files; never raises."""
        place = "validation"
        try:
            prediction = self._read(place, case[place])
            self._check_metric(prediction)
            if case.get("test"):
                place = "test"
                self._read(place, case[place])
            place = "validation"
            scores = self._scores(prediction, case["samples"])
            return {"success": True, "code": "ok", "file": "", "ids": [], **scores}
        except BadPredictions as fault:
            return _failure(fault.code, place, fault.ids)
        except MemoryError:
            return _failure("too_large", place)
        except Exception:
            # evaluate.py was written by a model and may raise anything; the trace goes to its author only.
            return _failure("metric_error", place, trace=traceback.format_exc(limit=-4)[-1500:])

    def _forms(self) -> dict[str, Any]:
        """What the files must look like: the test predictions like the sample, the others like the labels."""
        from kaggle_runner.predictions.judge import Form

        sample, labels = Path(self.request["sample_submission"]), Path(self.request["truth"])
        texts = bool(getattr(self.metric, "texts", False))
        test = Form.of_sample(sample, labels, id_column=self.id_column, texts=texts)
        return {"test": test, "validation": replace(test, ids=tuple(self.truth.index))}

    def _read(self, place: str, path: str) -> pd.DataFrame:
        """The file's target columns, in the order of its form."""
        from kaggle_runner.predictions.judge import Flaw, judge_file

        found = judge_file(Path(path), self.forms[place])
        if isinstance(found, Flaw):
            raise BadPredictions(found.code, found.rows)
        frame = found.frame()
        return pd.DataFrame({name: _like(frame[name], self.truth[name]) for name in self.targets})

    def _check_metric(self, prediction: pd.DataFrame) -> None:
        if self.metric is None:
            return
        from mle_live.metrics import InvalidPredictions

        try:
            self.metric.check(prediction, self.truth, self.targets)
        except InvalidPredictions as fault:
            rows = prediction.index[fault.row_positions[:_IDS_SHOWN]].tolist()
            raise BadPredictions(fault.code, rows) from fault

    def _scores(self, prediction: pd.DataFrame, samples: int) -> dict[str, Any]:
        parts = {"feedback": self.feedback_rows, "selection": ~self.feedback_rows}
        if self.request.get("whole"):
            parts["whole"] = np.ones(len(self.truth), dtype=bool)
        return {name: self._part(prediction, rows, samples) for name, rows in parts.items()}

    def _part(self, prediction: pd.DataFrame, rows: np.ndarray[Any, Any], samples: int) -> dict[str, Any]:
        truth, given = self.truth[rows], prediction[rows]
        groups = self.groups[rows] if self.groups is not None else None
        started = time.monotonic()
        value = self._score(truth, given)
        if not math.isfinite(value):
            raise BadPredictions("score_not_finite")
        if self.metric is not None:
            from mle_live.metrics import bootstrap

            low, high = bootstrap(
                self.metric, truth, given, self.targets, samples=samples, seed=self.seed, groups=groups
            )
        else:
            affordable = int(self.request["seconds"] / max(time.monotonic() - started, 1e-6))
            draws = min(samples, max(_FEWEST_SAMPLES, affordable))
            low, high = self._interval(truth, given, groups, value, draws)
        return {"score": value, "interval": [low, high], "rows": len(truth)}

    def _score(self, truth: pd.DataFrame, given: pd.DataFrame) -> float:
        return float(self.evaluate.score(truth.copy(), given.copy()))

    def _interval(
        self,
        truth: pd.DataFrame,
        given: pd.DataFrame,
        groups: np.ndarray[Any, Any] | None,
        value: float,
        draws: int,
    ) -> tuple[float, float]:
        """95 % percentile bootstrap over rows or groups for a written `score`; it always holds `value`."""
        random = np.random.default_rng(self.seed)
        units = pd.factorize(groups)[0] if groups is not None else np.arange(len(truth))
        members = list(pd.Series(np.arange(len(units))).groupby(units).apply(np.asarray))
        found = []
        for _ in range(draws):
            picked = random.integers(0, len(members), len(members))
            rows = np.concatenate([members[unit] for unit in picked])
            try:
                one = self._score(truth.iloc[rows], given.iloc[rows])
            except Exception:
                # a written metric may refuse a resample (one class only, repeated ids): that draw is left out
                continue
            if math.isfinite(one):
                found.append(one)
        if not found:
            return value, value
        low, high = np.percentile(found, [2.5, 97.5])
        return min(float(low), value), max(float(high), value)


def feedback_rows(
    ids: Iterable[object], targets: pd.DataFrame, groups: np.ndarray[Any, Any] | None, *, seed: int
) -> np.ndarray[Any, Any]:
    """Mask of the rows whose score agents see; the others only select the winner.

    Half of the groups, else half of the rows of every class, by the order of a seeded hash of the names, so a
    row keeps its part whatever the order of the file.
    """
    names = list(groups) if groups is not None else list(ids)
    units = pd.DataFrame({"unit": [str(name) for name in names]})
    classes = _classes(targets) if groups is None else []
    units["class"] = classes if 0 < len(set(classes)) <= _MOST_CLASSES else ""
    units = units.drop_duplicates("unit")
    units["hash"] = [hashlib.sha256(f"{seed}:{unit}".encode()).hexdigest() for unit in units["unit"]]
    units = units.sort_values(["class", "hash"])
    shown = set(units["unit"].iloc[::2])  # alternating through the classes keeps each one's share
    return np.array([str(name) in shown for name in names], dtype=bool)


def _classes(targets: pd.DataFrame) -> list[str]:
    """The labels of each row as one text; by columns, since there may be millions of rows."""
    return [
        "|".join(row) for row in zip(*(targets[name].astype(str).tolist() for name in targets), strict=True)
    ]


def _read_labels(path: Path, id_column: str, texts: Sequence[str]) -> pd.DataFrame:
    """By ids as text, like those targets that a metric reads as texts.

    Only an empty field is missing (labels may read "NA" or "None").
    """
    kinds = dict.fromkeys([id_column, *texts], str)
    table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""], low_memory=False)
    return table.set_index(id_column)


def _like(values: pd.Series[Any], labels: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers in the type of whole or logical labels, where it can hold them: a metric may compare texts."""
    if labels.dtype.kind not in "bi" or not (values.abs() < _EXACT).all():
        return values
    cast = values.astype(labels.dtype)
    return cast if (cast == values).all() else values


def _failure(code: str, place: str, ids: Sequence[str] = (), trace: str = "") -> dict[str, Any]:
    return {"success": False, "code": code, "file": place, "ids": list(ids), "trace": trace}


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("evaluate", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Verdicts on all cases of a request; never raises."""
    try:
        grader = Grader(request)
        direction = grader.evaluate.HIGHER_IS_BETTER
        perfect = grader.metric.perfect if grader.metric is not None else None
    except Exception:
        # labels or evaluate.py cannot be used; its author is told, no agent is
        return {"ready": False, "trace": traceback.format_exc(limit=-4)[-1500:]}
    return {
        "ready": True,
        "higher_is_better": direction if isinstance(direction, bool) else None,
        "perfect": perfect,
        "empty_is_an_answer": "text" in grader.forms["validation"].columns.values(),
        "results": [{"name": case["name"], **grader.grade(case)} for case in request["cases"]],
    }


def main() -> None:
    request = json.loads(sys.argv[1])
    sys.path[:0] = request["python_path"]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    _import_for_all()
    for _ in range(request["answers"] - 1):
        if not (child := os.fork()):
            break
        if status := os.waitpid(child, 0)[1]:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    random.seed()
    np.random.seed()  # a forked process has the other's dice: two equal throws would prove nothing
    answers.write(json.dumps(answer(request)) + "\n")
    answers.flush()
    os._exit(0)  # no exit handler of evaluate.py may add to the answer


def _import_for_all() -> None:
    """What every answer needs; nothing of it reads a label, a prediction or evaluate.py."""
    import kaggle_runner.predictions.judge
    import mle_live.metrics

    del kaggle_runner, mle_live


if __name__ == "__main__":
    main()
