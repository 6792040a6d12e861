"""What a split of images in pairs must pass besides: true pixels, and no answer left in public."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.files import sha256_of
from mle_live.layout.pixels import INPUT, OUTPUT, PixelRows

if TYPE_CHECKING:
    import pandas as pd

_IMAGES_COMPARED = 5
_ROUNDING = 2 / 255
"""Of the white's value: a colour image is made grey in more than one way."""


def pixels_true(
    rows: PixelRows, original: Path, train: pd.DataFrame, truth: pd.DataFrame, names: tuple[str, str]
) -> str:
    """What is wrong with the labels of some images, else "". `names` are the columns of id and target."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    outputs = dict(zip(train[rows.unit], train[OUTPUT], strict=True))
    for image, labels in list(truth.groupby(rows.unit))[:_IMAGES_COMPARED]:
        if image not in outputs:
            return f"private/validation.csv has the image {image}, which the original train.csv lacks"
        with Image.open(original / outputs[image]) as picture:
            wanted = np.asarray(picture.convert("L"), float) / 255 * rows.white
        if len(labels) != wanted.size:
            return f"private/validation.csv has {len(labels)} pixels of {image}, which has {wanted.size}"
        height, width = wanted.shape
        named = [
            f"{image}{rows.joint}{y + rows.first}{rows.joint}{x + rows.first}"
            for y in range(height)
            for x in range(width)
        ]
        values = pd.to_numeric(labels.set_index(names[0])[names[1]], errors="coerce").reindex(named)
        if not (abs(values.to_numpy() - wanted.ravel()) <= _ROUNDING * rows.white).all():
            return f"the pixels of {image} in private/validation.csv are not those of its image"
    return ""


def answers_left(original: Path, public: Path, train: pd.DataFrame, held_out: set[str], unit: str) -> str:
    """A file of `public` that holds what is to come out for a held-out image, byte for byte; else ""."""
    secret: dict[int, dict[str, str]] = defaultdict(dict)
    for _, row in train[train[unit].isin(held_out)].iterrows():
        answer = original / row[OUTPUT]
        digest = sha256_of(answer)
        if digest != sha256_of(original / row[INPUT]):
            secret[answer.stat().st_size][digest] = row[OUTPUT]
    for path in sorted(public.rglob("*")):
        alike = secret.get(path.stat().st_size) if path.is_file() else None
        if alike and (name := alike.get(sha256_of(path))):
            return f"public/{path.relative_to(public)} is {name}, an answer for a validation image"
    return ""
