"""The sample that pushed notebooks are rehearsed on: same names, fewer rows, ids that agree, their files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from comind.at_kaggle.sample import SampleSizes, sample_public
from comind.evaluator.profile import SplitFacts
from kaggle_runner.errors import BadCompetition

CLASSES = SplitFacts("id", ("label",), None, "multiclass", None)
NUMBERS = SplitFacts("id", ("label",), None, "regression", None)


def write_public(folder: Path, *, train: int = 3000, others: int = 700, images: bool = False) -> Path:
    """A public split: classes `a` (nearly all) and `rare` (eight rows); ids v… of validation, t… of test."""
    folder.mkdir(parents=True)
    label = ["rare" if row % (train // 8) == 0 else "a" for row in range(train)]
    tables = {
        "train.csv": pd.DataFrame(
            {"id": [f"{row:05}" for row in range(train)], "x": range(train), "label": label}
        ),
        "validation.csv": pd.DataFrame({"id": [f"v{row}" for row in range(others)][::-1], "x": 1}),
        "test.csv": pd.DataFrame({"id": [f"t{row}" for row in range(others)], "x": 2}),
    }
    for name, table in tables.items():
        table.to_csv(folder / name, index=False)
    for name, sample in (("validation", "sample_validation_submission"), ("test", "sample_submission")):
        ids = pd.DataFrame({"id": [f"{name[0]}{row}" for row in range(others)], "label": "a"})
        ids.to_csv(folder / f"{sample}.csv", index=False)
    every = [id for table in tables.values() for id in table["id"]]
    pd.DataFrame({"id": every, "length": 3}).to_csv(folder / "lengths.csv", index=False)
    (folder / "notes.txt").write_text("as they are")
    if images:
        own = [*tables["train.csv"]["id"], *tables["validation.csv"]["id"]]
        places: dict[str, list[str]] = {"images": own, "test_images": list(tables["test.csv"]["id"])}
        for place, names in places.items():
            (folder / place).mkdir()
            for name in names:
                (folder / place / f"{name}.png").write_bytes(b"png")
        (folder / "images" / "mean.png").write_bytes(b"of no row")
    return folder


@pytest.fixture
def sampled(tmp_path: Path) -> tuple[Path, SampleSizes]:
    public = write_public(tmp_path / "data" / "public", images=True)
    return tmp_path / "data" / "rehearsal", sample_public(
        public, tmp_path / "data" / "rehearsal", CLASSES, seed=1
    )


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, dtype=str)


def test_sizes_are_those_of_the_tables(sampled: tuple[Path, SampleSizes]) -> None:
    folder, sizes = sampled
    assert (sizes.validation, sizes.test, sizes.of_validation, sizes.of_test) == (500, 500, 700, 700)
    assert sizes.train == len(read(folder, "train.csv")) <= 2010
    assert sizes.ratio == pytest.approx(4400 / (sizes.train + 1000))
    assert "of 3,000 training rows" in sizes.sentence()


def test_inputs_and_samples_of_predictions_hold_the_same_ids_in_their_own_order(
    sampled: tuple[Path, SampleSizes],
) -> None:
    folder, _ = sampled
    for inputs, sample in (
        ("validation.csv", "sample_validation_submission.csv"),
        ("test.csv", "sample_submission.csv"),
    ):
        assert set(read(folder, inputs)["id"]) == set(read(folder, sample)["id"])
    numbers = [int(id[1:]) for id in read(folder, "validation.csv")["id"]]
    assert numbers == sorted(numbers, reverse=True)


def test_a_rare_class_keeps_rows_enough_for_folds(sampled: tuple[Path, SampleSizes]) -> None:
    counts = read(sampled[0], "train.csv")["label"].value_counts()
    assert counts["rare"] >= 5


def test_values_are_the_text_of_the_original(sampled: tuple[Path, SampleSizes]) -> None:
    assert read(sampled[0], "train.csv")["id"].str.len().eq(5).all()


def test_only_files_of_sampled_rows_and_of_no_row_are_there(sampled: tuple[Path, SampleSizes]) -> None:
    folder, _ = sampled
    shown = {path.stem for path in (folder / "images").iterdir()}
    rows = {*read(folder, "train.csv")["id"], *read(folder, "validation.csv")["id"]}
    assert shown == rows | {"mean"}
    assert {path.stem for path in (folder / "test_images").iterdir()} == set(read(folder, "test.csv")["id"])


def test_other_tables_lose_the_rows_of_ids_that_were_left_out(sampled: tuple[Path, SampleSizes]) -> None:
    folder, sizes = sampled
    assert len(read(folder, "lengths.csv")) == sizes.train + sizes.validation + sizes.test
    assert (folder / "notes.txt").read_text() == "as they are"


def test_the_same_seed_gives_the_same_sample_and_a_made_one_is_left_alone(tmp_path: Path) -> None:
    public = write_public(tmp_path / "public")
    first = sample_public(public, tmp_path / "one" / "r", NUMBERS, seed=3)
    sample_public(public, tmp_path / "two" / "r", NUMBERS, seed=3)
    one, two = (tmp_path / name / "r" / "train.csv" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    one.write_text("changed")
    assert sample_public(public, tmp_path / "one" / "r", NUMBERS, seed=3) == first
    assert one.read_text() == "changed"


def test_a_small_competition_is_rehearsed_whole(tmp_path: Path) -> None:
    public = write_public(tmp_path / "public", train=80, others=20)
    sizes = sample_public(public, tmp_path / "rehearsal", CLASSES, seed=0)
    assert sizes.ratio == 1
    assert read(tmp_path / "rehearsal", "train.csv").equals(read(public, "train.csv"))


def test_files_named_by_a_column_follow_its_rows(tmp_path: Path) -> None:
    public = write_public(tmp_path / "public")
    train = read(public, "train.csv").assign(path=lambda table: "sounds/" + table["id"] + ".wav")
    train.to_csv(public / "train.csv", index=False)
    (public / "sounds").mkdir()
    for name in train["path"]:
        (public / name).write_bytes(b"wav")
    sample_public(public, tmp_path / "rehearsal", CLASSES, seed=0)
    kept = {f"sounds/{path.name}" for path in (tmp_path / "rehearsal" / "sounds").iterdir()}
    assert kept == set(read(tmp_path / "rehearsal", "train.csv")["path"])


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    public = write_public(tmp_path / "public")
    (public / "train.csv").write_text("")
    with pytest.raises(BadCompetition, match=r"train\.csv"):
        sample_public(public, tmp_path / "rehearsal", CLASSES, seed=0)
