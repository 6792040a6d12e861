"""A small copy of a run's public files: the same names, a sample of the rows, and only those rows' files.

Notebooks that do their real work at Kaggle are written and rehearsed on it. Everything is public to agents:
it comes from the public files alone. The same files and seed give the same sample.
"""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comind.evaluator.profile import SplitFacts
from kaggle_runner.errors import BadCompetition
from kaggle_runner.files import link_or_copy, write_whole
from kaggle_runner.rows import from_json, to_json
from mle_live.layout.formats import read_text

if TYPE_CHECKING:
    import pandas as pd

TRAIN_ROWS = 2_000
OTHER_ROWS = 500
_OF_EACH_CLASS = 5
_NAMES_TRIED = 5
_DONE = "rehearsal.json"
_PAIRS = (("validation.csv", "sample_validation_submission.csv"), ("test.csv", "sample_submission.csv"))


@dataclass(frozen=True, slots=True)
class SampleSizes:
    """Rows of the sample and of all, by part."""

    train: int
    of_train: int
    validation: int
    of_validation: int
    test: int
    of_test: int

    @property
    def ratio(self) -> float:
        """How many times as many rows there are in all; at least 1."""
        kept = self.train + self.validation + self.test
        return max(1.0, (self.of_train + self.of_validation + self.of_test) / max(kept, 1))

    def sentence(self) -> str:
        return (
            f"{self.train:,} of {self.of_train:,} training rows, {self.validation:,} of "
            f"{self.of_validation:,} validation inputs and {self.test:,} of {self.of_test:,} test inputs"
        )


def sample_public(
    public: Path, target: Path, facts: SplitFacts, *, seed: int, train_rows: int = TRAIN_ROWS,
    other_rows: int = OTHER_ROWS,
) -> SampleSizes:  # fmt: skip
    """Fill `target` from an evaluator's `public` folder; made already is left alone. Blocking.

    Of the training rows at most about `train_rows`, with a few of every class; of validation and test inputs
    at most `other_rows` each, the same in the samples of predictions. Raises BadCompetition for unreadable
    tables.
    """
    done = target.with_name(_DONE)
    if done.exists():
        return from_json(SampleSizes, done.read_bytes(), done)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    draw = random.Random(seed)
    tables: dict[str, pd.DataFrame] = {}
    kept: dict[str, list[int]] = {}
    train = tables["train.csv"] = read_text(public / "train.csv")
    kept["train.csv"] = _train_rows(train, facts, train_rows, draw)
    for inputs, sample in _PAIRS:
        _draw_pair(public, inputs, sample, facts.id_column, other_rows, draw, tables, kept)
    for name, table in tables.items():
        table.iloc[kept[name]].to_csv(target / name, index=False)
    _the_rest(public, target, tables, kept, facts.id_column)
    sizes = SampleSizes(
        *(
            count
            for name in ("train.csv", "sample_validation_submission.csv", "sample_submission.csv")
            for count in (len(kept[name]), len(tables[name]))
        )
    )
    write_whole(done, to_json(sizes))
    return sizes


def _train_rows(train: pd.DataFrame, facts: SplitFacts, wanted: int, draw: random.Random) -> list[int]:
    """Positions in their order in the file: by chance, with a few of each class where labels are classes."""
    if len(train) <= wanted:
        return list(range(len(train)))
    column = facts.label_column or facts.target_columns[0]
    if facts.task == "regression" or column not in train.columns:
        return sorted(draw.sample(range(len(train)), wanted))
    by_class: defaultdict[str, list[int]] = defaultdict(list)
    for place, label in enumerate(train[column]):
        by_class[label].append(place)
    least = max(1, min(_OF_EACH_CLASS, wanted // len(by_class)))
    chosen: list[int] = []
    for places in by_class.values():
        count = max(round(len(places) * wanted / len(train)), least)
        chosen += draw.sample(places, min(count, len(places)))
    return sorted(chosen)


def _draw_pair(
    public: Path, inputs: str, sample: str, id_column: str, wanted: int, draw: random.Random,
    tables: dict[str, pd.DataFrame], kept: dict[str, list[int]],
) -> None:  # fmt: skip
    """The same ids from a table of inputs and from its sample of predictions, each in its own order."""
    predictions = tables[sample] = read_text(public / sample)
    places = range(len(predictions))
    kept[sample] = sorted(draw.sample(places, wanted)) if len(predictions) > wanted else list(places)
    if not (public / inputs).is_file():
        return
    table = read_text(public / inputs)
    if id_column in table.columns and id_column in predictions.columns:
        ids = set(predictions[id_column].iloc[kept[sample]])
        kept[inputs] = [place for place, id in enumerate(table[id_column]) if id in ids]
    elif len(table) == len(predictions):
        kept[inputs] = kept[sample]
    else:
        return  # nothing says which of its rows belong to which prediction: it is linked whole
    tables[inputs] = table


def _the_rest(
    public: Path, target: Path, tables: dict[str, pd.DataFrame], kept: dict[str, list[int]], id_column: str
) -> None:
    """Links to everything else, without the files and the table rows of ids that were left out."""
    others = [
        path for path in sorted(public.rglob("*")) if path.is_file() and not _is_at(path, public, tables)
    ]
    names = {text for path in others for text in _names(path, public)}
    dropped = _left_out(tables, kept, {id_column, *_file_columns(tables, names)})
    dropped_ids = _left_out(tables, kept, {id_column})
    for path in others:
        if dropped.isdisjoint(_names(path, public)):
            copy = target / path.relative_to(public)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".csv" and dropped_ids and _has_column(path, id_column):
                table = read_text(path)
                table[~table[id_column].isin(dropped_ids)].to_csv(copy, index=False)
            else:
                link_or_copy(path, copy)


def _is_at(path: Path, public: Path, tables: Collection[str]) -> bool:
    return path.parent == public and path.name in tables


def _names(path: Path, public: Path) -> tuple[str, ...]:
    """What a table may call a file: its name, with or without its ending, or its path."""
    inside = path.relative_to(public)
    short = Path(*inside.parts[1:]) if len(inside.parts) > 1 else inside
    return (path.name, path.stem, inside.as_posix(), short.as_posix())


def _file_columns(tables: Mapping[str, pd.DataFrame], names: set[str]) -> set[str]:
    """Columns whose values are names of files."""
    found = set()
    for table in tables.values():
        for column in table.columns:
            values = [value for value in table[column].head(_NAMES_TRIED) if value]
            if values and names.issuperset(values):
                found.add(str(column))
    return found


def _left_out(
    tables: Mapping[str, pd.DataFrame], kept: Mapping[str, list[int]], columns: set[str]
) -> set[str]:
    """What stands in these columns of rows that were left out, and of no other rows."""
    every: set[str] = set()
    stays: set[str] = set()
    for name, table in tables.items():
        for column in columns.intersection(table.columns):
            every.update(table[column])
            stays.update(table[column].iloc[kept[name]])
    return every - stays


def _has_column(path: Path, column: str) -> bool:
    try:
        return column in read_text(path, rows=0)
    except BadCompetition:
        return False
