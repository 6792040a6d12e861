"""The judge of a prediction file: whether it can be scored, by its form alone, and what it says.

The governor, a rehearsal, the evaluator and MLE-Live all ask here, so that no file passes one of them and
fails at the next. What a metric demands besides (a range, known labels) is the metric's own business.

Where Kaggle is known to be strict or lenient, so is this:

- The header is the sample's names, spelt exactly: no column more, none less, in any order. Rows stand in any
  order too. (https://www.kaggle.com/wiki/SubmissionParser of 2013: header rows "must match the sample
  submission's header names exactly", "no extra columns are permitted", row order is ignored;
  https://www.kaggle.com/forums/t/829 of 2011: columns in any order.) So an index that was written is refused.
- Ids that are whole numbers may be written in any way: `7`, `7.0`, `007`. Graders at Kaggle and in MLE-bench
  read both tables with pandas, which makes the same number of them all (mlebench/utils.py: read_csv).
- Numbers are what pandas takes for numbers, True and False among them: `1_000`, `1,5` and `12 %` are none. A
  metric must give a finite score there, so the infinite and what is nearly so is refused.
- UTF-8 with or without its mark, commas, any ends of lines; blank lines do not count. Every row is as long as
  the header.

Only the standard library is needed (pandas for a frame): values are read as the text that stands in the file.
"""

from __future__ import annotations

import csv
import io
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from kaggle_runner.errors import BadCompetition
from kaggle_runner.prediction_columns import LARGEST, Column, Kind, ValueFault, Values

if TYPE_CHECKING:
    import pandas as pd

Code = (
    Literal[
        "missing_file", "empty_file", "unreadable", "missing_column", "extra_column", "blank_id",
        "duplicate_ids", "missing_ids", "unknown_ids",
    ]
    | ValueFault
)  # fmt: skip
PROBLEMS: Mapping[str, str] = {
    "missing_file": "there is no such file",
    "empty_file": "the file is empty",
    "unreadable": "it is not a readable CSV; write it with to_csv(index=False)",
    "missing_column": "a required column is absent; copy the columns of the sample",
    "extra_column": "there is a column that the sample lacks; write the table with to_csv(index=False)",
    "blank_id": "some rows have no id",
    "duplicate_ids": "some ids appear more than once",
    "missing_ids": "some ids of the sample have no prediction; write ids exactly as the sample does",
    "unknown_ids": "there are rows whose ids are not in the sample",
    "nan": "some predictions are missing (empty or NaN)",
    "not_a_number": "some predictions are no numbers",
    "infinite": f"some predictions are infinite or beyond {LARGEST:g}",
}
"""What each code means, to go on from "the file cannot be scored: "."""

