"""How fast one address is asked: requests in flight, requests and tokens a minute, and its own word to wait.

The minute is a sliding one: no 60 seconds ever hold more than the limit. Calls go in the order in which they
came, and one that is cancelled while it waits takes nothing.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from kaggle_runner.moments import Clock, Sleep

_MINUTE: Final = 60.0
_SHORTEST_SLEEP: Final = 0.001
_LONGEST_HEEDED: Final = 120.0
"""Seconds that a reply's headers may hold back the next call: a per-minute window passes within them."""
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class _Sent:
    at: float
    tokens: int


class AddressPace:
    """One address's limits (None: no limit). For one event loop."""

    def __init__(
        self,
        *,
        concurrency: int,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        clock: Clock,
        sleep: Sleep,
    ) -> None:
        self._requests = requests_per_minute
        self._tokens = tokens_per_minute
        self._now = clock.monotonic
        self._sleep = sleep
        self._slots = asyncio.Semaphore(concurrency)
        self._door = asyncio.Lock()
        self._sent: deque[_Sent] = deque()
        self._paused_until = clock.monotonic()

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncIterator[None]:
        """One request of `tokens` (prompt and reserved completion) may be sent inside.

        A request larger than the whole limit of a minute goes when nothing else was sent in that minute.
        """
        async with self._slots:
            async with self._door:
                while (seconds := self._seconds_to_wait(tokens)) > 0:
                    await self._sleep(max(seconds, _SHORTEST_SLEEP))
                self._sent.append(_Sent(self._now(), tokens))
            yield

    def pause(self, seconds: float) -> None:
        """Nothing is sent to this address for so long; the longest of several pauses counts."""
        self._paused_until = max(self._paused_until, self._now() + seconds)

    def heed(self, headers: Mapping[str, str], tokens: int) -> None:
        """Follows a reply's `x-ratelimit-*` headers before the server has to refuse; a set limit goes before.

        `tokens` is the size that the next call is taken to have.
        """
        if self._requests is None and self._tokens is None:
            self.pause(min(seconds_until_room(headers, tokens), _LONGEST_HEEDED))

    def _seconds_to_wait(self, tokens: int) -> float:
        now = self._now()
        while self._sent and self._sent[0].at + _MINUTE <= now:
            self._sent.popleft()
        free = self._paused_until
        if self._requests is not None and len(self._sent) >= self._requests:
            free = max(free, self._sent[-self._requests].at + _MINUTE)
        if self._tokens is not None:
            excess = sum(sent.tokens for sent in self._sent) + min(tokens, self._tokens) - self._tokens
            for sent in self._sent:
                if excess <= 0:
                    break
                excess -= sent.tokens
                free = max(free, sent.at + _MINUTE)
        return free - now


def seconds_until_room(headers: Mapping[str, str], tokens: int) -> float:
    """How long to wait by `x-ratelimit-remaining-*`, `-limit-*` and `-reset-*`; 0 without them.

    `-reset-tokens` says when all tokens are back; for `tokens` of them the share of that time is enough.
    """
    requests = 0.0
    if _number(headers, "remaining-requests") == 0:
        requests = _duration(headers.get("x-ratelimit-reset-requests", ""))
    remaining, limit = _number(headers, "remaining-tokens"), _number(headers, "limit-tokens")
    if remaining is None or remaining >= tokens:
        return requests
    reset = _duration(headers.get("x-ratelimit-reset-tokens", ""))
    if limit is not None and limit > remaining:
        reset *= min(1.0, (min(tokens, limit) - remaining) / (limit - remaining))
    return max(requests, reset)


def _number(headers: Mapping[str, str], name: str) -> float | None:
    value = headers.get(f"x-ratelimit-{name}", "").strip()
    return float(value) if re.fullmatch(r"\d{1,15}(\.\d+)?", value) else None


def _duration(text: str) -> float:
    """`6m0s`, `1.5s`, `20ms` or plain seconds; 0 for anything else, for instance a date."""
    text = text.strip()
    if re.fullmatch(r"\d{1,6}(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d{1,9}(\.\d+)?(ms|s|m|h))+", text):
        return 0.0
    return sum(float(value) * _UNITS[unit] for value, _, unit in re.findall(r"(\d+(\.\d+)?)(ms|s|m|h)", text))
