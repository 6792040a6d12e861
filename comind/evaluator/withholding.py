"""Which files beside the tables may be offered: those that were shown not to tell labels of training rows.

Validation rows are drawn from the training rows, so what tells these tells those. A file is read in whatever
form it has, joined to the training table by every column that names rows, by shared inputs or by its order,
and each of its columns is held against the labels. What cannot be read is withheld. Nothing is unpickled.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comind.evaluator.leaks import text_tells
from kaggle_runner.errors import BadCompetition
from mle_live.layout.arrange import TEST, TRAIN
from mle_live.layout.folders import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from mle_live.layout.formats import read_text, table_format
from mle_live.layout.tables import Stated, profile_tables, read_tables

if TYPE_CHECKING:
    import pandas as pd

_MEDIA = IMAGE_SUFFIXES | AUDIO_SUFFIXES
_TEXTS = frozenset(
    {".md", ".txt", ".html", ".htm", ".py", ".r", ".ipynb", ".yaml", ".yml", ".xml", ".json", ""}
)
_DATABASES = frozenset({".sqlite", ".sqlite3", ".db"})
_ARRAYS = frozenset({".npy", ".npz"})
_ROWS_READ = 1_000_000
_TEXT_BYTES = 64_000_000
_ENOUGH_ROWS = 12
_NEARLY = 0.98
"""Share of rows in which a column says the label, or its correlation with it, from which on it tells it."""
_MOST_COLUMNS = 2000
_UNIQUE_ENOUGH = 0.9
_KEYS_TRIED = 8
_STEPS = 2_000_000
"""Thousands of SQLite's instructions that one database may take."""
_SERIES = 200
"""So many files of one kind in one folder are inputs, a row each: some of them are looked through for all."""
_OF_A_SERIES = 25
_WIDEST_PRINTED = 60
_BETWEEN = re.compile(r"[\s,;|\"'\[\]{}()]+")


@dataclass(frozen=True)
class Training:
    """The arranged tables, as text, and what of them must stay secret."""

    train: pd.DataFrame
    test: pd.DataFrame | None
    id_column: str
    labels: tuple[str, ...]
    """Columns of `train`."""

    @property
    def inputs(self) -> list[str]:
        return [name for name in self.train.columns if name not in (self.id_column, *self.labels)]

    @cached_property
    def labels_by_id(self) -> list[pd.Series[Any]]:
        """For each label a column over the ids; none where training rows have no ids."""
        if self.id_column not in self.train:
            return []
        rows = self.train.drop_duplicates(self.id_column).set_index(self.id_column)
        return [rows[label] for label in self.labels]


def training_of(folder: Path, stated: Stated) -> Training:
    """The tables of an arranged folder. Raises BadCompetition."""
    profile = profile_tables(read_tables(folder), stated)
    train = read_text(folder / TRAIN)
    labels = tuple(name for name in profile.labels if name in train)
    test = read_text(folder / TEST) if (folder / TEST).is_file() else None
    return Training(train, test, profile.id_column, labels)


