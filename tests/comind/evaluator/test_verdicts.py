"""The evaluator around its two scripts, which run in this process here: what it takes, keeps and tells."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from comind.evaluator.evaluator import Evaluator, known_metric_source, most_bytes
from comind.evaluator.grader import answer
from comind.evaluator.scripts import GradingFailed, ScriptAnswer, grader_request, parse_answer
from comind.evaluator.split import standard_split_source
from comind.state.records import Evaluation
from kaggle_runner.errors import EvaluatorRejected
from tests.comind.evaluator.folders import evaluator_at, evaluator_for, flowers, truth

MODULE = "comind.evaluator.evaluator"


class Scripts:
    """Stands for the sandbox: runs both scripts here, or gives the next of `answers`."""

    def __init__(self) -> None:
        self.answers: list[ScriptAnswer | Exception | None] = []
        """None is the true one."""
        self.graded = 0
        self.at_once = self.most_at_once = 0

    async def split(self, script: Path, *, original: Path, public: Path, private: Path, fraction: float,
                    seed: int, **_: Any) -> None:  # fmt: skip
        names: dict[str, Any] = {}
        exec((script / "split_dataset.py").read_text(), names)
        names["split"](original, public, private, fraction=fraction, seed=seed)

    async def grade(self, cases: Any, *, folder: Any, predictions: Path, profile: Any, seed: int, whole: bool,
                    answers: int, memory_bytes: int | None) -> list[ScriptAnswer]:  # fmt: skip
        self.graded += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        self.at_once -= 1
        given = self.answers.pop(0) if self.answers else None
        if isinstance(given, Exception):
            raise given
        request = grader_request(
            cases, profile=profile, seed=seed, whole=whole, answers=answers, labels=str(folder.private),
            predictions=str(predictions), public=str(folder.public), packages="",
        )  # fmt: skip
        for case in request["cases"]:
            case["samples"] = 2
        return [given or parse_answer(json.dumps(answer(request))) for _ in range(answers)]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Scripts:
    made = Scripts()
    monkeypatch.setattr(f"{MODULE}.run_split", made.split)
    monkeypatch.setattr(f"{MODULE}.run_grader", made.grade)
    return made


@pytest.fixture
def evaluator(tmp_path: Path, scripts: Scripts) -> Evaluator:
    made = evaluator_for(tmp_path / "run", lambda folder: flowers(folder, 120), "accuracy", higher=True)
    asyncio.run(made.split(standard_split_source(made.profile.facts), fraction=0.25))
    made.install(known_metric_source("accuracy"))
    return made


@pytest.fixture
def workspace(evaluator: Evaluator, tmp_path: Path) -> Path:
    """Right predictions for all validation rows but the first."""
    folder = tmp_path / "working"
    folder.mkdir()
    table = truth(evaluator)
    table.loc[0, "kind"] = "weed" if table.loc[0, "kind"] != "weed" else "rose"
    table.to_csv(folder / "validation.csv", index=False)
    sample = evaluator.folder.public / "sample_submission.csv"
    (folder / "submission.csv").write_bytes(sample.read_bytes())
    return folder


async def grade(evaluator: Evaluator, workspace: Path, id: str = "r1-a1-s01", **names: str) -> Evaluation:
    files = {"validation_name": "validation.csv", "submission_name": "submission.csv"} | names
    return await evaluator.evaluate(id, workspace=workspace, agent="r1-a1", round=1, step=2, **files)


async def test_a_split_and_a_metric_make_it_ready_and_a_new_split_takes_the_old_ones_place(
    tmp_path: Path, scripts: Scripts
) -> None:
    made = evaluator_for(tmp_path, lambda folder: flowers(folder, 120), "accuracy", higher=True)
    source = standard_split_source(made.profile.facts)
    await made.split(source, fraction=0.25)
    without_metric = made.ready
    made.install(known_metric_source("accuracy"))
    assert (without_metric, made.ready) == (False, True)
    assert (made.folder.private.stat().st_mode & 0o777) == 0o700
    assert (made.folder.private / "split_dataset.py").read_text() == source
    before = made.labels.read_text()
    (made.folder.public / "left.txt").write_text("of the first split")
    with pytest.raises(EvaluatorRejected, match="size"):
        await made.split(source.replace("train[~held_out]", "train"), fraction=0.4)
    assert made.labels.read_text() == before and (made.folder.public / "left.txt").exists()
    await made.split(source, fraction=0.4)
    assert made.labels.read_text() != before and not (made.folder.public / "left.txt").exists()
    assert not (made.folder.path / "data" / "staging").exists()
    made.labels.unlink()
    assert not made.ready


async def test_checks_try_the_metric_twice_and_leave_no_labels_behind(
    evaluator: Evaluator, scripts: Scripts
) -> None:
    checks = await evaluator.check()
    assert len(checks) == 16 and all(check.passed for check in checks) and scripts.graded == 1
    assert (await evaluator.baseline()).success and scripts.graded == 1  # the checks had graded it
    assert len(await evaluator_at(evaluator.folder.path, "accuracy", higher=True).check()) == 16
    scripts.answers = [GradingFailed("it died")]
    with pytest.raises(EvaluatorRejected, match="The metric could not be tried: it died"):
        await evaluator.check()
    assert not (evaluator.folder.private / "trials").exists()


async def test_an_evaluation_tells_one_half_and_keeps_both(
    evaluator: Evaluator, scripts: Scripts, workspace: Path
) -> None:
    graded = await grade(evaluator, workspace)
    assert (graded.success, graded.code, graded.agent, graded.round, graded.step) == (
        True,
        "ok",
        "r1-a1",
        1,
        2,
    )
    scores = sorted([graded.feedback["score"], graded.selection["score"]])
    assert scores[0] < scores[1] == 1.0, "the one wrong row is in one of the halves"
    assert f"{graded.feedback['score']:.6g} on {graded.feedback['rows']} feedback rows" in graded.message
    assert graded.submission == "evaluations/r1-a1-s01/submission.csv"
    assert graded.validation_submission == "evaluations/r1-a1-s01/validation_submission.csv"
    kept = json.loads((evaluator.folder.evaluation("r1-a1-s01") / "result.json").read_text())
    assert (kept["code"], kept["feedback"]["score"]) == ("ok", graded.feedback["score"])
    assert len(graded.sha256) == 64 and scripts.graded == 1


async def test_equal_files_are_graded_once_for_each_metric(
    evaluator: Evaluator, scripts: Scripts, workspace: Path
) -> None:
    first = await grade(evaluator, workspace)
    again = await grade(evaluator_at(evaluator.folder.path, "accuracy", higher=True), workspace, "r1-a2-s01")
    assert (again.feedback, again.id, scripts.graded) == (first.feedback, "r1-a2-s01", 1)
    assert (evaluator.folder.evaluation("r1-a2-s01") / "result.json").exists()
    evaluator.install(known_metric_source("accuracy") + "# anew\n")
    await grade(evaluator, workspace, "r1-a3-s01")
    assert scripts.graded == 2


async def test_a_result_that_a_crash_cut_short_is_graded_again(
    evaluator: Evaluator, scripts: Scripts, workspace: Path
) -> None:
    await grade(evaluator, workspace)
    (evaluator.folder.evaluation("r1-a1-s01") / "result.json").write_text('{"code": "o')
    again = evaluator_at(evaluator.folder.path, "accuracy", higher=True)
    assert (await grade(again, workspace, "r1-a2-s01")).success and scripts.graded == 2


READY = ScriptAnswer(True, "", True, 1.0, {})
DEAD = GradingFailed("it died")


@pytest.mark.parametrize(
    ("answers", "code", "asked"),
    [
        ([DEAD], "ok", 2),
        ([OSError("no sandbox")], "ok", 2),
        ([DEAD, DEAD], "infrastructure", 2),
        ([ScriptAnswer(False, "trace", None, None, {}), None], "ok", 2),
        ([ScriptAnswer(False, "trace", None, None, {"files": {"success": True}})] * 2, "infrastructure", 2),
        ([READY, READY], "infrastructure", 2),
    ],
)
async def test_a_fault_of_the_machine_is_tried_twice_and_not_remembered(
    evaluator: Evaluator, scripts: Scripts, workspace: Path, answers: list[Any], code: str, asked: int
) -> None:
    scripts.answers = [*answers]
    graded = await grade(evaluator, workspace)
    assert (graded.code, graded.success, scripts.graded) == (code, code == "ok", asked)
    assert (await grade(evaluator, workspace, "r1-a1-s02")).success


PART = {"score": 0.5, "interval": [0.4, 0.6], "rows": 9}
OTHER = {"score": 0.7, "interval": [0.6, 0.8], "rows": 8}


@pytest.mark.parametrize(
    ("result", "code", "file", "scores"),
    [
        ({"success": True, "feedback": PART, "selection": OTHER}, "ok", "", (0.5, 0.7)),
        ({"success": True, "feedback": PART}, "metric_error", "", ()),
        ({"success": True, "selection": PART}, "metric_error", "", ()),
        ({"success": "yes", "feedback": PART, "selection": OTHER}, "metric_error", "", ()),
        ({"success": True, "feedback": PART, "selection": OTHER | {"score": "nan"}}, "metric_error", "", ()),
        ({"success": True, "feedback": PART, "selection": OTHER | {"interval": [1]}}, "metric_error", "", ()),
        ({"success": False, "code": "nan", "file": "test", "feedback": PART}, "nan", "test", ()),
        ({"success": False, "code": "the label is 7", "file": "secret"}, "metric_error", "", ()),
    ],
)
async def test_only_known_words_and_finite_numbers_are_believed(
    evaluator: Evaluator, scripts: Scripts, workspace: Path, result: dict[str, Any], code: str, file: str,
    scores: tuple[float, ...],
) -> None:  # fmt: skip
    scripts.answers = [ScriptAnswer(True, "", True, 1.0, {"files": result})]
    graded = await grade(evaluator, workspace)
    assert (graded.code, graded.success) == (code, code == "ok")
    told = [part["score"] for part in (graded.feedback, graded.selection) if part]
    assert told == [*scores] and ("The test predictions" in graded.message) is (file == "test")


async def test_only_ids_of_the_samples_and_numbers_of_rows_are_shown(
    evaluator: Evaluator, scripts: Scripts, workspace: Path
) -> None:
    public = evaluator.folder.public
    validation, test, train = (
        pd.read_csv(public / name)["id"][0]
        for name in ("sample_validation_submission.csv", "sample_submission.csv", "train.csv")
    )
    ids = ["weed", validation, train, 7, test, "row 12"]
    result = {"success": False, "code": "nan", "file": "validation", "ids": ids}
    scripts.answers = [ScriptAnswer(True, "", True, 1.0, {"files": result})]
    graded = await grade(evaluator, workspace)
    assert f"(first: {validation}, {test}, row 12)" in graded.message


@pytest.mark.parametrize("name", ["validation.csv", "submission.csv"])
async def test_a_file_may_be_forty_times_its_sample_and_a_megabyte(
    evaluator: Evaluator, scripts: Scripts, workspace: Path, name: str
) -> None:
    sample = "sample_validation_submission.csv" if name == "validation.csv" else "sample_submission.csv"
    size = (evaluator.folder.public / sample).stat().st_size
    limit = most_bytes(evaluator.folder.public / sample)
    assert limit == 1_000_000 + 40 * size
    path = workspace / name
    path.write_text(path.read_text().ljust(limit, "\n"))
    assert (await grade(evaluator, workspace)).code == "ok"
    path.write_text(path.read_text() + "\n")
    refused = await grade(evaluator, workspace, "r1-a1-s02")
    assert (refused.code, refused.sha256, refused.submission) == ("too_large", "", "")
    assert ("The validation predictions" in refused.message) is (name == "validation.csv")
    assert scripts.graded == 1


@pytest.mark.parametrize(
    ("names", "code", "file"),
    [
        ({"validation_name": ""}, "both_files", ""),
        ({"submission_name": ""}, "both_files", ""),
        ({"validation_name": "none.csv"}, "missing_file", "validation"),
        ({"submission_name": "none.csv"}, "missing_file", "test"),
        ({"submission_name": "a\0b"}, "missing_file", "test"),
        ({"submission_name": "link.csv"}, "unsafe_file", "test"),
    ],
)
async def test_what_cannot_be_taken_is_refused_before_it_is_graded(
    evaluator: Evaluator, scripts: Scripts, workspace: Path, names: dict[str, str], code: str, file: str
) -> None:
    (workspace / "link.csv").symlink_to(evaluator.labels)
    refused = await grade(evaluator, workspace, **names)
    assert (refused.success, refused.code, refused.sha256, scripts.graded) == (False, code, "", 0)
    assert (f"The {file} predictions" in refused.message) is bool(file)
    assert (refused.feedback, refused.selection) == ({}, {})


async def test_the_baseline_is_the_sample_and_nobodys(evaluator: Evaluator) -> None:
    evaluator._clock.advance(1000.0)  # type: ignore[attr-defined]
    graded = await evaluator.baseline()
    assert (graded.id, graded.agent, graded.round, graded.step) == ("baseline", "", 0, 0)
    assert graded.success and 0 <= graded.seconds < 100
    rows = graded.feedback["rows"] + graded.selection["rows"]
    right = sum(part["score"] * part["rows"] for part in (graded.feedback, graded.selection))
    assert right / rows == pytest.approx((truth(evaluator)["kind"] == "iris").mean())
    again = await evaluator.baseline()
    assert again.sha256 == graded.sha256


async def test_two_gradings_run_at_once_and_no_more(
    evaluator: Evaluator, scripts: Scripts, workspace: Path
) -> None:
    table = pd.read_csv(workspace / "validation.csv")
    for number in range(4):
        table.assign(kind="rose" if number % 2 else "iris")[:: -1 if number > 1 else 1].to_csv(
            workspace / f"v{number}.csv", index=False
        )
    await asyncio.gather(
        *(grade(evaluator, workspace, f"r1-a{n}-s01", validation_name=f"v{n}.csv") for n in range(4))
    )
    assert (scripts.graded, scripts.most_at_once) == (4, 2)


def test_files_beside_the_split_are_looked_through(evaluator: Evaluator, tmp_path: Path) -> None:
    offered = tmp_path / "offered" / "theirs"
    offered.mkdir(parents=True)
    truth(evaluator).to_csv(offered / "answers.csv", index=False)
    assert evaluator.leaks_in(offered.parent) == [
        "theirs/answers.csv: column 'kind' gives the validation labels"
    ]
