"""Competitions in the shapes that they come in, each imitating a kind that Kaggle has: made, never copied.

Each writes a small folder and says what should be found there. Labels follow the inputs with some noise, so
that a run can learn something from each.
"""

from __future__ import annotations

import io
import json
import tarfile
import wave
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROWS, TEST_ROWS = 240, 80


@dataclass(frozen=True)
class Shape:
    """`files` are the roles that matter; the id and the targets as a submission has them."""

    imitates: str
    write: Callable[[Path], None]
    id: str = "id"
    targets: tuple[str, ...] = ("label",)
    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    metric: str = "roc_auc"
    missing: tuple[str, ...] = ()


def table(rows: int = ROWS + TEST_ROWS, seed: int = 0) -> pd.DataFrame:
    """Two numbers and a colour decide `label`, and an `amount`; ids are in no order."""
    rng = np.random.default_rng(seed)
    made = pd.DataFrame(
        {
            "id": rng.permutation(rows) + 1,
            "height": rng.normal(size=rows).round(4),
            "weight": rng.normal(size=rows).round(4),
            "colour": rng.choice(["red", "green", "blue"], size=rows),
        }
    )
    signal = 2 * made["height"] - made["weight"] + (made["colour"] == "red")
    made["label"] = (signal + rng.normal(scale=0.6, size=rows) > 0).astype(int)
    made["amount"] = (20 + 5 * signal + rng.normal(size=rows)).round(3)
    return made


def parts(target: str = "label", made: pd.DataFrame | None = None) -> tuple[pd.DataFrame, ...]:
    """Training rows, test rows without the target, and a sample submission."""
    made = table() if made is None else made
    made = made.drop(columns={"label", "amount"} - {target}, errors="ignore")
    train, test = made.iloc[:-TEST_ROWS], made.iloc[-TEST_ROWS:].drop(columns=target)
    return train, test, test[["id"]].assign(**{target: 0.5})


