"""What the profile sees in a folder, and what the standard split leaves on both sides."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from comind.evaluator.split import standard_split_source, validation_fraction
from kaggle_runner.errors import BadCompetition
from tests.comind.evaluator.folders import evaluator_for, flowers, houses, pictures, profile, ready_evaluator


def test_profile_finds_targets_task_and_the_group_that_the_host_split_by(tmp_path: Path) -> None:
    found = profile(houses(tmp_path), "rmsle", higher=False)
    assert (found.id_column, found.target_columns, found.task) == ("id", ("price",), "regression")
    assert found.group_column == "day"
    assert (found.train_rows, found.test_rows) == (480, 120)
    assert found.modality == "tabular"
    assert [column.name for column in found.columns if not column.in_test] == ["price"]


def test_profile_sees_no_group_in_a_random_split(tmp_path: Path) -> None:
    assert profile(houses(tmp_path, grouped=False), "rmse", higher=False).group_column is None


def test_profile_keeps_to_the_group_that_is_stated(tmp_path: Path) -> None:
    data = houses(tmp_path)
    assert profile(data, "rmse", higher=False, group="note").group_column == "note"
    with pytest.raises(BadCompetition, match="`group_column` is 'week', which is no column of train"):
        profile(data, "rmse", higher=False, group="week")


def test_numbers_that_are_written_in_two_ways_are_one_group(tmp_path: Path) -> None:
    data = houses(tmp_path)
    train, test = pd.read_csv(data / "train.csv"), pd.read_csv(data / "test.csv")
    test.assign(day=test["day"].astype(float)).to_csv(data / "test.csv", index=False)
    assert profile(data, "rmse", higher=False).group_column == "day"
    train.assign(day=train["day"] // 5 * 5).to_csv(data / "train.csv", index=False)
    assert profile(data, "rmse", higher=False).group_column is None, "the days 0, 5, … are on both sides"


def test_profile_finds_images_and_the_column_of_class_names(tmp_path: Path) -> None:
    found = profile(pictures(tmp_path), "multiclass_log_loss", higher=False)
    assert found.modality == "image"
    assert found.image_pattern == "train_images/{id}.png"
    assert found.test_image_folder == "test_images"
    assert (found.label_column, found.task, found.classes) == ("animal", "binary", ("cat", "dog"))


def test_profile_recognises_free_text(tmp_path: Path) -> None:
    data = houses(tmp_path)
    table = pd.read_csv(data / "train.csv")
    table["note"] = [f"a long and winding remark about house number {n}" for n in range(len(table))]
    table.to_csv(data / "train.csv", index=False)
    assert profile(data, "rmse", higher=False).modality == "text"


def test_profile_text_is_the_same_each_time(tmp_path: Path) -> None:
    found = profile(flowers(tmp_path), "accuracy", higher=True)
    assert found.text == profile(tmp_path, "accuracy", higher=True).text


def test_profile_cuts_long_texts(tmp_path: Path) -> None:
    data = houses(tmp_path)
    table = pd.read_csv(data / "train.csv")
    table["note"] = "word " * 5000
    table.to_csv(data / "train.csv", index=False)
    assert len(profile(data, "rmse", higher=False).text) < 3000


def test_profile_says_which_file_is_missing_or_broken(tmp_path: Path) -> None:
    data = houses(tmp_path)
    (data / "train.csv").write_bytes(b"")
    with pytest.raises(BadCompetition, match=r"train\.csv"):
        profile(data, "rmse", higher=False)
    (data / "train.csv").unlink()
    with pytest.raises(BadCompetition, match="no train"):
        profile(data, "rmse", higher=False)


@pytest.mark.parametrize(("rows", "share"), [(100, 0.25), (5000, 0.2), (10_000, 0.1), (1_000_000, 0.1)])
def test_validation_share_grows_for_small_data_up_to_a_quarter(rows: int, share: float) -> None:
    assert validation_fraction(rows) == pytest.approx(share)


async def test_grouped_split_keeps_groups_whole_and_quantiles(tmp_path: Path) -> None:
    evaluator = await ready_evaluator(tmp_path, houses, "rmsle", higher=False)
    public = evaluator.folder.public
    train, labels = pd.read_csv(public / "train.csv"), pd.read_csv(evaluator.labels)
    assert not set(train["day"]) & set(labels["day"])
    assert len(train) + len(labels) == 480
    assert 0.2 < len(labels) / 480 < 0.3
    assert abs(labels["price"].median() / train["price"].median() - 1) < 0.1
    assert list(pd.read_csv(public / "validation.csv")) == list(pd.read_csv(public / "test.csv"))
    assert "price" not in pd.read_csv(public / "validation.csv")


async def test_split_keeps_the_share_of_every_class(tmp_path: Path) -> None:
    evaluator = await ready_evaluator(tmp_path, flowers, "accuracy", higher=True, fraction=0.2)
    train = pd.read_csv(evaluator.folder.public / "train.csv")["kind"].value_counts()
    held_out = pd.read_csv(evaluator.labels)["kind"].value_counts()
    share = held_out / (held_out + train)
    assert set(held_out.index) == {"iris", "rose", "weed"}
    assert share.between(0.1, 0.3).all()


async def test_split_changes_no_value_of_the_original(tmp_path: Path) -> None:
    evaluator = await ready_evaluator(tmp_path, flowers, "accuracy", higher=True)
    original = (evaluator.folder.original / "train.csv").read_text().splitlines()
    assert set((evaluator.folder.public / "train.csv").read_text().splitlines()) < set(original)


async def test_images_are_linked_and_class_names_become_one_column_each(tmp_path: Path) -> None:
    evaluator = await ready_evaluator(tmp_path, pictures, "multiclass_log_loss", higher=False)
    public, original = evaluator.folder.public, evaluator.folder.original
    image = next((original / "train_images").iterdir())
    linked = public / "train_images" / image.name
    assert linked.samefile(image)
    assert not any(path.is_symlink() for path in public.rglob("*"))
    assert list(pd.read_csv(public / "validation.csv")) == ["id"]
    labels = pd.read_csv(evaluator.labels)
    assert list(labels) == ["id", "cat", "dog"]
    assert (labels[["cat", "dog"]].sum(axis=1) == 1).all()


async def test_equal_seeds_give_equal_splits(tmp_path: Path) -> None:
    first = await ready_evaluator(tmp_path / "a", flowers, "accuracy", higher=True)
    second = await ready_evaluator(tmp_path / "b", flowers, "accuracy", higher=True)
    assert first.labels.read_bytes() == second.labels.read_bytes()


async def test_copies_of_the_labels_in_the_original_are_not_linked(tmp_path: Path) -> None:
    evaluator = evaluator_for(tmp_path, flowers, "accuracy", higher=True)
    for name in ("train.zip", "train_labels.csv", "notes.txt"):
        (evaluator.folder.original / name).write_text("anything")
    await evaluator.split(standard_split_source(evaluator.profile.facts), fraction=0.2)
    names = {path.name for path in evaluator.folder.public.iterdir()}
    assert "notes.txt" in names
    assert not names & {"train.zip", "train_labels.csv"}


async def test_answers_in_files_of_held_out_rows_are_not_linked(tmp_path: Path) -> None:
    evaluator = evaluator_for(tmp_path, pictures, "multiclass_log_loss", higher=False)
    original, public = evaluator.folder.original, evaluator.folder.public
    for image in list((original / "train_images").iterdir()):
        place = original / "train" / "masks" / image.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"mask")
    await evaluator.split(standard_split_source(evaluator.profile.facts), fraction=0.2)
    masks = {path.stem for path in (public / "train" / "masks").iterdir()}
    held_out = set(pd.read_csv(evaluator.labels, dtype=str)["id"])
    assert masks and held_out and masks.isdisjoint(held_out)
    assert not any(path.is_symlink() for path in public.rglob("*"))
