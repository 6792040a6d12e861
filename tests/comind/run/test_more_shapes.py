"""`inspect` of more competitions as hosts write them: roles, kind, what is withheld, where labels went."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from comind.config import RunConfig
from comind.run.inspection import inspect
from mle_live.layout.arrange import TRAIN, lay_out
from tests.mle_live.layout.more_shapes import MORE_SHAPES


@pytest.mark.parametrize("name", MORE_SHAPES)
def test_every_shape_is_told(tmp_path: Path, name: str) -> None:
    shape = MORE_SHAPES[name]
    shape.write(tmp_path / name)
    config = RunConfig(competition=f"{tmp_path / name}/", offline=True, metric=shape.metric)
    found = inspect(config, tmp_path / "state", {})
    assert tuple(sorted(found.missing)) == shape.missing
    for role, files in shape.files.items():
        assert found.files[role] == files
    if not shape.missing:
        assert (found.id_columns, found.targets, found.kind) == ((shape.id,), shape.targets, shape.kind)
        assert tuple(found.withheld) == shape.withheld


def test_tables_that_are_not_understood_are_named(tmp_path: Path) -> None:
    MORE_SHAPES["one_table"].write(tmp_path / "wine")
    said = lay_out(tmp_path / "wine", tmp_path / "arranged").missing["train"]
    assert "wine.csv" in said and "--file train=NAME" in said


@pytest.mark.parametrize("name", ["annotated_images", "cats_in_cats"])
def test_no_path_of_an_image_tells_its_class(tmp_path: Path, name: str) -> None:
    MORE_SHAPES[name].write(tmp_path / "data")
    layout = lay_out(tmp_path / "data", tmp_path / "arranged")
    train = pd.read_csv(layout.folder / TRAIN, dtype=str)
    files = {path.relative_to(layout.folder).as_posix() for path in layout.folder.rglob("*.jpg")}
    assert not any(part in one for one in files for part in ("plants/0/", "cats/", "dogs/", "cat.", "dog."))
    if "file_name" in train:
        assert set(train["file_name"]) <= files and train["file_name"].is_unique


def test_lists_of_classes_become_a_column_a_class(tmp_path: Path) -> None:
    MORE_SHAPES["lists_of_classes"].write(tmp_path / "data")
    layout = lay_out(tmp_path / "data", tmp_path / "arranged")
    train = pd.read_csv(layout.folder / TRAIN)
    assert list(train.columns) == ["fname", "bark", "purr"]
    assert list(train["bark"][:3]) == [1, 0, 1] and list(train["purr"][:3]) == [0, 1, 1]


def test_links_that_lead_out_are_told(tmp_path: Path) -> None:
    MORE_SHAPES["identities"].write(tmp_path / "data")
    (tmp_path / "data" / "train_transaction.csv").rename(tmp_path / "elsewhere.csv")
    (tmp_path / "data" / "train_transaction.csv").symlink_to(tmp_path / "elsewhere.csv")
    said = lay_out(tmp_path / "data", tmp_path / "arranged")
    assert any("leads out of the folder" in remark for remark in said.remarks)
    assert "leads out of the folder" in str(said.missing)
