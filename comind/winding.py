"""How a run ends: people are warned early when a limit will end it, and no agent is left half-way.

The forecast itself is `comind.forecast`, limits are `comind.control` and `comind.llm.budget`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from comind.clock import Clock, stamp
from comind.control import GRACE_SECONDS, Control
from comind.forecast import forecast
from comind.records import Agent, Event
from comind.store import Store

_LOOK_SECONDS = 1.0
_FORECAST_SECONDS = 10


async def watch_limits(store: Store, control: Control, clock: Clock) -> None:
    """Tells of limits that are reached or will be, until it is cancelled."""
    looks = 0
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        looks += 1
        tell_winding(store, control)
        if looks % _FORECAST_SECONDS == 0 and not control.winding:
            warn_of_limits(store, clock)


def tell_winding(store: Store, control: Control) -> None:
    """One event that money or tokens have ended, for each reason of each engine."""
    if not control.winding:
        return
    message = f"{control.winding}: no new calls but reports; what runs has {GRACE_SECONDS:.0f} s to finish"
    if not store.count(Event, "kind = 'winding_down' AND message = ?", (message,)):
        store.event("winding_down", message)


def warn_of_limits(store: Store, clock: Clock) -> None:
    """One event of kind `forecast` for each limit that will end the run before its rounds do."""
    foreseen = forecast(store, clock)
    if foreseen is None or foreseen.passes is None:
        return
    told = {event.data.get("limit") for event in store.all(Event, "kind = 'forecast'")}
    if foreseen.passes.limit not in told:
        store.event(
            "forecast",
            foreseen.warning(),
            round=foreseen.passes.round,
            data={"limit": foreseen.passes.limit, **foreseen.as_dict()},
        )


def close_agents(store: Store, reason: str, clock: Clock) -> None:
    """Agents that no engine will go on with end as `stopped`; those of an engine that was killed are such."""
    now = stamp(clock())
    left = store.all(Agent, "finished_at = ''")
    store.save(
        *(
            replace(
                agent, status="stopped", goal="", finished_at=now, stop_reason=agent.stop_reason or reason
            )
            for agent in left
        )
    )
