"""How far a download or an upload has come, as events of the run."""

from __future__ import annotations

import asyncio

from comind.state.store import Store
from kaggle_runner.kaggle.calls import Progress

_EVENT_SECONDS = 5.0


def transfer_events(store: Store, kind: str, doing: str, loop: asyncio.AbstractEventLoop) -> Progress:
    """An event every few seconds, with what is there and what is left; called from the transfer's thread."""
    began = told = loop.time()

    def progress(done: int, total: int | None) -> None:
        nonlocal told
        now = loop.time()
        if now - told < _EVENT_SECONDS:
            return
        told = now
        line = f"{doing} {done / 1e6:,.0f} MB"
        if total:
            left = (now - began) * (total - done) / max(done, 1)
            line += f" of {total / 1e6:,.0f} MB, about {left:.0f} s left"
        loop.call_soon_threadsafe(lambda: store.event(kind, line))

    return progress
