"""Grade prediction files; runs alone in the sandbox as `python grader.py REQUEST`, where labels are mounted.

REQUEST is one JSON object (see `comind.evaluator.scripts`); the answer is one JSON line on stdout, always.
What it says about predictions is a fixed code, row ids of the sample submission (or `line N`), and numbers.
Whatever evaluate.py prints is dropped. Nothing of comind is imported: only this file is mounted.

evaluate.py defines `score(truth, submission) -> float`, both frames indexed by id in the same order, and
`HIGHER_IS_BETTER`; where it also defines METRIC (one of mle_live's), its own checks and bootstrap serve.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

_IDS_SHOWN = 5
_FEWEST_SAMPLES = 20
_MOST_CLASSES = 50


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
        truth = _read(Path(request["truth"]), self.id_column)
        self.truth = truth.set_index(self.id_column)
        self.evaluate = _load(Path(request["evaluate"]))
        self.metric = getattr(self.evaluate, "METRIC", None)
        self.groups = self.truth[self.group].astype(str).to_numpy() if self.group else None
        self.feedback_rows = feedback_rows(
            self.truth.index, self.truth[self.targets], self.groups, seed=self.seed
        )
        sample = _read(Path(request["sample_submission"]), self.id_column)
        self.test_ids = pd.Index(sample[self.id_column], dtype=object)
        self.test_columns = [name for name in sample.columns if name != self.id_column]

    def grade(self, case: dict[str, Any]) -> dict[str, Any]:
        """The verdict on one pair of files; never raises."""
        place = "validation"
        try:
            prediction = self._aligned(Path(case["validation"]), pd.Index(self.truth.index), self.targets)
            self._require_numbers(prediction, like=self.truth)
            self._check_metric(prediction)
            if case.get("test"):
                place = "test"
                test = self._aligned(Path(case["test"]), self.test_ids, self.test_columns)
                self._require_numbers(test, like=self.truth)
            place = "validation"
            return {"success": True, "code": "ok", "file": "", "ids": [], **self._scores(prediction)}
        except BadPredictions as fault:
            return _failure(fault.code, place, fault.ids)
        except MemoryError:
            return _failure("too_large", place)
        except Exception:
            # evaluate.py was written by a model and may raise anything; the trace goes to its author only.
            return _failure("metric_error", place, trace=traceback.format_exc(limit=-4)[-1500:])

    def _aligned(self, path: Path, expected: pd.Index[Any], targets: list[str]) -> pd.DataFrame:
        """The file's target columns in the order of the expected ids."""
        try:
            table = _read(path, self.id_column)
        except FileNotFoundError as error:
            raise BadPredictions("missing_file") from error
        except pd.errors.EmptyDataError as error:
            raise BadPredictions("empty_file") from error
        except (ValueError, OSError, OverflowError, pd.errors.ParserError) as error:
            raise BadPredictions("unreadable") from error
        if any(name not in table.columns for name in (self.id_column, *targets)):
            raise BadPredictions("missing_column")
        ids = table[self.id_column].astype(object)
        if ids.isna().any():
            raise BadPredictions("blank_id", _lines(ids.isna()))
        if ids.duplicated().any():
            repeated = ids[ids.duplicated()].drop_duplicates()
            known = repeated[repeated.isin(expected)].tolist()
            raise BadPredictions("duplicate_ids", known or _lines(ids.duplicated()))
        missing = expected[~expected.isin(ids)].tolist()
        if missing:
            raise BadPredictions("missing_ids", missing)
        if len(ids) > len(expected):
            raise BadPredictions("unknown_ids", _lines(~ids.isin(expected)))
        return table.set_index(pd.Index(ids, dtype=object))[targets].loc[expected]

    def _require_numbers(self, prediction: pd.DataFrame, *, like: pd.DataFrame) -> None:
        """Refuse empty fields, and text, NaN and infinities where the labels are numbers (in place)."""
        for column in prediction.columns:
            values = prediction[column]
            if getattr(self.metric, "texts", False):
                prediction[column] = values.fillna("")  # no boxes, no mask, no words: an answer like another
                continue
            if values.isna().any():
                raise BadPredictions("nan", prediction.index[values.isna()].tolist())
            if column in like and not pd.api.types.is_numeric_dtype(like[column]):
                continue
            # as text where pandas read objects: an integer of hundreds of digits is no number to it
            plain = values.astype(str) if values.dtype == object else values
            numbers = pd.to_numeric(plain, errors="coerce")
            if numbers.isna().any():
                words = values[numbers.isna()].astype(str).str.strip().str.lower()
                code = "nan" if words.isin(["nan", "na", "null", "none"]).all() else "not_a_number"
                raise BadPredictions(code, prediction.index[numbers.isna()].tolist())
            infinite = ~np.isfinite(numbers.to_numpy(dtype=float))
            if infinite.any():
                raise BadPredictions("infinite", prediction.index[infinite].tolist())
            prediction[column] = numbers

    def _check_metric(self, prediction: pd.DataFrame) -> None:
        if self.metric is None:
            return
        from mle_live.metrics import InvalidPredictions

        try:
            self.metric.check(prediction, self.truth, self.targets)
        except InvalidPredictions as fault:
            rows = prediction.index[fault.row_positions[:_IDS_SHOWN]].tolist()
            raise BadPredictions(fault.code, rows) from fault

    def _scores(self, prediction: pd.DataFrame) -> dict[str, Any]:
        parts = {"feedback": self.feedback_rows, "selection": ~self.feedback_rows}
        if self.request.get("whole"):
            parts["whole"] = np.ones(len(self.truth), dtype=bool)
        return {name: self._part(prediction, rows) for name, rows in parts.items()}

    def _part(self, prediction: pd.DataFrame, rows: np.ndarray[Any, Any]) -> dict[str, Any]:
        truth, given = self.truth[rows], prediction[rows]
        groups = self.groups[rows] if self.groups is not None else None
        started = time.monotonic()
        value = self._score(truth, given)
        if not math.isfinite(value):
            raise BadPredictions("score_not_finite")
        samples: int = self.request["samples"]
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
    ids: Iterable[object],
    targets: pd.DataFrame,
    groups: np.ndarray[Any, Any] | None,
    *,
    seed: int,
) -> np.ndarray[Any, Any]:
    """Mask of the rows whose score agents see; the others only select the winner.

    Half of the groups, else half of the rows of every class, by the order of a seeded hash of the names, so a
    row keeps its part whatever the order of the file.
    """
    names = list(groups) if groups is not None else list(ids)
    units = pd.DataFrame({"unit": [str(name) for name in names]})
    classes = targets.astype(str).agg("|".join, axis=1).to_numpy()
    grouped = groups is not None or len(set(classes)) > _MOST_CLASSES
    units["class"] = "" if grouped else classes
    units = units.drop_duplicates("unit")
    units["hash"] = [hashlib.sha256(f"{seed}:{unit}".encode()).hexdigest() for unit in units["unit"]]
    units = units.sort_values(["class", "hash"])
    shown = set(units["unit"].iloc[::2])  # alternating through the classes keeps each one's share
    return np.array([str(name) in shown for name in names], dtype=bool)


def _read(path: Path, id_column: str) -> pd.DataFrame:
    """Ids as text; only an empty field is missing (labels may read "NA" or "None")."""
    return pd.read_csv(path, dtype={id_column: str}, keep_default_na=False, na_values=[""], low_memory=False)


def _lines(mask: pd.Series[bool]) -> list[str]:
    return [f"line {row + 2}" for row in np.flatnonzero(mask.to_numpy())[:_IDS_SHOWN]]


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
        "results": [{"name": case["name"], **grader.grade(case)} for case in request["cases"]],
    }


def main() -> None:
    request = json.loads(sys.argv[1])
    sys.path[:0] = request["python_path"]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    answers.write(json.dumps(answer(request)) + "\n")
    answers.flush()
    os._exit(0)  # no exit handler of evaluate.py may add to the answer


if __name__ == "__main__":
    main()
