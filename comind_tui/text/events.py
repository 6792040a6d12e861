"""An event of a run as one line: in the headless printer and on the monitor's list."""

from __future__ import annotations

from comind.state.records import Event
from comind_tui.text.plain import clock_time
from kaggle_runner.texts import one_line


def event_line(event: Event) -> str:
    """`12:03:45  r1-a2  cell 3 ran` in local time."""
    who = event.agent or (f"round {event.round}" if event.round else "run")
    return f"{clock_time(event.at)}  {one_line(who):<8}  {one_line(event.message)}"
