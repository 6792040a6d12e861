"""How often a user may call: a bucket of calls that fills steadily, one a user."""

from __future__ import annotations

import math
import threading

from kaggle_runner.moments import SYSTEM_CLOCK, Clock


class RateLimit:
    """`per_minute` calls a user on average, as many at once; None means without limit.

    Time is the machine's, not the competition's. Safe to call from several threads.
    """

    def __init__(self, per_minute: float | None, clock: Clock = SYSTEM_CLOCK) -> None:
        self._most = per_minute
        self._seconds = clock.monotonic
        self._buckets: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait_for(self, user_id: int) -> int:
        """Take one call: 0 when it is allowed, else the whole seconds to wait (at least 1)."""
        if self._most is None:
            return 0
        with self._lock:
            now = self._seconds()
            left, then = self._buckets.get(user_id, (max(self._most, 1.0), now))
            left = min(max(self._most, 1.0), left + (now - then) * self._most / 60)
            allowed = left >= 1
            self._buckets[user_id] = (left - allowed, now)
            return 0 if allowed else max(1, math.ceil((1 - left) * 60 / self._most))
