"""The leaderboard, and where there is room the score over time and the latest events below it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from comind_tui.snapshot import Snapshot
from comind_tui.widgets.board import Board
from comind_tui.widgets.lines import Lines
from comind_tui.widgets.monitor import event_lines
from comind_tui.widgets.plot import ScorePlot


class Overview(Vertical):
    """What the side shows first; styles hide the lower parts on narrow or short terminals."""

    def compose(self) -> ComposeResult:
        yield Board(id="ranking")
        yield ScorePlot(id="trend")
        yield Static("Events", classes="caption", id="latest-caption")
        yield Lines(empty="Nothing has happened yet.", id="latest")

    def show(self, snapshot: Snapshot) -> None:
        # its parts come a moment after it and go a moment before it: then there is nothing to show on
        for board in self.query(Board):
            board.show(snapshot)
        for trend in self.query(ScorePlot):
            if trend.display:
                trend.show(snapshot)
        for latest in self.query(Lines):
            if latest.display:
                latest.show(event_lines(snapshot))
