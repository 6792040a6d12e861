"""Between records (frozen dataclasses, named tuples) and rows of SQLite or JSON, for all databases and files.

A row has one column a field. What SQLite has no type for is stored so: booleans as 0 and 1, moments as
ISO 8601 UTC text, lists, dicts and nested records as JSON text. What is read is data that anybody may have
written, so every type is checked; the one error is Unusable.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from kaggle_runner.errors import Unusable
from kaggle_runner.moments import parse_moment, stamp
from kaggle_runner.texts import whole_characters

T = TypeVar("T")
Stamp = Annotated[str, "stamp"]
"""A moment that stays text in its record, as `moments.stamp` writes it, or empty."""
Storage = Literal["plain", "flag", "moment", "stamp", "json"]
_PLAIN = {int: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB", Path: "TEXT"}


class Field(NamedTuple):
    """How one field of a record is stored."""

    name: str
    kind: str = "TEXT"
    """SQLite's type."""
    form: Storage = "plain"
    optional: bool = True
    """None is among the field's values."""
    default: Any = None
    """As it is stored; None where there is none."""


def columns(record: type) -> tuple[Field, ...]:
    """The columns of a dataclass, in the order of its fields."""
    return _columns(cast("Hashable", record))


@cache
def _columns(record: Any) -> tuple[Field, ...]:
    hints = get_type_hints(record, include_extras=True)
    return tuple(_column(item.name, hints[item.name], item.default) for item in fields(record))


def _column(name: str, hint: Any, default: Any) -> Field:
    union = get_args(hint) if NoneType in get_args(hint) else ()
    kinds = [kind for kind in union if kind is not NoneType] or [hint]
    kind = str if get_origin(kinds[0]) is Literal else kinds[0]
    form: Storage = "json"
    if kind is bool:
        form = "flag"
    elif kind is datetime:
        form = "moment"
    elif hint == Stamp:
        form = "stamp"
    elif kind in _PLAIN and len(kinds) == 1:
        form = "plain"
    sql = "INTEGER" if form == "flag" else _PLAIN[kind] if form == "plain" else "TEXT"
    return Field(name, sql, form, bool(union), None if default is MISSING else _stored(default, form))


def to_row(record: Any) -> dict[str, Any]:
    """A record as values of SQLite, by column."""
    return {
        column.name: _stored(getattr(record, column.name), column.form) for column in columns(type(record))
    }


def _stored(value: Any, form: str) -> Any:
    if value is None:
        return None
    if form == "json":
        return to_json(value)
    if form == "moment":
        return stamp(value)
    if form == "flag":
        return int(value)
    return whole_characters(str(value)) if isinstance(value, str | Path) else value


def from_row(record: type[T], row: Mapping[str, Any], where: object) -> T:
    """The record of a row that was read at `where`.

    Columns that this version does not know are ignored; fields without a column, or with NULL where they have
    no None, take their default. Raises Unusable.
    """
    values: dict[str, Any] = {}
    reading = ""
    try:
        for column in columns(record):
            reading = f"{column.name}: "
            value = row.get(column.name)
            if value is None and not (column.optional and column.name in row):
                continue
            values[column.name] = _loaded(value, column.form)
        reading = ""
        return msgspec.convert(values, record, dec_hook=_decode)
    except (ValueError, RecursionError) as error:
        raise _unusable(record, where, error, reading) from error


def _loaded(value: Any, form: str) -> Any:
    if value is None or form == "plain":
        return value
    if form == "json":
        return json.loads(value) if isinstance(value, str | bytes) else value
    if form in ("moment", "stamp"):
        moment = parse_moment(value) if value else None
        return moment if form == "moment" else value
    return bool(value) if value in (0, 1) else value


def to_json(value: Any) -> str:
    """A record, or anything made of records, as JSON text; named tuples are arrays."""
    plain = msgspec.to_builtins(value, str_keys=True, enc_hook=str)
    return whole_characters(json.dumps(plain, ensure_ascii=False))


def from_json(kind: type[T], text: str | bytes, where: object) -> T:
    """What JSON text that was read at `where` says, as a `kind`. Raises Unusable."""
    try:
        return msgspec.convert(json.loads(text), kind, dec_hook=_decode)
    except (ValueError, RecursionError) as error:
        raise _unusable(kind, where, error) from error


def _decode(kind: type, value: Any) -> Any:
    """The only type of ours that msgspec does not know."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"expected {kind.__name__}, got {type(value).__name__}")


def _unusable(kind: Any, where: object, error: Exception, reading: str = "") -> Unusable:
    name = getattr(kind, "__name__", str(kind))
    problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Unusable(
        where,
        f"it holds no good {name} ({reading}{problem})",
        hint="It was damaged or changed by hand, or another version of CoMind wrote it.",
    )
