"""Endpoints that are open: each with its SDK client, its address's pace, what it accepts, and its standing.

Standing decides who answers: an endpoint that refused for good (key, name, quota) is not asked again by this
client, one that failed all its tries rests and is then tried again. Nothing is sent from here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from comind.llm.endpoints import Endpoint
from comind.llm.pace import AddressPace
from comind.llm.profiles import ModelSettings, Profile
from kaggle_runner.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    from openai import AsyncOpenAI

_FIRST_REST: Final = 60.0
_LONGEST_REST: Final = 900.0


@dataclass(slots=True, eq=False)
class OpenEndpoint:
    """An endpoint with what is open to it."""

    endpoint: Endpoint
    sdk: AsyncOpenAI
    pace: AddressPace
    profile: Profile
    refusal: ModelError | None = None
    """Why it is not asked again."""
    rests_until: float = -math.inf
    """On the monotonic clock, as `told_waiting` is."""
    rests: int = 0
    """In a row, each twice as long as the one before."""
    told_waiting: float = -math.inf

    @property
    def where(self) -> str:
        return f"{self.endpoint.name} at {self.endpoint.host}"

    def rest(self, now: float) -> float:
        """Puts it aside for a while; returns the seconds."""
        seconds = min(_LONGEST_REST, _FIRST_REST * 2.0**self.rests)
        self.rests += 1
        self.rests_until = now + seconds
        return seconds

    def is_resting(self, now: float) -> bool:
        return now < self.rests_until


class OpenEndpoints:
    """Each role's own endpoint, then the fallbacks. Iterating gives every distinct one once."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        fallbacks: Sequence[Endpoint],
        settings: ModelSettings,
        transport: httpx2.AsyncBaseTransport | None,
        open_pace: Callable[[], AddressPace],
    ) -> None:
        """Endpoints at one address share its pace, `open_pace` makes one."""
        paces: dict[str, AddressPace] = {}
        self._opened: dict[Endpoint, OpenEndpoint] = {}
        for endpoint in [*endpoints.values(), *fallbacks]:
            if endpoint in self._opened:
                continue
            if endpoint.base_url not in paces:
                paces[endpoint.base_url] = open_pace()
            sdk = _open_sdk(endpoint, transport, settings)
            pace = paces[endpoint.base_url]
            self._opened[endpoint] = OpenEndpoint(endpoint, sdk, pace, Profile.of(endpoint, settings))
        self._chains = {
            role: [self._opened[one] for one in dict.fromkeys([endpoint, *fallbacks])]
            for role, endpoint in endpoints.items()
        }

    def __iter__(self) -> Iterator[OpenEndpoint]:
        return iter(self._opened.values())

    @property
    def roles(self) -> Iterable[str]:
        return self._chains

    def roles_of(self, opened: OpenEndpoint) -> list[str]:
        """The roles whose own endpoint it is; none for a fallback."""
        return [role for role, chain in self._chains.items() if chain[0] is opened]

    def chain(self, role: str) -> list[OpenEndpoint]:
        """The role's own endpoint first."""
        return self._chains[role]

    def able(self, role: str, now: float) -> list[OpenEndpoint]:
        """Who may be asked for this role, in order: those that rest only when there is nobody else."""
        standing = [one for one in self._chains[role] if one.refusal is None]
        return [one for one in standing if not one.is_resting(now)] or standing


def _open_sdk(
    endpoint: Endpoint, transport: httpx2.AsyncBaseTransport | None, settings: ModelSettings
) -> AsyncOpenAI:
    import httpx2  # with the SDK half a second of imports
    import openai

    from comind.llm.transport import open_http

    timeout = httpx2.Timeout(settings.call_seconds, connect=10.0)
    return openai.AsyncOpenAI(
        api_key=endpoint.api_key,
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=timeout,
        http_client=open_http(endpoint, transport, timeout),
    )
