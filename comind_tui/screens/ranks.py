"""The ranks screen: our place on a live leaderboard, medal lines, who passed whom, and all of it over time.

It shows what the watch tells it, and asks for nothing itself. Leaving it ends the watch; history stays in the
account's book.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Footer

from comind_tui.core.ranks import Watched, polite_watch, quick_client
from comind_tui.screens.dialogs import Help
from comind_tui.text.ranks import place_text, places
from comind_tui.widgets.header import ViewBar
from comind_tui.widgets.lines import Lines
from comind_tui.widgets.rank_board import RankBoard, RankHead, move_lines
from comind_tui.widgets.rank_plots import MedalPlot, RankPlot
from kaggle_runner.errors import ComindError, KaggleError
from kaggle_runner.kaggle.catalogue import account_of
from kaggle_runner.moments import Clock
from kaggle_runner.ranks.records import Look
from kaggle_runner.ranks.watch import LEAST_SECONDS, LONGEST_SECONDS, RankWatch, View
from kaggle_runner.texts import one_line

VIEWS: tuple[tuple[str, str], ...] = (
    ("board", "Board"), ("moves", "Moves"), ("rank", "Rank"), ("lines", "Medal lines"),
)  # fmt: skip
TICK_SECONDS = 5.0

HELP = """\
RANKS

1 … 4   board, who passed whom, rank over time, medal lines
r       look again now (30 s after the last look at the soonest)
q       leave; history stays for the next time
Ctrl+P  command palette       ?  this help

Medal zones are Kaggle's table for the present number of teams.
OURS is the distance to a zone's last team in score. Movement is
since the last look and since a day. "synthetic board": made by
MLE-Live; nobody's medal.

One comind asks for a board; others on this machine read what it
stored. After trouble the next look waits longer.
"""


class RanksScreen(Screen[None]):
    """Watches one board while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(key), f"view('{view}')", title, show=False)
            for key, (view, title) in enumerate(VIEWS, 1)
        ),
        Binding("r", "look", "Look now"),
        Binding("q,escape", "app.leave", "Leave", key_display="q"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

    def __init__(self, watched: Watched, database: Path, clock: Clock) -> None:
        super().__init__()
        self.view_shown = View()
        self._watched = watched
        self._database = database
        self._clock = clock
        self._account = ""
        self._watch: RankWatch | None = None

    def compose(self) -> ComposeResult:
        yield RankHead()
        yield ViewBar(VIEWS)
        with Vertical(id="ranks", classes="-board"):
            yield RankBoard(id="rank-board")
            yield Lines(empty="Nobody has moved since the first look.", id="rank-moves")
            yield RankPlot(id="rank-rank")
            yield MedalPlot(id="rank-lines")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self._show_head()
        self.watch_board()
        self.set_interval(TICK_SECONDS, self._show_head)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    @work(exclusive=True, group="watch")
    async def watch_board(self) -> None:
        """Find out who we are, trying again when Kaggle is away, and watch."""
        try:
            self._account = await self._who_we_are()
            self._watch = polite_watch(self._watched, self._database, self._account, self._clock)
            await self._watch.run(self._tell)
        except (ComindError, OSError) as error:
            # the book cannot be written, or the address cannot be meant: asking again would not help
            self.notify(one_line(str(error)), severity="error", markup=False, timeout=30)

    async def _who_we_are(self) -> str:
        wait = LEAST_SECONDS
        client = quick_client(self._watched.kaggle)
        while True:
            try:
                return await account_of(self._watched.kaggle, self._database, client)
            except KaggleError as error:
                self._tell(View(trouble=error, next_at=self._clock.now().timestamp() + wait))
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_SECONDS)

    def _tell(self, view: View) -> None:
        before, self.view_shown = self.view_shown.look, view
        if view.look and before and view.look.at > before.at:
            self._announce(view.look, before)
        self._show()

    def _announce(self, look: Look, before: Look) -> None:
        """A toast when we have moved."""
        moved = look.since_last
        if moved and moved.places:
            medal = f", {look.medal or 'no medal'}" if look.medal != before.medal else ""
            severity: SeverityLevel = "information" if moved.places > 0 else "warning"
            self.notify(f"{places(moved)} {place_text(look)}{medal}", severity=severity, markup=False)

    def _show(self) -> None:
        self._show_head()
        view = self.view_shown
        if view.look is not None and self.display:
            self.query_one(RankBoard).show(view.look)
            self.query_one("#rank-moves", Lines).show(move_lines(view.moved))
            self.query_one(RankPlot).show(view.history, view.look)
            self.query_one(MedalPlot).show(view.history, view.look)

    def _show_head(self) -> None:
        if not self.display:  # the person has left, and the widgets are going
            return
        who = f"team {self._watched.team}" if self._watched.team else self._account.partition("@")[0]
        where = f"{self._watched.slug} · {self._watched.kaggle.name}" + (f" as {who}" if who else "")
        self.query_one(RankHead).show(self.view_shown, where, self._clock.now())

    def action_view(self, view: str) -> None:
        """Show one part where there is no room for all."""
        body = self.query_one("#ranks")
        for name, _ in VIEWS:
            body.set_class(name == view, f"-{name}")
        self.query_one(ViewBar).active = view
        self.call_after_refresh(self._show)

    @on(ViewBar.Chosen)
    def _view_clicked(self, event: ViewBar.Chosen) -> None:
        self.action_view(event.view)

    def action_look(self) -> None:
        if self._watch is None or self.view_shown.follows:
            self.notify("Another comind asks for this board; its looks are shown here.", markup=False)
            return
        self._watch.look_now()
        self.notify("Looking as soon as is polite.", markup=False)

    def action_help(self) -> None:
        self.app.push_screen(Help(HELP))
