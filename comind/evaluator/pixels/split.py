"""The ready split of images in pairs: source of a split_dataset.py that stands alone."""

from __future__ import annotations

from mle_live.layout.pixels import INPUT, OUTPUT, PixelRows

MOST_PIXELS = 1_000_000
"""Held out; more would make grading slow and hardly more exact."""
FEWEST_IMAGES = 4


def pixel_split_source(pixels: PixelRows, id_column: str, target: str) -> str:
    """The whole split_dataset.py: whole images are held out, and their pixels are the labels."""
    constants = {
        "ID": id_column, "TARGET": target, "IMAGE": pixels.unit, "JOINT": pixels.joint, "FIRST": pixels.first,
        "WHITE": pixels.white, "INPUT": INPUT, "OUTPUT": OUTPUT, "MOST_PIXELS": MOST_PIXELS,
        "FEWEST_IMAGES": FEWEST_IMAGES,
    }  # fmt: skip
    return _TEMPLATE.replace(
        "# CONSTANTS", "\n".join(f"{name} = {value!r}" for name, value in constants.items())
    )


_TEMPLATE = '''"""Hold out whole images of train.csv: public files for agents, their pixels apart.

Each row of train.csv names an image (IMAGE), the file that comes in (INPUT) and the one that is to come out
(OUTPUT). A submission has a row a pixel: ID is image, row and column with JOINT between them, counted from
FIRST; TARGET is the brightness, WHITE for white and 0 for black.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

# CONSTANTS


def split(original: Path, public: Path, private: Path, *, fraction: float, seed: int) -> None:
    train = pd.read_csv(original / "train.csv", dtype=str, na_filter=False)
    test = pd.read_csv(original / "test.csv", dtype=str, na_filter=False)
    sample = pd.read_csv(original / "sample_submission.csv", dtype=str, na_filter=False)
    held_out = choose(original, train, fraction, np.random.default_rng(seed))
    validation = train[held_out].sample(frac=1.0, random_state=seed)

    train[~held_out].to_csv(public / "train.csv", index=False)
    validation[test.columns].to_csv(public / "validation.csv", index=False)
    truth = pd.concat([pixels(original, row) for _, row in validation.iterrows()], ignore_index=True)
    truth.to_csv(private / "validation.csv", index=False)
    values = sample[TARGET].to_numpy()[np.arange(len(truth)) % len(sample)]
    pd.DataFrame({ID: truth[ID], TARGET: values})[list(sample.columns)].to_csv(
        public / "sample_validation_submission.csv", index=False
    )
    link_the_rest(original, public, set(validation[OUTPUT]))


def choose(original: Path, train: pd.DataFrame, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Mask of whole images drawn by chance: the fraction, or as many as hold MOST_PIXELS, but not too few."""
    wanted = max(FEWEST_IMAGES, round(fraction * len(train)))
    chosen = np.zeros(len(train), dtype=bool)
    held = 0
    for count, place in enumerate(rng.permutation(len(train))[: min(wanted, len(train) // 2)]):
        if count >= FEWEST_IMAGES and held >= MOST_PIXELS:
            break
        chosen[place] = True
        with Image.open(original / train[OUTPUT].iloc[place]) as image:
            held += image.width * image.height
    return chosen


def pixels(original: Path, row: pd.Series) -> pd.DataFrame:
    """The labels of one image, a row a pixel, and the image as their group."""
    with Image.open(original / row[OUTPUT]) as image:
        values = np.asarray(image.convert("L"), float) / 255 * WHITE
    names = [
        f"{row[IMAGE]}{JOINT}{y + FIRST}{JOINT}{x + FIRST}"
        for y in range(values.shape[0])
        for x in range(values.shape[1])
    ]
    return pd.DataFrame({ID: names, TARGET: values.ravel().round(6), IMAGE: row[IMAGE]})


def link_the_rest(original: Path, public: Path, secret: set[str]) -> None:
    """Links to all other files, but for what is to come out for the held-out images."""
    for path in sorted(original.rglob("*")):
        name = path.relative_to(original)
        hidden = any(part.startswith(".") for part in name.parts)
        if hidden or not path.is_file() or name.as_posix() in secret or (public / name).exists():
            continue
        (public / name).parent.mkdir(parents=True, exist_ok=True)
        (public / name).symlink_to(path)
'''
