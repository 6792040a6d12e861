"""The times at which MLE-Live can serve beside the machine's own: a standing one, and a past that runs."""

from __future__ import annotations

import contextlib
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kaggle_runner.files import write_whole
from kaggle_runner.moments import SYSTEM_CLOCK, Clock, SystemClock, parse_moment, stamp

LAST_MOMENT = datetime(9000, 1, 1, tzinfo=UTC)
"""Where a running clock stops: days and weeks after it can still be told."""


class StandingClock(SystemClock):
    """Stands at `moment`: a past competition as it was then."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


class RunningClock(SystemClock):
    """Time that begins at `start` and runs `factor` times as fast as `real`: a competition is lived through.

    How far it came is kept in the file `kept`: a server that was started again with the same start and factor
    goes on from there, and while no server runs, the time stands still. Calls may come from any thread.
    It never goes back, whatever the machine's time is set to, and ends at `LAST_MOMENT`.
    """

    _SAVE_SECONDS = 2.0

    def __init__(self, start: datetime, factor: float, kept: Path, real: Clock = SYSTEM_CLOCK) -> None:
        self._factor = factor
        self._real = real
        self._kept = kept
        self._mark = {"start": stamp(start), "factor": factor}
        self._lock = threading.Lock()
        self._from = max(start, self._reached() or start)
        self._began = self._saved_at = real.monotonic()

    def now(self) -> datetime:
        with self._lock:
            real = self._real.monotonic()
            moment = self._at(real)
            if real - self._saved_at >= self._SAVE_SECONDS:
                with contextlib.suppress(OSError):  # a full disk must not stop the answers
                    self._save(moment)
                self._saved_at = real
            return moment

    def _at(self, real: float) -> datetime:
        try:
            return min(self._from + timedelta(seconds=(real - self._began) * self._factor), LAST_MOMENT)
        except OverflowError:
            return LAST_MOMENT

    def close(self) -> None:
        """Keep the moment that was reached."""
        with self._lock, contextlib.suppress(OSError):
            self._save(self._at(self._real.monotonic()))

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
