"""Three small competitions with a signal that simple models find: a table, texts, images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.fakes.offline_world import World, make_world


def table_world(root: Path, metric: str = "roc_auc", *, days: bool = False) -> World:
    """Numbers with gaps, a category with gaps, an hour, a date; the target fits the metric."""
    rng = np.random.default_rng(0)
    rows = 500
    start = pd.Timestamp("2020-01-01")
    frame = pd.DataFrame(
        {
            "id": np.arange(rows),
            "age": rng.normal(40, 10, rows).round(1),
            "job": rng.choice(list("abcd"), rows),
            "hour": rng.integers(0, 24, rows),
            "when": [str((start + pd.Timedelta(days=int(d))).date()) for d in rng.integers(0, 60, rows)],
            "income": rng.lognormal(3, 1, rows).round(2),
        }
    )
    signal = (
        (frame["age"] - 40) / 10
        + (frame["job"] == "a") * 1.5
        + np.sin(frame["hour"] / 24 * 2 * np.pi)
        + np.log(frame["income"])
        - 3
        + rng.normal(0, 0.4, rows)
    )
    frame.loc[rng.random(rows) < 0.1, "age"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "job"] = None
    frame["y"] = _target(signal.to_numpy(), metric)
    train, test = frame.iloc[:400].copy(), frame.iloc[400:].drop(columns="y").copy()
    return make_world(root, metric, train, test, ["y"], group="when" if days else "")


def wide_world(root: Path) -> World:
    """Three classes by name; the submission has a column of probabilities for each."""
    rng = np.random.default_rng(1)
    names = np.array(["ash", "birch", "oak"])
    frame = pd.DataFrame({"id": np.arange(400), "a": rng.normal(size=400), "b": rng.normal(size=400)})
    kinds = names[np.digitize(frame["a"] + frame["b"] + rng.normal(0, 0.3, 400), [-0.7, 0.7])]
    frame["kind"] = kinds
    train, test = frame.iloc[:300].copy(), frame.iloc[300:].drop(columns="kind").copy()
    sample = pd.DataFrame({"id": test["id"], **dict.fromkeys(names, 1 / 3)})
    return make_world(root, "multiclass_log_loss", train, test, list(names), sample=sample)


def awkward_world(root: Path) -> World:
    """Ids with zeros in front or called NA, last in the sample, and classes that read like missing values."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"id": [f"{n:05d}" for n in range(400)], "a": rng.normal(size=400)})
    frame.loc[350, "id"] = "NA"
    frame["kind"] = np.array(["None", "NA", "some"])[np.digitize(frame["a"], [-0.4, 0.4])]
    train, test = frame.iloc[:300].copy(), frame.iloc[300:].drop(columns="kind").copy()
    sample = pd.DataFrame({"kind": "some", "id": test["id"]})
    return make_world(root, "accuracy", train, test, ["kind"], sample=sample)


def several_world(root: Path) -> World:
    """Two real targets."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"id": np.arange(400), "a": rng.normal(size=400), "b": rng.choice(list("xy"), 400)})
    frame["p"] = frame["a"] * 2 + (frame["b"] == "x") + rng.normal(0, 0.2, 400)
    frame["q"] = 5 - frame["a"] + rng.normal(0, 0.2, 400)
    train, test = frame.iloc[:300].copy(), frame.iloc[300:].drop(columns=["p", "q"]).copy()
    return make_world(root, "mean_column_rmse", train, test, ["p", "q"])


def text_world(root: Path, metric: str = "pearson_r") -> World:
    rng = np.random.default_rng(0)
    good, bad = ["great", "lovely", "superb", "fine"], ["awful", "boring", "poor", "bad"]
    plain = ["the", "film", "plot", "actor", "scene", "music", "story", "it", "was", "and", "very", "much"]
    texts, values = [], []
    for _ in range(500):
        up, down = rng.integers(0, 4, 2)
        words = [*rng.choice(plain, 12), *rng.choice(good, up), *rng.choice(bad, down)]
        texts.append(" ".join(rng.permutation(words)))
        values.append(up - down + rng.normal(0, 0.3))
    frame = pd.DataFrame({"id": np.arange(500), "text": texts, "y": _target(np.array(values), metric)})
    train, test = frame.iloc[:400].copy(), frame.iloc[400:].drop(columns="y").copy()
    return make_world(root, metric, train, test, ["y"])


def image_world(root: Path) -> World:
    """Bars that lie, stand or lean, at any place."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    for name in ("train_images", "test_images"):
        (root / "original" / name).mkdir(parents=True)
    for number, label in enumerate(labels):
        pixels = rng.integers(0, 60, (28, 28)).astype(np.uint8)
        place = int(rng.integers(8, 18))
        if label == 0:
            pixels[place : place + 3] = 220
        elif label == 1:
            pixels[:, place : place + 3] = 220
        else:
            for row in range(26):
                left = (row + place) % 25
                pixels[row, left : left + 3] = 220
        folder = "train_images" if number < 220 else "test_images"
        Image.fromarray(pixels).save(root / "original" / folder / f"{number}.png")
    frame = pd.DataFrame({"id": [f"{n}.png" for n in range(300)], "label": labels})
    train, test = frame.iloc[:220].copy(), frame.iloc[220:].drop(columns="label").copy()
    return make_world(root, "accuracy", train, test, ["label"])


def _target(signal: np.ndarray, metric: str) -> np.ndarray:
    if metric in ("roc_auc", "binary_log_loss", "f1"):
        return (signal > 0).astype(int)
    if metric in ("accuracy", "macro_f1"):
        return np.array(["high", "low", "mid"])[np.where(signal > 0.7, 0, np.where(signal < -0.7, 1, 2))]
    if metric == "quadratic_weighted_kappa":
        return np.asarray(np.digitize(signal, [-1, 0, 1]))
    if metric == "rmsle":
        return np.asarray(np.exp(signal).round())
    return signal
