"""bike-demand: every fifth day of 2011 is to be forecast, whole days at a time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from mle_live.shelf.archive import member
from mle_live.shelf.tables import ShelfTables

MEMBER = "ISLP/data/Bikeshare.csv"
RENAMED = {"mnth": "month", "hr": "hour", "weathersit": "weather", "atemp": "feels_like", "hum": "humidity"}


def build(archive: Path, generator: np.random.Generator) -> ShelfTables:
    hours = pd.read_csv(io.BytesIO(member(archive, MEMBER)))
    # casual + registered = bikers
    hours = hours.drop(columns=["casual", "registered"]).rename(columns=RENAMED)
    hours = hours.iloc[generator.permutation(len(hours))]
    is_test = hours["day"] % 5 == 0
    train, test = hours[~is_test], hours[is_test]
    return ShelfTables(train, test, sample=np.zeros(len(test), dtype=int))
