"""Attaching the competition: the split is made again of its files, or refused before anything is sent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from comind.at_kaggle.attached_split import FACTS, rebuild
from comind.at_kaggle.attachment import setup_cells, write_ids
from comind.state.runs import RunFolder
from kaggle_runner.errors import BadCompetition


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run whose split is rows 3, 1 and 7 of ten; the competition also has a table that stays as it is."""
    folder = RunFolder(tmp_path / "state" / "runs" / "r")
    folder.original.mkdir(parents=True)
    folder.public.mkdir(parents=True)
    train = pd.DataFrame({"id": [f"{n:02}" for n in range(10)], "x": range(10), "label": "secret"}).astype(
        str
    )
    test = pd.DataFrame({"id": ["t0", "t1"], "x": ["5", "6"]})
    train.to_csv(folder.original / "train.csv", index=False)
    for place in (folder.original, folder.public):
        test.to_csv(place / "test.csv", index=False)
        test[["id"]].assign(label=0).to_csv(place / "sample_submission.csv", index=False)
        (place / "more.txt").write_text("as it is")
    held_out = train.iloc[[3, 1, 7]]
    train.drop(index=held_out.index).to_csv(folder.public / "train.csv", index=False)
    held_out[["id", "x"]].to_csv(folder.public / "validation.csv", index=False)
    held_out[["id"]].assign(label=0).to_csv(folder.public / "sample_validation_submission.csv", index=False)
    return folder


def test_only_ids_are_uploaded_and_they_make_the_split_again(folder: RunFolder, tmp_path: Path) -> None:
    ids = write_ids(folder, "id")
    samples = {"sample_validation_submission.csv", "sample_submission.csv"}
    assert {path.name for path in ids.iterdir()} == {FACTS, *samples}
    assert json.loads((ids / FACTS).read_text())["validation"] == ["03", "01", "07"]
    assert all("secret" not in path.read_text() for path in ids.iterdir())
    made = rebuild(folder.original, ids, tmp_path / "made")
    for path in folder.public.iterdir():
        assert (made / path.name).read_text() == path.read_text(), path.name


def test_what_is_attached_is_what_the_host_has(folder: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(folder.original, folder.download)
    (folder.download / "sample_submission.csv").rename(folder.download / "gender_submission.csv")
    made = rebuild(folder.download, write_ids(folder, "id"), tmp_path / "made")
    assert (made / "sample_submission.csv").read_text() == (
        folder.public / "sample_submission.csv"
    ).read_text()


def test_files_that_were_put_in_another_shape_cannot_be_attached(folder: RunFolder) -> None:
    shutil.copytree(folder.original, folder.download)
    (folder.download / "train.csv").rename(folder.download / "X_train.csv")
    with pytest.raises(BadCompetition, match="cannot be made of its files"):
        write_ids(folder, "id")


def test_a_split_that_is_no_choice_of_rows_is_refused(folder: RunFolder) -> None:
    changed = pd.read_csv(folder.public / "train.csv", dtype=str).assign(x="0")
    changed.to_csv(folder.public / "train.csv", index=False)
    with pytest.raises(BadCompetition, match="not a plain choice of rows"):
        write_ids(folder, "id")
    assert not (folder.path / "data" / "split_ids").exists()


def test_images_and_unknown_ids_are_refused(folder: RunFolder) -> None:
    with pytest.raises(BadCompetition, match="no column 'key'"):
        write_ids(folder, "key")
    (folder.public / "images").mkdir()
    (folder.public / "images" / "1.png").write_bytes(b"png")
    with pytest.raises(BadCompetition, match="it has images"):
        write_ids(folder, "id")


def test_the_setup_cells_are_python_that_names_its_sources() -> None:
    module, call = setup_cells("titanic", "comind-titanic-ids", "titanic-split")
    assert module.startswith("%%writefile comind_split.py\n")
    compile(module.partition("\n")[2], "comind_split.py", "exec")
    compile(call, "cell", "exec")
    assert all(repr(name) in call for name in ("titanic", "comind-titanic-ids", "titanic-split"))
