"""UTC time as MLE-Live uses it: one clock type and its three makes (the machine's, standing, running), one
parser, one printer."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from kaggle_runner.files import write_whole

Clock = Callable[[], datetime]

LAST_MOMENT = datetime(9000, 1, 1, tzinfo=UTC)
"""Where a running clock stops: days and weeks after it can still be told."""

NO_DEADLINE = datetime(2100, 1, 1, tzinfo=UTC)
"""The deadline of a competition that names none (Kaggle's protocol wants a date)."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def standing(moment: datetime) -> Clock:
    """A clock that stands at `moment`: a past competition as it was then."""
    return lambda: moment


class RunningClock:
    """Time that begins at `start` and runs `factor` times as fast as `real`: a competition is lived through.

    How far it came is kept in the file `kept`: a server that was started again with the same start and factor
    goes on from there, and while no server runs, the time stands still. Calls may come from any thread.
    It never goes back, whatever the machine's clock does, and ends at `LAST_MOMENT`.
    """

    _SAVE_EVERY = timedelta(seconds=2)

    def __init__(self, start: datetime, factor: float, kept: Path, real: Clock = utc_now) -> None:
        self._factor = factor
        self._real = real
        self._kept = kept
        self._mark = {"start": stamp(start), "factor": factor}
        self._lock = threading.Lock()
        self._from = self._latest = max(start, self._reached() or start)
        self._began = self._saved_at = self._seen = real()

    def __call__(self) -> datetime:
        with self._lock:
            real = self._real()
            moment = self._now(real)
            if abs(real - self._saved_at) >= self._SAVE_EVERY:
                with contextlib.suppress(OSError):  # a full disk must not stop the answers
                    self._save(moment)
                self._saved_at = real
            return moment

    def _now(self, real: datetime) -> datetime:
        if real < self._seen:  # the machine's clock was put back: go on from where we were
            self._from, self._began = self._latest, real
        self._seen = real
        try:
            moment = self._from + (real - self._began) * self._factor
        except OverflowError:
            moment = LAST_MOMENT
        self._latest = min(max(self._latest, moment), LAST_MOMENT)
        return self._latest

    def close(self) -> None:
        """Keep the moment that was reached."""
        with self._lock, contextlib.suppress(OSError):
            self._save(self._now(self._real()))

    def _reached(self) -> datetime | None:
        try:
            kept = json.loads(self._kept.read_text(encoding="utf-8"))
            same = all(kept.get(name) == value for name, value in self._mark.items())
            return parse_moment(kept["reached"]) if same else None
        except (OSError, ValueError, KeyError, AttributeError):
            return None  # nothing was kept, or not by us: the time begins at its start

    def _save(self, moment: datetime) -> None:
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._kept, json.dumps({**self._mark, "reached": stamp(moment)}) + "\n")


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
