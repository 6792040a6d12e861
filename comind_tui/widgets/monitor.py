"""The monitor's decisions as they fall, and below them everything the run says about itself."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from comind.state.records import Event, MonitorDecision
from comind_tui.snapshot import Snapshot
from comind_tui.text.events import event_line
from comind_tui.text.lines import Line
from comind_tui.text.plain import clock_time
from comind_tui.widgets.lines import Lines
from kaggle_runner.moments import duration
from kaggle_runner.texts import one_line


class MonitorView(Vertical):
    """Two lists that follow their ends."""

    def compose(self) -> ComposeResult:
        yield Static("Monitor decisions", classes="caption")
        yield Lines(empty="The monitor has not looked at a cell yet.", id="decisions")
        yield Static("Events", classes="caption")
        yield Lines(empty="Nothing has happened yet.", id="events")

    def show(self, snapshot: Snapshot) -> None:
        offline = snapshot.run is not None and snapshot.run.settings.offline
        asked = "recipes" if offline else "model"
        self.query_one("#decisions", Lines).show([_decision(one, asked) for one in snapshot.decisions])
        self.query_one("#events", Lines).show(event_lines(snapshot))


def event_lines(snapshot: Snapshot) -> list[Line]:
    """The newest events, oldest of them first."""
    return [_event(one) for one in snapshot.events]


def _decision(decision: MonitorDecision, asked: str) -> Line:
    """`asked` is who answers for the monitor, where no rule of its own does."""
    mark = "■" if decision.action == "STOP" else "▸"
    source = asked if decision.source == "model" else decision.source
    text = (
        f"{clock_time(decision.at)} {mark} {decision.action:<8} {decision.agent} step {decision.step}"
        f" after {duration(decision.elapsed)} ({decision.rule or source}): {decision.reason}"
    )
    return Line(one_line(text), "bad" if decision.action == "STOP" else "plain")


def _event(event: Event) -> Line:
    return Line(event_line(event), "bad" if event.kind in ("error", "failed") else "plain")
