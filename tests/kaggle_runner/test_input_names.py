"""Sources are found by the names of both of Kaggle's layouts."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_runner.input_names import READ_INPUT, competition_folders, newer_name, newer_names
from tests.kaggle_runner.notebook.notebooks import bench


@pytest.mark.parametrize(
    "place",
    [
        "/kaggle/input/titanic/train.csv",
        "/kaggle/input/competitions/titanic/train.csv",
        "../input/titanic",
        "/kaggle/input/datasets/ann/titanic/train.csv",
        "/kaggle/input/notebooks/ann.b/titanic",
    ],
)
def test_code_names_a_source_in_either_layout(place: str) -> None:
    assert READ_INPUT.findall(f"pd.read_csv('{place}')") == ["titanic"]


def test_published_folders_get_their_owners_names_too() -> None:
    folders = {"rows": Path("rows"), "r1-a1": Path("r1-a1")}
    assert newer_name("notebooks", "ann/rows/3") == "notebooks/ann/rows"
    assert newer_names(folders, ["ann/rows", "bob/other", "r1-a1"]) == {
        "datasets/ann/rows": Path("rows"),
        "notebooks/ann/rows": Path("rows"),
    }


async def test_a_folder_with_two_names_is_met_once_on_a_walk(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("id")
    code = """
import os
for name in ('/kaggle/input/competitions/ripe-fruit', '../input/ripe-fruit'):
    print(open(name + '/train.csv').read(), end=' ')
print([place for place, _, files in os.walk('/kaggle/input') if files])
"""
    async with bench(tmp_path, competition_folders("ripe-fruit", tmp_path / "data")) as lab:
        assert (await lab.run(code)).text == "id id ['/kaggle/input/ripe-fruit']"
