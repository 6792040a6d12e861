"""Files beside the tables: those that tell labels in any form are withheld, and ordinary ones are offered."""

from __future__ import annotations

import gzip
import json
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comind.evaluator.secrecy.joins import Training
from comind.evaluator.secrecy.withholding import withheld_files

ROWS, TEST_ROWS = 200, 60


def made(target: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A training and a test table with two numbers, a name and a class or an amount to be predicted."""
    rng = np.random.default_rng(0)
    count = ROWS + TEST_ROWS
    table = pd.DataFrame(
        {
            "id": rng.permutation(count) + 100,
            "height": rng.normal(size=count).round(5),
            "weight": rng.normal(size=count).round(5),
            "ticket": [f"T{number * 7 % 9973}" for number in range(count)],
        }
    )
    signal = table["height"] + rng.normal(size=count)
    table["label"] = np.where(signal > 0, "1", "0") if target == "class" else (signal * 10 + 50).round(3)
    return table.iloc[:ROWS], table.iloc[ROWS:].drop(columns="label")


def training(target: str = "class") -> Training:
    train, test = (table.astype(str).reset_index(drop=True) for table in made(target))
    return Training(train, test, "id", ("label",))


def words(train: pd.DataFrame) -> pd.Series:
    return train["label"].map({"1": "ripe", "0": "green"})


def to_sqlite(train: pd.DataFrame, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        train.to_sql("more", connection, index=False)


def to_zip(train: pd.DataFrame, path: Path) -> None:
    """As it lies after the archive was unpacked: archives are looked into (mle_live.layout)."""
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as packed:
        packed.writestr("inner.csv", train.to_csv(index=False))
    with zipfile.ZipFile(path.with_suffix(".zip")) as packed:
        packed.extractall(path.parent)
    path.with_suffix(".zip").unlink()


FORMS: dict[str, tuple[str, Callable[[pd.DataFrame, Path], object]]] = {
    "a copy under another name": ("final.csv", lambda t, p: t.to_csv(p, index=False)),
    "column renamed, rows shuffled": (
        "clean.csv",
        lambda t, p: t.rename(columns={"label": "y"}).sample(frac=1, random_state=0).to_csv(p, index=False),
    ),
    "ids dropped": ("noid.csv", lambda t, p: t.drop(columns="id").iloc[::-1].to_csv(p, index=False)),
    "label in words": (
        "said.csv", lambda t, p: t[["id"]].assign(state=words(t)).to_csv(p, index=False)),
    "joined on another column": (
        "tickets.csv", lambda t, p: t[["ticket", "label"]].to_csv(p, index=False)),
    "gzip": ("more.csv.gz", lambda t, p: p.write_bytes(gzip.compress(t.to_csv(index=False).encode()))),
    "parquet": ("more.parquet", lambda t, p: t.to_parquet(p, index=False)),
    "json lines": ("more.jsonl", lambda t, p: t.to_json(p, orient="records", lines=True)),
    "json": ("more.json", lambda t, p: p.write_text(json.dumps(t.set_index("id")["label"].to_dict()))),
    "a subset of rows": ("some.csv", lambda t, p: t.iloc[:40][["id", "label"]].to_csv(p, index=False)),
    "sqlite": ("more.db", to_sqlite),
    "an array in the order of the rows": (
        "y.npy", lambda t, p: np.save(p, t["label"].astype(float).to_numpy())),
    "pickle": ("more.pkl", lambda t, p: p.write_bytes(pickle.dumps(t.to_dict()))),
    "a workbook": ("more.xlsx", lambda t, p: p.write_bytes(b"PK\x03\x04 a workbook")),
    "zip": ("inner.csv", to_zip),
    "text of a notebook": (
        "eda.ipynb",
        lambda t, p: p.write_text(json.dumps({"cells": [{"source": t[["id", "label"]].to_string()}]})),
    ),
    "ids written as fractions": (
        "floats.csv", lambda t, p: t.assign(id=t["id"].astype(float)).to_csv(p, index=False)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_tells_labels_is_withheld_in_any_form(tmp_path: Path, form: str) -> None:
    name, write = FORMS[form]
    write(made("class")[0], tmp_path / name)
    assert list(withheld_files(tmp_path, training())) == [name]


@pytest.mark.parametrize(
    "change",
    [
        lambda amount: amount * 0.453592,
        lambda amount: amount - 17,
        lambda amount: np.log1p(amount.clip(lower=0)),
        lambda amount: -amount,
        lambda amount: amount + np.random.default_rng(1).normal(scale=0.3, size=len(amount)),
    ],
    ids=["a unit", "an offset", "a logarithm", "a sign", "small noise"],
)
def test_a_column_that_tells_an_amount_up_to_a_change_is_found(
    tmp_path: Path, change: Callable[[pd.Series], pd.Series]
) -> None:
    train = made("amount")[0]
    train[["id"]].assign(other=change(train["label"].astype(float))).to_csv(tmp_path / "o.csv", index=False)
    assert list(withheld_files(tmp_path, training("amount"))) == ["o.csv"]


def test_a_score_that_separates_two_classes_is_found(tmp_path: Path) -> None:
    train = made("class")[0]
    noise = np.random.default_rng(2).uniform(0, 0.4, size=len(train))
    train[["id"]].assign(score=train["label"].astype(int) + noise).to_csv(tmp_path / "s.csv", index=False)
    assert list(withheld_files(tmp_path, training())) == ["s.csv"]


ORDINARY: dict[str, Callable[[Path], object]] = {
    "prices.csv": lambda p: pd.DataFrame({"colour": ["red", "blue"], "price": [1, 2]}).to_csv(p, index=False),
    "extra.csv": lambda p: (
        pd.concat(made("class"))[["id"]].assign(length=np.random.default_rng(3).normal(size=ROWS + TEST_ROWS))
        .to_csv(p, index=False)
    ),
    "notes.md": lambda p: p.write_text("# Notes\n\nTry trees. Row 101 looks odd.\n"),
    "picture.png": lambda p: p.write_bytes(b"\x89PNG"),
    "names.json": lambda p: p.write_text('{"0": "green", "1": "ripe"}'),
    "embedding.npy": lambda p: np.save(p, np.random.default_rng(4).normal(size=(ROWS, 3))),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_file_is_offered(tmp_path: Path, name: str) -> None:
    ORDINARY[name](tmp_path / name)
    assert withheld_files(tmp_path, training()) == {}


def test_what_the_host_tells_of_the_test_rows_as_well_is_offered(tmp_path: Path) -> None:
    both = pd.concat(made("amount"), ignore_index=True)
    known = made("amount")[0]["label"].astype(float)
    noise = np.random.default_rng(6).normal(scale=0.3, size=ROWS)
    sensor = [*(2 * known + noise), *(50.0 + n for n in range(TEST_ROWS))]
    both[["id"]].assign(sensor=sensor).to_csv(tmp_path / "sensor.csv", index=False)
    assert withheld_files(tmp_path, training("amount")) == {}
    both[["id"]].assign(all=[*known, *sensor[ROWS:]]).to_csv(tmp_path / "everything.csv", index=False)
    assert list(withheld_files(tmp_path, training("amount"))) == ["everything.csv"], (
        "that is the label itself"
    )


def test_answers_for_the_rows_to_predict_are_withheld_and_another_sample_is_not(tmp_path: Path) -> None:
    test = made("class")[1]
    answers = np.random.default_rng(5).integers(0, 2, size=len(test))
    test[["id"]].assign(label=answers).to_csv(tmp_path / "test_labels.csv", index=False)
    test[["id"]].assign(label=0).to_csv(tmp_path / "all_zeros.csv", index=False)
    assert list(withheld_files(tmp_path, training())) == ["test_labels.csv"]


def test_one_of_many_files_speaks_for_all(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.pkl").write_bytes(b"\x80")
    assert len(withheld_files(tmp_path, training())) == 300


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (open, (str(tmp_path / "sprung"), "w"))

    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Trap()))
    np.save(tmp_path / "b.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    assert set(withheld_files(tmp_path, training())) == {"a.pkl", "b.npy"}
    assert not (tmp_path / "sprung").exists()
