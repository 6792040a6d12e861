"""Which file is what: sample submission, training and test table, labels, by what is in them and their names.

Content decides where it can: a sample has the ids of the rows to predict, a training table has what is to be
predicted. Names decide between files that could all be it. What was chosen among several is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kaggle_runner.errors import BadCompetition
from mle_live.layout.formats import read_text, table_format
from mle_live.layout.listing import FoundFile
from mle_live.layout.tables import Table

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTIONS = ("description", "readme", "overview", "competition", "task")
SETTINGS = "competition.yaml"
HEAD_ROWS = 1000
_MOST_TABLES = 60
_ALIKE_IN_FOLDER = 12
"""Tables in one folder, from which on they are data (one a patient, a day) and no role's file."""
_DEEPEST = 5
_FEW = 1 / 3
"""Share of the test table's columns; what has fewer and not the target is no training table."""
_SAMPLE = re.compile(r"submission|(sample|submit)(entry|sol|pred|subm)|entrysample|^sample$|benchmark")
_LABELS = re.compile(
    r"labels?|targets?|solution|answers?|annotations?|^y(train|$)|groundtruth|classes|outcomes?"
)
_TRAIN = re.compile(r"train|learn")
_TEST = re.compile(r"test|eval|holdout|unlabell?ed|topredict|score(set|data)|validation")


def letters(entry: FoundFile) -> str:
    """The file's name without endings, digits and signs: what `Sample_Submission-v2` and its kin share."""
    return re.sub(r"[^a-z]", "", entry.stem.lower())


@dataclass(frozen=True, slots=True)
class Seen:
    """A table that was opened."""

    entry: FoundFile
    table: Table

    @property
    def names(self) -> dict[str, str]:
        """Its columns by their names in lower case."""
        return {name.lower(): name for name in self.table.columns}

    def has(self, columns: Iterable[str]) -> bool:
        return {name.lower() for name in columns} <= self.names.keys()

    def values(self, column: str) -> pd.Series[str]:
        """All of one column, whatever the case of its name."""
        own = self.names[column.lower()]
        return self.table.read([own])[own]


@dataclass(frozen=True, slots=True)
class Roles:
    """The tables by role; several where one table comes in parts. A role that nothing has is empty."""

    sample: Seen | None = None
    train: tuple[Seen, ...] = ()
    test: tuple[Seen, ...] = ()
    labels: Seen | None = None
    remarks: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    """Files whose names say a role and that no table can be read from, with the reason."""


@dataclass(slots=True)
class _Search:
    tables: list[Seen]
    target: str
    """The column that was named as the target; empty where it is to be found."""
    id_column: str
    remarks: list[str] = field(default_factory=list)

    def others(self, *taken: Seen | None) -> list[Seen]:
        return [one for one in self.tables if one not in taken]

    def key(self, sample: Seen) -> str:
        """The column of a sample that names rows, in lower case."""
        if sample.has([self.id_column]):
            return self.id_column.lower()
        tests = [one for one in self.others(sample) if _TEST.search(letters(one.entry))]
        return key_of(sample, tests).lower()

    def choose(self, role: str, among: Sequence[Seen], worth: Callable[[Seen], float]) -> Seen | None:
        """The one of most worth; where others come near, that is told."""
        ranked = sorted(among, key=lambda one: (-worth(one), len(one.entry.name), one.entry.name))
        ranked = [one for one in ranked if worth(one) > 0]
        if len(ranked) > 1 and worth(ranked[0]) == worth(ranked[1]) and not _are_parts(*ranked[:2]):
            self.remarks.append(f"{ranked[0].entry.name} is taken for the {role}, not {ranked[1].entry.name}")
        return ranked[0] if ranked else None


def key_of(sample: Seen, tests: Sequence[Seen]) -> str:
    """The column that names rows: the first, or the only other one that names rows of a test table."""
    first, *others = sample.table.columns
    shared = [
        name for name in others
        if any(name.lower() in one.names for one in tests) and sample.table.head[name].is_unique
    ]  # fmt: skip
    known = any(first.lower() in one.names for one in tests)
    return shared[0] if len(shared) == 1 and not known else first