_SHOWN = 5
_BLOCK = 128
_LONGEST_FIELD = 2**30
_ONE_READER = threading.RLock()
_WHOLE = re.compile(r"\s*([+-]?[0-9]{1,100})(?:\.0*)?\s*")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why a prediction file cannot be scored.

    `rows` are the first ids of the sample that are concerned, or `row N` below the header where the file has
    no such id; `count` says how many there are. `column` is one of the sample's, or one that it lacks.
    """

    code: Code
    rows: tuple[str, ...] = ()
    count: int = 0
    column: str = ""

    @property
    def sentence(self) -> str:
        """In words, without an end: "some predictions are no numbers (column 'price'; 2 of them: 7, 12)"."""
        told = [f"column {self.column[:80]!r}"] * bool(self.column)
        if self.rows:
            first = ":" if self.count <= len(self.rows) else ", first"
            told.append(f"{self.count} of them{first} {', '.join(self.rows)}")
        return f"{PROBLEMS[self.code]} ({'; '.join(told)})" if told else PROBLEMS[self.code]


@dataclass(frozen=True, slots=True)
class Form:
    """What the prediction files of one competition must look like.

    An `id_column` of several names joined by `+` makes an id of several columns, joined alike.
    """

    id_column: str
    ids: tuple[str, ...]
    """All different, in the order that predictions are brought into."""
    columns: Mapping[str, Kind]

    @classmethod
    def of_sample(
        cls, sample: Path, labels: Path | None = None, *, id_column: str = "", texts: bool = False
    ) -> Form:
        """The form of a sample submission.

        A column holds numbers where the table of `labels` does, if it is there (the placeholders of a sample
        may look otherwise), else where the sample does. With `texts` the metric reads texts, whatever they
        look like. Without `id_column` the id is the first column. Raises BadCompetition when a table cannot
        be read.
        """
        with _table(sample) as (header, blocks):
            names = id_names(id_column or "".join(header[:1]), header)
            columns = [name for name in header if name not in names]
            if len(columns) != len(header) - len(names) or not columns:
                raise BadCompetition(f"{sample} has no column of ids with one of predictions beside it")
            ids = tuple(id for block in blocks for id in _ids(header, block, names))
        if len(set(ids)) < len(ids):
            raise BadCompetition(f"{sample} has repeated ids")
        with _table(sample) as (header, blocks):
            numeric = set() if texts else _number_columns(header, blocks, columns)
        if labels is not None and labels.is_file() and not texts:
            with _table(labels) as (header, blocks):
                labelled = [name for name in columns if name in header]
                numeric = numeric - {*labelled} | _number_columns(header, blocks, labelled)
        other: Kind = "text" if texts else "label"
        return cls("+".join(names), ids, {n: "number" if n in numeric else other for n in columns})


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a file predicts: the columns of its form, in the order of the form's ids."""

    ids: tuple[str, ...]
    columns: Mapping[str, Values]

    def frame(self) -> pd.DataFrame:
        """A table indexed by id: numbers as float64, labels and texts as strings."""
        import numpy as np
        import pandas as pd

        values = {name: list(v) if isinstance(v, list) else np.asarray(v) for name, v in self.columns.items()}
        return pd.DataFrame(values, index=list(self.ids))


def judge_file(path: Path, form: Form) -> Predictions | Flaw:
    """`judge` on a file that may be missing or unreadable."""
    try:
        with path.open("rb") as file:
            return judge(file, form)
    except FileNotFoundError:
        return Flaw("missing_file")
    except OSError:
        return Flaw("unreadable")


def judge(file: BinaryIO, form: Form) -> Predictions | Flaw:
    """What a prediction file says, or the first thing that is wrong: the columns, then ids, then values.

    It is read once, in blocks of rows. Raises OSError when it cannot be read.
    """
    ids: list[str] = []
    columns = {name: Column(kind) for name, kind in form.columns.items()}
    try:
        with _rows(file) as (header, blocks):
            if flaw := _flaw_of_header(header, form):
                return flaw
            names = id_names(form.id_column, header)
            for block in blocks:
                ids.extend(_ids(header, block, names))
                texts = dict(zip(header, zip(*block, strict=True), strict=True))
                for name, column in columns.items():
                    column.extend(texts[name])
    except _Ragged as error:
        return _of_rows("unreadable", [error.row])
    except (csv.Error, UnicodeDecodeError):
        return Flaw("unreadable")
    places = match_ids(ids, form.ids)
    if isinstance(places, Flaw):
        return places
    for name, column in columns.items():
        if fault := column.fault():
            code, bad = fault
            return Flaw(code, tuple(form.ids[places[row]] for row in bad[:_SHOWN]), len(bad), name)
    return Predictions(form.ids, {name: column.in_order(places) for name, column in columns.items()})


def match_ids(ids: Sequence[str], expected: Sequence[str]) -> Sequence[int] | Flaw:
    """For each of a file's ids its place among the `expected` ones, every one of which it must hold once."""
    if tuple(ids) == tuple(expected):
        return range(len(ids))
    blank = [row for row, id in enumerate(ids) if not id.strip()]
    if blank:
        return _of_rows("blank_id", blank)
    places = find_ids(ids, expected)
    counts = Counter(id if place is None else place for id, place in zip(ids, places, strict=True))
    repeated = {key: None for key, count in counts.items() if count > 1}
    known = [expected[key] for key in repeated if isinstance(key, int)]
    if known:
        return Flaw("duplicate_ids", tuple(known[:_SHOWN]), len(known))
    if repeated:
        return _of_rows("duplicate_ids", [row for row, id in enumerate(ids) if id in repeated])
    missing = [id for place, id in enumerate(expected) if place not in counts]
    if missing:
        return Flaw("missing_ids", tuple(missing[:_SHOWN]), len(missing))
    unknown = [row for row, place in enumerate(places) if place is None]
    return _of_rows("unknown_ids", unknown) if unknown else [place for place in places if place is not None]


