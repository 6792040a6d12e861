"""The tables of a user's own folder in one shape, checked before a run begins.

Every refusal is one BadCompetition that says what stands where.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_runner.errors import BadCompetition, NoReadySplit
from kaggle_runner.predictions.spellings import find_ids
from kaggle_runner.texts import shortened
from mle_live.layout.arrange import SAMPLE, TEST, TRAIN
from mle_live.layout.pixels import check_pixels
from mle_live.layout.tables import Stated, Table, TableProfile, Tables, profile_tables, read_tables, typed

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_NAME = 300
_LONGEST_VALUE = 1000
"""Characters of an id or a class name; longer ones are free text, or a quotation mark that never closes."""


def check_header(path: Path) -> None:
    """The first line must give every column a name of its own, as it is written in the other files."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            header = next(csv.reader(lines), [])
    except UnicodeDecodeError as error:
        raise BadCompetition(f"{path.name} is not UTF-8 text", hint="save it as UTF-8 CSV") from error
    except csv.Error as error:
        raise BadCompetition(
            f"{path.name} has no readable header line ({error})", hint="its first line must name the columns"
        ) from error
    if not any(name.strip() for name in header):
        raise BadCompetition(f"{path.name} is empty", hint="it needs a header line with the column names")
    if fault := _fault_of_names(header):
        raise BadCompetition(f"{path.name} has {fault[0]}", hint=fault[1])


def _fault_of_names(names: list[str]) -> tuple[str, str] | None:
    """What is wrong with the column names, and what to do about it."""
    separator = next((one for one in ";\t|" if len(names) == 1 and one in names[0]), "")
    if separator:
        return f"{separator!r} between its columns", "save it as CSV, with commas between them"
    seen: set[str] = set()
    for number, name in enumerate(names, start=1):
        if not name.strip():
            said = f"no name for column {number} of {len(names)}"
            return said, "name it; or, if it is the table's index, save the table without (index=False)"
        if name != name.strip():
            said = f"the column {_cut(name)}, with a blank before or after its name"
            return said, "remove the blanks, so that the column has one name in all files"
        if name in seen:
            return f"the column {_cut(name)} twice", "rename one of them"
        if len(name) > _LONGEST_NAME:
            said = f"a column name of {len(name)} characters: {_cut(name)}"
            return said, "the first line must name the columns, with commas between them"
        seen.add(name)
    return None


def check_tables(folder: Path, stated: Stated, metric: str | None) -> tuple[Tables, TableProfile]:
    """The three tables of an arranged folder and their profile; labels must suit `metric`, a known one.

    Raises BadCompetition with the first thing that cannot be competed on.
    """
    for name in (TRAIN, TEST, SAMPLE):
        if (folder / name).is_file():
            check_header(folder / name)
    tables, profile = check_shape(folder, stated)
    if profile.pixels:
        return tables, profile
    if tables.test is not None:
        _check_asked(tables.test, tables.sample, profile.id_column)
    labels = typed(tables.train.read(profile.labels))
    check_labels(tables, labels, None if profile.label_column else metric)
    return tables, profile


def check_shape(folder: Path, stated: Stated) -> tuple[Tables, TableProfile]:
    """Whether ids and targets are where a ready split looks for them. Raises NoReadySplit where not."""
    tables = read_tables(folder)
    profile = profile_tables(tables, stated)
    if profile.pixels and tables.test:
        check_pixels(
            folder,
            profile.pixels,
            tables.test.head,
            tables.sample.read([profile.id_column])[profile.id_column],
        )
        return tables, profile
    check_ids(tables, profile.id_column)
    absent = [name for name in profile.labels if name not in tables.train.columns]
    if absent:
        only_in_train = [name for name in tables.train.columns if name not in tables.inputs]
        raise NoReadySplit(
            f"{tables.train.path.name} has no column {absent[0]!r}, the target in {tables.sample.path.name}",
            hint="columns that only train.csv has: " + (", ".join(only_in_train[:8]) or "none"),
        )
    return tables, profile


def check_ids(tables: Tables, id_column: str) -> None:
    if tables.test is not None and id_column not in tables.inputs:
        raise NoReadySplit(
            f"test.csv has no column {id_column!r}, the id column of sample_submission.csv",
            hint=f"test.csv has {', '.join(tables.inputs[:8])}; name the id alike in both files",
        )
    ids = {}
    for table in (tables.test, tables.sample, tables.train):
        if table is None or id_column not in table.columns:
            continue
        name = table.path.name
        ids[name] = table.read([id_column])[id_column]
        repeated = ids[name][ids[name].duplicated()]
        if len(repeated):
            raise NoReadySplit(
                f"{table.path.name} has {len(repeated)} repeated ids: {_some(repeated.drop_duplicates())}",
                hint="every row needs an id of its own"
                + ("; train.csv may also go without ids" if table is tables.train else ""),
            )
        if ids[name].empty:
            raise BadCompetition(f"{table.path.name} has no rows", hint="add the rows")
        _check_length(table.path, id_column, ids[name])
    if tables.test is None:
        return
    _check_listed(ids[SAMPLE], ids[TEST], "sample_submission.csv has ids that test.csv lacks")


