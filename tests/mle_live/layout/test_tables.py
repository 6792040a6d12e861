"""Tables as text, what their columns hold, and files that are no tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from kaggle_runner.errors import BadCompetition
from mle_live.layout.formats import read_text
from mle_live.layout.tables import Stated, describe, profile_tables, read_tables, typed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", b"id,x\n007,None\n8.0,\n"),
        ("mark.csv", b"\xef\xbb\xbfid,x\n007,None\n8.0,\n"),
        ("windows.csv", b"id,x\r\n007,None\r\n8.0,\r\n"),
        ("quoted.csv", b'id,x\n"007","None"\n"8.0",""\n'),
        ("tabs.tsv", b"id\tx\n007\tNone\n8.0\t\n"),
    ],
)
def test_every_value_is_the_text_in_the_file(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    table = read_text(tmp_path / name)
    assert table.to_dict("list") == {"id": ["007", "8.0"], "x": ["None", ""]}
    assert read_text(tmp_path / name, columns=["x", "id"], rows=1).to_numpy().tolist() == [["None", "007"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a readable table"),
        (b"id,x\n1,2\n1,2,3,4\n", "is not a readable table"),
        (b"id,x\n1,2,3\n", "has more values in a row than columns"),
    ],
)
def test_what_is_no_table_is_told_with_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "odd.csv").write_bytes(content)
    with pytest.raises(BadCompetition, match=said) as refusal:
        read_text(tmp_path / "odd.csv")
    assert "odd.csv" in refusal.value.message


def test_a_file_that_is_not_there_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadCompetition, match=r"gone\.csv"):
        read_text(tmp_path / "gone.csv")
    with pytest.raises(BadCompetition, match=r"has no train\.csv"):
        read_tables(tmp_path)


SENTENCE = "a sentence that nobody has written before, number {}"


@pytest.mark.parametrize(
    ("values", "kind", "missing", "unique", "numbers"),
    [
        (["1", "2", "2"], "integer", 0, 2, "i"),
        (["-1", "+2", "1e3"], "integer", 0, 3, "f"),
        (["1.5", "2", "inf"], "number", 0, 3, "f"),
        (["1", "", "NA"], "integer", 2, 1, "f"),
        (["NaN", "null", "0.5"], "number", 2, 1, "f"),
        (["True", "False", "True"], "boolean", 0, 2, "b"),
        (["yes", "no", ""], "text", 1, 2, "O"),
        (["None", "NA", "null"], "text", 0, 3, "O"),
        (["", "", ""], "text", 3, 0, "O"),
        (["1_000", "2", "3"], "text", 0, 3, "O"),
        (["0x10", "2", "3"], "text", 0, 3, "O"),
        ([SENTENCE.format(n) for n in range(3)], "prose", 0, 3, "O"),
        ([SENTENCE] * 3, "text", 0, 1, "O"),
    ],
)
def test_a_column_is_what_all_its_values_are(
    values: list[str], kind: str, missing: int, unique: int, numbers: str
) -> None:
    column = pd.Series(values, name="x", dtype=str)
    found = describe(column, in_test=True)
    assert (found.kind, found.unique) == (kind, unique)
    assert found.missing == pytest.approx(missing / 3)
    held = typed(column.to_frame())["x"]
    assert held.isna().sum() == missing
    assert held.dtype.kind == numbers or missing == 3


def test_few_rows_in_memory_are_no_fewer_rows_to_read(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 3}\n" for n in range(3000))
    for name in ("train", "sample_submission"):
        (tmp_path / f"{name}.csv").write_text(f"id,y\n{rows}")
    train = read_tables(tmp_path).train
    assert len(train.head) < 3000 and not train.whole
    assert train.count_rows() == len(train.read(["y"])) == 3000
    whole = read_tables(tmp_path, rows=4000).train
    assert whole.whole and whole.read(["y"]).equals(train.read(["y"]))


@pytest.mark.parametrize(
    ("train", "test"),
    [("train/images", "test/images"), ("jpeg/train", "jpeg/test"), ("train", "test"), ("all", "all_of_test")],
)
def test_images_are_found_below_the_folders_at_the_top(tmp_path: Path, train: str, test: str) -> None:
    folder = tmp_path / "data"
    for place, names in ((train, range(30)), (test, range(30, 40)), ("train/masks", range(30))):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for number in names:
            (folder / place / f"p{number}.png").write_bytes(b"\x89PNG")
    rows = pd.DataFrame({"id": [f"p{number}" for number in range(40)], "label": [n % 2 for n in range(40)]})
    rows[:30].to_csv(folder / "train.csv", index=False)
    rows[30:].to_csv(folder / "sample_submission.csv", index=False)
    if train == "all":
        shutil.rmtree(folder / "train")
    found = profile_tables(read_tables(folder), Stated())
    assert (found.image_folder, found.test_image_folder) == (train, test)
    assert found.image_pattern == f"{train}/{{id}}.png"