def id_names(id_column: str, header: Sequence[str]) -> list[str]:
    """The columns that make an id: the one of that name, else those that its name joins by `+`."""
    return [id_column] if id_column in header else id_column.split("+")


def find_ids(ids: Sequence[str], expected: Sequence[str]) -> list[int | None]:
    """For each id its place among the `expected` ones, None for one that is none of them.

    An id that is not spelt like an expected one is the one that denotes the same whole number, where all the
    expected ones are different whole numbers.
    """
    place_of = {id: place for place, id in enumerate(expected)}
    places = [place_of.get(id) for id in ids]
    if None not in places:
        return places
    by_number = {_whole(id): place for place, id in enumerate(expected)}
    if None in by_number or len(by_number) < len(expected):
        return places
    return [
        by_number.get(_whole(id)) if place is None else place for id, place in zip(ids, places, strict=True)
    ]


def _whole(id: str) -> int | None:
    found = _WHOLE.fullmatch(id)
    return int(found[1]) if found else None


def _ids(header: list[str], block: list[list[str]], names: Sequence[str]) -> list[str]:
    """The ids of some rows; empty where a part is: such a row has no id."""
    places = [header.index(name) for name in names]
    return ["+".join(parts) if all(parts := [row[place] for place in places]) else "" for row in block]


def _of_rows(code: Code, rows: Sequence[int]) -> Flaw:
    return Flaw(code, tuple(f"row {row + 1}" for row in rows[:_SHOWN]), len(rows))


def _flaw_of_header(header: Sequence[str], form: Form) -> Flaw | None:
    if not header:
        return Flaw("empty_file")
    wanted = [*id_names(form.id_column, header), *form.columns]
    absent = next((name for name in wanted if name not in header), None)
    if absent is not None:
        return Flaw("missing_column", column=absent)
    extra = list((Counter(header) - Counter(wanted)).elements())
    return Flaw("extra_column", count=len(extra), column=extra[0]) if extra else None


class _Ragged(Exception):
    """A row is shorter or longer than the header."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row + 1} is not as long as the header")
        self.row = row


@contextmanager
def _rows(file: BinaryIO) -> Iterator[tuple[list[str], Iterator[list[list[str]]]]]:
    """The header, empty in an empty file, and blocks of rows; _Ragged, csv.Error, UnicodeDecodeError.

    A mask may be longer than the 128 kB that Python allows a field. That limit is the whole process's, so it
    is lifted for one reader at a time.
    """
    with _ONE_READER:
        usual = csv.field_size_limit(_LONGEST_FIELD)
        try:
            rows = filter(None, csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""), strict=True))
            header = next(rows, [])
            yield header, _blocks(rows, len(header))
        finally:
            csv.field_size_limit(usual)


def _blocks(rows: Iterator[list[str]], width: int) -> Iterator[list[list[str]]]:
    done = 0
    while block := list(islice(rows, _BLOCK)):
        if set(map(len, block)) != {width}:
            raise _Ragged(next(n for n, row in enumerate(block, done) if len(row) != width))
        yield block
        done += len(block)


@contextmanager
def _table(path: Path) -> Iterator[tuple[list[str], Iterator[list[list[str]]]]]:
    """`_rows` of a host's table; BadCompetition when it is none."""
    try:
        with path.open("rb") as file, _rows(file) as table:
            yield table
    except (OSError, csv.Error, UnicodeDecodeError, _Ragged) as error:
        raise BadCompetition(f"{path} is not a readable CSV: {error}", hint="mend or replace it") from error


def _number_columns(header: list[str], blocks: Iterator[list[list[str]]], names: Sequence[str]) -> set[str]:
    """Those of the columns in which all values that are not blank are numbers, and some are."""
    left = {name: header.index(name) for name in names}
    found = set[str]()
    for block in blocks:
        for name, place in tuple(left.items()):
            column = Column("number")
            column.extend([row[place] for row in block if row[place].strip()])
            if column.fault():
                del left[name]
            elif column.values:
                found.add(name)
    return found & left.keys()
