"""What Kaggle says of kernels that the account book believes to be unfinished, written into the book."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from kaggle_runner.errors import KaggleError
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.orders import Attempt
from kaggle_runner.jobs.states import FROM_KAGGLE
from kaggle_runner.kaggle.records import KernelOutput, KernelPush, KernelStatus, LogLine, PushedVersion, Quota
from kaggle_runner.moments import apart

_UNCONFIRMED_SECONDS = 900.0
"""What Kaggle does not know so long after it was intended was never pushed, or was deleted."""


class KernelClient(Protocol):
    """What is asked of Kaggle for an order; `KaggleClient` is one."""

    @property
    def is_loopback(self) -> bool: ...
    async def username(self) -> str: ...
    async def push_kernel(self, push: KernelPush) -> PushedVersion: ...
    async def kernel_version(self, ref: str) -> int | None: ...
    async def kernel_status(self, ref: str, version: int) -> KernelStatus: ...
    async def kernel_log(self, ref: str, version: int) -> list[LogLine]: ...
    async def kernel_output(
        self, ref: str, version: int, dest: Path, *, wanted: Callable[[str], bool], most_bytes: int
    ) -> KernelOutput: ...
    async def quota(self) -> Quota | None: ...


async def find_again(client: KernelClient, book: AttemptBook, *, but: Collection[str] = ()) -> list[Attempt]:
    """Ask Kaggle about the unfinished kernels in the book (`but` those slugs); the attempts as they are now.

    Attempts that Kaggle could not be asked about stay as they were.
    """
    attempts = []
    for attempt in book.unfinished():
        if attempt.slug in but:
            continue
        try:
            attempts.append(await _look_at(client, book, attempt))
        except KaggleError:
            attempts.append(attempt)
    return attempts


async def _look_at(client: KernelClient, book: AttemptBook, attempt: Attempt) -> Attempt:
    if not attempt.version:
        version = await client.kernel_version(attempt.ref)
        if version is None or version <= attempt.baseline:
            never = _age(book, attempt) >= _UNCONFIRMED_SECONDS
            return book.change(attempt, state="lost", failure="it was never pushed") if never else attempt
        attempt = book.change(
            attempt, version=max(1, version), state="queued", pushed_at=attempt.requested_at
        )
    try:
        status = await client.kernel_status(attempt.ref, attempt.version)
    except KaggleError as error:
        if error.status not in (403, 404) or _age(book, attempt) < _UNCONFIRMED_SECONDS:
            raise
        failure = "Kaggle does not know it any more."
        return book.change(attempt, state="lost", failure=failure, ended_at=book.clock.now())
    return noted(book, attempt, status)


def _age(book: AttemptBook, attempt: Attempt) -> float:
    """Seconds since the push."""
    begun = attempt.pushed_at or attempt.requested_at
    return apart(book.clock.now(), begun) if begun else _UNCONFIRMED_SECONDS


def noted(book: AttemptBook, attempt: Attempt, status: KernelStatus) -> Attempt:
    """The attempt with what Kaggle said; written only when it says something new."""
    state = FROM_KAGGLE[status.state]
    if state == attempt.state:
        return attempt
    moment = book.clock.now()
    started = attempt.started_at or (moment if status.state != "queued" else None)
    if not status.ended:
        return book.change(attempt, state=state, started_at=started)
    charged = (moment - (attempt.started_at or attempt.pushed_at or moment)).total_seconds()
    charged = max(0.0, min(charged, attempt.reserved_seconds or charged))
    return book.change(
        attempt,
        state=state,
        started_at=started,
        ended_at=moment,
        charged_seconds=charged,
        failure=status.failure,
    )
