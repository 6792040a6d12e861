"""What the arranged tables say of a submission with a row a pixel; see `mle_live.layout.file_pairs`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kaggle_runner.errors import NoReadySplit

if TYPE_CHECKING:
    import pandas as pd

INPUT, OUTPUT = "input", "output"
"""Columns of the made tables with the paths of images."""
_PIXEL = re.compile(r"(.+)([_:.-])(\d+)\2(\d+)")


class Pixel(NamedTuple):
    """An id of a pixel, taken apart."""

    image: str
    joint: str
    row: int
    column: int


def pixel_of(id: str) -> Pixel | None:
    """None where an id does not name a pixel, or in a way (007) that could not be written again."""
    found = _PIXEL.fullmatch(id)
    if found is None or any(number != str(int(number)) for number in found.group(3, 4)):
        return None
    return Pixel(found[1], found[2], int(found[3]), int(found[4]))


@dataclass(frozen=True, slots=True)
class PixelRows:
    """How the pixels of an image are named and what they hold."""

    unit: str
    """The column of train.csv and test.csv that names an image."""
    joint: str
    """Between the parts of an id: image, row, column."""
    first: int
    """The number of the first row and of the first column."""
    white: float
    """The value of a white pixel; black is 0."""


def pixel_rows(train: list[str], test: list[str], sample: pd.DataFrame) -> PixelRows | None:
    """From the columns of the two tables and the first rows of the sample; None for other competitions."""
    units = [name for name in test if name != INPUT]
    if len(units) != 1 or test != [units[0], INPUT] or train != [units[0], INPUT, OUTPUT]:
        return None
    import pandas as pd

    pixels = [pixel for id in sample.iloc[:, 0] if (pixel := pixel_of(id))]
    if len(pixels) < len(sample) or not pixels:
        return None
    first = min(min(pixel.row, pixel.column) for pixel in pixels)
    values = pd.to_numeric(sample.iloc[:, 1], errors="coerce")
    return PixelRows(units[0], pixels[0].joint, min(first, 1), 255.0 if values.max() > 1 else 1.0)


def pixels_by_image(ids: pd.Series[str], joint: str) -> Counter[str]:
    """How many ids name a pixel of each image; they may be millions, for which pandas' own split is slow."""
    return Counter(id.rsplit(joint, 2)[0] for id in ids.tolist())


def check_pixels(folder: Path, rows: PixelRows, test: pd.DataFrame, ids: pd.Series[str]) -> None:
    """NoReadySplit with the first image to predict whose pixels are not the rows of the sample."""
    from PIL import Image

    counts = pixels_by_image(ids, rows.joint)
    last = pixel_of(ids.iloc[-1])
    for image, name in zip(test[rows.unit], test[INPUT], strict=True):
        with Image.open(folder / name) as picture:
            width, height = picture.size
        if counts[image] != height * width:
            raise NoReadySplit(
                f"{name} has {height} x {width} pixels, and for it sample_submission.csv has "
                f"{counts[image]} rows",
                hint="there is no ready split where a submission has not one row a pixel",
            )
        turned = last is not None and last.image == image and last.row - rows.first >= height
        if turned:
            raise NoReadySplit(
                f"the ids of sample_submission.csv name the column of a pixel before its row ({name})",
                hint="there is no ready split for that order",
            )
