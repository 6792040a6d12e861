"""The sandbox's grader on labels, metrics and files that are written out here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import comind.evaluator.grader as program
from comind.evaluator.evaluator import known_metric_source
from comind.evaluator.grader import Grader, answer, feedback_rows

MEAN_ERROR = """
HIGHER_IS_BETTER = False
CALLS = []
def score(truth, submission):
    CALLS.append(len(truth))
    return (truth["y"] - submission["y"]).abs().mean()
"""
SAME_TEXTS = """
HIGHER_IS_BETTER = True
def score(truth, submission):
    return (truth["y"].astype(str) == submission["y"].astype(str)).mean()
"""
ROWS = 40


def request(folder: Path, metric: str, labels: Sequence[object], **changes: Any) -> dict[str, Any]:
    """A competition of rows r0, r1, … with these labels; `metric` is a known one's name or a source."""
    ids = [f"r{number}" for number in range(len(labels))]
    truth = pd.DataFrame({"id": ids, "y": labels})
    if "shop" in changes:
        truth["shop"] = changes.pop("shop")
    truth.to_csv(folder / "truth.csv", index=False)
    truth[["id", "y"]].to_csv(folder / "sample.csv", index=False)
    source = metric if "\n" in metric else known_metric_source(metric)
    (folder / "evaluate.py").write_text(source, encoding="utf-8")
    return {
        "truth": str(folder / "truth.csv"), "evaluate": str(folder / "evaluate.py"),
        "sample_submission": str(folder / "sample.csv"), "id_column": "id", "targets": ["y"],
        "group": "shop" if "shop" in truth else None, "seed": 7, "seconds": 1000, "cases": [],
        "whole": True, "answers": 1, **changes,
    }  # fmt: skip


def case(folder: Path, predictions: Sequence[object], **more: object) -> dict[str, Any]:
    ids = [f"r{number}" for number in range(len(predictions))]
    pd.DataFrame({"id": ids, "y": predictions}).to_csv(folder / "given.csv", index=False)
    return {"name": "files", "validation": str(folder / "given.csv"), "samples": 30, **more}


NUMBERS = [float(number) for number in range(ROWS)]


def test_each_part_has_its_rows_and_its_score(tmp_path: Path) -> None:
    grader = Grader(request(tmp_path, MEAN_ERROR, NUMBERS))
    said = grader.grade(case(tmp_path, [value + (value < 10) for value in NUMBERS]))
    assert (said["success"], said["code"], said["file"], said["ids"]) == (True, "ok", "", [])
    shown = grader.feedback_rows
    for part, rows in (("feedback", shown), ("selection", ~shown), ("whole", shown | ~shown)):
        assert said[part]["rows"] == rows.sum()
        assert said[part]["score"] == pytest.approx(rows[:10].sum() / rows.sum())
        low, high = said[part]["interval"]
        assert low < said[part]["score"] < high
    assert "whole" not in Grader(request(tmp_path, MEAN_ERROR, NUMBERS, whole=False)).grade(
        case(tmp_path, NUMBERS)
    )


@pytest.mark.parametrize(
    ("labels", "predictions", "score"),
    [
        ([1, 2] * 20, ["1.0", "2"] * 20, 1.0),  # whole labels: a whole number in any writing
        ([1, 2] * 20, ["1.5", "2"] * 20, 0.0),  # not all are whole, so all stay as they are
        ([2**53, 2] * 20, [str(2**53), "2"] * 20, 0.0),  # beyond what a float holds exactly
        ([2**53 - 1, 2] * 20, [str(2**53 - 1), "2"] * 20, 1.0),
        ([1.5, 2.0] * 20, ["1.50", "2"] * 20, 1.0),
        ([True, False] * 20, ["True", "False"] * 20, 1.0),
        (["cat", "NA"] * 20, ["cat", "NA"] * 20, 1.0),
        (["cat", "None"] * 20, ["cat", "dog"] * 20, 0.5),
        (["01", "x"] * 20, ["1", "x"] * 20, 0.5),
    ],
)
def test_predictions_are_compared_in_the_type_of_the_labels(
    tmp_path: Path, labels: list[object], predictions: list[str], score: float
) -> None:
    said = Grader(request(tmp_path, SAME_TEXTS, labels)).grade(case(tmp_path, predictions))
    assert said.get("whole", said)["score"] == score


