"""The judge of a prediction file: whether it can be scored, by its form alone, and what it says.

The governor, a rehearsal, the evaluator and MLE-Live all ask here, so that no file passes one of them and
fails at the next. What a metric demands besides (a range, known labels) is the metric's own business.

Where Kaggle is known to be strict or lenient, so is this:

- The header is the sample's names: no column more, none less, in any order. Rows stand in any order too.
  (https://www.kaggle.com/wiki/SubmissionParser of 2013: header rows "must match the sample submission's
  header names exactly", "no extra columns are permitted", row order is ignored;
  https://www.kaggle.com/forums/t/829 of 2011: columns in any order.) Blanks around a name do not count, nor
  the letter case of the id's. A column without a name is an index that was written along, or commas at the
  ends of lines: it says nothing.
- Ids and class names may be spelt in any way that can mean one of the host's only: `7`, `7.0`, `007`, ` 7`
  (`spellings.py`). Graders at Kaggle and in MLE-bench read both tables with pandas, which makes
  the same number of them all (mlebench/utils.py: read_csv).
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
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from kaggle_runner.errors import BadCompetition
from kaggle_runner.predictions.columns import LARGEST, Column, Kind, ValueFault, Values
from kaggle_runner.predictions.spellings import find_ids
from kaggle_runner.predictions.tables import Ragged, contents_of, host_table, rows_of

if TYPE_CHECKING:
    import pandas as pd

Code = (
    Literal[
        "missing_file", "empty_file", "unreadable", "separator", "missing_column", "extra_column",
        "blank_id", "duplicate_ids", "missing_ids", "unknown_ids",
    ]
    | ValueFault
)  # fmt: skip
PROBLEMS: Mapping[str, str] = {
    "missing_file": "there is no such file",
    "empty_file": "the file is empty",
    "unreadable": "it is not a readable CSV; write it with to_csv(index=False)",
    "separator": "its columns are not separated by commas; write it with to_csv(index=False)",
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
_UNNAMED = re.compile(r"Unnamed: [0-9]+(?:\.[0-9]+|_level_[0-9]+)*")
"""What pandas calls a column without a name."""


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
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The class names of a column as the host spells them, where they are known."""

    @classmethod
    def of_sample(
        cls, sample: Path, labels: Path | None = None, *, id_column: str = "", texts: bool = False
    ) -> Form:
        """The form of a sample submission.

        A column holds numbers where the table of `labels` does, if it is there (the placeholders of a sample
        may look otherwise), else where the sample does. It holds texts, which may be empty, where that table
        has empty fields among them, or with `texts`: the metric reads texts, whatever they look like. Without
        `id_column` the id is the first column. Raises BadCompetition when a table cannot be read.
        """
        with host_table(sample) as (header, blocks):
            names = id_names(id_column, header) if id_column else header[:1]
            columns = [name for name in header if name not in names]
            if not set(names) <= set(header) or not columns:
                raise BadCompetition(f"{sample} has no column of ids with one of predictions beside it")
            places = [header.index(name) for name in names]
            ids = tuple(id for block in blocks for id in _ids(block, places))
        if not id_column and _UNNAMED.fullmatch(names[0]) and len(columns) > 1:
            with suppress(BadCompetition):  # an index that was written before the ids
                return cls.of_sample(sample, labels, id_column=columns[0], texts=texts)
        if len(set(ids)) < len(ids):
            raise BadCompetition(f"{sample} has repeated ids")
        columns = [name for name in columns if not _UNNAMED.fullmatch(name)] or columns
        found = contents_of(sample, columns)
        if labels is not None and labels.is_file():
            found |= contents_of(labels, columns)
        kinds: dict[str, Kind] = {name: "text" if texts else found[name].kind for name in columns}
        classes = {name: found[name].classes for name in columns if kinds[name] == "label"}
        return cls("+".join(names), ids, kinds, classes)


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
    columns = {name: Column(kind, form.classes.get(name, ())) for name, kind in form.columns.items()}
    try:
        with rows_of(file) as (header, blocks):
            found = _places(header, form)
            if isinstance(found, Flaw):
                return found
            for block in blocks:
                ids.extend(_ids(block, found.ids))
                texts = list(zip(*block, strict=True))
                for name, column in columns.items():
                    column.extend(texts[found.columns[name]])
    except Ragged as error:
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


