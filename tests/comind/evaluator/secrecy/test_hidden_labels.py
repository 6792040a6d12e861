"""Labels in odd places: in names and notes, in nests, over a third file, in bins, in lists of ids."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from comind.evaluator.secrecy.joins import Training
from comind.evaluator.secrecy.telling import tells
from comind.evaluator.secrecy.withholding import withheld_files
from tests.comind.evaluator.secrecy.test_withholding import made, words

Form = Callable[[pd.DataFrame, pd.DataFrame, Path], object]


def quarters(train: pd.DataFrame) -> pd.Series:
    return pd.qcut(train["label"].astype(float), 4, labels=["a", "b", "c", "d"]).astype(str)


def training(kind: str) -> tuple[Training, pd.DataFrame, pd.DataFrame]:
    train, test = made("class" if kind == "class" else "amount")
    if kind == "four classes":
        train = train.assign(label=quarters(train))
    train, test = (table.astype(str).reset_index(drop=True) for table in (train, test))
    return Training(train, test, "id", ("label",)), train, test


def said(train: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(train["id"], words(train), strict=True))


def picture(path: Path, note: str = "") -> Path:
    from PIL import Image, PngImagePlugin

    notes = PngImagePlugin.PngInfo()
    if note:
        notes.add_text("Comment", note)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (2, 2)).save(path, pnginfo=notes)
    return path


def coco(train: pd.DataFrame, path: Path) -> None:
    images = [{"id": 7000 + n, "file_name": f"images/{one}.png"} for n, one in enumerate(train["id"])]
    kinds = [{"image_id": 7000 + n, "category": int(one)} for n, one in enumerate(train["label"])]
    path.write_text(json.dumps({"images": images, "annotations": kinds}))


def over_a_third_file(train: pd.DataFrame, folder: Path) -> None:
    names = [hashlib.md5(one.encode()).hexdigest() for one in train["id"]]
    pd.DataFrame({"id": train["id"], "name": names}).to_csv(folder / "names.csv", index=False)
    told = pd.DataFrame({"name": names, "state": train["label"]})
    told.sample(frac=1, random_state=0).to_csv(folder / "states.csv", index=False)


def in_a_view(train: pd.DataFrame, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        train[["id"]].assign(k=range(len(train))).to_sql("a", connection, index=False)
        train[["label"]].assign(k=range(len(train))).to_sql("b", connection, index=False)
        connection.execute("create view v as select a.id, b.label, b.label from a join b on a.k = b.k")


def in_parquet_notes(train: pd.DataFrame, path: Path) -> None:
    import fastparquet

    notes = {"notes": json.dumps(dict(said(train)))}
    fastparquet.write(str(path), pd.DataFrame({"n": [1, 2]}), custom_metadata=notes)


HIDDEN: dict[str, tuple[str, Form]] = {
    "records under ids": ("class", lambda t, _, p: (p / "a.json").write_text(
        json.dumps({one: {"x": 1, "state": word} for one, word in said(t)}))),
    "a mapping deep inside": ("class", lambda t, _, p: (p / "a.json").write_text(
        json.dumps({"meta": {"v": {"known": dict(said(t))}}, "n": 3}))),
    "lists side by side": ("class", lambda t, _, p: (p / "a.json").write_text(
        json.dumps({"rows": t["id"].tolist(), "y": t["label"].tolist()}))),
    "images and annotations": ("class", lambda t, _, p: coco(t, p / "a.json")),
    "over a third file": ("class", lambda t, _, p: over_a_third_file(t, p)),
    "a view that joins": ("class", lambda t, _, p: in_a_view(t, p / "a.db")),
    "notes of a Parquet file": ("class", lambda t, _, p: in_parquet_notes(t, p / "a.parquet")),
    "ids that are an index": ("class", lambda t, _, p: (
        t.set_index("id")[["label"]].iloc[::-1].to_parquet(p / "a.parquet"))),
    "a cube": ("class", lambda t, _, p: np.save(
        p / "a.npy", t["label"].astype(int).to_numpy().reshape(-1, 1, 1))),
    "a row that is a column": ("class", lambda t, _, p: np.save(
        p / "a.npy", t["label"].astype(int).to_numpy().reshape(1, -1))),
    "with the rows to predict below": ("class", lambda t, test, p: np.save(
        p / "a.npy", np.r_[t["label"].astype(int), np.zeros(len(test))])),
    "sorted by id": ("class", lambda t, _, p: (
        t.assign(id=t["id"].astype(int)).sort_values("id")[["label"]].to_csv(p / "a.csv", index=False))),
    "ids of one class": ("class", lambda t, _, p: (
        t.loc[t["label"] == "1", ["id"]].to_csv(p / "a.csv", index=False))),
    "rows lie as columns": ("class", lambda t, _, p: t[["id", "label"]].T.to_csv(p / "a.csv")),
    "in one cell": ("class", lambda t, _, p: pd.DataFrame(
        {"note": ["-", ";".join(f"{one}:{word}" for one, word in said(t))]}).to_csv(p / "a.csv")),
    "in paths": ("class", lambda t, _, p: pd.DataFrame(
        {"path": [f"/data/{word}/{one}.png" for one, word in said(t)]}).to_csv(p / "a.csv", index=False)),
    "in a page": ("class", lambda t, _, p: (p / "a.html").write_text(
        "".join(f'<tr class="a b"><td class="c">{one}</td><td>{word}</td></tr>' for one, word in said(t)))),
    "in a drawing": ("class", lambda t, _, p: (p / "a.svg").write_text(
        "".join(f'<circle id="{one}" fill="{word}"/>' for one, word in said(t)))),
    "names of files": ("class", lambda t, _, p: [
        picture(p / "views" / f"{one}_{word}.png") for one, word in said(t)]),
    "names of folders": ("class", lambda t, _, p: [
        picture(p / "views" / word / f"{one}.png") for one, word in said(t)]),
    "notes in pictures": ("class", lambda t, _, p: [
        picture(p / "views" / f"{one}.png", word) for one, word in said(t)]),
    "a text a row": ("class", lambda t, _, p: [
        (p / f"{one}.xml").write_text(f"<a><b>{one}</b><name>{word}</name></a>") for one, word in said(t)]),
    "finer classes": ("class", lambda t, _, p: t[["id"]].assign(
        kind=[f"{word[0]}{n % 5}" for n, (_, word) in enumerate(said(t))]).to_csv(p / "a.csv", index=False)),
    "a column a class": ("four classes", lambda t, _, p: pd.concat(
        [t[["id"]], pd.get_dummies(t["label"]).astype(int)], axis=1).to_csv(p / "a.csv", index=False)),
    "predictions a class": ("four classes", lambda t, _, p: pd.concat(
        [t[["id"]], pd.get_dummies(t["label"]) * 0.6 + np.random.default_rng(1).random((len(t), 4)) * 0.39],
        axis=1).to_csv(p / "a.csv", index=False)),
    "two bins": ("amount", lambda t, _, p: t[["id"]].assign(
        large=t["label"].astype(float) > 50).to_csv(p / "a.csv", index=False)),
    "bins in words": ("amount", lambda t, _, p: t[["id"]].assign(
        level=quarters(t)).to_csv(p / "a.csv", index=False)),
    "answers to predict, joined otherwise": ("class", lambda _, test, p: test[["ticket"]].assign(
        label=np.arange(len(test)) % 2).to_csv(p / "more.csv", index=False)),
    "a solution by another name": ("class", lambda _, test, p: test[["id"]].assign(
        y=np.arange(len(test)) % 2).to_csv(p / "my_solution.csv", index=False)),
}  # fmt: skip


@pytest.mark.parametrize("form", HIDDEN)
def test_labels_are_found_where_they_hide(tmp_path: Path, form: str) -> None:
    kind, write = HIDDEN[form]
    known, train, test = training(kind)
    write(train, test, tmp_path)
    assert withheld_files(tmp_path, known)


def test_only_the_file_at_the_end_of_a_chain_is_withheld(tmp_path: Path) -> None:
    known, train, _ = training("class")
    over_a_third_file(train, tmp_path)
    assert list(withheld_files(tmp_path, known)) == ["states.csv"]


def test_a_file_among_many_is_looked_at_when_no_row_has_its_name(tmp_path: Path) -> None:
    known, train, _ = training("class")
    for one in [*train["id"], *range(900, 920)]:
        (tmp_path / f"{one}.csv").write_text("a,b\n1,2\n3,4\n")
    train[["id", "label"]].to_csv(tmp_path / "more.csv", index=False)
    assert list(withheld_files(tmp_path, known)) == ["more.csv"]


def test_what_takes_too_much_to_read_is_withheld(tmp_path: Path) -> None:
    known, _, _ = training("class")
    for name in ("a.csv", "a.npy"):
        with (tmp_path / name).open("wb") as file:
            if name == "a.npy":
                shape = {"descr": "<f8", "fortran_order": False, "shape": (1 << 34,)}
                np.lib.format.write_array_header_1_0(file, shape)
            file.truncate(2 << 30)
    assert set(withheld_files(tmp_path, known)) == {"a.csv", "a.npy"}


HARMLESS: dict[str, tuple[str, Form]] = {
    "of some rows": ("class", lambda t, _, p: t[["id"]].iloc[::3].assign(
        device=np.arange(len(t.iloc[::3])) % 2).to_csv(p / "train_identity.csv", index=False)),
    "many rows a row": ("class", lambda t, _, p: t.loc[t.index.repeat(4), ["id"]].assign(
        order=range(4 * len(t)), shop=np.arange(4 * len(t)) % 7).to_csv(p / "orders.csv", index=False)),
    "folds": ("four classes", lambda t, _, p: t[["id"]].assign(
        fold=np.arange(len(t)) % 5).to_csv(p / "folds.csv", index=False)),
    "patients": ("four classes", lambda t, _, p: t[["id"]].assign(
        patient=[f"p{n % 60}" for n in range(len(t))]).to_csv(p / "patients.csv", index=False)),
    "pictures": ("class", lambda t, test, p: [
        picture(p / "views" / f"{int(one) % 10}" / f"{one}.png", "gimp") for one in [*t["id"], *test["id"]]]),
    "code": ("class", lambda _, __, p: (p / "code.py").write_text(
        "for i in range(100, 300):\n    print(i, i % 2)\n" * 9)),
}  # fmt: skip


@pytest.mark.parametrize("form", HARMLESS)
def test_what_tells_no_label_is_offered(tmp_path: Path, form: str) -> None:
    kind, write = HARMLESS[form]
    known, train, test = training(kind)
    write(train, test, tmp_path)
    assert withheld_files(tmp_path, known) == {}


def test_several_labels_of_a_row_in_rows_of_their_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    train = pd.DataFrame(rng.integers(0, 2, size=(90, 3)).astype(str), columns=["tube", "line", "drain"])
    train.insert(0, "id", [f"x{n}" for n in range(90)])
    long = train.melt("id").query("value == '1'").rename(columns={"variable": "seen"})
    long[["id", "seen"]].to_csv(tmp_path / "annotations.csv", index=False)
    known = Training(train, None, "id", ("tube", "line", "drain"))
    assert list(withheld_files(tmp_path, known)) == ["annotations.csv"]


@pytest.mark.parametrize(("unique", "expected"), [(True, False), (False, True)])
def test_a_text_is_told_by_itself_only(unique: bool, expected: bool) -> None:
    labels = pd.Series([f"{n} 3 {n + 9} 2" for n in range(60)])
    values = pd.Series([f"depth {n * 7 % 61}" for n in range(60)]) if unique else labels
    assert tells(values, labels) is expected


def test_an_odd_one_among_thousands_is_looked_at(tmp_path: Path) -> None:
    known, train, _ = training("class")
    for number in range(1000):
        (tmp_path / f"note{number}.csv").write_text("a,b\n1,2\n")
    train[["id", "label"]].to_csv(tmp_path / "notes_all.csv", index=False)
    assert list(withheld_files(tmp_path, known)) == ["notes_all.csv"]


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.parquet", "a.json", "a.db", "a.csv.gz"])
def test_what_upsets_its_reader_is_no_end_of_the_inspection(tmp_path: Path, name: str) -> None:
    known, _, _ = training("class")
    (tmp_path / name).write_bytes(b"[" * 200_000)
    says_nothing = name == "a.json"  # brackets are no JSON, but a text that can be read
    assert list(withheld_files(tmp_path, known)) == ([] if says_nothing else [name])
    (tmp_path / name).write_bytes(b"")
    assert set(withheld_files(tmp_path, known)) <= {name}
