"""Each check is made to fail on purpose: leaky splits, wrong metrics."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from comind.evaluator.checks import check_metric, check_split, require
from comind.evaluator.evaluator import known_metric_source
from comind.evaluator.grader import answer
from comind.evaluator.scripts import grader_request, parse_answer
from comind.evaluator.split import standard_split_source
from comind.evaluator.trials import write_trials
from kaggle_runner.errors import EvaluatorRejected, UsageError
from tests.comind.evaluator.folders import (
    METRIC_WRITTEN,
    evaluator_at,
    evaluator_for,
    flowers,
    houses,
    pictures,
    profile,
    ready_evaluator,
    sayings,
)

LEAKS = {
    "labels beside ids in another table": (
        'labels(train).rename(columns={"kind": "x"}).to_csv(public / "extra.csv", index=False)',
        "no label in public.*extra.csv: column 'x'",
    ),
    "labels in a table that is torn": (
        'rows = validation[[ID, "kind"]].to_csv(index=False).replace("\\n", ",,\\n")\n'
        '    (public / "extra.csv").write_text("id,kind\\n" + rows.partition("\\n")[2])',
        "no label in public.*extra.csv: the labels stand beside",
    ),
    "labels in JSON": (
        '(public / "extra.json").write_text(validation.set_index(ID)["kind"].to_json())',
        "no label in public.*extra.json",
    ),
    "labels as folder names": (
        'for row in validation.itertuples():\n'
        '        (public / "more" / row.kind).mkdir(parents=True, exist_ok=True)\n'
        '        (public / "more" / row.kind / f"{row.id}.png").write_bytes(b"x")',
        "no label in public.*folders",
    ),
    "an archive of the training table": (
        '(public / "train.csv.gz").write_bytes(b"x")',
        "no label in public.*whole training table",
    ),
    "truth as the sample submission": (
        'labels(validation).to_csv(public / "sample_validation_submission.csv", index=False)',
        "no label in public.*sample_validation_submission",
    ),
    "validation rows left in the training part": (
        'train.to_csv(public / "train.csv", index=False)',
        "more than the.*rows apart.*validation ids also stand in",
    ),
    "validation rows under new ids": (
        'again = validation.assign(id=[f"new{n}" for n in range(len(validation))])\n'
        '    mixed = pd.concat([train[~held_out].iloc[len(again):], again])\n'
        '    mixed.to_csv(public / "train.csv", index=False)',
        "rows apart.*also stand in the public train",
    ),
    "rows sorted by label": (
        'validation = validation.sort_values("kind")\n'
        '    inputs_like_test(original, validation).to_csv(public / "validation.csv", index=False)\n'
        '    labels(validation).to_csv(private / "validation.csv", index=False)',
        "order says nothing.*sorted",
    ),
    "wrong labels": (
        'wrong = labels(validation).assign(kind=validation["kind"].to_numpy()[::-1])\n'
        '    wrong.to_csv(private / "validation.csv", index=False)',
        "labels true.*differ",
    ),
    "label left in the inputs": (
        'validation.to_csv(public / "validation.csv", index=False)',
        "shape.*validation.csv has the columns",
    ),
    "a file forgotten": ('(public / "validation.csv").unlink()', "files.*public/validation.csv"),
    "test inputs changed": (
        '(public / "test.csv").unlink()\n    (public / "test.csv").write_text("id,width\\n")',
        "shape.*test.csv differs",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def garden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return flowers(tmp_path_factory.mktemp("garden"))


def with_fault(source: str, fault: str) -> str:
    """The standard split, with one more statement at the end of `split`."""
    last = "    link_the_rest(original, public, set(validation[ID]))\n"
    assert source.count(last) == 1
    return source.replace(last, f"{last}    {fault}\n")


@pytest.mark.parametrize("name", LEAKS)
def test_a_faulty_split_is_named(garden: Path, tmp_path: Path, name: str) -> None:
    fault, complaint = LEAKS[name]
    found = profile(garden, "accuracy", higher=True)
    public, private = tmp_path / "public", tmp_path / "private"
    public.mkdir()
    private.mkdir()
    script: dict[str, Any] = {}
    exec(with_fault(standard_split_source(found.facts), fault), script)
    script["split"](garden, public, private, fraction=0.25, seed=3)
    checks = check_split(found, original=garden, public=public, private=private)
    with pytest.raises(EvaluatorRejected, match=rf"(?s){complaint}"):
        require(checks)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ('(public / "more").symlink_to(private)', "made the link more"),
        ("raise ValueError('no such column')", "split_dataset.py failed.*no such column"),
        ('validation.to_csv(public / "more.csv", index=False)', "more.csv: column 'kind'"),
    ],
)
async def test_a_rejected_split_leaves_nothing(tmp_path: Path, fault: str, complaint: str) -> None:
    evaluator = evaluator_for(tmp_path, flowers, "accuracy", higher=True)
    source = with_fault(standard_split_source(evaluator.profile.facts), fault)
    with pytest.raises(EvaluatorRejected, match=rf"(?s){complaint}"):
        await evaluator.split(source, fraction=0.25)
    assert not evaluator.folder.public.exists()
    assert not evaluator.ready
    assert not (evaluator.folder.path / "data" / "staging").exists()


async def test_a_split_through_a_group_is_rejected(tmp_path: Path) -> None:
    evaluator = evaluator_for(tmp_path, houses, "rmsle", higher=False)
    source = standard_split_source(evaluator.profile.facts).replace(
        "choose_groups(train, fraction, rng) if GROUP else", ""
    )
    with pytest.raises(EvaluatorRejected, match="groups whole"):
        await evaluator.split(source, fraction=0.25)


@pytest.mark.parametrize(
    ("make", "metric", "higher"),
    [(houses, "rmsle", False), (flowers, "accuracy", True), (pictures, "multiclass_log_loss", False),
     (sayings, "mean_levenshtein", False)],
)  # fmt: skip
async def test_a_sound_split_with_a_known_metric_passes_everything(
    tmp_path: Path, make: object, metric: str, higher: bool
) -> None:
    evaluator = await ready_evaluator(tmp_path, make, metric, higher=higher)  # type: ignore[arg-type]
    checks = await evaluator.check()
    assert len(checks) >= 16
    assert all(check.passed for check in checks)
    assert evaluator.ready
    assert not (evaluator.folder.private / "trials").exists()


EQUAL = """
HIGHER_IS_BETTER = True
def score(truth, submission):
    return float((truth["said"] == submission["said"]).mean())
