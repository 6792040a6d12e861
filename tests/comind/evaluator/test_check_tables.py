"""Each demand on a split and a metric at its borders, on tables and answers that are written out here."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from comind.evaluator.checks import Check, check_metric, check_split, find_answers, require
from comind.evaluator.profile import CompetitionProfile
from comind.evaluator.scripts import ScriptAnswer
from kaggle_runner.errors import EvaluatorRejected
from tests.comind.evaluator.folders import profile

ROWS = 80
HELD = range(0, ROWS, 4)
NAMES = [
    "files", "shape", "size", "rows apart", "groups whole", "labels true", "no label in public",
    "order says nothing",
]  # fmt: skip


def kind(row: int) -> str:
    return "cat" if row * row % 11 in (1, 4, 5) else "dog"


def table(rows: Sequence[int], *columns: str, label: Callable[[int], str] = kind) -> pd.DataFrame:
    whole = {
        "id": [f"r{n}" for n in rows],
        "shop": [f"s{n // 4 % 20}" for n in rows],
        "x": [f"{n * 1.5}" for n in rows],
        "kind": [label(n) for n in rows],
    }
    return pd.DataFrame(whole)[list(columns) or list(whole)]


@dataclass
class Split:
    """The files of a split, whose faults a test makes one by one."""

    folder: Path
    profile: CompetitionProfile

    @property
    def original(self) -> Path:
        return self.folder / "original"

    @property
    def public(self) -> Path:
        return self.folder / "public"

    @property
    def private(self) -> Path:
        return self.folder / "private"

    def hold_out(self, rows: Sequence[int], label: Callable[[int], str] = kind, *, train: int = 0) -> None:
        """`train`: the last so many training rows stay away."""
        left = [n for n in range(ROWS) if n not in rows]
        table(left[: len(left) - train], label=label).to_csv(self.public / "train.csv", index=False)
        table(rows, "id", "shop", "x").to_csv(self.public / "validation.csv", index=False)
        sample = table(rows, "id").assign(kind="cat")
        sample.to_csv(self.public / "sample_validation_submission.csv", index=False)
        table(rows, "id", "kind", label=label).to_csv(self.private / "validation.csv", index=False)

    def change(self, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
        path = self.folder / name
        change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    def failed(self) -> dict[str, str]:
        checks = check_split(self.profile, original=self.original, public=self.public, private=self.private)
        assert all(bool(check.detail) is not check.passed for check in checks)
        return {check.name: check.detail for check in checks if not check.passed}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Split:
    folder = tmp_path_factory.mktemp("sound")
    for name in ("original", "public", "private"):
        (folder / name).mkdir()
    original = folder / "original"
    table(range(ROWS)).to_csv(original / "train.csv", index=False)
    table(range(100, 120), "id", "shop", "x").to_csv(original / "test.csv", index=False)
    table(range(100, 120), "id").assign(kind="cat").to_csv(original / "sample_submission.csv", index=False)
    for name in ("test.csv", "sample_submission.csv"):
        shutil.copyfile(original / name, folder / "public" / name)
    made = Split(folder, profile(original, "accuracy", higher=True))
    made.hold_out(HELD)
    return made


@pytest.fixture
def split(sound: Split, tmp_path: Path) -> Split:
    """A copy of the sound one, to be spoilt."""
    return Split(shutil.copytree(sound.folder, tmp_path / "split"), sound.profile)


def test_a_sound_split_passes_every_check_once(split: Split) -> None:
    checks = check_split(split.profile, original=split.original, public=split.public, private=split.private)
    assert checks == tuple(Check(name, True) for name in NAMES)
    require(checks)


def test_a_rejection_names_every_failed_check_and_no_other() -> None:
    checks = [Check("files", True), Check("size", False, "too few"), Check("shape", False, "odd")]
    with pytest.raises(EvaluatorRejected) as raised:
        require(checks)
    assert raised.value.message == ("The split or the metric failed 2 checks:\n- size: too few\n- shape: odd")


@pytest.mark.parametrize(
    "name",
    ["public/train.csv", "public/validation.csv", "public/sample_validation_submission.csv",
     "public/sample_submission.csv", "public/test.csv", "private/validation.csv"],
)  # fmt: skip
def test_a_file_that_was_not_written_is_named(split: Split, name: str) -> None:
    (split.folder / name).unlink()
    assert split.failed() == {"files": f"these were not written: {name}"}


def test_a_competition_without_a_test_table_needs_none(split: Split) -> None:
    for folder in (split.original, split.public):
        (folder / "test.csv").unlink()
    split.change("public/validation.csv", lambda rows: rows[["id"]])
    assert split.failed() == {}


def test_a_file_that_is_no_table_is_named(split: Split) -> None:
    (split.public / "validation.csv").write_bytes(b"id,x\n1,2\n1,2,3,4\n")
    assert split.failed()["files"].startswith("a table cannot be read: ")


SHAPES: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "test": ("public/test.csv", lambda rows: rows[1:], "public/test.csv differs from the original"),
    "sample": (
        "public/sample_submission.csv", lambda rows: rows.assign(kind="dog"),
        "public/sample_submission.csv differs from the original",
    ),
    "inputs": (
        "public/validation.csv", lambda rows: rows[["id", "x"]],
        "public/validation.csv has the columns ['id', 'x']; ['id', 'shop', 'x'] are needed",
    ),
    "label": (
        "public/validation.csv", lambda rows: rows.assign(kind="cat"),
        "public/validation.csv has the columns ['id', 'shop', 'x', 'kind']; ['id', 'shop', 'x'] are needed",
    ),
    "order": (
        "public/sample_validation_submission.csv", lambda rows: rows[["kind", "id"]],
        "public/sample_validation_submission.csv has the columns ['kind', 'id']; ['id', 'kind'] are needed",
    ),
    "target": (
        "private/validation.csv", lambda rows: rows[["id"]],
        "private/validation.csv lacks the columns ['kind']",
    ),
    "twice": (
        "private/validation.csv", lambda rows: pd.concat([rows, rows[:1]]),
        "private/validation.csv has repeated ids",
    ),
    "fewer inputs": (
        "public/validation.csv", lambda rows: rows[1:],
        "public/validation.csv has other ids than private/validation.csv",
    ),
    "doubled inputs": (
        "public/validation.csv", lambda rows: pd.concat([rows, rows[:1]]),
        "public/validation.csv has other ids than private/validation.csv",
    ),
    "other ids": (
        "public/sample_validation_submission.csv", lambda rows: rows.assign(id=["r1", *rows["id"][1:]]),
        "public/sample_validation_submission.csv has other ids than private/validation.csv",
    ),
    "empty": (
        "private/validation.csv", lambda rows: rows.assign(kind=["", *rows["kind"][1:]]),
        "private/validation.csv has empty labels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", SHAPES)
def test_a_table_of_the_wrong_shape_is_described(split: Split, fault: str) -> None:
    name, change, told = SHAPES[fault]
    split.change(name, change)
    assert split.failed() == {"shape": told}


def test_the_group_is_part_of_the_secret_and_stays_on_one_side(split: Split) -> None:
    split.profile = profile(split.original, "accuracy", higher=True, group="shop")
    assert split.failed() == {"shape": "private/validation.csv lacks the columns ['shop']"}
    for held, told in (
        ([*range(20), 20], {"groups whole": "1 values of 'shop' are on both sides of the split"}),
        ([*range(20)], {}),
    ):
        split.hold_out(held)
        split.change("private/validation.csv", partial(pd.DataFrame.assign, shop=table(held)["shop"]))
        assert split.failed() == told


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (3, "only 3 rows are held out"),
        (4, ""),
        (40, ""),
        (41, "41 of 80 rows are held out; at most half may be"),
    ],
)
def test_four_rows_at_least_and_half_at_most_are_held_out(split: Split, held: int, told: str) -> None:
    split.hold_out(range(held), train=1)
    assert split.failed().get("size", "") == told


def test_rows_do_not_multiply_and_may_be_left_away(split: Split) -> None:
    split.hold_out(HELD, train=5)
    assert split.failed() == {}
    split.hold_out(HELD)
    split.change("public/train.csv", lambda rows: pd.concat([rows, table([200])]))
    assert split.failed() == {"size": "61 training and 20 validation rows are more than the 80 there were"}


def test_rows_on_both_sides_are_named_by_id_or_counted(split: Split) -> None:
    split.change("public/train.csv", lambda rows: pd.concat([rows[7:], table([4, 0])]))
    assert split.failed()["rows apart"] == ("2 validation ids also stand in public/train.csv (first: r0, r4)")
    split.change(
        "public/train.csv", lambda rows: pd.concat([rows[:-2], table(range(0, 20, 4)).assign(id="n")])
    )
    assert "25.0% of the validation rows also stand" in split.failed()["rows apart"]


def test_labels_are_compared_with_the_original_where_ids_tell_the_rows(split: Split) -> None:
    split.change("private/validation.csv", lambda rows: rows.assign(kind=list(rows["kind"][::-1])))
    assert split.failed() == {"labels true": "the labels in column 'kind' differ from the original ones"}
    split.hold_out(HELD, train=1)
    assert split.failed() == {}
    split.change("original/train.csv", lambda rows: rows[1:])
    assert split.failed() == {
        "labels true": "private/validation.csv has ids that the original train.csv lacks"
    }
    split.change("original/train.csv", lambda rows: pd.concat([rows, rows[:1]]))
    assert split.failed() == {}, "repeated ids tell nothing"


SORTED = "the validation rows are sorted by their label; shuffle them"


@pytest.mark.parametrize(
    ("rows", "label", "told"),
    [
        (range(20), lambda n: "cat" if n < 10 else "dog", SORTED),
        (range(19), lambda n: "cat" if n < 10 else "dog", ""),
        (range(20), lambda n: "cat" if n < 10 or n == 15 else "dog", ""),
        (range(20), lambda n: f"name {n}", ""),  # no label comes twice: any order looks so
        (range(20), lambda n: f"pair {n // 2}", SORTED),
        (range(20), lambda n: str(n * 1.5), SORTED),
        (range(20), lambda n: str(-n), SORTED),
        (range(20), lambda n: str(n * 7 % 20), ""),
        (range(20), lambda n: "cat", ""),
    ],
)
def test_rows_in_the_order_of_their_labels_are_refused_from_twenty_on(
    split: Split, rows: range, label: Callable[[int], str], told: str
) -> None:
    table(range(ROWS), label=label).to_csv(split.original / "train.csv", index=False)
    split.hold_out(rows, label)
    assert split.failed().get("order says nothing", "") == told


def offered(folder: Path, **changes: Any) -> Path:
    """A folder with one table of the held-out rows under names of its own; `None` leaves a column out."""
    rows = table(HELD).assign(id=[f"mine {n}" for n in HELD]).assign(**changes)
    place = folder / "offered"
    (place / "theirs").mkdir(parents=True)
    rows.drop(columns=[name for name, value in changes.items() if value is None]).to_csv(
        place / "theirs" / "data.csv", index=False
    )
    (place / "theirs" / "broken.csv").write_bytes(b"id,x\n1,2\n1,2,3,4\n")
    (place / "theirs" / "notes.md").write_text("nothing")
    return place


REPEATED = ["data.csv: 100.0% of the validation rows also stand in it; 0.0% is natural"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, REPEATED),
        ({"x": [f"{n * 1.5:.4f}" for n in HELD]}, REPEATED),  # the same numbers in another writing
        ({"x": [f"{n + 500}" for n in HELD]}, []),
        ({"shop": None}, REPEATED),  # half of the inputs
        ({"shop": None, "x": None}, []),  # none of them
        ({"id": [f"r{n}" for n in HELD], "x": None, "shop": None},
         ["theirs/data.csv: column 'kind' gives the validation labels"]),
        ({"id": [f"r{n}" for n in HELD], "x": None, "shop": None, "kind": "cat"}, []),
    ],
)  # fmt: skip
def test_tables_of_others_that_hold_the_answers(
    split: Split, tmp_path: Path, changes: dict[str, Any], told: list[str]
) -> None:
    place = offered(tmp_path, **changes)
    assert find_answers(split.profile, place, public=split.public, private=split.private) == told


def said(score: float | None, **more: Any) -> dict[str, Any]:
    """A result with this score on all rows; None is a refusal."""
    if score is None:
        return {"success": False, **more}
    return {"success": True, "code": "ok", "whole": {"score": score}, **more}


def answer(
    *, higher: bool | None = True, perfect: float | None = 1.0, **results: dict[str, Any]
) -> ScriptAnswer:
    plain = {
        "truth": said(1.0),
        "sample": said(0.5),
        "shuffled 0": said(0.4),
        "shuffled 1": said(0.6),
        "broken empty": said(None, name="broken empty", code="empty_file"),
    }
    plain |= {name.replace("_", " "): result for name, result in results.items()}
    return ScriptAnswer(True, "", higher, perfect, plain)


def wrong(sound: Split, first: ScriptAnswer, second: ScriptAnswer | None = None) -> dict[str, str]:
    found = replace(sound.profile, higher_is_better=bool(first.higher_is_better))
    checks = check_metric(found, first, second or first)
    assert all(bool(check.detail) is not check.passed for check in checks)
    return {check.name: check.detail for check in checks if not check.passed}


LOWER = {"truth": said(0.0), "sample": said(0.5), "shuffled_0": said(0.6), "shuffled_1": said(0.4)}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (answer(), {}),
        (answer(higher=False, perfect=0.0, **LOWER), {}),
        (answer(perfect=None, truth=said(0.93)), {}),
        (answer(truth=said(0.9992)), {}),
        (answer(truth=said(0.998)), {"truth is perfect": "the truth scores 0.998, not 1"}),
        (answer(truth=said(1.002)), {"truth is perfect": "the truth scores 1.002, not 1"}),
        (answer(sample=said(1.0)), {"sample is worse": "the sample submission scores 1, truth 1"}),
        (answer(higher=False, perfect=None), {
            "sample is worse": "the sample submission scores 0.5, truth 1",
            "shuffled truth is worse": "labels in wrong order score 0.4, the truth 1",
        }),
        (answer(sample=said(None, code="constant")), {}),
        (answer(sample=said(None, code="nan")), {"sample is worse": "the sample submission is refused: nan"}),
        (answer(shuffled_1=said(1.0)), {
            "shuffled truth is worse": "labels in wrong order score 1, the truth 1"
        }),
        (answer(shuffled_1=said(None)), {}),
        (answer(broken_empty=said(0.1, name="broken empty")), {
            "broken files are refused": "accepted: broken empty"
        }),
        (answer(truth=said(math.nan, code="score_not_finite")), {
            "truth scores": "score_not_finite: the truth is refused"
        }),
        (answer(truth=said(None, code="metric_error", trace="KeyError")), {
            "truth scores": "metric_error: KeyError"
        }),
    ],
)  # fmt: skip
def test_a_metric_is_judged_by_its_answers(sound: Split, given: ScriptAnswer, told: dict[str, str]) -> None:
    assert wrong(sound, given) == told


def test_a_metric_says_its_direction_and_that_of_the_board(sound: Split) -> None:
    assert wrong(sound, answer(higher=None))["direction"] == (
        "evaluate.py must define HIGHER_IS_BETTER as True or False"
    )
    opposite = {
        check.name: check.detail for check in check_metric(sound.profile, answer(higher=False), answer())
    }
    assert opposite["direction"] == "HIGHER_IS_BETTER is False, but the competition's leaderboard says True"


def test_a_metric_that_does_not_load_is_judged_no_further(sound: Split) -> None:
    broken = ScriptAnswer(False, "SyntaxError", None, None, {})
    (check,) = check_metric(sound.profile, broken, broken)
    assert check == Check("metric loads", False, "evaluate.py cannot be used: SyntaxError")


@pytest.mark.parametrize(
    "other",
    [answer(shuffled_0=said(0.41)), answer(sample=said(None, code="nan")),
     answer(broken_empty=said(None, name="broken empty", code="nan"))],
)  # fmt: skip
def test_two_runs_give_the_same_answers(sound: Split, other: ScriptAnswer) -> None:
    assert wrong(sound, answer(), other) == {"same input, same score": "two runs disagree"}