def find_roles(
    entries: Sequence[FoundFile],
    *,
    named: dict[str, str] | None = None,
    target: str = "",
    id_column: str = "",
) -> Roles:
    """`named` are files by role as a person named them (`sample`, `train`, `test`, `labels`).

    Raises BadCompetition where a named file is not there or is no table.
    """
    said = {role: _named(entries, name) for role, name in (named or {}).items()}
    unreadable: list[str] = []
    search = _Search(_open_tables(entries, set(said.values()), unreadable), target, id_column)
    at = {seen.entry: seen for seen in search.tables}
    given = {role: at[entry] for role, entry in said.items()}
    sample = given.get("sample") or _find_sample(search, given.get("test"))
    test = (given["test"],) if "test" in given else _find_test(search, sample)
    train = (given["train"],) if "train" in given else _find_train(search, sample, test)
    labels = given.get("labels") or _find_labels(search, sample, test, train)
    if labels is not None and not train:
        train, labels = (labels,), None
    return Roles(sample, train, test, labels, tuple(search.remarks), tuple(unreadable))


def _named(entries: Sequence[FoundFile], name: str) -> FoundFile:
    for entry in entries:
        if name in (entry.name, entry.archive):
            return entry
    raise BadCompetition(f"there is no file {name!r} in the data", hint="correct its name")


def _open_tables(entries: Sequence[FoundFile], wanted: set[FoundFile], unreadable: list[str]) -> list[Seen]:
    """Tables that may have a role: not too deep, not one of a series, readable, with two columns or more."""
    series: dict[tuple[str, str], int] = {}
    tables = [entry for entry in entries if table_format(entry.name) and not _is_text(entry)]
    for entry in tables:
        series[entry.folder, entry.suffix] = series.get((entry.folder, entry.suffix), 0) + 1
    candidates = [
        entry
        for entry in tables
        if entry in wanted
        or (
            len(PurePosixPath(entry.name).parts) <= _DEEPEST
            and (series[entry.folder, entry.suffix] <= _ALIKE_IN_FOLDER or _has_name(entry))
        )
    ]
    candidates.sort(key=lambda entry: (entry not in wanted, entry.name.count("/"), not _has_name(entry)))
    opened = []
    for entry in candidates[:_MOST_TABLES]:
        try:
            head = read_text(entry.path, rows=HEAD_ROWS)
        except BadCompetition:
            if entry in wanted:
                raise
            if _has_name(entry):
                unreadable.append(f"{entry.name} {_why(entry)}")
            continue
        if not len(head) and _has_name(entry):
            unreadable.append(f"{entry.name} has no rows")
        if len(head) and (len(head.columns) > 1 or _has_name(entry)):
            opened.append(Seen(entry, Table(entry.path, head, whole=len(head) < HEAD_ROWS)))
    return opened


def _why(entry: FoundFile) -> str:
    return "is empty" if entry.path.stat().st_size == 0 else "is not readable as a table"


def _is_text(entry: FoundFile) -> bool:
    """A description, or a text that is only called like tables are."""
    if letters(entry).startswith(DESCRIPTIONS) or "description" in letters(entry):
        return True
    return entry.suffix == ".txt" and not _has_name(entry)


def _has_name(entry: FoundFile) -> bool:
    name = letters(entry)
    return any(pattern.search(name) for pattern in (_SAMPLE, _LABELS, _TRAIN, _TEST))


def _find_sample(search: _Search, test: Seen | None) -> Seen | None:
    """By name; and by content, where a table has the test's ids and only columns that the test lacks."""
    tests = [test] if test else [one for one in search.tables if _TEST.search(letters(one.entry))]

    def worth(one: Seen) -> float:
        name = letters(one.entry)
        called = bool(_SAMPLE.search(name)) and not _TRAIN.search(name)
        width = len(one.table.columns)
        if width < 2 or (not called and (_TRAIN.search(name) or _TEST.search(name) or _LABELS.search(name))):
            return 0
        fits = any(one is not other and _lists_rows_of(one, other, search.key(one)) for other in tests)
        if not called and not fits:
            return 0
        return 8 * fits + 4 * called + 2 * ("sample" in name or "gender" in name) + (width < 30)

    return search.choose("sample submission", search.tables, worth)


