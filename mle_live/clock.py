"""UTC time as MLE-Live uses it: one clock type, one parser, one printer. It keeps no time of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

Clock = Callable[[], datetime]

NO_DEADLINE = datetime(2100, 1, 1, tzinfo=UTC)
"""The deadline of a competition that names none (Kaggle's protocol wants a date)."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """UTC ISO 8601 with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(value: object) -> datetime:
    """A date or date-time (text or YAML's own types) as an aware UTC moment; no zone means UTC.

    Raises ValueError for anything else.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
    else:
        raise ValueError(f"{value!r} is not a date")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def wire_time(moment: datetime) -> datetime:
    """The naive UTC date-time that kagglesdk writes with a `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None)