def respelt(path: Path, form: Form) -> str | None:
    """A file that was judged good, written as the sample spells names, ids and classes; None where it is.

    A host may be stricter than the judge. Numbers and texts stay as they stand; ids of several columns are
    left alone. Raises OSError.
    """
    with path.open("rb") as file, rows_of(file) as (header, blocks):
        rows = [row for block in blocks for row in block]
    found = _places(header, form)
    if isinstance(found, Flaw) or len(found.ids) > 1:
        return None
    ids = _ids(rows, found.ids)
    places = match_ids(ids, form.ids)
    if isinstance(places, Flaw):
        return None
    table: list[Sequence[str]] = [[form.ids[place] for place in places]]
    for name, place in found.columns.items():
        texts, column = [row[place] for row in rows], Column(form.columns[name], form.classes.get(name, ()))
        column.extend(texts)
        table.append(column.values if isinstance(column.values, list) else texts)
    names = [form.id_column, *found.columns]
    given = [header[place] for place in (*found.ids, *found.columns.values())]
    same = len(header) == len(names) and given == names
    if same and all(
        [row[place] for row in rows] == list(column)
        for place, column in zip((*found.ids, *found.columns.values()), table, strict=True)
    ):
        return None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *zip(*table, strict=True)])
    return text.getvalue()


def match_ids(ids: Sequence[str], expected: Sequence[str]) -> Sequence[int] | Flaw:
    """For each of a file's ids its place among the `expected` ones, every one of which it must hold once."""
    if tuple(ids) == tuple(expected):
        return range(len(ids))
    places = find_ids(ids, expected)
    blank = [row for row, id in enumerate(ids) if places[row] is None and not id.strip()]
    if blank:
        return _of_rows("blank_id", blank)
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
    """The columns that make an id, as the header has them: the one of that name, or those it joins by +.

    Blanks around a name and its letter case do not count. A name that is not there comes back as it is.
    """
    whole = place_of(id_column, header, any_case=True)
    parts = [id_column] if whole is not None else id_column.split("+")
    places = [place_of(part, header, any_case=True) for part in parts]
    return [part if place is None else header[place] for part, place in zip(parts, places, strict=True)]


def place_of(name: str, header: Sequence[str], *, any_case: bool = False) -> int | None:
    """Where the column of this name is, else the only one that differs in blanks (and case) alone."""
    if name in header:
        return header.index(name)
    like = str.casefold if any_case else str
    found = [place for place, other in enumerate(header) if like(other.strip()) == like(name.strip())]
    return found[0] if len(found) == 1 else None


class _Located(NamedTuple):
    ids: list[int]
    columns: dict[str, int]


def _places(header: list[str], form: Form) -> _Located | Flaw:
    """Where a file has what its form wants."""
    if not header:
        return Flaw("empty_file")
    names = id_names(form.id_column, header)
    found = {name: place_of(name, header) for name in form.columns}
    absent = next((name for name in (*names, *found) if name not in header and found.get(name) is None), None)
    if absent is not None:
        other = len(header) == 1 and {";", "\t", "|"} & {*header[0]}
        return Flaw("separator") if other else Flaw("missing_column", column=absent)
    places = _Located(
        [header.index(name) for name in names], {n: p for n, p in found.items() if p is not None}
    )
    used = {*places.ids, *places.columns.values()}
    rest = [name for place, name in enumerate(header) if place not in used]
    extra = [name for name in rest if not _UNNAMED.fullmatch(name)]
    return Flaw("extra_column", count=len(extra), column=extra[0]) if extra else places


def _ids(block: list[list[str]], places: Sequence[int]) -> list[str]:
    """The ids of some rows; empty where a part is: such a row has no id."""
    return ["+".join(parts) if all(parts := [row[place] for place in places]) else "" for row in block]


def _of_rows(code: Code, rows: Sequence[int]) -> Flaw:
    return Flaw(code, tuple(f"row {row + 1}" for row in rows[:_SHOWN]), len(rows))
