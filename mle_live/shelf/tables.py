"""What a builder hands to `preparation`: both halves of the data in shuffled order, and how to split them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mle_live.metrics.intervals import Rows


@dataclass(frozen=True, slots=True)
class ShelfTables:
    """Rows are shuffled, both frames hold the target and no id; ids are given when they are written."""

    train: pd.DataFrame
    test: pd.DataFrame
    sample: npt.NDArray[Any]
    """The sample submission's predictions, one a test row."""
    train_images: npt.NDArray[np.uint8] | None = None
    """Shape (rows, height, width), in the frame's order; written as <id>.png."""
    test_images: npt.NDArray[np.uint8] | None = None


def split_rows(
    strata: npt.NDArray[Any], test_share: float, generator: np.random.Generator
) -> tuple[Rows, Rows]:
    """Positions of training and of test rows, each shuffled; every stratum gives the same share."""
    train, test = [], []
    for stratum in np.unique(strata):
        positions = generator.permutation(np.flatnonzero(strata == stratum))
        cut = round(len(positions) * test_share)
        test.append(positions[:cut])
        train.append(positions[cut:])
    return generator.permutation(np.concatenate(train)), generator.permutation(np.concatenate(test))
