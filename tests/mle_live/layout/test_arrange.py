"""Competitions in many shapes: what is found in each, and the one shape that it is put in."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from kaggle_runner.errors import BadCompetition
from mle_live.layout.arrange import SAMPLE, TEST, TRAIN, Layout, lay_out
from mle_live.layout.stated import StatedFiles
from tests.mle_live.layout.fruit import parts, table, write
from tests.mle_live.layout.shapes import SHAPES


def laid_out(tmp_path: Path, name: str, told: StatedFiles | None = None) -> Layout:
    SHAPES[name].write(tmp_path / "data")
    return lay_out(tmp_path / "data", tmp_path / "arranged", told=told)


def read(layout: Layout, name: str) -> pd.DataFrame:
    return pd.read_csv(layout.folder / name, dtype=str, na_filter=False)


@pytest.mark.parametrize("name", SHAPES)
def test_files_are_found_by_what_is_in_them(tmp_path: Path, name: str) -> None:
    shape, layout = SHAPES[name], laid_out(tmp_path, name)
    assert tuple(layout.missing) == shape.missing
    if not shape.missing:
        assert (layout.id_column, layout.targets) == (shape.id, shape.targets)
    for role, files in shape.files.items():
        assert layout.files[role] == files


@pytest.mark.parametrize(
    "name", [name for name, shape in SHAPES.items() if not shape.missing and name != "image_pairs"]
)
def test_the_tables_have_one_shape_afterwards(tmp_path: Path, name: str) -> None:
    layout = laid_out(tmp_path, name)
    train, sample = read(layout, TRAIN), read(layout, SAMPLE)
    assert list(sample.columns) == [layout.id_column, *layout.targets]
    assert sample[layout.id_column].is_unique
    assert set(layout.targets) <= set(train.columns) or set(train["kind"]) == set(layout.targets)
    if (layout.folder / TEST).is_file():
        test = read(layout, TEST)
        assert set(test[layout.id_column]) == set(sample[layout.id_column])
        assert set(test.columns) - {layout.id_column} <= set(train.columns)


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.missing])
def test_what_is_missing_is_told_in_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadCompetition) as refused:
        laid_out(tmp_path, name).insist()
    assert "\n" not in refused.value.message


def test_values_and_labels_are_those_of_the_files(tmp_path: Path) -> None:
    expected = table().astype(str).set_index("id")
    for name in ("seven_zip", "separate_labels", "json_lines", "parquet", "in_parts", "unnamed_index"):
        layout = laid_out(tmp_path / name, name)
        train = read(layout, TRAIN).set_index(layout.id_column)
        assert len(train) == len(parts()[0])
        for column in ("colour", *layout.targets):
            assert (train[column] == expected.loc[train.index, column]).all(), (name, column)


def test_rows_without_ids_are_those_of_the_sample_in_order(tmp_path: Path) -> None:
    layout = laid_out(tmp_path, "no_id_in_test")
    test = read(layout, TEST)
    assert list(test["RowId"]) == [str(number + 1) for number in range(len(test))]
    assert list(test["height"]) == [str(value) for value in parts()[1]["height"]]


@pytest.mark.parametrize("name", ["class_folders", "names_tell", "sounds"])
def test_no_path_tells_a_label(tmp_path: Path, name: str) -> None:
    layout = laid_out(tmp_path, name)
    train = read(layout, TRAIN)
    files = sorted(path for path in (layout.folder / "train").rglob("*") if path.is_file())
    assert len(files) == len(train) == 60
    assert not any(
        kind in str(path.relative_to(layout.folder)) for path in files for kind in ("apple", "pear")
    )
    stems = train[layout.id_column].str.replace(".wav", "")
    assert set(stems) == {path.stem for path in files}
    labels = train.sort_values(layout.id_column)[layout.targets[0]]
    changes = (labels != labels.shift()).sum()
    assert changes > 10, "the order of the names says nothing"


def test_files_that_hold_labels_are_not_laid_beside_the_tables(tmp_path: Path) -> None:
    layout = laid_out(tmp_path, "separate_labels")
    assert sorted(path.name for path in layout.folder.glob("*.csv")) == sorted([TRAIN, TEST, SAMPLE])
    layout = laid_out(tmp_path / "zip", "each_zipped")
    names = {path.name for path in layout.folder.iterdir() if not path.name.startswith(".")}
    assert names == {TRAIN, TEST, SAMPLE, "sampleSubmission.csv"}


def test_what_a_person_names_wins(tmp_path: Path) -> None:
    write(tmp_path / "data", *parts())
    table(40, seed=5).drop(columns="amount").to_csv(tmp_path / "data" / "more.csv", index=False)
    layout = lay_out(tmp_path / "data", tmp_path / "arranged", told=StatedFiles({"train": "more.csv"}))
    assert (len(read(layout, TRAIN)), layout.files["train"]) == (40, ("more.csv",))
    assert laid_out(tmp_path / "a", "several_new_columns", StatedFiles(target="label")).targets == ("label",)
    ripe = laid_out(tmp_path / "b", "unclear_words", StatedFiles(positive_class="ripe"))
    assert set(read(ripe, TRAIN)["label"]) == {"0", "1"}
    with pytest.raises(BadCompetition, match=r"no file 'gone\.csv'"):
        lay_out(tmp_path / "data", tmp_path / "arranged", told=StatedFiles({"train": "gone.csv"}))


def test_a_positive_class_that_is_no_label_is_missing(tmp_path: Path) -> None:
    for name in ("unclear_words", "gender_submission"):
        layout = laid_out(tmp_path / name, name, StatedFiles(positive_class="purple"))
        assert "'purple'" in layout.missing["positive_class"]


def test_looking_copies_nothing_and_changes_nothing(tmp_path: Path) -> None:
    SHAPES["class_folders"].write(tmp_path / "data")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    layout = lay_out(tmp_path / "data", tmp_path / "arranged", by_reference=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before
    assert all(path.is_symlink() for path in (layout.folder / "test").iterdir())


def test_records_a_line_are_read_whatever_the_ending(tmp_path: Path) -> None:
    train, test, sample = parts()
    (tmp_path / "data").mkdir()
    train.to_json(tmp_path / "data" / "train.json", orient="records", lines=True)
    test.to_json(tmp_path / "data" / "test.json", orient="records", lines=True)
    sample.to_csv(tmp_path / "data" / "sample_submission.csv", index=False)
    layout = lay_out(tmp_path / "data", tmp_path / "arranged")
    assert len(read(layout, TRAIN)) == len(train) and not layout.missing
