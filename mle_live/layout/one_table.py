"""Labels as hosts write them in a training table: empty in the rows to predict, or lists of classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mle_live.layout.roles import HEAD_ROWS, Roles, Seen
from mle_live.layout.tables import MISSING, Table

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = (",", ";", "|", " ")


def divided(roles: Roles, id_column: str, targets: Sequence[str], folder: Path) -> Roles:
    """Where one table has the rows to predict as well, without their labels: its two parts, in `folder`.

    The sample says which rows these are. The same roles where that is not so.
    """
    if roles.test or roles.sample is None or len(roles.train) != 1 or not id_column:
        return roles
    whole = roles.train[0]
    if not whole.has([id_column, *targets]):
        return roles
    table = whole.table.read(whole.table.columns)
    asked = table[whole.names[id_column.lower()]].isin(set(roles.sample.values(id_column)))
    told = table.loc[asked, [whole.names[name.lower()] for name in targets]]
    if asked.sum() != roles.sample.table.count_rows() or not told.isin(_nothing(told)).all(axis=None):
        return roles
    folder.mkdir(parents=True)
    train = _written(whole, table[~asked], folder / "train.csv")
    test = _written(whole, table[asked].drop(columns=list(told.columns)), folder / "test.csv")
    remark = f"{whole.entry.name} has the rows to predict as well: those without a label"
    return replace(roles, train=(train,), test=(test,), remarks=(*roles.remarks, remark))


def _nothing(told: pd.DataFrame) -> list[str]:
    return ["", *(one for name in told for one in told[name].unique() if one.lower() in MISSING)]


def _written(of: Seen, table: pd.DataFrame, place: Path) -> Seen:
    table.to_csv(place, index=False)
    head = table.head(HEAD_ROWS).reset_index(drop=True)
    return Seen(replace(of.entry, path=place), Table(place, head, whole=len(table) == len(head)))


def with_labels(table: pd.DataFrame, labels: Seen) -> tuple[pd.DataFrame, str, str]:
    """Labels by the key that both tables have, or row by row where there is none and they are as many.

    With a remark, and a sentence where they cannot be brought together; both may be empty.
    """
    told = labels.table.read(labels.table.columns)
    keys = [name for name in labels.table.columns if name in table.columns]
    if not keys and len(told) == len(table):
        joined = table.assign(**{name: told[name].to_numpy() for name in told.columns})
        return joined, f"{labels.entry.name} has no ids: its rows are those of the training table", ""
    if not keys:
        return table, "", f"{labels.entry.name} shares no column with the training table"
    if told.duplicated(keys).any():
        return table, "", f"{labels.entry.name} has several rows for one {' and '.join(keys)}"
    merged = table.merge(told, on=keys, how="inner")
    lost = len(table) - len(merged)
    return merged, f"{lost} training rows without a label are left out" if lost else "", ""


def class_lists(table: pd.DataFrame, targets: Sequence[str], inputs: Collection[str]) -> pd.DataFrame | None:
    """The table with a column of 0 and 1 for each target, where one column lists the targets of a row.

    None where no column does, or none lists two of them in one row: then it is a class.
    """
    if len(targets) < 2 or set(targets) & set(table.columns):
        return None
    for name in table.columns:
        if name.lower() in inputs:
            continue
        for separator in _SEPARATORS:
            lists = table[name].map(lambda text, at=separator: {one.strip() for one in text.split(at)} - {""})
            found = set().union(*lists)
            if found and found <= set(targets) and lists.map(len).max() > 1:
                told = {one: lists.map(lambda row, one=one: str(int(one in row))) for one in targets}
                return table.drop(columns=name).assign(**told)
    return None
