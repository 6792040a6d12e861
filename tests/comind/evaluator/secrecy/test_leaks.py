"""Where validation labels can be read off, on small tables and texts that are written out here."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from comind.evaluator.secrecy.leaks import agrees, find_leaks, natural_columns, repeated_rows

# forty rows of two classes in no order that tells them
KINDS = [("cat", "dog")[number * number % 7 % 2] for number in range(40)]
LABELS = pd.Series(KINDS, index=pd.Index([f"r{number:02}" for number in range(40)], name="id"))
TABLE = "".join(f"{id},{kind}\n" for id, kind in LABELS.items())
NOTHING: list[str] = []


def found(public: Path, labels: pd.Series = LABELS, natural: frozenset[str] = frozenset()) -> list[str]:
    return find_leaks(public, labels, natural)


@pytest.mark.parametrize(
    ("labels", "values", "expected"),
    [
        (["a", "b"] * 50, ["a", "b"] * 50, True),
        (["a", "b"] * 50, ["b", "a"] * 50, False),
        (["a", "b"] * 50, ["b", "b", *["a", "b"] * 49], True),  # 99 of 100
        (["a", "b"] * 50, ["b", "b", "b", "b", *["a", "b"] * 48], False),  # 98 of 100
        (["a"] * 100, ["a"] * 100, False),  # one class is no secret
        (["1", "2"] * 50, ["1.0", "2.00"] * 50, True),
        (["1000000000", "-2"] * 50, ["1000000001", "-2"] * 50, True),  # a billionth beside it
        (["1000000000", "-2"] * 50, ["1000000003", "-2"] * 50, False),
        ([str(n) for n in range(100)], [str(n + 0.5) for n in range(100)], False),
        (["a"] * 298 + ["rare"] * 2, ["a"] * 300, False),  # 99.3 % and nothing of the rare class
        (["a"] * 298 + ["rare"] * 2, ["a"] * 298 + ["rare"] * 2, True),
    ],
)
def test_values_agree_that_give_nearly_every_label_away(
    labels: list[str], values: list[str], expected: bool
) -> None:
    assert agrees(pd.Series(labels), pd.Series(values)) is expected


@pytest.mark.parametrize(("classes", "expected"), [(50, False), (51, True)])
def test_rare_classes_count_as_much_as_others_where_there_are_few(classes: int, expected: bool) -> None:
    rare = [f"rare {n}" for n in range(3)]
    common = [f"class {n % (classes - 3)}" for n in range(10 * (classes - 3))]
    assert agrees(pd.Series(rare + common), pd.Series(["?"] * 3 + common)) is expected


def test_the_probe_asks_whether_labels_are_told_not_whether_values_are(tmp_path: Path) -> None:
    ids = [f"r{number:03}" for number in range(300)]
    labels = pd.Series(["a"] * 297 + ["b"] * 3, index=pd.Index(ids, name="id"))
    lines = [f"{id},{'b' if id == 'r299' else 'a'}" for id in ids]  # one of the three that matter
    (tmp_path / "extra.csv").write_text("id,x\n" + "\n".join(lines))
    assert found(tmp_path, labels) == NOTHING


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("extra.csv", "id,x\n" + TABLE),
        ("deep/er/extra.CSV", "row,x\n" + TABLE),
        ("extra.tsv", "id\tx\n" + TABLE.replace(",", "\t")),
        ("sub/train.csv", "id,x\n" + TABLE),
        ("validation.csv", "id,x\n" + TABLE),
    ],
)
def test_a_column_that_gives_the_labels_is_named(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert found(tmp_path) == [f"{name}: column 'x' gives the validation labels"]


@pytest.mark.parametrize("name", ["train.csv", "test.csv", "sample_submission.csv", "extra.png", "extra.bin"])
def test_the_hosts_own_files_and_what_nobody_reads_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id,x\n" + TABLE)
    assert found(tmp_path) == NOTHING


def test_labels_that_are_written_as_other_numbers_are_seen(tmp_path: Path) -> None:
    numbers = LABELS.map({"cat": "1", "dog": "2"})
    (tmp_path / "extra.csv").write_text("id,x\n" + "".join(f"{id},{one}.0\n" for id, one in numbers.items()))
    assert found(tmp_path, numbers) == ["extra.csv: column 'x' gives the validation labels"]
    moved = "".join(f"{id},{int(one) + 5}\n" for id, one in numbers.items())
    (tmp_path / "extra.csv").write_text("id,x\n" + moved)
    assert found(tmp_path, numbers) == NOTHING


def test_a_natural_column_may_stand_in_the_validation_inputs_only(tmp_path: Path) -> None:
    for name in ("validation.csv", "extra.csv"):
        (tmp_path / name).write_text("id,x\n" + TABLE)
    told = found(tmp_path, natural=frozenset({"x"}))
    assert told == ["extra.csv: column 'x' gives the validation labels"]


def test_one_class_is_no_secret_and_two_are(tmp_path: Path) -> None:
    (tmp_path / "extra.csv").write_text("id,x\n" + TABLE)
    assert len(found(tmp_path)) == 1
    assert found(tmp_path, LABELS.map(lambda _: "cat")) == NOTHING


def records(distance: int, rows: pd.Series = LABELS) -> str:
    """A text of thirty words a row, the sixteenth of which is the id and one at `distance` the label."""
    words: list[str] = []
    for id, kind in rows.items():
        row = [f"w{len(words) + number}" for number in range(30)]
        row[15], row[15 + distance] = str(id), kind
        words += row
    return " ".join(words)


@pytest.mark.parametrize(("distance", "told"), [(d, -4 <= d <= 6) for d in range(-6, 9) if d])
def test_labels_near_their_ids_in_a_text(tmp_path: Path, distance: int, told: bool) -> None:
    (tmp_path / "notes.txt").write_text(records(distance))
    told_words = ["notes.txt: the labels stand beside the validation ids"]
    assert found(tmp_path) == (told_words if told else NOTHING)


@pytest.mark.parametrize(
    ("name", "seen"), [("a.json", True), ("a.MD", True), ("LICENSE", True), ("a.png", False)]
)
def test_texts_are_read_by_their_ends(tmp_path: Path, name: str, seen: bool) -> None:
    (tmp_path / name).write_text(records(1))
    assert bool(found(tmp_path)) is seen


@pytest.mark.parametrize(
    ("rows", "shown", "told"), [(40, 20, True), (40, 19, False), (10, 5, True), (10, 4, False), (3, 2, True)]
)
def test_half_of_the_ids_or_twenty_are_enough(tmp_path: Path, rows: int, shown: int, told: bool) -> None:
    labels = pd.Series(["cat", "dog"] * 20, index=LABELS.index)[:rows]
    (tmp_path / "notes.txt").write_text(records(1, labels[:shown]))
    assert bool(found(tmp_path, labels)) is told
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "x.csv").write_text("id,x\n" + "".join(f"{id},{one}\n" for id, one in labels[:shown].items()))
    assert bool(found(tmp_path, labels)) is told


def test_two_texts_without_the_labels_are_no_leak(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text(" ".join(LABELS.index))
    (tmp_path / "twice.txt").write_text("r00 cat " * 40)
    assert found(tmp_path) == NOTHING


FOLDERS = ["the files of validation rows lie in folders that are named after their labels"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (lambda id, kind: f"{kind}/{id}.png", FOLDERS),
        (lambda id, kind: f"images/{kind}/{id}", FOLDERS),
        (lambda id, kind: f"images/{id}.png", NOTHING),
        (lambda id, kind: f"{id}.png", NOTHING),
        (lambda id, kind: f"{kind}/other-{id}.png", NOTHING),
    ],
)
def test_folders_that_are_named_after_labels(
    tmp_path: Path, place: Callable[[str, str], str], expected: list[str]
) -> None:
    public = tmp_path / "public"
    for id, kind in LABELS.items():
        path = public / place(str(id), kind)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    assert found(public) == expected


@pytest.mark.parametrize(
    ("name", "held", "told"),
    [
        ("train.csv.gz", None, True),
        ("LABELS.npy", None, True),
        ("solution.zip", None, True),
        ("deep/train_labels.parquet", None, True),
        ("images.zip", "pictures/1.png", False),
        ("all.zip", "data/TRAIN.csv", True),
        ("all.zip", "data/train.csv.txt", False),
        ("all.zip", None, False),
        ("pictures.npz", None, False),
        ("train.png", None, False),
    ],
)
def test_archives_that_seem_to_hold_the_training_table(
    tmp_path: Path, name: str, held: str | None, told: bool
) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"no archive")
    if held:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "first")
            archive.writestr(held, "x")
    assert found(tmp_path) == ([f"{name}: it seems to hold the whole training table"] if told else NOTHING)


def rows(*numbers: int) -> pd.DataFrame:
    return pd.DataFrame({"x": [str(number) for number in numbers], "y": "same"})


@pytest.mark.parametrize(
    ("again", "told"),
    [
        (0, ""),
        (32, ""),
        (35, "35.0% of the validation rows also stand in the public train.csv; 20.0% is natural"),
    ],
)
def test_more_rows_must_repeat_than_do_by_nature(again: int, told: str) -> None:
    # twenty of a hundred rows repeat; chance makes that up to 0.2 + 3 · √(0.2 · 0.8 / 100) + 0.01 = 0.33
    original = rows(*range(90), *range(10))
    validation = rows(*range(1000, 1000 + again), *range(2000, 2100 - again))
    train = rows(*range(1000, 1100))
    assert repeated_rows(original, train, validation, ["x", "y"]) == told


@pytest.mark.parametrize(("repeated", "told"), [(50, True), (52, False)])
def test_tables_that_mostly_repeat_themselves_are_not_judged(repeated: int, told: bool) -> None:
    original = rows(*range(100 - repeated // 2), *range(repeated // 2))
    assert bool(repeated_rows(original, rows(1, 2), rows(*[1, 2] * 50), ["x"])) is told


def test_rows_are_compared_by_the_columns_that_are_named() -> None:
    original, part = rows(*range(100)), rows(*range(10))
    assert repeated_rows(original, part, part, ["x"]).startswith("100.0% of the validation rows")
    assert repeated_rows(original, part, part, []) == ""
    assert repeated_rows(original, part, part[:0], ["x"]) == ""
    assert repeated_rows(original, part, rows(*range(50, 60)), ["x"]) == ""


def test_natural_columns_are_inputs_that_equal_a_label() -> None:
    train = pd.DataFrame({"copy": KINDS, "other": KINDS[::-1], "kind": KINDS})
    assert natural_columns(train, ["kind"]) == {"copy"}
    assert natural_columns(train, ["kind", "copy"]) == frozenset()
    assert natural_columns(train, ["absent"]) == frozenset()
