"""Rehearsals: which files pass, what a notebook is expected to take, how a kernel's end is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from comind.agents.kaggle_executor import can_use_accelerator
from comind.at_kaggle.rehearsal import Rehearsed, code_cells, prediction_fault
from comind.at_kaggle.words import fault_of, told_of
from kaggle_runner.jobs.gathered import gather
from kaggle_runner.jobs.orders import Attempt, Outcome
from kaggle_runner.jobs.states import NotebookState
from kaggle_runner.kaggle.records import AcceleratorQuota, LogLine, Quota
from kaggle_runner.predictions.judge import Form

SAMPLE = "id,label\n1,0\n2,0\n3,0\n"


def fault(folder: Path, text: str, sample: str = SAMPLE, *, texts: bool = False) -> str:
    (folder / "sample.csv").write_text(sample)
    (folder / "predictions.csv").write_text(text)
    form = Form.of_sample(folder / "sample.csv", texts=texts)
    return prediction_fault(folder, "predictions.csv", form, limit=1000)


@pytest.mark.parametrize(
    "text",
    ["id,label\n1,0.5\n2,0.1\n3,0.2\n", "id,label\n3,1e-3\n1,5\n2,-7\n", "id,label\n1.0,1\n2.0,1\n3.0,1\n",
     '\ufeffid,label\n"1","0.5"\n2,1\n3,1\n\n'],
)  # fmt: skip
def test_what_the_evaluator_would_take_passes(tmp_path: Path, text: str) -> None:
    assert fault(tmp_path, text) == ""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "predictions.csv would not be scored: the file is empty"),
        ("id,target\n1,0\n2,0\n3,0\n", "a required column is absent"),
        ("id,label\n1,0\n2,0\n", "as the sample does (1 of them: 3)"),
        ("id,label\n1,0\n2,0\n2,0\n", "more than once (1 of them: 2)"),
        ("id,label\n1,0\n2,0\n3,nan\n", "(column 'label'; 1 of them: 3)"),
        ("id,label\n1,0\n2,\n3,0\n", "(column 'label'; 1 of them: 2)"),
        ("id,label\n1,0\n2,0,9\n3,0\n", "(1 of them: row 2)"),
        ("id,label\n" + "1,0\n" * 400, "predictions.csv cannot be read"),
    ],
)
def test_what_it_would_refuse_is_named(tmp_path: Path, text: str, why: str) -> None:
    assert why in fault(tmp_path, text)


def test_texts_may_be_empty_where_texts_are_the_answer(tmp_path: Path) -> None:
    assert fault(tmp_path, "id,words\n1,\n2,b\n", sample="id,words\n1,none\n2,none\n", texts=True) == ""


def test_a_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text(SAMPLE)
    (tmp_path / "predictions.csv").symlink_to(tmp_path / "sample.csv")
    form = Form.of_sample(tmp_path / "sample.csv")
    assert "cannot be read" in prediction_fault(tmp_path, "predictions.csv", form, limit=1000)


def test_an_expectation_grows_with_the_rows_and_spares_what_is_carried() -> None:
    done = Rehearsed("", "", 13.0, (1.0, 2.0, 10.0))
    assert done.expected_seconds(10.0) == pytest.approx(15 + 1 + 2 + 2 + 80)
    assert done.expected_seconds(10.0, carried=2) == pytest.approx(15 + 2 + 80)
    assert done.expected_seconds(1.0) == pytest.approx(15 + 13)


def test_the_cells_of_a_gathered_notebook_end_with_the_agents_own() -> None:
    cells = ["a = 1", "print(a)"]
    assert code_cells(gather(cells, slug="data", title="t", keep=False))[-2:] == cells


@pytest.mark.parametrize(
    ("code", "expected"),
    [("import torch", True), ("model = XGBClassifier(device='cuda')", True), ("task_type='GPU'", True),
     ("import pandas as pd", False), ("torchlight = 3", False)],
)  # fmt: skip
def test_code_that_can_use_an_accelerator_is_told_from_code_that_cannot(code: str, expected: bool) -> None:
    assert can_use_accelerator(["x = 1", code]) is expected


def outcome(state: NotebookState, **more: object) -> Outcome:
    attempt = Attempt(slug="k", content="c", ref="a/k", version=1, url="u")
    values = {"failure": "why", "seconds": 5.0, **more}
    return Outcome(attempt=attempt, state=state, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "part"),
    [("abandoned", "abandoned: why"), ("timed out", "time ended"), ("cancelled", "ended the kernel: why"),
     ("lost", "lost: why"), ("failed", "the notebook failed: why")],
)  # fmt: skip
def test_every_end_without_predictions_has_its_sentence(state: NotebookState, part: str) -> None:
    assert part in fault_of(outcome(state), ("v.csv", "t.csv"))


def test_of_an_abandoned_kernel_is_told_what_that_means() -> None:
    assert "runs on until its own end" in told_of(outcome("abandoned"), None)


def test_predictions_that_did_not_come_home_are_named(tmp_path: Path) -> None:
    came = outcome("complete", saved={"v.csv": tmp_path}, left_out={"t.csv": "t.csv is too large"})
    assert fault_of(came, ("v.csv", "t.csv")) == "the kernel ended well, but t.csv is too large"
    assert fault_of(came, ("v.csv", "w.csv")).endswith("w.csv was not written")
    assert fault_of(came, ("v.csv",)) == ""


def test_the_agent_is_told_its_own_lines_the_machine_notes_and_the_quota() -> None:
    log = (LogLine("stdout", 1.0, "[comind] cell 1 begins\nauc 0.9\nWriting comind_work.py\n"),)
    quota = Quota(AcceleratorQuota(3600.0, 0.0, 36_000.0), AcceleratorQuota(0, 0, 0), None)
    told = told_of(outcome("complete", log=log, names=("v.csv",), notes=("It ran on a T4.",)), quota)
    assert "log:\nauc 0.9" in told
    assert "comind_work" not in told
    assert "note: It ran on a T4." in told
    assert "9.0 of GPU" in told
