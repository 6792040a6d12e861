"""What Kaggle says of kernels that the account book believes to be unfinished, written into the book."""

from __future__ import annotations

from collections.abc import Collection

from kaggle_runner.errors import KaggleError
from kaggle_runner.jobs.book import KernelBook, KernelRow
from kaggle_runner.jobs.records import KernelClient
from kaggle_runner.kaggle.records import KernelStatus
from kaggle_runner.moments import apart

_UNCONFIRMED_SECONDS = 900.0
"""What Kaggle does not know so long after it was intended was never pushed, or was deleted."""


async def find_again(client: KernelClient, book: KernelBook, *, but: Collection[str] = ()) -> list[KernelRow]:
    """Ask Kaggle about the unfinished kernels in the book (`but` those slugs); the rows as they are now.

    Rows that Kaggle could not be asked about stay as they were.
    """
    rows = []
    for row in book.unfinished():
        if row.slug in but:
            continue
        try:
            rows.append(await _look_at(client, book, row))
        except KaggleError:
            rows.append(row)
    return rows


async def _look_at(client: KernelClient, book: KernelBook, row: KernelRow) -> KernelRow:
    if not row.version:
        version = await client.kernel_version(row.ref)
        if version is None or version <= row.baseline:
            never = _age(book, row) >= _UNCONFIRMED_SECONDS
            return book.change(row, state="lost", failure="it was never pushed") if never else row
        row = book.change(row, version=max(1, version), state="queued", pushed_at=row.requested_at)
    try:
        status = await client.kernel_status(row.ref, row.version)
    except KaggleError as error:
        if error.status not in (403, 404) or _age(book, row) < _UNCONFIRMED_SECONDS:
            raise
        failure = "Kaggle does not know it any more."
        return book.change(row, state="lost", failure=failure, ended_at=book.clock.now())
    return noted(book, row, status)


def _age(book: KernelBook, row: KernelRow) -> float:
    """Seconds since the push."""
    begun = row.pushed_at or row.requested_at
    return apart(book.clock.now(), begun) if begun else _UNCONFIRMED_SECONDS


def noted(book: KernelBook, row: KernelRow, status: KernelStatus) -> KernelRow:
    """The row with what Kaggle said; written only when it says something new."""
    if status.state == row.state:
        return row
    moment = book.clock.now()
    started = row.started_at or (moment if status.state != "queued" else None)
    if not status.ended:
        return book.change(row, state=status.state, started_at=started)
    charged = (moment - (row.started_at or row.pushed_at or moment)).total_seconds()
    charged = max(0.0, min(charged, row.reserved_seconds or charged))
    return book.change(
        row,
        state=status.state,
        started_at=started,
        ended_at=moment,
        charged_seconds=charged,
        failure=status.failure,
    )