def test_labels_of_one_column_have_one_type_however_long_the_file(tmp_path: Path) -> None:
    labels = [*range(2000), "last"]  # pandas would read half a megabyte in pieces, each with its own types
    grader = Grader(request(tmp_path, SAME_TEXTS, labels, shop=["x" * 250] * len(labels)))
    assert set(map(type, grader.truth["y"])) == {str}


@pytest.mark.parametrize(("samples", "seconds", "draws"), [(30, 1000, 30), (30, 0, 20), (5, 1000, 5)])
def test_a_slow_metric_is_drawn_less_often(tmp_path: Path, samples: int, seconds: int, draws: int) -> None:
    grader = Grader(request(tmp_path, MEAN_ERROR, NUMBERS, seconds=seconds, whole=False))
    grader.grade(case(tmp_path, NUMBERS, samples=samples))
    assert len(grader.evaluate.CALLS) == 2 * (1 + draws)


def test_a_metric_that_refuses_all_resamples_has_no_width(tmp_path: Path) -> None:
    picky = MEAN_ERROR.replace("    CALLS", "    assert truth.index.is_unique\n    CALLS")
    said = Grader(request(tmp_path, picky, NUMBERS)).grade(case(tmp_path, [*NUMBERS[:-1], 0.0]))
    assert said["whole"]["interval"] == [said["whole"]["score"]] * 2 == [39 / 40] * 2


def test_whole_groups_are_drawn(tmp_path: Path) -> None:
    shops = [f"s{number // 10}" for number in range(ROWS)]
    made = request(tmp_path, MEAN_ERROR, NUMBERS, shop=shops)
    given = [value + 10 * (n < 10) for n, value in enumerate(NUMBERS)]
    said = Grader(made).grade(case(tmp_path, given, samples=100))
    assert said["feedback"]["rows"] == said["selection"]["rows"] == 20
    assert said["whole"]["score"] == 2.5
    assert said["whole"]["interval"][0] == 0.0 and said["whole"]["interval"][1] >= 5.0


@pytest.mark.parametrize(
    ("metric", "changed", "code", "ids"),
    [
        ("mae", "inf", "infinite", ["r3"]),
        ("mae", "", "nan", ["r3"]),
        ("mae", "x", "not_a_number", ["r3"]),
        ("binary_log_loss", "1.5", "out_of_range", ["r3"]),
        (MEAN_ERROR.replace(".mean()", ".mean() * float('inf')"), "0", "score_not_finite", []),
        (MEAN_ERROR.replace("return", "raise MemoryError  #"), "0", "too_large", []),
    ],
)
def test_a_fault_has_its_code_and_its_rows(
    tmp_path: Path, metric: str, changed: str, code: str, ids: list[str]
) -> None:
    made = request(tmp_path, metric, [0, 1] * 20)
    said = Grader(made).grade(case(tmp_path, [*["0.5"] * 3, changed, *["0.5"] * 36]))
    assert said == {"success": False, "code": code, "file": "validation", "ids": ids, "trace": ""}


def test_the_test_file_is_judged_by_the_sample_after_the_validation_file(tmp_path: Path) -> None:
    grader = Grader(request(tmp_path, MEAN_ERROR, NUMBERS))
    short = tmp_path / "short.csv"
    short.write_text("id,y\nr0,1\n")
    said = grader.grade(case(tmp_path, NUMBERS, test=str(short)))
    assert (said["success"], said["code"], said["file"]) == (False, "missing_ids", "test")
    assert said["ids"] == ["r1", "r2", "r3", "r4", "r5"]
    said = grader.grade(case(tmp_path, NUMBERS[:-1], test=str(short)))
    assert (said["code"], said["file"], said["ids"]) == ("missing_ids", "validation", ["r39"])
    assert grader.grade(case(tmp_path, NUMBERS, test=str(tmp_path / "sample.csv")))["success"]


