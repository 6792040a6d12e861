"""The tables of a user's own folder: read with errors that name the file, and checked before a run begins.

Every refusal is one BadCompetition that says what stands where. Nothing is mended: the files are a person's.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_runner.errors import BadCompetition

if TYPE_CHECKING:
    import pandas as pd

_LONGEST_NAME = 300
_LONGEST_VALUE = 1000
"""Characters of an id or a class name; longer ones are free text, or a quotation mark that never closes."""


def read_header(path: Path) -> list[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            header = next(csv.reader(lines), [])
    except UnicodeDecodeError as error:
        raise BadCompetition(f"{path} is not UTF-8 text", hint="save it as UTF-8 CSV") from error
    except csv.Error as error:
        raise BadCompetition(
            f"{path} has no readable header line ({error})", hint="its first line must name the columns"
        ) from error
    if not any(name.strip() for name in header):
        raise BadCompetition(f"{path} is empty", hint="it needs a header line with the column names")
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise BadCompetition(f"{path} has the column {_cut(repeated[0])} twice", hint="rename one of them")
    longest = max(header, key=len)
    if len(longest) > _LONGEST_NAME:
        raise BadCompetition(
            f"{path} has a column name of {len(longest)} characters: {_cut(longest)}",
            hint="the first line must name the columns, with commas between them",
        )
    return header


def read_columns(path: Path, **options: object) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path, encoding="utf-8-sig", **options)  # type: ignore[call-overload, no-any-return]
    except (ValueError, pd.errors.ParserError) as error:
        raise BadCompetition(f"{path} is not a readable CSV ({error})", hint="correct the file") from error


def check_ids(folder: Path, id_column: str, train_columns: list[str], test_columns: list[str]) -> None:
    if id_column not in test_columns:
        raise BadCompetition(
            f"{folder}/test.csv has no column {id_column!r}, the id column of sample_submission.csv",
            hint=f"test.csv has {', '.join(test_columns[:8])}; name the id alike in both files",
        )
    ids = {}
    files = ["test.csv", "sample_submission.csv", *(["train.csv"] if id_column in train_columns else [])]
    for name in files:
        options = {"usecols": [id_column], "dtype": str, "keep_default_na": False}
        ids[name] = read_columns(folder / name, **options)[id_column]
        repeated = ids[name][ids[name].duplicated()]
        if len(repeated):
            raise BadCompetition(
                f"{folder}/{name} has {len(repeated)} repeated ids: {_some(repeated)}",
                hint="every row needs an id of its own"
                + ("; train.csv may also go without ids" if name == "train.csv" else ""),
            )
        if ids[name].empty:
            raise BadCompetition(f"{folder}/{name} has no rows", hint="add the rows")
        _check_length(folder / name, id_column, ids[name])
    test, sample = ids["test.csv"], ids["sample_submission.csv"]
    for these, those, sentence in (
        (sample, test, "sample_submission.csv has ids that test.csv lacks"),
        (test, sample, "test.csv has ids that sample_submission.csv lacks"),
    ):
        odd = these[~these.isin(those)]
        if len(odd):
            raise BadCompetition(
                f"{folder}: {sentence} ({len(odd)}): {_some(odd)}",
                hint="both files must list the same ids, in any order",
            )


def _some(ids: pd.Series[str]) -> str:
    return ", ".join(_cut(item) for item in ids.head(5))


def _cut(value: str) -> str:
    return repr(value if len(value) <= 60 else value[:60] + "…")


def _check_length(path: Path, column: str, values: pd.Series[Any]) -> None:
    longest = int(values.astype(str).str.len().max()) if len(values) else 0
    if longest > _LONGEST_VALUE:
        raise BadCompetition(
            f"{path} has a value of {longest} characters in {column!r}",
            hint=f"ids and labels have at most {_LONGEST_VALUE}; is a quotation mark left open?",
        )


def check_groups(folder: Path, group_column: object, train_columns: Sequence[str]) -> None:
    """`group_column` is the value in competition.yaml, None when it is not there."""
    if group_column is not None and group_column not in train_columns:
        raise BadCompetition(
            f"{folder}/competition.yaml: `group_column` is {_cut(str(group_column))}, "
            "which is no column of train.csv",
            hint=f"train.csv has {', '.join(train_columns[:8])}",
        )


def check_labels(folder: Path, labels: list[str], test_columns: Sequence[str], metric: str | None) -> None:
    """`labels` are the columns of train.csv to be predicted; they must be whole and suit the metric.

    The labels themselves, handed in as predictions, must be what the metric accepts: a run grades its
    validation rows by them. `metric` is None where predictions are a column a class, not these columns.
    """
    shown = [name for name in labels if name in test_columns]
    if shown:
        raise BadCompetition(
            f"{folder}/test.csv has the target column {shown[0]!r}", hint="remove that column from test.csv"
        )
    table = read_columns(folder / "train.csv", usecols=labels, low_memory=False)
    if table.empty:
        raise BadCompetition(f"{folder}/train.csv has no rows", hint="add the rows")
    for name in labels:
        _check_label(folder / "train.csv", table[name])
    constant = [name for name in labels if table[name].nunique() < 2]
    if len(constant) == len(labels):
        raise BadCompetition(
            f"{folder}/train.csv has the same {constant[0]!r} in every row: there is nothing to predict",
            hint="check that train.csv is whole; a class of the target may be missing",
        )
    if metric is not None:
        _check_metric(folder, table, labels, metric)


def _check_label(path: Path, values: pd.Series[Any]) -> None:
    import numpy as np

    name, missing = values.name, int(values.isna().sum())
    if missing:
        raise BadCompetition(
            f"{path} has no {name!r} in {missing} of {len(values)} rows",
            hint="remove these rows, or fill their label in",
        )
    infinite = int(np.isinf(values).sum()) if values.dtype.kind == "f" else 0
    if infinite:
        raise BadCompetition(
            f"{path} has an infinite {name!r} in {infinite} of {len(values)} rows",
            hint="remove these rows, or correct their label",
        )
    if values.dtype.kind not in "biuf":
        _check_length(path, str(name), values)


def _check_metric(folder: Path, table: pd.DataFrame, labels: list[str], metric: str) -> None:
    from mle_live.metrics import InvalidPredictions, get_metric

    known = get_metric(metric)
    try:
        known.score(table, table, labels)
    except (InvalidPredictions, ValueError) as error:
        reason = error.message if isinstance(error, InvalidPredictions) else str(error)
        examples = ", ".join(_cut(str(value)) for value in table[labels[0]].drop_duplicates().head(3))
        raise BadCompetition(
            f"the labels in {folder}/train.csv ({labels[0]}: {examples}) do not suit {known.name}: "
            f"even as predictions they are refused, since {reason}",
            hint="for probabilities write the labels as 0 and 1; for class names set `metric: accuracy` (or "
            "macro_f1) in competition.yaml",
        ) from error
