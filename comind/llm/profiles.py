"""What one model at one address accepts, learned from its refusals: names of parameters, limits, window."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from comind.llm.endpoints import Endpoint
from comind.llm.faults import Fault, completion_limit

_CAP_NAMES: Final = ("max_completion_tokens", "max_tokens")
LEAST_CAP: Final = 256
_LEAST_WINDOW: Final = 512
"""A smaller number in a refusal is not a window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """How requests are made; the same for every endpoint of a run."""

    max_completion_tokens: int = 16_000
    """Visible and reasoning tokens of one reply."""
    raised_completion_tokens: int = 48_000
    """The one higher limit tried when reasoning used up the first."""
    least_completion_tokens: int = 1_024
    """With less room than this, in budget or in context, no call is made."""
    context_tokens: int | None = None
    """The window that prompts are made for; a server that says a smaller one is believed."""
    call_seconds: float = 600.0
    """One request from sending to its last byte."""
    concurrency: int = 8
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    temperature: float | None = None
    """These four as in `comind.config.Settings`."""
    reasoning_effort: str | None = None


@dataclass(slots=True)
class Profile:
    """Starts with what the kind of address suggests and changes when the server refuses a parameter.

    The hosted API wants `max_completion_tokens`; several local servers silently ignore that name and
    generate without end, so everything else starts with `max_tokens`.
    """

    cap_name: str
    cap: int
    context: int | None = None
    dropped: set[str] = field(default_factory=set)
    cap_limit: int | None = None
    """Never ask for more completion tokens: the model's own limit, or what ends within the call's time."""
    cache_keys: bool = False
    """OpenAI's own host routes calls of one `prompt_cache_key` to where their prefix is cached."""

    @classmethod
    def of(cls, endpoint: Endpoint, settings: ModelSettings) -> Profile:
        name = _CAP_NAMES[0] if endpoint.is_hosted else _CAP_NAMES[1]
        return cls(
            name, settings.max_completion_tokens, settings.context_tokens, cache_keys=endpoint.is_hosted
        )

    def parameters(self, settings: ModelSettings, cap: int, cache_key: str = "") -> dict[str, Any]:
        """The request's parameters besides model and messages."""
        wanted: dict[str, Any] = {
            self.cap_name: cap,
            "temperature": settings.temperature,
            "reasoning_effort": settings.reasoning_effort,
            "prompt_cache_key": cache_key if cache_key and self.cache_keys else None,
        }
        return {
            name: value for name, value in wanted.items() if value is not None and name not in self.dropped
        }

    def room(self, prompt_tokens: int) -> int:
        """Completion tokens to ask for after a prompt of `prompt_tokens`; may be zero or less."""
        room = self.cap if self.cap_limit is None else min(self.cap, self.cap_limit)
        return room if self.context is None else min(room, self.context - prompt_tokens)

    def adapt(self, fault: Fault, sent: dict[str, Any]) -> bool:
        """Learns from a refused parameter; False when nothing can be learned from it.

        Parallel calls may be refused together: the second finds the lesson learned and only goes again.
        """
        limit = completion_limit(fault.text)
        if fault.parameter in _CAP_NAMES and limit:
            self.cap_limit = limit
            return bool(limit < sent.get(fault.parameter, 0))
        if fault.parameter not in sent:
            return False
        if fault.parameter not in _CAP_NAMES:
            self.dropped.add(fault.parameter)
        elif fault.parameter == self.cap_name:
            self._other_cap_name()
        return True

    def ask_for_less(self, sent_cap: int) -> bool:
        """After a request that ended by time: half of what it asked for, at least LEAST_CAP.

        False when there is no less to ask for, or when a parallel call has learned it already.
        """
        now = self.cap if self.cap_limit is None else min(self.cap, self.cap_limit)
        if sent_cap > now or sent_cap <= LEAST_CAP:
            return False
        self.cap_limit = max(LEAST_CAP, sent_cap // 2)
        return True

    def learn_context(self, limit: int, prompt_tokens: int, least: int) -> bool:
        """Takes a window that a refusal named; True when asking for fewer completion tokens then fits."""
        if limit < _LEAST_WINDOW:
            return False
        self.context = limit if self.context is None else min(self.context, limit)
        return limit - prompt_tokens >= least

    def _other_cap_name(self) -> None:
        """Each name is tried once; a server that refuses both gets none."""
        self.dropped.add(self.cap_name)
        other = next((name for name in _CAP_NAMES if name not in self.dropped), None)
        if other is not None:
            self.cap_name = other


def mentions_completion(text: str) -> bool:
    """Whether an overflow message counts the completion asked for, so that a shorter one may fit."""
    return bool(re.search(r"completion|output|max_tokens", text, re.I))
