"""Time is passed in: a clock with two hands, and moments as they are written and read.

`now` is what is stored, shown, or compared with moments from elsewhere; it may step, also back, when the
machine's time is set. `monotonic` is what every wait, limit and pause inside one process is measured by.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

Sleep = Callable[[float], Awaitable[None]]
"""Seconds; `asyncio.sleep`, or a test's that ends at once."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The moment, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds that only go on; their zero means nothing, and another process has another."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


SYSTEM_CLOCK: Final = SystemClock()


def stamp(moment: datetime) -> str:
    """UTC ISO 8601 with milliseconds and `Z`, the one form in which moments are stored and put into JSON."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_moment(value: object) -> datetime:
    """A date or date-time (ISO 8601, or YAML's own types) as an aware UTC moment; no zone means UTC.

    Raises ValueError for anything else, and for the first and the last year there are: their days may have no
    local time.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
    else:
        raise ValueError(f"{value!r} is not a date")
    if not MINYEAR < moment.year < MAXYEAR:
        raise ValueError(f"{value!r} is before or after all time")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def apart(one: datetime, other: datetime) -> float:
    """Seconds between two moments, whichever was first: how old something is that another process dated.

    Where the machine's time was put back since then, who waits for an age waits twice as long at most.
    """
    return abs((one - other).total_seconds())


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that an answer's Retry-After asks for; a date there counts by the answer's own Date.

    None where there is nothing to be read.
    """
    wish = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", wish):
        return float(wish)
    try:
        until, now = (parsedate_to_datetime(text) for text in (wish, headers.get("Date", "")))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):  # no dates, or one with and one without a zone
        return None


def duration(seconds: float) -> str:
    """`42s`, `3m 05s`, `2h 07m`, `3d 04h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"