def write(folder: Path, train: pd.DataFrame, test: pd.DataFrame, sample: pd.DataFrame, **names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for role, made in (("train", train), ("test", test), ("sample_submission", sample)):
        made.to_csv(folder / names.get(role, f"{role}.csv"), index=False)


def zipped(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        for name, text in members.items():
            packed.writestr(name.replace("__", "/").replace("_DOT_", "."), text)


def picture(level: int, rng: np.random.Generator) -> bytes:
    """A little grey picture, brighter for a higher level."""
    from PIL import Image

    pixels = np.clip(rng.normal(40 + 90 * level, 25, size=(12, 12)), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def sound(pitch: int, rng: np.random.Generator) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 2000, 400, "NONE", ""))
        tone = np.sin(np.arange(400) * 0.2 * (pitch + 1)) * 9000 + rng.normal(scale=500, size=400)
        out.writeframes(tone.astype(np.int16).tobytes())
    return file.getvalue()


def plain(folder: Path) -> None:
    write(folder, *parts())


def gender_submission(folder: Path) -> None:
    write(folder, *parts(), sample_submission="gender_submission.csv")


def camel_case(folder: Path) -> None:
    write(folder, *parts(), sample_submission="sampleSubmission.csv")


def several_samples(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train, test, sample, sample_submission="sample_submission_v2.csv")
    sample.assign(id=sample["id"] + 10_000).to_csv(folder / "sample_submission_v1.csv", index=False)


def each_zipped(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir(parents=True)
    for name, made in (("train", train), ("test", test), ("sampleSubmission", sample)):
        with zipfile.ZipFile(folder / f"{name}.csv.zip", "w") as packed:
            packed.writestr(f"{name}.csv", made.to_csv(index=False))


def zip_in_zip(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir(parents=True)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        packed.writestr("train.csv", train.to_csv(index=False))
    with zipfile.ZipFile(folder / "fruit.zip", "w") as packed:
        packed.writestr("fruit/train.zip", inner.getvalue())
        packed.writestr("fruit/test.csv", test.to_csv(index=False))
        packed.writestr("fruit/sample_submission.csv", sample.to_csv(index=False))


def seven_zip(folder: Path) -> None:
    import py7zr

    train, test, sample = parts("amount")
    folder.mkdir(parents=True)
    for name, made in (("train", train), ("test", test)):
        (folder / f"{name}.tsv").write_text(made.to_csv(index=False, sep="\t"))
        with py7zr.SevenZipFile(folder / f"{name}.tsv.7z", "w") as packed:
            packed.write(folder / f"{name}.tsv", f"{name}.tsv")
        (folder / f"{name}.tsv").unlink()
    sample.to_csv(folder / "sample_submission.csv", index=False)


def tarball(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir(parents=True)
    with tarfile.open(folder / "data.tar.gz", "w:gz") as packed:
        for name, made in (("train", train), ("test", test), ("sample_submission", sample)):
            data = made.to_csv(index=False).encode()
            entry = tarfile.TarInfo(f"./data/{name}.csv")
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))


def semicolons(folder: Path) -> None:
    train, test, sample = parts("amount")
    folder.mkdir(parents=True)
    train.to_csv(folder / "train.csv", sep=";", index=False)
    test.to_csv(folder / "test.csv", sep=";", index=False)
    sample.to_csv(folder / "sample_submission.csv", index=False)


def parquet(folder: Path) -> None:
    train, test, sample = parts("amount")
    folder.mkdir(parents=True)
    train.to_parquet(folder / "train.parquet", index=False)
    test.to_parquet(folder / "test.parquet", index=False)
    sample.to_csv(folder / "sample_submission.csv", index=False)


def json_lines(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir(parents=True)
    train.to_json(folder / "train.jsonl", orient="records", lines=True)
    test.to_json(folder / "test.jsonl", orient="records", lines=True)
    sample.to_csv(folder / "sample_submission.csv", index=False)


def json_documents(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(json.dumps(train.to_dict("records")))
    (folder / "test.json").write_text(json.dumps(test.to_dict("records")))
    sample.to_csv(folder / "sampleSubmission.csv", index=False)


def nested(folder: Path) -> None:
    write(folder / "input" / "fruit", *parts())
    (folder / "notes").mkdir()
    (folder / "notes" / "ideas.txt").write_text("try forests\n")


def latin_1(folder: Path) -> None:
    train, test, sample = parts()
    train["colour"], test["colour"] = (made["colour"].replace("red", "très rouge") for made in (train, test))
    folder.mkdir(parents=True)
    train.to_csv(folder / "train.csv", index=False, encoding="latin-1")
    test.to_csv(folder / "test.csv", index=False, encoding="latin-1")
    sample.to_csv(folder / "sample_submission.csv", index=False)


def no_id_in_test(folder: Path) -> None:
    train, test, sample = parts()
    sample = pd.DataFrame({"RowId": np.arange(len(test)) + 1, "Label": 0})
    write(folder, train.drop(columns="id"), test.drop(columns="id"), sample)


def id_under_another_name(folder: Path) -> None:
    train, test, sample = parts("amount")
    write(folder, train, test, sample.rename(columns={"id": "FruitId", "amount": "Expected"}))


def unnamed_index(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir(parents=True)
    for name, made in (("train", train), ("test", test)):
        made.rename(columns={"id": ""}).to_csv(folder / f"{name}.csv", index=False)
    sample.rename(columns={"id": "Id"}).to_csv(folder / "sampleEntry.csv", index=False)


def separate_labels(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train.drop(columns="label"), test, sample)
    train[["id", "label"]].sample(frac=1, random_state=1).to_csv(folder / "train_labels.csv", index=False)


def x_and_y(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir(parents=True)
    train.drop(columns=["id", "label"]).to_csv(folder / "X_train.csv", index=False)
    train[["label"]].to_csv(folder / "y_train.csv", index=False)
    test.to_csv(folder / "X_test.csv", index=False)
    sample.to_csv(folder / "sample_submission.csv", index=False)


def in_parts(folder: Path) -> None:
    train, test, sample = parts("amount")
    folder.mkdir(parents=True)
    for number, first in enumerate(range(0, len(train), 100)):
        train.iloc[first : first + 100].to_csv(folder / f"train_{number}.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    sample.to_csv(folder / "sample_submission.csv", index=False)


def several_tables(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train.drop(columns="weight"), test.drop(columns="weight"), sample)
    table()[["id", "weight"]].to_csv(folder / "measurements.csv", index=False)
    pd.DataFrame({"colour": ["red", "green", "blue"], "price": [3, 2, 1]}).to_csv(
        folder / "colours.csv", index=False
    )


def two_column_ids(folder: Path) -> None:
    made = table().drop(columns="label")
    made = made.assign(shop=made["id"] % 10, item=made["id"] // 10).drop(columns="id")
    made = made[["shop", "item", "height", "weight", "colour", "amount"]]
    train, test = made.iloc[:-TEST_ROWS], made.iloc[-TEST_ROWS:].drop(columns="amount")
    write(folder, train, test, test[["shop", "item"]].assign(amount=0))


def by_date(folder: Path) -> None:
    days = pd.date_range("2024-01-01", periods=100)
    rows = [(day, shop) for day in days for shop in range(4)]
    made = pd.DataFrame(rows, columns=["date", "shop"])
    rng = np.random.default_rng(1)
    made["promotion"] = rng.integers(0, 2, len(made))
    made["sales"] = (
        50 + 10 * made["shop"] + 8 * made["promotion"] + rng.normal(scale=2, size=len(made))
    ).round(2)
    made.insert(0, "id", np.arange(len(made)))
    late = made["date"] >= days[85]
    test = made[late].drop(columns="sales")
    write(folder, made[~late], test, test[["id"]].assign(sales=0))


def no_sample(folder: Path) -> None:
    train, test, _ = parts("amount")
    folder.mkdir(parents=True)
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)


def words_for_numbers(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train.assign(label=train["label"].map({1: "yes", 0: "no"})), test, sample)


def unclear_words(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train.assign(label=train["label"].map({1: "ripe", 0: "green"})), test, sample)


def class_folders(folder: Path) -> None:
    _pictures(folder, lambda name, kind, number: f"train/{kind}/{name}.png")
    _picture_sample(folder)


def images_with_labels(folder: Path) -> None:
    kinds = _pictures(folder, lambda name, kind, number: f"train_images/{name}.png", test="test_images")
    pd.DataFrame(kinds, columns=["id", "label"]).to_csv(folder / "train_labels.csv", index=False)
    _picture_sample(folder)


def names_tell(folder: Path) -> None:
    _pictures(folder, lambda name, kind, number: f"train/{kind}.{number}.png")
    _picture_sample(folder, target="apple")


def sounds(folder: Path) -> None:
    rng = np.random.default_rng(0)
    (folder / "train").mkdir(parents=True)
    (folder / "test").mkdir()
    for number in range(60):
        (folder / "train" / f"clip{number}_{number % 2}.wav").write_bytes(sound(number % 2, rng))
    for number in range(20):
        (folder / "test" / f"clip{number + 100}.wav").write_bytes(sound(number % 2, rng))
    names = [f"clip{number + 100}.wav" for number in range(20)]
    pd.DataFrame({"clip": names, "probability": 0}).to_csv(folder / "sampleSubmission.csv", index=False)


def one_column_a_class(folder: Path) -> None:
    _pictures(folder, lambda name, kind, number: f"train/{name}.png")
    kinds = [(f"p{number}", KINDS[number % 2]) for number in range(60)]
    pd.DataFrame(kinds, columns=["id", "kind"]).to_csv(folder / "labels.csv", index=False)
    ids = [f"q{number}" for number in range(20)]
    pd.DataFrame({"id": ids, "apple": 0.5, "pear": 0.5}).to_csv(folder / "sample_submission.csv", index=False)


def image_pairs(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for place in ("train", "train_cleaned", "test"):
        (folder / place).mkdir(parents=True)
    for number in range(24):
        clean = np.kron(rng.choice([0.1, 0.9], size=(4, 5)), np.ones((4, 4)))
        noisy = clean + rng.normal(scale=0.15, size=clean.shape)
        place = "train" if number < 20 else "test"
        _save(folder / place / f"{number}.png", noisy)
        if place == "train":
            _save(folder / "train_cleaned" / f"{number}.png", clean)
    pixels = [f"{n}_{row}_{column}" for n in range(20, 24) for row in range(1, 17) for column in range(1, 21)]
    pd.DataFrame({"id": pixels, "value": 1}).to_csv(folder / "sampleSubmission.csv", index=False)


def masks_as_lengths(folder: Path) -> None:
    """Run lengths are handed in, while the masks are images."""
    image_pairs(folder)
    (folder / "train_cleaned").rename(folder / "train_masks")
    rows = {"img": [f"{number}.png" for number in range(20, 24)], "rle_mask": "1 1"}
    pd.DataFrame(rows).to_csv(folder / "sampleSubmission.csv", index=False)


def _save(path: Path, brightness: np.ndarray[Any, Any]) -> None:
    from PIL import Image

    Image.fromarray((np.clip(brightness, 0, 1) * 255).astype(np.uint8)).save(path)


def nothing_to_learn_from(folder: Path) -> None:
    _, test, sample = parts()
    folder.mkdir(parents=True)
    test.to_csv(folder / "test.csv", index=False)
    sample.to_csv(folder / "sample_submission.csv", index=False)


def several_new_columns(folder: Path) -> None:
    train, test, _ = parts()
    folder.mkdir(parents=True)
    train.assign(noted=1).to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)


KINDS = ("apple", "pear")


def _pictures(
    folder: Path, name: Callable[[str, str, int], str], test: str = "test"
) -> list[tuple[str, str]]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(60):
        kind = KINDS[number % 2]
        path = folder / name(f"p{number}", kind, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number % 2, rng))
        found.append((f"p{number}", kind))
    (folder / test).mkdir(parents=True)
    for number in range(20):
        (folder / test / f"q{number}.png").write_bytes(picture(number % 2, rng))
    return found


def _picture_sample(folder: Path, target: str = "label") -> None:
    ids = [f"q{number}" for number in range(20)]
    value: object = KINDS[0] if target == "label" else 0.5
    pd.DataFrame({"id": ids, target: value}).to_csv(folder / "sample_submission.csv", index=False)


SHAPES = {
    one.write.__name__: one
    for one in (
        Shape("most playground competitions", plain, files={"train": ("train.csv",), "test": ("test.csv",)}),
        Shape("titanic", gender_submission, files={"sample": ("gender_submission.csv",)}),
        Shape("bike-sharing-demand", camel_case, files={"sample": ("sampleSubmission.csv",)}),
        Shape("a competition with a corrected sample", several_samples,
              files={"sample": ("sample_submission_v2.csv",)}),
        Shape("sf-crime", each_zipped, files={"train": ("train.csv.zip",)}),
        Shape("a whole download in one file", zip_in_zip, files={"train": ("fruit/train.csv",)}),
        Shape("mercari-price-suggestion", seven_zip, targets=("amount",), metric="rmse",
              files={"train": ("train.tsv.7z",)}),
        Shape("an archive of another site", tarball, files={"train": ("data/train.csv",)}),
        Shape("a European export", semicolons, targets=("amount",), metric="mae"),
        Shape("ubiquant", parquet, targets=("amount",), metric="rmse", files={"train": ("train.parquet",)}),
        Shape("feedback as records", json_lines, files={"train": ("train.jsonl",)}),
        Shape("whats-cooking", json_documents, files={"train": ("train.json",)}),
        Shape("a folder unpacked by hand", nested, files={"train": ("input/fruit/train.csv",)}),
        Shape("a host without UTF-8", latin_1),
        Shape("digit-recognizer", no_id_in_test, id="RowId", targets=("Label",), metric="accuracy"),
        Shape("loan-default", id_under_another_name, id="FruitId", targets=("Expected",), metric="mae"),
        Shape("give-me-some-credit", unnamed_index, id="Id", files={"sample": ("sampleEntry.csv",)}),
        Shape("amex", separate_labels, files={"labels": ("train_labels.csv",)}),
        Shape("an in-class competition", x_and_y,
              files={"train": ("X_train.csv",), "labels": ("y_train.csv",)}),
        Shape("a table in parts", in_parts, targets=("amount",), metric="rmse",
              files={"train": ("train_0.csv", "train_1.csv", "train_2.csv")}),
        Shape("instacart", several_tables, files={"side": ("colours.csv", "measurements.csv")}),
        Shape("walmart", two_column_ids, id="shop|item", targets=("amount",), metric="rmse"),
        Shape("store-sales", by_date, targets=("sales",), metric="rmse"),
        Shape("a folder without a sample", no_sample, targets=("amount",), metric="rmse"),
        Shape("labels in words", words_for_numbers),
        Shape("labels in unclear words", unclear_words, missing=("positive_class",)),
        Shape("state-farm", class_folders, metric="accuracy",
              files={"train": ("train/",), "test": ("test/",)}),
        Shape("aptos", images_with_labels, metric="accuracy", files={"train": ("train_labels.csv",)}),
        Shape("dogs-vs-cats", names_tell, targets=("apple",), files={"train": ("train/",)}),
        Shape("whale-detection", sounds, id="clip", targets=("probability",), files={"train": ("train/",)}),
        Shape("dog-breed", one_column_a_class, targets=("apple", "pear"), metric="multiclass_log_loss",
              files={"train": ("labels.csv",)}),
        Shape(
            "denoising-dirty-documents", image_pairs, targets=("value",), metric="rmse",
            files={"train": ("train/",), "labels": ("train_cleaned/",), "test": ("test/",)},
        ),
        Shape("carvana without its table of masks", masks_as_lengths, missing=("train",)),
        Shape("half a download", nothing_to_learn_from, missing=("train",)),
        Shape("a target not told", several_new_columns, missing=("target",)),
    )
}  # fmt: skip
