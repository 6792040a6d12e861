"""What all parts of the Kaggle client share: one transport, calls in threads, pages put together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from operator import attrgetter
from typing import Any, TypeVar

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.answers import LONGEST_LIST, MOST_OF_A_LIST, MOST_PAGES
from kaggle_runner.kaggle.records import Credentials
from kaggle_runner.kaggle.transport import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUTS,
    KaggleTransport,
    Retries,
    Timeouts,
    Wire,
)
from kaggle_runner.moments import SYSTEM_CLOCK, Clock

Answer = TypeVar("Answer")
Progress = Callable[[int, int | None], None]
"""Called with bytes so far and bytes in all (None when unknown), from another thread."""

_PAGE = 200  # the most that Kaggle gives at once


class ClientBase:
    """One user's connection to one Kaggle. `credentials` is an API token or (user name, key)."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        retries: Retries = DEFAULT_RETRIES,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._transport = KaggleTransport(
            base_url, credentials, timeouts=timeouts, retries=retries, clock=clock
        )

    @property
    def base_url(self) -> str:
        return self._transport.base_url

    @property
    def is_loopback(self) -> bool:
        """True for a server on this machine, which is MLE-Live."""
        return self._transport.is_loopback

    @property
    def credentials_kind(self) -> str:
        return "API token" if isinstance(self._credentials, str) else "user name and legacy key"

    async def _ask(
        self, what: str, call: str, request: Any, *, competition: str = "", write: bool = False
    ) -> Any:
        """What kagglesdk's method `call`, such as `kernels.get_kernel`, answers to the request.

        Asked again after passing trouble, but once what is to `write`: KaggleError says `maybe_done` where
        the answer did not come.
        """
        send = attrgetter(call)
        return await self._in_thread(what, lambda wire: send(wire)(request), competition, write=write)

    async def _read(self, what: str, call: Callable[[Wire], Answer], *, competition: str = "") -> Answer:
        """Repeated after passing trouble."""
        return await self._in_thread(what, call, competition, write=False)

    async def _in_thread(
        self, what: str, call: Callable[[Wire], Answer], competition: str, *, write: bool
    ) -> Answer:
        given_up = threading.Event()
        try:
            return await asyncio.to_thread(
                self._transport.call, what, call, write=write, competition=competition, given_up=given_up
            )
        except asyncio.CancelledError:
            given_up.set()  # the thread would go on trying, and hold up the end of the program
            raise

    async def _all_pages(
        self,
        what: str,
        call: str,
        request: Any,
        field: str,
        limit: int = 100_000,
        *,
        competition: str = "",
        page_size: int = _PAGE,
    ) -> list[Any]:
        request.page_size = min(page_size, limit)
        rows: list[Any] = []
        async for page in self._pages(what, call, request, competition=competition):
            rows += getattr(page, field) or []
            if len(rows) >= limit:
                break
        return rows[:limit]

    async def _pages(
        self, what: str, call: str, request: Any, *, competition: str = ""
    ) -> AsyncIterator[Any]:
        """One answer after the other. Raises KaggleError for a list that does not end within the bounds."""
        until, size = self._clock.monotonic() + LONGEST_LIST, 0

        def measured(wire: Wire) -> tuple[Any, int]:
            return attrgetter(call)(wire)(request), wire.http.bytes_read

        for _ in range(MOST_PAGES):
            page, taken = await self._read(what, measured, competition=competition)
            yield page
            size += taken
            token = page.next_page_token
            if not token or token == request.page_token:  # the same page for ever
                return
            if self._clock.monotonic() > until or size > MOST_OF_A_LIST:
                break
            request.page_token = token
        raise KaggleError(f"{what}: the list does not end", hint=f"is {self.base_url} the right address?")


def split_ref(ref: str, kind: str) -> tuple[str, str]:
    """(owner, slug) of a kernel's or dataset's reference. Raises KaggleError for anything else."""
    owner, _, slug = ref.partition("/")
    if not owner or not slug or "/" in slug:
        raise KaggleError(f"{ref!r} is not a {kind}'s reference", hint="it looks like owner/name")
    return owner, slug