def _check_asked(test: Table, sample: Table, id_column: str) -> None:
    asked = sample.read([id_column])[id_column]
    _check_listed(
        test.read([id_column])[id_column], asked, "test.csv has ids that sample_submission.csv lacks"
    )


def _check_listed(these: pd.Series[str], those: pd.Series[str], sentence: str) -> None:
    odd = these[[place is None for place in find_ids(these.tolist(), those.tolist())]]
    if len(odd):
        raise NoReadySplit(
            f"{sentence} ({len(odd)}): {_some(odd)}", hint="both files must list the same ids, in any order"
        )


def _some(ids: pd.Series[str]) -> str:
    return ", ".join(_cut(item) for item in ids.head(5))


def _cut(value: str) -> str:
    return repr(shortened(value, 60))


def _check_length(path: Path, column: str, values: pd.Series[Any]) -> None:
    longest = int(values.astype(str).str.len().max()) if len(values) else 0
    if longest > _LONGEST_VALUE:
        raise BadCompetition(
            f"{path.name} has a value of {longest} characters in {column!r}",
            hint=f"ids and labels have at most {_LONGEST_VALUE}; is a quotation mark left open?",
        )


def check_labels(tables: Tables, labels: pd.DataFrame, metric: str | None) -> None:
    """`labels` are the columns of train.csv to be predicted, typed; they must be whole and suit the metric.

    The labels themselves, handed in as predictions, must be what the metric accepts: a run grades its
    validation rows by them. `metric` is None where predictions are a column a class, not these columns.
    """
    from mle_live.metrics import reads_texts

    shown = [name for name in labels if name in tables.inputs]
    if shown:
        raise BadCompetition(
            f"test.csv has the target column {shown[0]!r}",
            hint="remove that column from test.csv",
        )
    path = tables.train.path
    if metric is not None and reads_texts(metric):
        labels = labels.astype(object).fillna("").astype(str)  # no mask, no words: that is an answer
    if labels.empty:
        raise BadCompetition(f"{path.name} has no rows", hint="add the rows")
    for name in labels:
        _check_label(path, labels[name], long=metric is not None and reads_texts(metric))
    constant = [name for name in labels if labels[name].nunique() < 2]
    if len(constant) == labels.shape[1]:
        raise BadCompetition(
            f"{path.name} has the same {constant[0]!r} in every row: there is nothing to predict",
            hint="check that train.csv is whole; a class of the target may be missing",
        )
    if metric is not None:
        _check_metric(path, labels, metric)


def _check_label(path: Path, values: pd.Series[Any], *, long: bool) -> None:
    import numpy as np

    name, missing = values.name, int(values.isna().sum())
    if missing:
        raise BadCompetition(
            f"{path.name} has no {name!r} in {missing} of {len(values)} rows",
            hint="remove these rows, or fill their label in",
        )
    infinite = int(np.isinf(values).sum()) if values.dtype.kind == "f" else 0
    if infinite:
        raise BadCompetition(
            f"{path.name} has an infinite {name!r} in {infinite} of {len(values)} rows",
            hint="remove these rows, or correct their label",
        )
    if values.dtype.kind not in "biuf" and not long:
        _check_length(path, str(name), values)


def _check_metric(path: Path, labels: pd.DataFrame, metric: str) -> None:
    from mle_live.metrics import InvalidPredictions, as_predictions, get_metric

    known = get_metric(metric)
    try:
        known.score(labels, as_predictions(metric, labels), [str(name) for name in labels])
    except (InvalidPredictions, ValueError) as error:
        reason = error.message if isinstance(error, InvalidPredictions) else str(error)
        first = str(labels.columns[0])
        examples = ", ".join(_cut(str(value)) for value in labels[first].drop_duplicates().head(3))
        raise BadCompetition(
            f"the labels in {path.name} ({first}: {examples}) do not suit {known.name}: "
            f"even as predictions they are refused, since {reason}",
            hint="for probabilities write the labels as 0 and 1; for class names set `metric: accuracy` (or "
            "macro_f1) in competition.yaml",
        ) from error
