"""Competitions of one table or several, in the forms and under the names that hosts give them."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from tests.mle_live.layout.fruit import TEST_ROWS, parts, table, write


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
