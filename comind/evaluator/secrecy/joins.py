"""A table beside the data, joined to the training rows by what names them, and held against their labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from comind.evaluator.secrecy.contents import plain
from comind.evaluator.secrecy.telling import ENOUGH_ROWS, says, tells
from mle_live.layout.arrange import TEST, TRAIN
from mle_live.layout.formats import read_text
from mle_live.layout.tables import Stated, profile_tables, read_tables

if TYPE_CHECKING:
    import pandas as pd

_WIDE = 200
"""Columns, from which on each is not looked at alone."""
_ROWS_PROBED = 500
_SUSPECT = 0.25
"""Correlation with a label, or with one of its classes, that any column that tells it has by far."""
_UNIQUE_ENOUGH = 0.9
_KEYS, _KEYS_TRIED, _LINKS = 20, 8, 40
_ROWS_COMPARED = 20_000
_LONGEST_NAME = 200
_NEARLY_ALL = 0.9
_SEPARATED = re.compile(r"[/\\\\_|;,: -]+")
_WORDS, _ROWS_A_WORD = 6, 50
_ANSWERS = re.compile(r"solution|answer|truth|label", re.IGNORECASE)

Keys = dict[str, "pd.Series[Any]"]
"""What names rows → their places in their table by the plain name."""


@dataclass(frozen=True)
class Training:
    """The arranged tables, as text, and what of them must stay secret."""

    train: pd.DataFrame
    test: pd.DataFrame | None
    id_column: str
    labels: tuple[str, ...]
    """Columns of `train`."""
    links: Keys = field(default_factory=dict)
    """Names that other files give to training rows. Where there are some, a table is joined by these only."""

    @property
    def inputs(self) -> list[str]:
        return [name for name in self.train.columns if name not in (self.id_column, *self.labels)]

    @cached_property
    def own_keys(self) -> Keys:
        return _keys_of(self.train, [self.id_column, *self.inputs])

    @property
    def keys(self) -> Keys:
        return self.links or self.own_keys

    @cached_property
    def test_keys(self) -> Keys:
        return {} if self.test is None else _keys_of(self.test, list(self.test.columns))

    @property
    def ids(self) -> Collection[str]:
        """Of training rows, written plainly; none where they have no ids."""
        return self.own_keys[self.id_column].index if self.id_column in self.own_keys else ()

    @property
    def test_ids(self) -> Collection[str]:
        return self.test_keys[self.id_column].index if self.id_column in self.test_keys else ()

    def linked(self, links: Keys) -> Training:
        return replace(self, links=links)


class Telling(NamedTuple):
    """Where a table tells labels."""

    column: str
    label: str
    key: str
    """The table's column that names training rows; empty where they are told by inputs or by order."""
    places: pd.Series[Any]


def training_of(folder: Path, stated: Stated) -> Training:
    """The tables of an arranged folder. Raises BadCompetition."""
    profile = profile_tables(read_tables(folder), stated)
    train = read_text(folder / TRAIN)
    labels = tuple(name for name in profile.labels if name in train)
    test = read_text(folder / TEST) if (folder / TEST).is_file() else None
    return Training(train, test, profile.id_column, labels)