"""
METRICS = {
    "opposite direction": (METRIC_WRITTEN.replace("False", "True"), "direction"),
    "reversed": (METRIC_WRITTEN.replace("float(", "-float("), "sample is worse"),
    "no direction": (METRIC_WRITTEN.replace("HIGHER_IS_BETTER = False", ""), "metric loads"),
    "random": (
        METRIC_WRITTEN.replace("float(", "np.random.default_rng().random() + float("),
        "same input, same score",
    ),
    "blind": (METRIC_WRITTEN.replace('submission["price"]', "200"), "sample is worse.*shuffled"),
    "raises": (METRIC_WRITTEN.replace("return", "raise KeyError('size') #"), "truth scores.*KeyError"),
    "not finite": (METRIC_WRITTEN.replace("float(", "np.nan * float("), "truth scores.*score_not_finite"),
    "not Python": ("def score(:", "metric loads.*SyntaxError"),
    "order only": (
        METRIC_WRITTEN.replace('submission["price"]', 'submission["price"].sort_values().to_numpy()')
        .replace('truth["price"]', 'truth["price"].sort_values().to_numpy()'),
        "shuffled truth is worse",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder whose split is done; each test installs a metric of its own."""
    run = tmp_path_factory.mktemp("street")
    asyncio.run(ready_evaluator(run, houses, "mae", higher=False))
    return run


@pytest.mark.parametrize("name", METRICS)
def test_a_faulty_metric_is_named(street: Path, tmp_path: Path, name: str) -> None:
    source, complaint = METRICS[name]
    folder, found = evaluator_at(street).folder, evaluator_at(street).profile
    shutil.copyfile(folder.private / "validation.csv", tmp_path / "validation.csv")
    (tmp_path / "evaluate.py").write_text(source)
    trials = tmp_path / "trials"
    cases = write_trials(trials, found, public=folder.public, private=tmp_path, seed=3)
    request = grader_request(
        cases, profile=found, seed=3, whole=True, answers=1,
        labels=str(tmp_path), predictions=str(trials), public=str(folder.public), packages=str(tmp_path),
    )  # fmt: skip
    first, second = (parse_answer(json.dumps(answer(request))) for _ in range(2))
    with pytest.raises(EvaluatorRejected, match=rf"(?s){complaint}"):
        require(check_metric(found, first, second))


async def test_a_written_metric_may_take_empty_texts(tmp_path: Path) -> None:
    evaluator = await ready_evaluator(
        tmp_path, sayings, "words as Anna counts them", higher=True, written=EQUAL
    )
    assert all(check.passed for check in await evaluator.check())


@pytest.mark.parametrize("throw", ["np.random.random()", "__import__('random').random()"])
async def test_two_processes_do_not_throw_the_same_dice(street: Path, throw: str) -> None:
    evaluator = evaluator_at(street)
    evaluator.install(METRIC_WRITTEN.replace("float(", f"{throw} + float("))
    with pytest.raises(EvaluatorRejected, match="same input, same score"):
        await evaluator.check()


async def test_a_faulty_metric_is_rejected_and_its_trials_are_removed(street: Path) -> None:
    evaluator = evaluator_at(street)
    evaluator.install("import os\nos._exit(3)\n")
    with pytest.raises(EvaluatorRejected, match="no answer"):
        await evaluator.check()
    assert not (evaluator.folder.private / "trials").exists()


async def test_a_sound_written_metric_passes_everything(street: Path) -> None:
    evaluator = evaluator_at(street)
    evaluator.install(METRIC_WRITTEN)
    assert all(check.passed for check in await evaluator.check())


def test_unknown_metric_is_named() -> None:
    with pytest.raises(UsageError, match="rmsel"):
        known_metric_source("rmsel")
