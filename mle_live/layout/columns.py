"""What names a row and what is to be predicted, worked out from the tables by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from mle_live.layout.roles import Roles, Seen, key_of

_ID_NAMES = ("id", "index", "key", "row", "uid", "uuid", "name", "file", "filename", "image")


@dataclass(slots=True)
class FoundColumns:
    """`ids` and `targets` are named as in the sample submission, or as they are to be named in one."""

    ids: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    test_ids: tuple[str, ...] = ()
    """The test table's own names of `ids`; empty where its rows are named by their order."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Columns of the training table (or of the labels) → the target that they are under another name."""
    by_order: bool = False
    """The test table names no row: the sample's first row is its first, and so on."""
    remarks: list[str] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """What could not be found → a sentence that says so and what to name."""


def find_columns(roles: Roles, *, id_column: str = "", target: str = "") -> FoundColumns:
    """`id_column` and `target` are what a person named; empty where they are to be found."""
    found = FoundColumns()
    if roles.sample is not None:
        _ids_of_sample(found, roles.sample, roles.test, id_column)
        found.targets = tuple(name for name in _named(roles.sample) if name not in found.ids)
        if not found.targets:
            found.missing["target"] = f"{roles.sample.entry.name} has no column besides the ids"
    else:
        _ids_of_test(found, roles.test, id_column)
        _target_of_train(found, roles, target)
    _match_targets(found, roles, target)
    return found


def _ids_of_sample(found: FoundColumns, sample: Seen, test: Sequence[Seen], stated: str) -> None:
    columns = _named(sample)
    first = test[0] if test else None
    if stated:
        found.ids = tuple(name for name in columns if name.lower() == stated.lower())
        if not found.ids:
            found.missing["id"] = f"{sample.entry.name} has no column {stated!r}: it has {_some(columns)}"
            found.ids = (columns[0],)
    elif first is None:
        found.ids = (columns[0],)
    else:
        lead = tuple(takewhile(lambda name: name.lower() in first.names, columns[:-1]))
        found.ids = _enough(sample, lead) if lead else (key_of(sample, [first]),)
    if first is None:
        return
    if all(name.lower() in first.names for name in found.ids):
        found.test_ids = tuple(first.names[name.lower()] for name in found.ids)
        return
    values = set(sample.table.head[found.ids[0]])
    for name in first.table.columns:
        if values & set(first.table.head[name]) and set(sample.values(found.ids[0])) <= set(
            first.values(name)
        ):
            found.test_ids = (name,)
            found.remarks.append(f"the id {found.ids[0]} is called {name} in {first.entry.name}")
            return
    rows = sum(one.table.count_rows() for one in test)
    if rows == sample.table.count_rows():
        found.by_order = True
        found.remarks.append(f"{first.entry.name} has no ids: its rows are those of the sample, in order")
    else:
        found.missing["id"] = (
            f"{first.entry.name} ({rows} rows) has neither the ids of {sample.entry.name} "
            f"({sample.table.count_rows()} rows) nor as many rows"
        )


def _named(sample: Seen) -> list[str]:
    """The columns of a sample without the row numbers that pandas writes before them."""
    columns = sample.table.columns
    numbers = [str(row) for row in range(len(sample.table.head))]
    is_index = columns[0].startswith("Unnamed: ") and list(sample.table.head[columns[0]]) == numbers
    return columns[1:] if is_index and len(columns) > 2 else columns


def _enough(sample: Seen, lead: tuple[str, ...]) -> tuple[str, ...]:
    """As many of the leading columns as it takes to name each row once."""
    for count in range(1, len(lead) + 1):
        if not sample.table.read(list(lead[:count])).duplicated().any():
            return lead[:count]
    return lead[:1]


def _ids_of_test(found: FoundColumns, test: Sequence[Seen], stated: str) -> None:
    """Without a sample: a column that names each row of the test once, first those called so."""
    if not test:
        return
    first = test[0]
    if stated and stated.lower() not in first.names:
        found.missing["id"] = f"{first.entry.name} has no column {stated!r}"
    likely = [name for name in first.table.columns if name.lower().endswith(_ID_NAMES)]
    for name in [first.names[stated.lower()]] if stated.lower() in first.names else likely:
        if first.table.read([name])[name].is_unique:
            found.ids = found.test_ids = (name,)
            return
    found.ids, found.by_order = ("id",), True
    found.remarks.append(f"{first.entry.name} has no ids: its rows are numbered from 0")


def _target_of_train(found: FoundColumns, roles: Roles, stated: str) -> None:
    if stated:
        found.targets = (stated,)
        return
    tables = [*roles.train[:1], *([roles.labels] if roles.labels else [])]
    inputs = {name for one in roles.test for name in one.names} | {name.lower() for name in found.ids}
    added = [name for one in tables for name in one.table.columns if name.lower() not in inputs]
    if len(added) == 1:
        found.targets = (added[0],)
        found.remarks.append(f"{added[0]} is the only column that the test data lack")
    elif tables:
        what = f"columns that only the training data have: {_some(added)}" if added else "no column is new"
        found.missing["target"] = f"what is to be predicted is not told ({what}); name it: --target COLUMN"


def _match_targets(found: FoundColumns, roles: Roles, stated: str) -> None:
    """Find each target in the training data, under its name in another case, or under the only one left."""
    tables = [*roles.train[:1], *([roles.labels] if roles.labels else [])]
    if not tables or not found.targets:
        return
    names = {key: name for one in tables for key, name in one.names.items()}
    if roles.sample is not None and stated:
        if stated.lower() in names and len(found.targets) == 1:
            found.renamed[names[stated.lower()]] = found.targets[0]
        elif stated.lower() not in names:
            found.missing["target"] = (
                f"the training data have no column {stated!r}: {_some(list(names.values()))}"
            )
        return
    lacking = [name for name in found.targets if name.lower() not in names]
    for name in found.targets:
        own = names.get(name.lower())
        if own is not None and own != name:
            found.renamed[own] = name
    if not lacking:
        return
    if len(lacking) == 1 == len(found.targets):
        inputs = {name for one in roles.test for name in one.names} | {name.lower() for name in found.ids}
        left = [name for key, name in names.items() if key not in inputs]
        if len(left) == 1:
            found.renamed[left[0]] = lacking[0]
            found.remarks.append(f"what is to be predicted, {lacking[0]}, is called {left[0]} in training")
            return
        found.missing["target"] = (
            f"the training data have no column {lacking[0]!r}, and more than one that the test data lack "
            f"({_some(left)}); name it: --target COLUMN"
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names else "none"
