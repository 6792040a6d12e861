"""An event's line tells the time of the machine that shows it."""

from __future__ import annotations

import pytest

from comind.state.records import Event
from comind_tui.text.events import event_line


@pytest.mark.parametrize(
    ("at", "agent", "round", "line"),
    [
        ("2026-11-21T12:00:00.000Z", "r1-a2", 1, "17:30:00  r1-a2     cell 3 ran"),
        ("2026-11-21T14:00:00+02:00", "", 2, "17:30:00  round 2   cell 3 ran"),
        ("2026-11-21T23:59:59Z", "", 0, "05:29:59  run       cell 3 ran"),
        ("", "", 0, "--:--:--  run       cell 3 ran"),
    ],
)
def test_an_events_line_begins_with_local_time_and_who_it_was(
    at: str, agent: str, round: int, line: str, in_kolkata: None
) -> None:
    event = Event(kind="cell", message="cell 3 ran", agent=agent, round=round, at=at)
    assert event_line(event) == line
