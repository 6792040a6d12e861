"""Between frozen records and table rows. Lists and dicts travel as JSON text, booleans as 0 and 1."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any, TypeVar, get_type_hints

from comind.state.records import RECORDS

R = TypeVar("R")

_HINTS: dict[type, dict[str, Any]] = {record: get_type_hints(record) for record in RECORDS}


def to_row(record: Any) -> dict[str, Any]:
    """A record as a dict of SQLite values."""
    row: dict[str, Any] = {}
    for item in fields(record):
        value = getattr(record, item.name)
        if isinstance(value, bool):
            value = int(value)
        elif isinstance(value, list | dict):
            value = json.dumps(value, ensure_ascii=False)
        row[item.name] = encodable(value) if isinstance(value, str) else value
    return row


def encodable(text: str) -> str:
    """Half an emoji (a lone surrogate) cannot be stored as UTF-8: it becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def from_row(record: type[R], row: dict[str, Any]) -> R:
    """A row as a record; columns that this version does not know are ignored, missing ones take defaults."""
    hints = _HINTS[record]
    values: dict[str, Any] = {}
    for item in fields(record):  # type: ignore[arg-type]
        if item.name not in row or (row[item.name] is None and item.default is not MISSING):
            continue
        value = row[item.name]
        hint = hints[item.name]
        if hint is bool:
            value = bool(value)
        elif isinstance(value, str) and getattr(hint, "__origin__", None) in (list, dict):
            value = json.loads(value)
        values[item.name] = value
    return record(**values)


def column_types(record: type) -> dict[str, type]:
    """SQLite column types for sqlite-utils, in field order."""
    types: dict[str, type] = {}
    for item in fields(record):
        hint = _HINTS[record][item.name]
        if hint in (int, bool):
            types[item.name] = int
        elif hint is float or hint == (float | None):
            types[item.name] = float
        else:
            types[item.name] = str
    return types
