"""Which folder of a pair comes in and which is to come out, and what is said where that is not clear."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kaggle_runner.errors import BadCompetition
from mle_live.competitions.folder_tables import check_tables
from mle_live.layout.arrange import Layout, lay_out
from mle_live.layout.pixels import pixel_of, pixel_rows
from mle_live.layout.stated import StatedFiles
from mle_live.layout.tables import Stated
from tests.mle_live.layout.file_shapes import image_pairs


def look(tmp_path: Path, change: Callable[[Path], object], **told: str) -> Layout:
    image_pairs(tmp_path / "data")
    change(tmp_path / "data")
    return lay_out(tmp_path / "data", tmp_path / "arranged", told=StatedFiles(files=told), by_reference=True)


def moved(**names: str) -> Callable[[Path], object]:
    return lambda folder: [(folder / old).rename(folder / new) for old, new in names.items()]


@pytest.mark.parametrize(
    ("names", "told", "comes_in", "comes_out"),
    [
        ({}, {}, "train", "train_cleaned"),
        ({"train": "noisy", "train_cleaned": "original"}, {}, "noisy", "original"),
        ({"train": "b", "train_cleaned": "a_mask"}, {}, "b", "a_mask"),
        ({"train": "train_b", "train_cleaned": "train_a", "test": "test_b"}, {}, "train_b", "train_a"),
        ({"train": "x", "train_cleaned": "y"}, {"labels": "y/"}, "x", "y"),
        ({"train": "y", "train_cleaned": "x"}, {"labels": "x"}, "y", "x"),
    ],
)
def test_pairs_are_put_in_order(
    tmp_path: Path, names: dict[str, str], told: dict[str, str], comes_in: str, comes_out: str
) -> None:
    found = look(tmp_path, moved(**names), **told)
    assert not found.missing
    assert (found.files["train"], found.files["labels"]) == ((f"{comes_in}/",), (f"{comes_out}/",))
    train = pd.read_csv(found.folder / "train.csv", dtype=str)
    assert list(train.columns) == ["image", "input", "output"]
    assert len(train) == 20
    for row in train.itertuples():
        assert (row.input, row.output) == (f"{comes_in}/{row.image}.png", f"{comes_out}/{row.image}.png")
    test = pd.read_csv(found.folder / "test.csv", dtype=str)
    assert sorted(test["image"]) == ["20", "21", "22", "23"]
    tables, profile = check_tables(found.folder, Stated(id_column="id"), "rmse")
    assert profile.pixels == pixel_rows(list(train.columns), list(test.columns), tables.sample.head)
    assert profile.pixels is not None
    assert (profile.pixels.first, profile.pixels.white, profile.group_column) == (1, 1.0, "image")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (moved(train="x", train_cleaned="y"), "which of them is to be predicted is not clear.*labels=y"),
        (lambda folder: (folder / "sampleSubmission.csv").unlink(), "no sample submission of two columns"),
        (lambda folder: [path.unlink() for path in (folder / "test").iterdir()], "no other folder holds"),
    ],
)
def test_what_is_not_clear_is_said(tmp_path: Path, change: Callable[[Path], object], sentence: str) -> None:
    with pytest.raises(BadCompetition, match=sentence):
        look(tmp_path, change).insist()


@pytest.mark.parametrize("turned", [False, True])
def test_a_sample_of_other_pixels_is_refused(tmp_path: Path, turned: bool) -> None:
    def change(folder: Path) -> None:
        sample = pd.read_csv(folder / "sampleSubmission.csv")
        if turned:
            sample["id"] = sample["id"].str.replace(r"_(\d+)_(\d+)$", r"_\2_\1", regex=True)
        (sample if turned else sample.iloc[1:]).to_csv(folder / "sampleSubmission.csv", index=False)

    found = look(tmp_path, change)
    why = "column of a pixel before its row" if turned else "16 x 20 pixels.* 319 rows"
    with pytest.raises(BadCompetition, match=why):
        check_tables(found.folder, Stated(id_column="id"), "rmse")


def test_only_what_can_be_written_again_is_a_pixel() -> None:
    assert pixel_of("scan_7_12_3") == ("scan_7", "_", 12, 3)
    assert pixel_of("scan-12-3") == ("scan", "-", 12, 3)
    assert [pixel_of(id) for id in ("12_3", "scan_012_3", "scan_1-2", "scan_1_2_")] == [None] * 4
