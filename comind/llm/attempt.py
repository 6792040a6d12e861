"""One request, and what is done after its fault: wait, ask for less, leave a parameter away, or give up.

It knows one endpoint at a time; which endpoint is asked next is `client.py`'s.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from comind.llm.budget import Budget
from comind.llm.faults import Fault, FaultKind, from_exception
from comind.llm.open_endpoints import OpenEndpoint
from comind.llm.profiles import ModelSettings, mentions_completion
from comind.llm.replies import Answer, read
from comind.llm.tokens import Messages
from kaggle_runner.bodies import BadAnswer
from kaggle_runner.errors import ModelUnavailable
from kaggle_runner.moments import Clock, Sleep

Tell = Callable[[str, str], object]
"""An event for people: kind and message."""

RETRIES: Final[Mapping[FaultKind, int]] = {
    FaultKind.TRANSIENT: 8,  # waits of 1, 2, 4 ... 64 s, three minutes in all: per-minute limits pass
    FaultKind.TIMEOUT: 1,
    FaultKind.BAD_REPLY: 3,
    FaultKind.WITHHELD: 1,
    FaultKind.PARAMETER: 4,
    FaultKind.CUT: 1,
    FaultKind.OVERFLOW: 1,
}
_TRANSIENT_BESIDE_OTHERS: Final = 3
"""Where another endpoint may answer meanwhile. A rate limit passes by itself: all tries are made."""
CHECK_RETRIES: Final = {**RETRIES, FaultKind.TRANSIENT: 2, FaultKind.TIMEOUT: 0, FaultKind.BAD_REPLY: 1}
_AT_ONCE: Final = (FaultKind.PARAMETER, FaultKind.CUT, FaultKind.OVERFLOW)
_LONGEST_BACKOFF: Final = 64.0
_LONGEST_WAIT: Final = 3600.0
"""Seconds that a Retry-After is followed."""
_LONGEST_WAIT_BESIDE_OTHERS: Final = 120.0
"""The same where another endpoint may answer meanwhile."""
_TOLD_WAIT: Final = 20.0
"""Waits from here on are told to people."""
_BUSY_SECONDS: Final = 60.0
"""After a time-out, a server that does one request at a time is still at work on the one given up."""


@dataclass(slots=True)
class Tries:
    """How often each kind of fault happened to one call."""

    allowed: Mapping[FaultKind, int]
    counts: dict[FaultKind, int] = field(default_factory=dict)

    def again(self, kind: FaultKind) -> bool:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.counts[kind] <= self.allowed.get(kind, 0)

    @property
    def waits(self) -> int:
        return sum(count for kind, count in self.counts.items() if kind not in _AT_ONCE)


class Trier:
    """Sends requests and overcomes their faults, by the settings of one client."""

    def __init__(
        self,
        *,
        settings: ModelSettings,
        budget: Budget,
        clock: Clock,
        rng: random.Random,
        sleep: Sleep,
        tell: Tell,
    ) -> None:
        self._settings = settings
        self._budget = budget
        self._clock = clock
        self._rng = rng
        self._sleep = sleep
        self._tell = tell

    async def send(
        self,
        opened: OpenEndpoint,
        messages: Messages,
        prompt: int,
        cap: int,
        seconds: float,
        cache_key: str = "",
    ) -> Answer:
        """Sends once, within `seconds` and the run's deadline. Raises Fault."""
        import openai

        parameters = opened.profile.parameters(self._settings, cap, cache_key)
        try:
            # The SDK's time-out is per read: a reply that drips would never end.
            async with asyncio.timeout(min(seconds, self._budget.seconds_left())):
                raw = await opened.sdk.chat.completions.with_raw_response.create(
                    model=opened.endpoint.model, messages=cast("Any", list(messages)), **parameters
                )
            opened.pace.heed(raw.headers, prompt + cap)
            return read(raw.parse(), opened.endpoint, prompt)
        except (openai.APIError, BadAnswer, TimeoutError, ValueError, RecursionError, MemoryError) as error:
            # The SDK lets JSON and Unicode errors of a broken body through, and a body nested beyond measure.
            fault = from_exception(error, opened.endpoint)
            fault.sent_cap = cap
            if fault.kind is FaultKind.PARAMETER and not opened.profile.adapt(fault, parameters):
                fault.kind = FaultKind.FATAL
            raise fault from error

    async def overcome(
        self, fault: Fault, opened: OpenEndpoint, tries: Tries, *, beside_others: bool = False
    ) -> None:
        """Returns when the call may be sent again; raises the fault when it may not."""
        if not tries.again(fault.kind) or not self._remedy(fault, opened):
            raise fault
        is_away = fault.kind is FaultKind.TRANSIENT and not fault.throttled
        if beside_others and is_away and tries.counts[fault.kind] > _TRANSIENT_BESIDE_OTHERS:
            raise fault
        if fault.kind in _AT_ONCE:
            return
        backoff = min(_LONGEST_BACKOFF, 2.0 ** (tries.waits - 1)) * self._rng.uniform(0.75, 1.25)
        asked = (fault.retry_after or 0.0) * self._rng.uniform(1.0, 1.1)  # agents that waited together part
        wait = max(backoff, asked)
        if fault.kind is FaultKind.TIMEOUT and opened.endpoint.is_loopback:
            wait = max(wait, min(_BUSY_SECONDS, self._settings.call_seconds / 4))
        longest = _LONGEST_WAIT_BESIDE_OTHERS if beside_others else _LONGEST_WAIT
        too_late = asked > self._budget.seconds_left()  # a backoff of our own ends with the run's time
        if too_late or wait > longest:
            told = f"{fault.error.message}; the next try is {wait:.0f} s away"
            told += " and there is less time left" if too_late else ""
            fault.error = ModelUnavailable(told, hint=fault.error.hint)
            raise fault
        if fault.throttled:
            opened.pace.pause(wait)
        self._tell_wait(opened, fault, wait)
        await self._sleep(wait)

    def _tell_wait(self, opened: OpenEndpoint, fault: Fault, wait: float) -> None:
        now = self._clock.monotonic()
        if wait < _TOLD_WAIT or now < opened.told_waiting:
            return
        opened.told_waiting = now + wait
        self._tell("model_waits", f"{opened.where} is asked again in {wait:.0f} s: {fault.error.message}")

    def _remedy(self, fault: Fault, opened: OpenEndpoint) -> bool:
        """Changes what the next try sends, where the fault calls for it; False when nothing would change."""
        profile, settings = opened.profile, self._settings
        if fault.kind is FaultKind.CUT:
            raised = max(settings.raised_completion_tokens, settings.max_completion_tokens)
            if profile.cap < raised:
                profile.cap = raised
            return True
        if fault.kind is FaultKind.TIMEOUT and opened.endpoint.is_loopback:
            if profile.ask_for_less(fault.sent_cap):
                now = f"replies of at most {profile.cap_limit} tokens"
                self._tell("model_slow", f"{fault.error.message}: from now on it is asked for {now}")
            return True
        if fault.kind is FaultKind.OVERFLOW:
            return self._learn_window(fault, opened) and mentions_completion(fault.text)
        return True

    def _learn_window(self, fault: Fault, opened: OpenEndpoint) -> bool:
        """Takes the window that a refusal names; True when the same prompt fits beside a shorter reply."""
        limit, prompt = getattr(fault.error, "limit", 0), getattr(fault.error, "prompt_tokens", 0)
        before = opened.profile.context
        fits = opened.profile.learn_context(limit, prompt, self._settings.least_completion_tokens)
        if opened.profile.context != before:
            told = f"{opened.where} has a context window of {limit:,} tokens, as its refusal says"
            self._tell("model_window", f"{told}: longer prompts are shortened from now on")
        return fits
