"""More competitions as hosts write them: several tables, labels in odd places, a file a row, side files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tests.mle_live.layout.file_shapes import picture, sound
from tests.mle_live.layout.fruit import ROWS, TEST_ROWS, parts, table, write
from tests.mle_live.layout.shapes import Shape

RNG = np.random.default_rng(7)


@dataclass(frozen=True)
class Told(Shape):
    kind: str = "tabular"
    withheld: tuple[str, ...] = ()


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def rows_without_labels(folder: Path) -> None:
    made = table().drop(columns="amount").astype({"label": object})
    asked = RNG.permutation(ROWS + TEST_ROWS)[:TEST_ROWS]
    made.loc[asked, "label"] = ""
    folder.mkdir()
    made.to_csv(folder / "data.csv", index=False)
    made.loc[sorted(asked), ["id"]].assign(label=0.5).to_csv(folder / "sample_submission.csv", index=False)


def lists_of_classes(folder: Path) -> None:
    heard = [("bark", "purr", "bark,purr")[number % 3] for number in range(60)]
    names = [f"{number * 7919 % 60:03d}.wav" for number in range(60)]
    for number, name in enumerate(names):
        put(folder / "train" / name, sound(number % 3, RNG))
        put(folder / "test" / f"9{name}", sound(number % 3, RNG))
    pd.DataFrame({"fname": names, "labels": heard}).to_csv(folder / "train.csv", index=False)
    sample = pd.DataFrame({"fname": [f"9{name}" for name in names], "bark": 0, "purr": 0})
    sample.to_csv(folder / "sample_submission.csv", index=False)


def a_table_of_shops(folder: Path) -> None:
    days = pd.date_range("2012-01-06", periods=40, freq="7D")
    made = pd.DataFrame([(shop, day.date()) for shop in (1, 2, 3) for day in days], columns=["Shop", "Date"])
    made["Sales"] = (made["Shop"] * 100 + RNG.normal(size=len(made))).round(2)
    late = made["Date"] >= days[30].date()
    test = made[late].drop(columns="Sales")
    ids = test["Shop"].astype(str) + "_" + test["Date"].astype(str)
    sample = pd.DataFrame({"Id": ids, "Sales": 0})
    write(folder, made[~late], test, sample, sample_submission="sampleSubmission.csv")
    shops = pd.DataFrame({"Shop": [1, 2, 3], "Type": list("aba"), "Size": [10, 20, 30]})
    shops.to_csv(folder / "shops.csv", index=False)


def the_id_comes_last(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train.drop(columns="id"), test, sample[["label", "id"]])
    answers = test.drop(columns="id").assign(label=np.arange(len(test)) % 2)
    answers.to_csv(folder / "test_with_solutions.csv", index=False)


def commands_and_noise(folder: Path) -> None:
    lists: list[str] = []
    for number, kind in enumerate(["go", "no", "up"]):
        for speaker in range(12):
            name = f"{kind}/{speaker * 99991:06x}_nohash_{speaker % 2}.wav"
            put(folder / "train" / "audio" / name, sound(number, RNG))
            lists += [name] * (speaker < 5)
    for number in range(3):
        put(folder / "train" / "audio" / "_noise_" / f"rain{number}.wav", sound(9, RNG))
    put(folder / "train" / "testing_list.txt", "\n".join(lists).encode())
    names = [f"clip_{number:04x}.wav" for number in range(12)]
    for name in names:
        put(folder / "test" / "audio" / name, sound(1, RNG))
    sample = pd.DataFrame({"fname": names, "label": "silence"})
    sample.to_csv(folder / "sample_submission.csv", index=False)


def depths(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train, test, sample)
    (folder / "test.csv").unlink()
    for one in test["id"]:
        put(folder / "test" / f"{one}.png", picture(1, RNG))
    for one in train["id"]:
        put(folder / "train" / f"{one}.png", picture(1, RNG))
    both = pd.DataFrame({"id": [*train["id"], *test["id"]], "depth": RNG.integers(50, 900, ROWS + TEST_ROWS)})
    both.to_csv(folder / "depths.csv", index=False)


def a_table_a_row(folder: Path) -> None:
    train, test, sample = parts("amount")
    folder.mkdir()
    train[["id", "amount"]].to_csv(folder / "train.csv", index=False)
    sample.to_csv(folder / "sample_submission.csv", index=False)
    for place, rows in (("train", train), ("test", test)):
        for one, height in zip(rows["id"], rows["height"], strict=True):
            put(folder / place / f"{one}.csv", f"t,x\n0,{height}\n1,{-height}\n".encode())


def annotated_images(folder: Path) -> None:
    """Folders of the images are named after classes, and a document says which image is of which."""
    numbers = [int(number) for number in RNG.permutation(60)]
    images = [{"id": one, "file_name": f"plants/{one % 3}/{one:04d}.jpg"} for one in numbers]
    kinds = [{"id": 900 + one, "image_id": one, "category_id": one % 3} for one in numbers]
    asked = [{"id": one, "file_name": f"asked/{one}.jpg"} for one in range(100, 120)]
    for image in [*images, *asked]:
        put(folder / str(image["file_name"]), picture(1, RNG))
    names = [{"id": one, "name": f"plant {one}"} for one in range(3)]
    document = {"info": {}, "images": images, "annotations": kinds, "categories": names}
    (folder / "train.json").write_text(json.dumps(document))
    (folder / "test.json").write_text(json.dumps({"images": asked}))
    sample = pd.DataFrame({"id": range(100, 120), "predicted": 0})
    sample.to_csv(folder / "sample_submission.csv", index=False)


def cats_in_cats(folder: Path) -> None:
    for number, kind in enumerate(["cats", "dogs"]):
        for one in range(20):
            put(folder / "data" / "train" / kind / f"{kind[:-1]}.{one}.jpg", picture(number, RNG))
    for one in range(10):
        put(folder / "data" / "test" / f"{one}.jpg", picture(1, RNG))
    sample = pd.DataFrame({"id": range(10), "label": "cats"})
    sample.to_csv(folder / "sample_submission.csv", index=False)


def identities(folder: Path) -> None:
    train, test, sample = parts()
    write(folder, train, test, sample)
    for name, rows in (("train", train), ("test", test)):
        (folder / f"{name}.csv").rename(folder / f"{name}_transaction.csv")
        some = rows[["id"]].iloc[::3]
        some.assign(device=RNG.integers(0, 3, len(some))).to_csv(folder / f"{name}_identity.csv", index=False)


def columns_of_columns(folder: Path) -> None:
    train, test, sample = parts()
    folder.mkdir()
    train.to_json(folder / "train.json")
    test.to_json(folder / "test.json")
    sample.to_csv(folder / "sample_submission.csv", index=False)


def one_table(folder: Path) -> None:
    folder.mkdir()
    table().to_csv(folder / "wine.csv", index=False)


def a_tournament(folder: Path) -> None:
    folder.mkdir()
    teams = pd.DataFrame({"TeamID": range(1101, 1121), "TeamName": "x"})
    teams.to_csv(folder / "Teams.csv", index=False)
    games = pd.DataFrame({"Season": 2014, "WTeamID": range(1101, 1111), "LTeamID": range(1111, 1121)})
    games.to_csv(folder / "Results.csv", index=False)
    pairs = [f"2015_{one}_{other}" for one in range(1101, 1106) for other in range(1106, 1110)]
    pd.DataFrame({"ID": pairs, "Pred": 0.5}).to_csv(folder / "SampleSubmission.csv", index=False)


MORE_SHAPES = {
    one.write.__name__: one
    for one in (
        Told("kobe-bryant-shot-selection", rows_without_labels,
             files={"train": ("data.csv",), "test": ("data.csv",)}),
        Told("freesound-audio-tagging-2019", lists_of_classes, id="fname", targets=("bark", "purr"),
             metric="mean_column_roc_auc", kind="audio"),
        Told("walmart-recruiting", a_table_of_shops, id="Id", targets=("Sales",), metric="mae",
             files={"sample": ("sampleSubmission.csv",), "side": ("shops.csv",)}),
        Told("detecting-insults", the_id_comes_last, withheld=("test_with_solutions.csv",)),
        Told("tensorflow-speech-recognition", commands_and_noise, id="fname", metric="accuracy", kind="audio",
             files={"train": ("train/",), "test": ("test/",)}),
        Told("tgs-salt", depths, kind="image", files={"test": ("test/",), "side": ("depths.csv",)}),
        Told("volcanic-eruptions", a_table_a_row, targets=("amount",), metric="mae",
             files={"test": ("test/",), "side": ("train/",)}),
        Told("inaturalist", annotated_images, targets=("predicted",), metric="accuracy", kind="image",
             files={"train": ("train.json",), "test": ("test.json",)}),
        Told("a folder for Keras", cats_in_cats, metric="accuracy", kind="image",
             files={"train": ("data/",), "test": ("data/test/",)}),
        Told("ieee-fraud-detection", identities, files={"train": ("train_transaction.csv",),
             "side": ("test_identity.csv", "train_identity.csv")}),
        Told("two-sigma-connect", columns_of_columns, files={"train": ("train.json",)}),
        Told("one table of another site", one_table, missing=("test", "train")),
        Told("march-mania", a_tournament, missing=("test", "train")),
    )
}  # fmt: skip