def telling_column(table: pd.DataFrame, training: Training, *, ordered: bool = True) -> Telling | None:
    """The first column found to tell a label, the table joined by names, by shared inputs, or (where
    `ordered`) row by row."""
    import pandas as pd

    if not training.labels or len(table) < min(ENOUGH_ROWS, max(2, len(training.train) // 2)):
        return None  # labels are no column, or there are too few rows to be seen to agree
    nowhere = pd.Series(dtype=int)
    for key, own in _joins(table, training.keys):
        places = training.keys[own]
        rows = table[key].map(str).map(plain).map(places)
        here = rows.dropna().astype(int)
        if column := _listed(table.loc[here.index], here, key, own, training):
            return Telling(column, training.labels[0], key, places)
        others = spread(table.loc[here.index], key)
        for label in training.labels:
            for column in _telling(others, training.train[label].iloc[here]):
                if says(*_some_rows(others[column], training.train[label].iloc[here])) or not _covers_test(
                    table, key, own, training
                ):
                    return Telling(column, label, key, places)
    if training.links:
        return None
    for label in training.labels:
        columns = _by_inputs(table, training, label)
        columns = columns or (_in_order(table, training, label) if ordered else [])
        if columns:
            return Telling(columns[0], label, "", nowhere)
    return None


def links_of(table: pd.DataFrame, training: Training, name: str) -> Keys:
    """Columns of the table that name training rows in another way, for other files to be joined by."""
    import pandas as pd

    if len(table) < ENOUGH_ROWS or len(table.columns) > _WIDE:
        return {}
    found: Keys = {}
    for key, own in _joins(table, training.keys)[:2]:
        rows = table[key].map(str).map(plain).map(training.keys[own]).dropna().astype(int)
        for column in table.columns[:_LINKS]:
            values = table.loc[rows.index, column].map(str)
            if column == key or values.str.len().max() > _LONGEST_NAME or values.nunique() < 0.9 * len(rows):
                continue
            names = values.map(plain)
            if names.head(200).str.fullmatch(r"-?\d+\.\d*[1-9]\d*|.*e[-+]\d+").mean() > 0.5:
                continue  # measurements
            links = pd.Series(rows.to_numpy(), index=names)
            links = links[~links.index.duplicated() & (links.index != "")]
            known = any(links.index.isin(other.index).mean() > 0.5 for other in training.own_keys.values())
            if len(links) >= ENOUGH_ROWS and not known:
                found[f"{name}: {column}"] = links
    return found


def answers_for_test(table: pd.DataFrame, training: Training, called: str) -> str:
    """A column with answers for most rows to predict: a label's own, or a new one in a file `called` so."""
    for key, own in _joins(table, training.test_keys):
        rows = table[key].map(str).map(plain).map(training.test_keys[own]).dropna()
        if rows.nunique() < len(training.test_keys[own]) / 2:
            continue
        known = {key, *(training.test.columns if training.test is not None else ())}
        new = [name for name in table.columns if name not in known and name.lower() != "usage"]
        told = [name for name in new if name in training.labels or _ANSWERS.search(called)]
        varied = [name for name in told if table.loc[rows.index, name].nunique() > 1]
        if varied:
            return str(varied[0])
    return ""


def _keys_of(table: pd.DataFrame, names: Sequence[str]) -> Keys:
    """The columns that name (nearly) each row once, at most `_KEYS`."""
    import pandas as pd

    found: Keys = {}
    for name in names:
        if len(found) == _KEYS or name not in table or table[name].nunique() < _UNIQUE_ENOUGH * len(table):
            continue
        places = pd.Series(range(len(table)), index=table[name].map(plain))
        places = places[~places.index.duplicated() & (places.index != "")]
        if len(places) >= _UNIQUE_ENOUGH * len(table):
            found[name] = places
    return found


def _joins(table: pd.DataFrame, keys: Keys) -> list[tuple[str, str]]:
    """(column of the table, key) that name the same rows, the most rows first."""
    import pandas as pd

    held, columns = [], list(table.columns)
    if len(columns) > _WIDE:  # names of rows stand at an end of so many measurements
        columns = [*columns[: _WIDE // 2], *columns[-_WIDE // 2 :]]
    usual = {own: places.index.union(places.index.str.removesuffix(".0")) for own, places in keys.items()}
    for column in columns:
        values = table[column]
        if len(values) > 2 * _ROWS_COMPARED:  # a part, and the few that may be written alike among the others
            alike = [values[values.isin(names)].head(_ROWS_COMPARED) for names in usual.values()]
            values = pd.concat(
                [values.head(_ROWS_COMPARED), values.sample(_ROWS_COMPARED, random_state=0), *alike]
            )
        names = pd.Index(values.drop_duplicates().map(str).map(plain).drop_duplicates())
        for own, places in keys.items():
            shared = int(names.isin(places.index).sum())
            if shared >= min(ENOUGH_ROWS, max(2, len(places) // 2)):
                held.append((shared, own == column, str(column), own))
    return [(column, own) for *_, column, own in sorted(held, reverse=True)[:_KEYS_TRIED]]


def _by_inputs(table: pd.DataFrame, training: Training, label: str) -> list[str]:
    """Rows are joined by all inputs that both tables have, where these name a row."""
    shared = [name for name in training.inputs if name in table.columns]
    if len(shared) < 2:
        return []
    own = training.train[shared].map(plain).agg("\0".join, axis=1)
    if own.nunique() < _UNIQUE_ENOUGH * len(own):
        return []
    theirs = table[shared].map(str).map(plain).agg("\0".join, axis=1)
    labels = training.train[label].set_axis(own)
    labels = labels[~labels.index.duplicated()]
    joined = theirs.isin(labels.index)
    others = table.loc[joined, [name for name in table.columns if name not in shared]]
    return list(_telling(others, labels.loc[theirs[joined]]))


def _in_order(table: pd.DataFrame, training: Training, label: str) -> list[str]:
    """Rows are those of the training table, or of it and the test table; or they are sorted by id."""
    import pandas as pd

    rows, beside = len(training.train), 0 if training.test is None else len(training.test)
    starts = {rows: [0], rows + beside: [0, beside]}.get(len(table), [])
    labels = [training.train[label]]
    if training.id_column in training.train:
        ids = training.train[training.id_column]
        numbers = pd.to_numeric(ids, errors="coerce")
        labels.append(
            training.train[label].loc[(ids if numbers.isna().any() else numbers).sort_values().index]
        )
    others = table[[name for name in table.columns if name not in training.inputs]]
    for start in starts:
        mine = others.iloc[start : start + rows]
        for ordered in labels:
            found = list(_telling(mine, ordered))
            if found and (len(table) == rows or says(*_some_rows(mine[found[0]], ordered))):
                return found
    return []


def spread(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """The table's columns but the key, and the words of those (and of the key) that are paths or codes."""
    import pandas as pd

    words: dict[str, pd.Series[Any]] = {}
    for name in table.columns[:_WIDE]:
        values = table[name].map(str)
        if not values.head(50).str.contains(_SEPARATED).all() or values.str.len().max() > _LONGEST_NAME:
            continue
        cut = values.map(_SEPARATED.split)
        for place in (*range(_WORDS), *range(-_WORDS, 0)):
            part = cut.map(lambda found, at=place: found[at] if -len(found) <= at < len(found) else "")
            if 1 < part.nunique() <= max(_ROWS_A_WORD, len(part) / 2):
                words[f"{name}, word {place + 1 if place >= 0 else place}"] = part
    others = table[[name for name in table.columns if name != key]]
    return pd.concat([others, pd.DataFrame(words, index=table.index)], axis=1) if words else others


def _listed(table: pd.DataFrame, here: pd.Series[Any], key: str, own: str, training: Training) -> str:
    """Whether rows are listed by their label: those of one class only, or each with names of its targets."""
    import pandas as pd

    if _covers_test(table, key, own, training):
        return ""
    labels = training.train[training.labels[0]]

    def lists(rows: pd.Series[Any], label: pd.Series[Any]) -> bool:
        listed = pd.Series("0", index=label.index)
        listed.iloc[rows.unique()] = "1"
        return listed.nunique() > 1 and tells(listed, label)

    if lists(here, labels):
        return key
    for column in table.columns if len(training.labels) > 1 else ():
        named = [name for name in training.labels if (table[column] == name).any()]
        if len(named) > 1 and any(lists(here[table[column] == one], training.train[one]) for one in named):
            return str(column)
    return ""


def _covers_test(table: pd.DataFrame, key: str, own: str, training: Training) -> bool:
    """Whether the table says as much of the rows to predict: then it is the host's data for both."""
    if own not in training.test_keys:
        return False
    ids = training.test_keys[own].index
    return bool(ids.isin(table[key].map(str).map(plain)).mean() >= _NEARLY_ALL)


def _telling(rows: pd.DataFrame, labels: pd.Series[Any]) -> Iterator[str]:
    """The columns that tell the labels; both have the same rows in the same order."""
    labels = labels.set_axis(rows.index)
    rows, labels = rows[(labels != "").to_numpy()], labels[labels != ""]
    if len(labels) < ENOUGH_ROWS or labels.nunique() < 2:
        return
    for name in _suspects(rows, labels):
        if tells(*_some_rows(rows[name], labels)):
            yield str(name)


def _suspects(rows: pd.DataFrame, labels: pd.Series[Any]) -> Sequence[str]:
    """Of very many columns those that go with the labels, or are no numbers: the others tell none."""
    import numpy as np
    import pandas as pd

    if len(rows.columns) <= _WIDE:
        return list(rows.columns)
    step = max(1, len(rows) // _ROWS_PROBED)
    probe = rows.iloc[::step].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float32)
    known = labels.iloc[::step]
    amounts = pd.to_numeric(known, errors="coerce")
    usual = known.value_counts().index[:20]
    wanted = [amounts.rank()] if amounts.notna().all() else []
    wanted += [(known == one).astype(float) for one in usual]
    told = np.stack([(one - one.mean()) / (one.std() or 1) for one in wanted]).astype(np.float32)
    words = np.isnan(probe).mean(axis=0) > 0.5
    probe = np.nan_to_num(probe - np.nanmean(np.where(words, 0, probe), axis=0))
    probe /= np.maximum(probe.std(axis=0), 1e-12)
    alike = np.abs(told @ probe / len(known)).max(axis=0)
    return list(rows.columns[words | (alike >= _SUSPECT)])


def _some_rows(values: pd.Series[Any], labels: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    labels = labels.set_axis(values.index)
    step = len(values) // _ROWS_COMPARED + 1
    return values.iloc[::step], labels.iloc[::step]
