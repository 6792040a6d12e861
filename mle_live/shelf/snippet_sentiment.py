"""snippet-sentiment: sentences of film reviews and the mean rating that people gave them, 70/30."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd

from mle_live.shelf.archive import nested_member
from mle_live.shelf.tables import ShelfTables, split_rows

INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def build(archive: Path, generator: np.random.Generator) -> ShelfTables:
    snippets = pd.read_csv(
        io.BytesIO(nested_member(archive, INNER, MEMBER)),
        sep="\t",
        names=["position", "sentiment", "text"],
        usecols=["sentiment", "text"],
        quoting=csv.QUOTE_NONE,
        encoding="utf-8",
        keep_default_na=False,
        dtype={"sentiment": float},
    )
    snippets["text"] = snippets["text"].str.split().str.join(" ")
    # A sentence in both halves would show the test answer.
    snippets = snippets.drop_duplicates("text", ignore_index=True)[["text", "sentiment"]]
    snippets["sentiment"] = snippets["sentiment"].round(4)
    train, test = split_rows(np.zeros(len(snippets)), 0.3, generator)
    # Equal predictions have no correlation, so the sample holds noise.
    sample = generator.normal(size=len(test)).round(3)
    return ShelfTables(snippets.iloc[train], snippets.iloc[test], sample=sample)
