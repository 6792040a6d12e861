"""How a run ends: people are warned early when a limit will end it, and no agent is left half-way.

What was stopped as a whole can be resumed: its agents go on then.

The forecast itself is `comind.analysis.forecast`, limits are `comind.control` and `comind.llm.budget`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from comind.analysis.forecast import forecast
from comind.control import GRACE_SECONDS, Control
from comind.state.records import Agent, Cell, Event, MonitorDecision
from comind.state.store import Store
from kaggle_runner.inside_kaggle import SESSION_ENDED
from kaggle_runner.moments import Clock, stamp

RUN_STOPPED = "the run was stopped by a person"
INTERRUPTED = "interrupted"
NO_MACHINE = "the accelerator that was asked for is not to be had"
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


def goes_on_later(reason: str) -> bool:
    """Whether work that ended for this reason goes on when the run is resumed: all of it was stopped."""
    return reason in (RUN_STOPPED, INTERRUPTED, SESSION_ENDED, NO_MACHINE)


def reopen_agents(store: Store) -> None:
    """Agents that ended with a stop of the whole run go on where they were, for an engine that resumes it.

    A cell that was cut off by that stop runs again.
    """
    ended = [agent for agent in store.all(Agent, "round > 0") if goes_on_later(agent.stop_reason)]
    cut = {(one.agent, one.step) for one in store.all(MonitorDecision) if goes_on_later(one.reason)}
    cells = [
        cell
        for agent in ended
        for cell in store.all(Cell, "agent = ? AND status = 'stopped'", (agent.id,))
        if (cell.agent, cell.step) in cut
    ]
    store.save(
        *(replace(agent, status="waiting", finished_at="", stop_reason="") for agent in ended),
        *(replace(cell, status="running") for cell in cells),
    )


def close_agents(store: Store, reason: str, clock: Clock) -> None:
    """Agents that no engine will go on with end as `stopped`; those of an engine that was killed are such."""
    now = stamp(clock.now())
    left = store.all(Agent, "finished_at = ''")
    store.save(
        *(
            replace(
                agent, status="stopped", goal="", finished_at=now, stop_reason=agent.stop_reason or reason
            )
            for agent in left
        )
    )
