"""Grading what agents hand in: good files, every kind of broken file, files that try to reach the labels."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from comind.evaluator.evaluator import Evaluator, known_metric_source
from comind.evaluator.grader import Grader, feedback_rows
from comind.evaluator.messages import PROBLEMS, failure_message, known_code, public_ids
from comind.state.records import Evaluation
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.sandbox import run_script
from tests.comind.evaluator.folders import (
    METRIC_WRITTEN,
    evaluator_at,
    flowers,
    houses,
    ready_evaluator,
    truth,
)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a grouped regression, split and ready."""
    run = tmp_path_factory.mktemp("street")
    asyncio.run(ready_evaluator(run, houses, "mae", higher=False))
    return run


@pytest.fixture
def evaluator(street: Path) -> Evaluator:
    return evaluator_at(street)


@pytest.fixture
def workspace(evaluator: Evaluator, tmp_path: Path) -> Path:
    """A working folder with valid predictions: the validation ones are the truth and a little noise."""
    noisy = truth(evaluator)[["id", "price"]]
    noisy["price"] += np.random.default_rng(0).normal(0, 5, len(noisy))
    noisy.to_csv(tmp_path / "validation.csv", index=False)
    sample = pd.read_csv(evaluator.folder.public / "sample_submission.csv")
    sample.to_csv(tmp_path / "submission.csv", index=False)
    return tmp_path


async def grade(
    evaluator: Evaluator, workspace: Path, *, id: str = "r1-a1-s01", validation: str = "validation.csv",
    submission: str = "submission.csv",
) -> Evaluation:  # fmt: skip
    return await evaluator.evaluate(
        id, workspace=workspace, validation_name=validation, submission_name=submission,
        agent="r1-a1", round=1, step=1,
    )  # fmt: skip


async def test_valid_files_get_both_scores_and_the_agent_reads_one(
    evaluator: Evaluator, workspace: Path
) -> None:
    graded = await grade(evaluator, workspace)
    assert (graded.success, graded.code) == (True, "ok")
    table = truth(evaluator)
    error = (pd.read_csv(workspace / "validation.csv")["price"] - table["price"]).abs()
    shown = feedback_rows(table["id"], table[["price"]], table["day"].astype(str).to_numpy(), seed=7)
    for part, rows in (("feedback", shown), ("selection", ~shown)):
        score = graded.score(part)  # type: ignore[arg-type]
        assert score is not None
        assert score.value == pytest.approx(error[rows].mean())
        assert score.low <= score.value <= score.high
        assert score.low < score.high
        assert score.rows == rows.sum()
    assert f"{graded.feedback['score']:.6g}" in graded.message
    assert f"{graded.selection['score']:.6g}" not in graded.message
    assert graded.submission == "evaluations/r1-a1-s01/submission.csv"
    assert (evaluator.folder.path / graded.submission).read_bytes() == (
        workspace / "submission.csv"
    ).read_bytes()


async def test_order_of_rows_does_not_matter(evaluator: Evaluator, workspace: Path) -> None:
    first = await grade(evaluator, workspace)
    table = pd.read_csv(workspace / "validation.csv").sample(frac=1.0, random_state=0)
    table.to_csv(workspace / "validation.csv", index=False)
    second = await grade(evaluator, workspace, id="r1-a1-s02")
    assert (first.code, second.code) == ("ok", "ok")
    assert second.feedback == first.feedback
    assert second.sha256 != first.sha256


