"""Requests read into kagglesdk's classes, with the types that those declare: the SDK itself takes any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kagglesdk.kaggle_object import KaggleObject, ListSerializer, MapSerializer

_LARGEST = 1 << 63


def read_message(request_type: Any, body: Mapping[str, Any]) -> Any:
    """A message of `request_type` from the JSON object `body`; null means that a field is absent.

    Raises ValueError, with the field's name, for a value of another type, for text that is no Unicode, and
    for numbers beyond 64 bits. Numbers may be written as text, as protobuf's JSON does. Unknown fields are
    ignored.
    """
    return request_type.from_dict(_checked_object(request_type, body))


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
