"""Competitions of pictures and sounds: labels in folders, in names, in tables beside them, in pictures."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

KINDS = ("apple", "pear")


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


def class_folders(folder: Path) -> None:
    _pictures(folder, lambda name, kind, number: f"train/{kind}/{name}.png")
    _picture_sample(folder)


def class_folders_without_a_sample(folder: Path) -> None:
    class_folders(folder)
    (folder / "sample_submission.csv").unlink()


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
