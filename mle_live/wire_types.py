"""kagglesdk's messages: requests read with the types they declare (the SDK takes any), answers in pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from kagglesdk.kaggle_object import KaggleObject, ListSerializer, MapSerializer

from kaggle_runner.kaggle.wire import message
from mle_live.wire import RpcError

Item = TypeVar("Item")

MAX_PAGE = 200
_LONGEST_TOKEN = 20
_LARGEST = 1 << 63


def read_message(request_type: Any, body: Mapping[str, Any]) -> Any:
    """A message of `request_type` from the JSON object `body`; null means that a field is absent.

    Raises ValueError, with the field's name, for a value of another type, for text that is no Unicode, and
    for numbers beyond 64 bits. Numbers may be written as text, as protobuf's JSON does. Unknown fields are
    ignored.
    """
    return request_type.from_dict(_checked_object(request_type, body))


def page_of(items: Sequence[Item], request: Any, usual: int = 20) -> tuple[list[Item], str]:
    """The page of `items` that a request asks for and the token of the next page, empty after the last one.

    `usual` is the size for requests that name none; -1 means everything. Raises RpcError 400 for a token that
    is not one of ours.
    """
    size = getattr(request, "page_size", None) or usual
    token, number = getattr(request, "page_token", None), getattr(request, "page", None)
    if size == -1:
        return list(items), ""
    length = min(size, MAX_PAGE)
    if token and not (token.isdecimal() and len(token) < _LONGEST_TOKEN):
        raise RpcError(400, f"Invalid page token {token[:_LONGEST_TOKEN]!r}")
    if length < 1:
        raise RpcError(400, f"Invalid page size {size!r}")
    start = int(token) if token else (max(number or 1, 1) - 1) * length
    following = start + length
    return list(items[start:following]), str(following) if following < len(items) else ""


def page(
    kind: Any, request: Any, field: str, items: Sequence[Item], told: Callable[[Item], Any], **more: Any
) -> Any:
    """The answer of class `kind` to a list request: in `field` its page of `items`, each as `told`."""
    rows, following = page_of(items, request)
    return message(kind, next_page_token=following, **{field: [told(row) for row in rows]}, **more)


def _checked_object(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    checked = {}
    for field in kind._fields:
        value = values.get(field.json_name)
        if value is None:
            continue
        try:
            checked[field.json_name] = _checked_field(field, value)
        except ValueError as error:
            raise ValueError(f"{field.json_name}: {error}") from error
    return checked


def _checked_field(field: Any, value: Any) -> Any:
    if isinstance(field.serializer, ListSerializer):
        if not isinstance(value, list):
            raise ValueError("a list is expected")
        return [_checked(field.field_type, item) for item in value]
    if isinstance(field.serializer, MapSerializer):
        if not isinstance(value, dict):
            raise ValueError("an object is expected")
        return {_checked(str, key): _checked(field.field_type, item) for key, item in value.items()}
    return _checked(field.field_type, value)


def _checked(kind: Any, value: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, KaggleObject):
        if not isinstance(value, dict):
            raise ValueError("an object is expected")
        return _checked_object(kind, value)
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise ValueError("true or false is expected")
    if kind in (int, float):
        return _number(kind, value)
    if kind is not str and isinstance(value, dict):
        return value  # a message of free form: its serializer judges
    return _text(value)  # enums, dates and durations are written as text too


def _number(kind: type[int] | type[float], value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("a number is expected")
    if isinstance(value, str) and len(value) > 40:
        raise ValueError("a number is expected")
    try:
        number = kind(value)
    except OverflowError as error:
        raise ValueError("a finite number is expected") from error
    if number != number or abs(number) >= _LARGEST or (kind is int and number != float(value)):
        raise ValueError("a number of 64 bits is expected")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text is expected")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError("the text holds half a character") from error
    return value
