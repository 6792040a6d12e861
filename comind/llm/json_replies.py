"""Replies that are JSON, though tags or blocks were asked for: read where their keys are the parts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_FENCED: Final = re.compile(r"^[ \t]*```[ \t]*json[ \t]*\n(?P<body>.*?)^[ \t]*```[ \t]*$", re.I | re.M | re.S)
_BOUNDS: Final = {"{": "}", "[": "]"}


def json_reply(text: str) -> Any:
    """The value of a reply that is JSON and nothing else, or one block of it with prose around; else None."""
    body = text.strip()
    if body.startswith("```") or body[:1] not in _BOUNDS:
        found = _FENCED.search(text)
        body = found["body"].strip() if found else body.strip("`").strip()
    if _BOUNDS.get(body[:1]) != body[-1:] or not body:
        return None
    try:
        return json.loads(body, strict=False)
    except (ValueError, RecursionError):
        return None


def json_objects(text: str) -> list[dict[str, Any]]:
    """The objects of such a reply: itself, its items, or those of the one list that it holds."""
    value = json_reply(text)
    if isinstance(value, Mapping):
        lists = [one for one in value.values() if isinstance(one, list)]
        if len(lists) == 1 and lists[0] and all(isinstance(one, Mapping) for one in lists[0]):
            return [dict(one) for one in lists[0]]
        inner = next(iter(value.values()), None)
        return [dict(inner if len(value) == 1 and isinstance(inner, Mapping) else value)]
    items = value if isinstance(value, list) else []
    return [dict(one) for one in items if isinstance(one, Mapping)]


def json_part(text: str, name: str) -> str | None:
    """The part of that name as text; a list of lines is their text. None where there is none."""
    for found in json_objects(text)[:1]:
        for key, value in found.items():
            if key.strip().strip("<>").lower() == name.lower():
                return _text(value)
    return None


def json_blocks(text: str) -> list[str]:
    """The blocks of a reply in JSON: an object of a list each, else each part of the only one."""
    found = json_objects(text)
    if len(found) == 1 and not any(key.lower() == "title" for key in found[0]):
        return [_part(key, value) for key, value in found[0].items()]
    return ["\n".join(_part(key, value, named=True) for key, value in one.items()) for one in found]


def _part(key: str, value: Any, *, named: bool = False) -> str:
    if key.lower() == "code" and isinstance(value, str):
        return f"```python\n{value.strip().strip('`')}\n```"
    if named or _is_mark(value):
        return f"{key}: {_line(value)}"
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_line(one)}" for name, one in value.items())
    return "\n".join(f"- {_line(one)}" for one in value) if isinstance(value, list) else str(value)


def _is_mark(value: Any) -> bool:
    """A number, one with its reason in an object, or at the beginning of a text."""
    first = next(iter(value.values()), None) if isinstance(value, Mapping) and len(value) <= 2 else value
    return first is None or isinstance(first, int | float) or str(first)[:1].isdigit()


def _line(value: Any) -> str:
    """A value on one line; a mark with its reason as `7 - why`."""
    if isinstance(value, Mapping):
        return " - ".join(_line(one) for one in value.values())
    if isinstance(value, list):
        return ", ".join(map(_line, value)) or "none"
    return (
        {True: "yes", False: "no", None: "none"}[value]
        if value is None or isinstance(value, bool)
        else str(value)
    )


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value).strip()
    if value is None or isinstance(value, str):
        return (value or "").strip()
    return json.dumps(value, ensure_ascii=False)