def _lists_rows_of(sample: Seen, test: Seen, first: str) -> bool:
    """Whether a table has the ids of the other under the same name, and what else it has the other lacks."""
    if first not in test.names or len(test.table.columns) < 2:
        return False
    added = [name for name in sample.names if name not in test.names]
    rows, asked = sample.values(first), test.values(first)
    return bool(added) and len(rows) == len(asked) and set(rows) == set(asked)


def _targets(search: _Search, sample: Seen | None, test: Sequence[Seen]) -> list[str]:
    """What is to be predicted, in lower case, as far as sample and test tell."""
    if search.target:
        return [search.target.lower()]
    if sample is None:
        return []
    known = {name for one in test for name in one.names}
    names = [name for name in sample.names if name != search.key(sample)]
    return [name for name in names if name not in known] or names


def _find_test(search: _Search, sample: Seen | None) -> tuple[Seen, ...]:
    def worth(one: Seen) -> float:
        name = letters(one.entry)
        called = bool(_TEST.search(name)) and not _TRAIN.search(name)
        if _LABELS.search(name) or (search.target and one.has([search.target])):
            return 0
        key = search.key(sample) if sample else ""
        if sample and not called and one.has(set(sample.names) - {key}):
            return 0  # it tells what is to be predicted
        shares = bool(key) and key in one.names and not _TRAIN.search(name)
        fits = shares and sample is not None and _has_rows_of(one, sample, key, more=called)
        if sample and len(one.table.columns) == 1 and not fits:
            return 0  # a list of other things
        return 4 * fits + 3 * called if called or fits else 0

    return _with_parts(search, search.choose("test table", search.others(sample), worth), (sample,))


def _has_rows_of(test: Seen, sample: Seen, key: str, *, more: bool) -> bool:
    """Whether a table has the sample's rows; with `more` it may have others, too."""
    ids, asked = set(test.values(key)), set(sample.table.head[sample.names[key]])
    return ids >= asked and (more or ids == set(sample.values(key)))


def _find_train(search: _Search, sample: Seen | None, test: Sequence[Seen]) -> tuple[Seen, ...]:
    targets = _targets(search, sample, test)
    inputs = {name for one in test for name in one.names}

    def worth(one: Seen) -> float:
        name = letters(one.entry)
        called = bool(_TRAIN.search(name)) and not _LABELS.search(name)
        shared = len(inputs & one.names.keys()) / max(len(inputs), 1)
        told = bool(targets) and one.has(targets)
        if (_TEST.search(name) and not called) or (inputs and not told and shared < _FEW):
            return 0
        if not called and not (told and (shared > 0.5 or not inputs)) and not (inputs and shared == 1.0):
            return 0
        return 4 * told + 3 * called + 2 * shared

    found = search.choose("training table", search.others(sample, *test), worth)
    return _with_parts(search, found, (sample, *test))


def _with_parts(search: _Search, first: Seen | None, taken: Sequence[Seen | None]) -> tuple[Seen, ...]:
    """The table and others of its columns whose names differ in digits only: one table in parts."""
    if first is None:
        return ()
    parts = [one for one in search.others(*taken) if _are_parts(one, first)]
    return tuple(parts) if first in parts and len(parts) > 1 else (first,)


def _are_parts(one: Seen, other: Seen) -> bool:
    return (
        one.table.columns == other.table.columns
        and letters(one.entry) == letters(other.entry)
        and one.entry.folder == other.entry.folder
        and bool(re.search(r"\d", one.entry.stem))
    )


def _find_labels(
    search: _Search, sample: Seen | None, test: Sequence[Seen], train: Sequence[Seen]
) -> Seen | None:
    """Where the training table lacks what is to be predicted (or there is none): the table that tells it."""
    targets = _targets(search, sample, test)
    if train and targets and train[0].has(targets):
        return None

    def worth(one: Seen) -> float:
        name = letters(one.entry)
        if _TEST.search(name) or _SAMPLE.search(name):
            return 0
        told = bool(targets) and one.has(targets)
        called = bool(_LABELS.search(name)) or (not train and not test and bool(_TRAIN.search(name)))
        joins = not train or bool(one.names.keys() & train[0].names.keys()) or len(one.table.columns) == 1
        return (4 * told + 3 * called) * joins if told or called else 0

    return search.choose("labels", search.others(sample, *test, *train), worth)