def test_the_trace_of_a_metric_goes_to_its_author(tmp_path: Path) -> None:
    broken = MEAN_ERROR.replace("return", "raise KeyError('size')  #")
    said = Grader(request(tmp_path, broken, NUMBERS)).grade(case(tmp_path, NUMBERS))
    assert (said["success"], said["code"], said["file"]) == (False, "metric_error", "validation")
    assert said["trace"].rstrip().endswith("KeyError: 'size'")


def test_an_answer_holds_every_case_under_its_name(tmp_path: Path) -> None:
    good = case(tmp_path, NUMBERS)
    missing = {"name": "gone", "validation": str(tmp_path / "none.csv")}
    said = answer(request(tmp_path, MEAN_ERROR, NUMBERS, cases=[good, missing]))
    assert (said["ready"], said["higher_is_better"], said["perfect"]) == (True, False, None)
    assert [(one["name"], one["code"]) for one in said["results"]] == [
        ("files", "ok"),
        ("gone", "missing_file"),
    ]
    known = answer(request(tmp_path, "accuracy", ["a", "b"] * 20))
    assert (known["higher_is_better"], known["perfect"], known["results"]) == (True, 1.0, [])
    odd = answer(request(tmp_path, MEAN_ERROR.replace("False", "'no'"), NUMBERS))
    assert (odd["ready"], odd["higher_is_better"]) == (True, None)


@pytest.mark.parametrize(
    ("name", "source", "told"),
    [
        ("evaluate.py", "def score(:\n", "SyntaxError"),
        ("evaluate.py", "x = 1\n", "HIGHER_IS_BETTER"),
        ("evaluate.txt", "HIGHER_IS_BETTER = True\n", "evaluate.txt cannot be imported"),
    ],
)
def test_a_metric_that_cannot_be_used_is_not_ready(tmp_path: Path, name: str, source: str, told: str) -> None:
    made = request(tmp_path, MEAN_ERROR, NUMBERS, evaluate=str(tmp_path / name))
    (tmp_path / name).write_text(source)
    said = answer(made)
    assert said.keys() == {"ready", "trace"} and said["ready"] is False and told in said["trace"]


@pytest.mark.parametrize(("classes", "kept"), [(2, True), (50, True), (51, False)])
def test_classes_keep_their_halves_unless_there_are_very_many(classes: int, kept: bool) -> None:
    names = [f"class {number % classes:02}" for number in range(4 * classes)]
    shown = feedback_rows([f"r{n}" for n in range(len(names))], pd.DataFrame({"y": names}), None, seed=1)
    assert shown.sum() == 2 * classes
    shares = pd.Series(shown).groupby(names).sum()
    assert bool((shares == 2).all()) is kept


def test_groups_are_halved_by_name_whatever_their_classes() -> None:
    groups = np.array([f"g{n // 3}" for n in range(60)])
    targets = pd.DataFrame({"y": ["a", "b", "c"] * 20})
    shown = feedback_rows(range(60), targets, groups, seed=1)
    assert shown.sum() == 30 and (shown.reshape(20, 3).sum(axis=1) % 3 == 0).all()
    assert (feedback_rows(range(60), targets[::-1], groups, seed=1) == shown).all()


def test_only_the_answer_leaves_the_process(tmp_path: Path) -> None:
    talking = MEAN_ERROR + (
        "import atexit, os\n"
        "print('a label', flush=True)\n"
        "os.write(1, b'another')\n"
        "def late():\n"
        "    for number in range(1, 20):\n"
        "        try:\n"
        "            os.write(number, b'late')\n"
        "        except OSError:\n"
        "            pass\n"
        "atexit.register(late)\n"
    )
    root = str(Path(program.__file__).parents[2])
    made = request(tmp_path, talking, NUMBERS, cases=[case(tmp_path, NUMBERS)], python_path=[root])
    command = [sys.executable, "-P", program.__file__, json.dumps(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["results"][0]["code"] == "ok"
    assert done.stderr == ""