def withheld_files(folder: Path, training: Training, *, offered: Sequence[str] = ()) -> dict[str, str]:
    """Name of each file under `folder` that may not be offered → why, for people; no label is named.

    `offered` are names of files that are looked at elsewhere (the arranged tables) or hold no rows' labels by
    their role (a sample submission, a test table under its own name).
    """
    found = {}
    for paths in _by_kind(folder, offered).values():
        looked = paths if len(paths) < _SERIES else paths[:: len(paths) // _OF_A_SERIES]
        reasons = {path: why for path in looked if (why := _why_not(path, training))}
        alike = next(iter(reasons.values()), "") if looked is not paths else ""
        for path in paths if alike else reasons:
            found[path.relative_to(folder).as_posix()] = reasons.get(path, alike)
    return found


def _by_kind(folder: Path, offered: Sequence[str]) -> dict[tuple[Path, str], list[Path]]:
    """The files to look at, by folder and ending."""
    kinds: dict[tuple[Path, str], list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in name.parts)
        media = path.suffix.lower() in _MEDIA
        if not hidden and not media and name.as_posix() not in offered and path.is_file():
            kinds.setdefault((path.parent, path.suffix.lower()), []).append(path)
    return kinds


def _why_not(path: Path, training: Training) -> str:
    try:
        suffix = path.suffix.lower()
        if table_format(path.name) and suffix != ".txt":
            try:
                return _told_by([read_text(path, rows=_ROWS_READ)], training)
            except BadCompetition:
                if suffix not in (".json", ".csv", ".tsv"):
                    return "it cannot be read here"
        if suffix in _DATABASES:
            return _told_by(_tables_of_database(path), training)
        if suffix in _ARRAYS:
            return _told_by(_tables_of_arrays(path), training)
        if suffix in _TEXTS or table_format(path.name):
            return _told_by_text(path, training)
    except (OSError, ValueError, sqlite3.Error):
        pass
    return "it cannot be read here, so nobody knows what it tells"


def _told_by_text(path: Path, training: Training) -> str:
    if path.stat().st_size > _TEXT_BYTES:
        return "it is too long a text to be looked through"
    text = path.read_text(encoding="utf-8", errors="replace")
    text = text.replace("\\n", "\n").replace("\\t", " ")  # ends of lines within a notebook's strings
    for labels in training.labels_by_id:
        if text_tells(text, labels):
            return f"{labels.name} stands beside the ids of training rows"
    return _told_by(_printed_tables(text), training)


def _printed_tables(text: str) -> Iterator[pd.DataFrame]:
    """Lines of as many words each, taken for the rows of a table that somebody printed."""
    import pandas as pd

    by_width: dict[int, list[list[str]]] = {}
    for line in islice(text.splitlines(), _ROWS_READ):
        words = [word for word in _BETWEEN.split(line) if word]
        if 2 <= len(words) <= _WIDEST_PRINTED:
            by_width.setdefault(len(words), []).append(words)
    for rows in by_width.values():
        if len(rows) >= _ENOUGH_ROWS:
            yield pd.DataFrame(rows, dtype=str).rename(columns=lambda number: f"word {number + 1}")


def _told_by(tables: Iterator[pd.DataFrame] | list[pd.DataFrame], training: Training) -> str:
    for table in tables:
        if answers := _answers_for_test(table, training):
            return f"its column {answers!r} holds answers for the rows to predict"
        for label in training.labels:
            column = _telling_column(table, training, label)
            if column:
                return f"its column {column!r} tells {label} of training rows"
    return ""


def _telling_column(table: pd.DataFrame, training: Training, label: str) -> str:
    import pandas as pd

    if table.empty or len(table.columns) > _MOST_COLUMNS:
        return str(table.columns[0]) if len(table.columns) > _MOST_COLUMNS else ""
    labels = training.train[label]
    for key, own in _keys(table, training):
        places = pd.Series(training.train.index, index=training.train[own].map(_plain))
        places = places[~places.index.duplicated()]
        rows = table[key].map(_plain).map(places)
        joined = rows.notna()
        if not joined.any():
            continue
        expected = labels.loc[rows[joined].astype(int)].reset_index(drop=True)
        others = [name for name in table.columns if name != key]
        column = _first_telling(table.loc[joined, others].reset_index(drop=True), expected)
        if column and not _covers_test(table, key, own, column, training):
            return column
    shared = [name for name in training.inputs if name in table.columns]
    if len(shared) >= 2 and (column := _by_inputs(table, training, label, shared)):
        return column
    if len(table) == len(training.train):
        others = [name for name in table.columns if name not in training.inputs]
        return _first_telling(table[others].reset_index(drop=True), labels.reset_index(drop=True))
    return ""


def _keys(table: pd.DataFrame, training: Training) -> list[tuple[str, str]]:
    """(column of the table, column of the training table) that name the same rows, the most rows first."""
    held = []
    for own in (training.id_column, *training.inputs):
        if own not in training.train:
            continue
        values = set(training.train[own].map(_plain)) - {""}
        if len(values) < _UNIQUE_ENOUGH * len(training.train):
            continue
        for key in table.columns:
            shared = len(values.intersection(table[key].head(20_000).map(_plain)))
            if shared >= min(_ENOUGH_ROWS, max(2, len(training.train) // 2)):
                held.append((shared, own == key, str(key), own))
    return [(key, own) for *_, key, own in sorted(held, reverse=True)[:_KEYS_TRIED]]


def _by_inputs(table: pd.DataFrame, training: Training, label: str, shared: list[str]) -> str:
    """Rows are joined by all inputs that both tables have, where these name a row."""
    own = training.train[shared].map(_plain).agg("\0".join, axis=1)
    theirs = table[shared].map(_plain).agg("\0".join, axis=1)
    if own.nunique() < _UNIQUE_ENOUGH * len(own):
        return ""
    labels = training.train[label].set_axis(own)
    labels = labels[~labels.index.duplicated()]
    joined = theirs.isin(labels.index)
    expected = labels.loc[theirs[joined]].reset_index(drop=True)
    others = [name for name in table.columns if name not in shared]
    return _first_telling(table.loc[joined, others].reset_index(drop=True), expected)


def _answers_for_test(table: pd.DataFrame, training: Training) -> str:
    """A label's own column over the ids of the rows to predict: a host's solution, not another sample."""
    test = training.test
    if test is None or training.id_column not in test or training.id_column not in table:
        return ""
    ids = set(test[training.id_column].map(_plain))
    rows = table[table[training.id_column].map(_plain).isin(ids)]
    if len(rows) < len(ids) / 2:
        return ""
    told = [name for name in training.labels if name in table and rows[name].nunique() > 1]
    return told[0] if told else ""


def _covers_test(table: pd.DataFrame, key: str, own: str, column: str, training: Training) -> bool:
    """Whether the table says as much of the rows to predict: then it is the host's data for both."""
    test = training.test
    if test is None or own not in test:
        return False
    ids = set(test[own].map(_plain))
    here = table[key].map(_plain).isin(ids)
    return bool(here.sum() >= 0.9 * len(ids)) and bool((table.loc[here, column] != "").mean() > 0.9)


def _first_telling(rows: pd.DataFrame, labels: pd.Series[Any]) -> str:
    known = labels != ""
    if known.sum() < min(_ENOUGH_ROWS, max(2, len(labels))) or labels[known].nunique() < 2:
        return ""
    for name in rows.columns:
        if tells(rows[name][known], labels[known]):
            return str(name)
    return ""


def tells(values: pd.Series[Any], labels: pd.Series[Any]) -> bool:
    """Whether a column says the label of (nearly) every row: itself, under another name, or up to a monotonic
    change with a little noise. Both are text, of the same rows."""
    import pandas as pd

    filled = values != ""
    if filled.sum() < min(_ENOUGH_ROWS, len(values)) or labels[filled].nunique() < 2:
        return False
    values, labels = values[filled], labels[filled]
    numbers = pd.to_numeric(values, errors="coerce")
    wanted = pd.to_numeric(labels, errors="coerce")
    many = labels.nunique() > 20 and bool(wanted.notna().all())
    if many:
        if numbers.notna().mean() < _NEARLY or numbers.nunique() < 3:
            return False
        return abs(numbers.rank().corr(wanted.rank())) >= _NEARLY or abs(numbers.corr(wanted)) >= _NEARLY
    if values.nunique() <= max(2 * labels.nunique(), labels.nunique() + 2):
        usual = labels.groupby(values).agg(lambda group: group.value_counts().iloc[0]).sum()
        commonest = labels.value_counts(normalize=True).iloc[0]
        return bool(usual / len(labels) >= max(_NEARLY, commonest + (1 - commonest) * 0.9))
    if labels.nunique() == 2 and numbers.notna().mean() >= _NEARLY:
        return _separates(numbers, labels)
    return False


def _separates(numbers: pd.Series[Any], labels: pd.Series[Any]) -> bool:
    """Area under the ROC curve of the numbers for two classes, either way round, of nearly one."""
    first = labels == labels.iloc[0]
    ones, others = int(first.sum()), int((~first).sum())
    area = (numbers.rank()[first].sum() - ones * (ones + 1) / 2) / (ones * others)
    return bool(max(area, 1 - area) >= 0.995)


def _tables_of_database(path: Path) -> Iterator[pd.DataFrame]:
    import pandas as pd

    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall()
        for (name,) in names:
            quoted = '"' + str(name).replace('"', '""') + '"'
            rows = connection.execute(f"SELECT * FROM {quoted} LIMIT {_ROWS_READ}")
            columns = [one[0] for one in rows.description]
            texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
            yield pd.DataFrame(texts, columns=columns, dtype=str)
    finally:
        connection.close()


def _tables_of_arrays(path: Path) -> Iterator[pd.DataFrame]:
    import numpy as np
    import pandas as pd

    loaded = np.load(path, allow_pickle=False)
    arrays = [loaded] if isinstance(loaded, np.ndarray) else [loaded[name] for name in loaded.files]
    for array in arrays:
        if array.ndim in (1, 2) and array.size:
            table = pd.DataFrame(array.reshape(len(array), -1)[:_ROWS_READ])
            yield table.astype(str).rename(columns=str)


def _plain(text: str) -> str:
    """One way to write a number: other people's files say 1.0 or 001 where the host says 1."""
    try:
        number = float(text)
    except ValueError:
        return text.strip()
    return repr(number)