async def test_equal_files_are_graded_once_even_after_a_restart(
    evaluator: Evaluator, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await grade(evaluator, workspace)
    monkeypatch.setattr("comind.evaluator.evaluator.run_grader", None)  # would fail if it were called
    again = await grade(evaluator_at(evaluator.folder.path), workspace, id="r2-a1-s09")
    assert again.feedback == first.feedback
    assert (again.id, again.sha256) == ("r2-a1-s09", first.sha256)


async def test_baseline_is_the_sample_submission(evaluator: Evaluator) -> None:
    graded = await evaluator.baseline()
    assert (graded.id, graded.success) == ("baseline", True)
    table = truth(evaluator)
    total = (
        graded.feedback["score"] * graded.feedback["rows"]
        + graded.selection["score"] * graded.selection["rows"]
    )
    assert total / len(table) == pytest.approx((table["price"] - 200).abs().mean())


def edit(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        change(pd.read_csv(path)).to_csv(path, index=False)

    return apply


def price_of_first(value: Any) -> Callable[[Path], None]:
    return edit(lambda table: table.assign(price=[value, *table["price"][1:]]))


BROKEN: dict[str, Callable[[Path], object]] = {
    "unreadable": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "empty_file": lambda path: path.write_bytes(b""),
    "missing_column": edit(lambda table: table.rename(columns={"price": "Price"})),
    "missing_ids": edit(lambda table: table.iloc[3:]),
    "unknown_ids": edit(lambda table: pd.concat([table, table.tail(2).assign(id=[-1, -2])])),
    "duplicate_ids": edit(lambda table: pd.concat([table, table.tail(2)])),
    "blank_id": edit(lambda table: pd.concat([table, pd.DataFrame({"id": [None], "price": [1.0]})])),
    "nan": price_of_first(None),
    "infinite": price_of_first("inf"),
    "not_a_number": price_of_first("twelve"),
}


@pytest.fixture(scope="module")
def grader(street: Path) -> Grader:
    """The sandbox's program in this process: its verdicts without the seconds of its start."""
    evaluator = evaluator_at(street)
    return Grader(
        {
            "truth": evaluator.labels, "evaluate": evaluator.folder.private / "evaluate.py",
            "sample_submission": evaluator.folder.public / "sample_submission.csv",
            "id_column": "id", "targets": ["price"], "group": "day",
            "seed": 7, "seconds": 5, "cases": [],
        }
    )  # fmt: skip


@pytest.mark.parametrize("code", BROKEN)
@pytest.mark.parametrize("file", ["validation", "test"])
def test_a_broken_table_gets_its_code_and_no_score(
    grader: Grader, evaluator: Evaluator, workspace: Path, code: str, file: str
) -> None:
    paths = {"validation": workspace / "validation.csv", "test": workspace / "submission.csv"}
    BROKEN[code](paths[file])
    answer = grader.grade({"name": "files", **paths})
    assert (answer["success"], answer["code"], answer["file"]) == (False, code, file)
    assert "feedback" not in answer
    public = set(pd.read_csv(evaluator.folder.public / "sample_submission.csv", dtype=str)["id"])
    public |= set(pd.read_csv(evaluator.folder.public / "validation.csv", dtype=str)["id"])
    assert public_ids(answer["ids"], public) == answer["ids"]
    assert code in PROBLEMS


def test_a_number_of_hundreds_of_digits_is_infinite_and_no_fault_of_the_metric(
    grader: Grader, workspace: Path
) -> None:
    paths = {"validation": workspace / "validation.csv", "test": workspace / "submission.csv"}
    price_of_first("1" * 400)(paths["validation"])
    assert grader.grade({"name": "files", **paths})["code"] == "infinite"


def test_an_empty_text_is_an_answer_where_the_metric_reads_texts(tmp_path: Path) -> None:
    said = [f"words of row {n}" for n in range(40)]
    pd.DataFrame({"id": range(40), "said": said}).to_csv(tmp_path / "truth.csv", index=False)
    (tmp_path / "evaluate.py").write_text(known_metric_source("word_jaccard"), encoding="utf-8")
    empty = pd.DataFrame({"id": range(40), "said": ["", *said[1:]]})
    empty.to_csv(tmp_path / "submission.csv", index=False)
    request = {
        "truth": tmp_path / "truth.csv", "evaluate": tmp_path / "evaluate.py",
        "sample_submission": tmp_path / "submission.csv", "id_column": "id", "targets": ["said"],
        "group": None, "seed": 7, "seconds": 5, "whole": True, "cases": [],
    }  # fmt: skip
    paths = {"validation": tmp_path / "submission.csv", "test": tmp_path / "submission.csv", "samples": 20}
    answer = Grader(request).grade({"name": "files", **paths})
    assert answer["success"] and answer["whole"]["score"] == pytest.approx(39 / 40)


def pipe_instead(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


TRICKS: dict[str, Callable[[Path], object]] = {
    "missing_file": lambda path: path.unlink(),
    "too_large": lambda path: path.open("wb").truncate(3_000_000_000),
    "unsafe_file": pipe_instead,
}


@pytest.mark.parametrize("code", TRICKS)
@pytest.mark.parametrize("file", ["validation", "test"])
async def test_a_file_that_cannot_be_taken_is_refused(
    evaluator: Evaluator, workspace: Path, code: str, file: str
) -> None:
    TRICKS[code](workspace / ("validation.csv" if file == "validation" else "submission.csv"))
    graded = await grade(evaluator, workspace, id=f"{file}-{code}")
    assert (graded.success, graded.code) == (False, code)
    assert (graded.feedback, graded.selection) == ({}, {})
    assert f"{file} predictions" in graded.message


async def test_binary_junk_is_answered_in_one_plain_sentence(evaluator: Evaluator, workspace: Path) -> None:
    (workspace / "submission.csv").write_bytes(bytes(range(256)) * 40)
    graded = await grade(evaluator, workspace)
    assert graded.code == "unreadable"
    assert graded.message.startswith("Not scored. The test predictions: it is not a readable CSV")
    assert graded.message.count("\n") == 0


async def test_message_names_the_first_rows(evaluator: Evaluator, workspace: Path) -> None:
    first = str(pd.read_csv(workspace / "validation.csv")["id"][0])
    price_of_first(None)(workspace / "validation.csv")
    assert first in (await grade(evaluator, workspace)).message


async def test_both_files_or_none(evaluator: Evaluator, workspace: Path) -> None:
    graded = await grade(evaluator, workspace, submission="")
    assert (graded.success, graded.code) == (False, "both_files")


@pytest.mark.parametrize("name", ["../{labels}", "link.csv", "folder/link.csv", "/{labels}"])
async def test_labels_cannot_be_handed_in_through_links_or_paths(
    evaluator: Evaluator, workspace: Path, name: str
) -> None:
    (workspace / "link.csv").symlink_to(evaluator.labels)
    (workspace / "folder").symlink_to(evaluator.labels.parent)
    (evaluator.labels.parent / "link.csv").write_bytes(evaluator.labels.read_bytes())
    outside = (
        str(evaluator.labels)[1:] if name[0] == "/" else os.path.relpath(evaluator.labels, workspace)[3:]
    )
    graded = await grade(evaluator, workspace, validation=name.format(labels=outside))
    assert (graded.success, graded.code) == (False, "unsafe_file")


async def test_a_metric_that_tells_labels_reaches_no_agent(
    street: Path, workspace: Path, tmp_path: Path
) -> None:
    evaluator = evaluator_at(street)
    before = (evaluator.folder.private / "evaluate.py").read_text()
    secret = str(truth(evaluator)["price"][0])
    telling = METRIC_WRITTEN.replace(
        "    return", '    print(truth)\n    raise ValueError(str(truth["price"].iloc[0]))\n    return'
    )
    try:
        evaluator.install(telling)
        graded = await grade(evaluator, workspace)
    finally:
        evaluator.install(before)
    assert graded.code == "metric_error"
    assert secret not in graded.message
    assert secret not in (evaluator.folder.evaluation("r1-a1-s01") / "result.json").read_text()


async def test_a_dying_grader_is_not_the_agents_fault(street: Path, workspace: Path) -> None:
    evaluator = evaluator_at(street)
    before = (evaluator.folder.private / "evaluate.py").read_text()
    try:
        evaluator.install("import os\nos._exit(3)\n")
        graded = await grade(evaluator, workspace)
    finally:
        evaluator.install(before)
    assert (graded.success, graded.code) == (False, "infrastructure")
    assert "not yours" in graded.message


async def test_labels_as_text_with_a_written_metric(tmp_path: Path) -> None:
    evaluator = await ready_evaluator(tmp_path, flowers, "accuracy", higher=True)
    evaluator.install(
        "HIGHER_IS_BETTER = True\n"
        "def score(truth, submission):\n"
        '    return (truth["kind"] == submission["kind"]).mean()\n'
    )
    place = tmp_path / "working"
    place.mkdir()
    truth(evaluator).to_csv(place / "validation.csv", index=False)
    (place / "submission.csv").write_bytes((evaluator.folder.public / "sample_submission.csv").read_bytes())
    graded = await grade(evaluator, place)
    assert graded.feedback["score"] == graded.selection["score"] == 1.0
    assert abs(graded.feedback["rows"] - graded.selection["rows"]) <= 1


def test_parts_are_disjoint_halves_that_follow_the_id_and_not_the_order() -> None:
    ids = [f"row{n}" for n in range(400)]
    targets = pd.DataFrame({"y": ["rare"] * 8 + ["common"] * 392})
    shown = feedback_rows(ids, targets, None, seed=1)
    assert (shown.sum(), shown[:8].sum()) == (200, 4)
    order = np.random.default_rng(0).permutation(400)
    again = feedback_rows([ids[n] for n in order], targets.iloc[order], None, seed=1)
    assert (again == shown[order]).all()
    assert (feedback_rows(ids, targets, None, seed=2) != shown).any()


def test_parts_keep_groups_whole() -> None:
    groups = np.repeat(np.arange(30).astype(str), 7)
    shown = feedback_rows(np.arange(210), pd.DataFrame({"y": np.arange(210)}), groups, seed=1)
    assert len(set(groups[shown])) == 15
    assert not set(groups[shown]) & set(groups[~shown])


def test_messages_show_known_codes_and_public_ids_only() -> None:
    assert known_code("the label is 7") == "metric_error"
    assert public_ids(["a", "label 7", "row 12", 3], {"a"}) == ["a", "row 12"]
    for code in PROBLEMS:
        assert failure_message(code, file="test", ids=["a"]).startswith("Not scored. ")


async def test_result_file_is_complete_json(evaluator: Evaluator, workspace: Path) -> None:
    graded = await grade(evaluator, workspace, id="r1-a3-s01")
    kept = json.loads((evaluator.folder.evaluation("r1-a3-s01") / "result.json").read_text())
    assert kept["selection"] == json.loads(json.dumps(graded.selection))


async def test_an_agents_sandbox_sees_neither_labels_nor_metric(street: Path, tmp_path: Path) -> None:
    evaluator = evaluator_at(street)
    canary = "canary-7f3a91"
    (evaluator.folder.private / "canary.txt").write_text(canary)
    search = (
        "import os, sys\n"
        "skipped = {'/usr', '/proc', '/sys', '/dev', '/etc', sys.prefix, sys.base_prefix}\n"
        "for folder, inner, names in os.walk('/'):\n"
        "    inner[:] = [one for one in inner if os.path.join(folder, one) not in skipped]\n"
        "    for name in names:\n"
        "        try:\n"
        "            text = open(os.path.join(folder, name), 'rb').read(100000)\n"
        "        except OSError:\n"
        "            continue\n"
        f"        assert {canary[:6]!r}.encode() + {canary[6:]!r}.encode() not in text, folder\n"
        f"assert not os.path.exists({str(evaluator.labels)!r})\n"
        "print('searched', sorted(os.listdir('/kaggle/input/houses')))\n"
    )
    done = await run_script(
        ["python", "-c", search],
        mounts={"/kaggle/input/houses": evaluator.folder.public}, writable={"/kaggle/working": tmp_path},
        limits=BatchLimits(60), cwd="/kaggle/working",
    )  # fmt: skip
    (evaluator.folder.private / "canary.txt").unlink()
    assert done.returncode == 0, done.stderr
    assert "validation.csv" in done.stdout
    assert evaluator.folder.private.stat().st_mode & 0o077 == 0
