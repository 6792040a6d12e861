"""The home screen: runs, competitions, and the way to a new run."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static
from textual.worker import Worker

from comind_tui.core.competitions import (
    Entry,
    Kaggles,
    asked_lists,
    joined,
    kept_lists,
    known_kaggles,
    times,
    troubles,
)
from comind_tui.core.ranks import Watched
from comind_tui.core.runs import RunRows
from comind_tui.launch import Launcher
from comind_tui.screens.dialogs import Help
from comind_tui.screens.new_run import NewRun
from comind_tui.screens.requests import WatchRanks, WatchRun
from comind_tui.text.glyphs import state
from comind_tui.text.plain import arrow, labels_mark, listed_name, number, place, since
from comind_tui.widgets.competitions import Competitions
from kaggle_runner.kaggle.catalogue import Listing
from kaggle_runner.moments import Clock, duration
from kaggle_runner.texts import one_line, shortened

REFRESH_SECONDS = 5.0
FAULT_WIDTH = 40
LIST_SECONDS = 600.0
"""Age from which the Kaggles' lists are asked for again when home opens; `r` asks at once."""
HELP = """\
HOME

Enter   watch the run, or start one on the competition
R       live ranks of the Kaggle competition under the cursor
Tab     from one table to the other
n       new run               r    read both lists again
q       quit; runs go on      Ctrl+P  command palette

Competitions: the shelf works without network; kaggle.com is
listed when there is a token (KAGGLE_API_TOKEN), and the MLE-Live
that COMIND_KAGGLE_URL names.
"""


class Home(Screen[None]):
    """Two tables; Enter opens what the cursor is on."""

    AUTO_FOCUS = "#runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new_run", "New run"),
        Binding("R", "ranks", "Ranks"),
        Binding("r", "reload", "Refresh"),
        Binding("q", "app.leave", "Quit"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

    def __init__(self, state: Path, clock: Clock, launcher: Launcher) -> None:
        super().__init__()
        self._clock = clock
        self._state = state
        self._launcher = launcher
        self._runs = RunRows(state)
        self._rows: list[dict[str, Any]] = []
        self._lines: list[tuple[str, ...]] = []
        self._reading: Worker[None] | None = None
        self._kaggles = Kaggles(())

    def compose(self) -> ComposeResult:
        yield Static(
            Text(f" CoMind   runs in {self._state}", no_wrap=True, overflow="ellipsis"),
            id="home-head",
            markup=False,
        )
        yield Static("Runs", classes="caption", markup=False)
        runs = DataTable[Text](id="runs", cursor_type="row", zebra_stripes=True)
        runs.add_columns("run", "status", "best", "rank", "age")
        yield runs
        yield Static("Competitions", classes="caption", id="competitions-caption", markup=False)
        yield Competitions(id="competitions")
        yield Footer()

    def on_mount(self) -> None:
        self._list_competitions()
        self.action_refresh()
        self.set_interval(REFRESH_SECONDS, self.action_refresh)

    def action_refresh(self) -> None:
        """Read the runs, unless they are being read: on a busy machine that may take longer than a tick."""
        if self._reading is None or self._reading.is_finished:
            self._reading = self._refresh()

    @work(group="runs")
    async def _refresh(self) -> None:
        try:
            self._rows = await asyncio.to_thread(self._runs.read)
        except OSError as error:
            self.notify(f"The runs cannot be read: {error}", severity="warning", markup=False)
            return
        if not self.display:  # left meanwhile: the widgets are going
            return
        now = self._clock.now()
        lines = [_cells(row, now) for row in self._rows] or [("no runs yet: press n", "", "", "", "")]
        if lines == self._lines:
            return
        self._lines = lines
        table = self.query_one("#runs", DataTable)
        at = table.cursor_row
        table.clear()
        for line in lines:
            table.add_row(*map(Text, line))
        table.move_cursor(row=min(at, table.row_count - 1))

    def action_reload(self) -> None:
        """Read the runs, and ask every Kaggle again."""
        self.action_refresh()
        self._list_competitions(ask=True)

    @work(exclusive=True, group="competitions")
    async def _list_competitions(self, *, ask: bool = False) -> None:
        """The shelf and what was listed last at once; then, in the background, what the Kaggles list now."""
        self._kaggles = await asyncio.to_thread(known_kaggles, os.environ)
        lists = await asyncio.to_thread(kept_lists, self._kaggles, self._state)
        self._show_competitions(lists)
        now = self._clock.now().timestamp()
        old = any(one.at is None or abs(now - one.at) > LIST_SECONDS for one in lists)
        if self.display and (ask or old):
            self._say("asking …")
            self._show_competitions(await asked_lists(self._kaggles, self._state, self._clock))

    def _show_competitions(self, lists: list[Listing]) -> None:
        if not self.display:  # left meanwhile: the widgets are going
            return
        self.query_one(Competitions).show(joined(self._kaggles, lists), self._clock.now())
        self._say("; ".join([*troubles(self._kaggles, lists), *times(lists)]))

    def _say(self, about: str) -> None:
        """Beside the caption, on the same line."""
        text = Text("Competitions", no_wrap=True, overflow="ellipsis")
        self.query_one("#competitions-caption", Static).update(
            text.append(f"  {one_line(about)}", style="not bold") if about else text
        )

    @on(DataTable.RowSelected, "#runs")
    def _open_run(self, event: DataTable.RowSelected) -> None:
        if event.cursor_row < len(self._rows):
            row = self._rows[event.cursor_row]
            if row["fault"]:
                told = one_line(f"{row['run']} cannot be used: {row['fault']}.")
                self.notify(told, severity="error", markup=False, timeout=10)
            else:
                self.post_message(WatchRun(row["run"]))

    @on(DataTable.RowSelected, "#competitions")
    def _start_here(self) -> None:
        self._ask(self.query_one(Competitions).chosen)

    def action_new_run(self) -> None:
        self._ask(None)

    def action_ranks(self) -> None:
        competitions = self.query_one(Competitions)
        chosen = competitions.chosen if competitions.has_focus else None
        if chosen is None:
            self.notify("Choose a competition below (Tab); a run's own: open it, then R.", markup=False)
        elif chosen.kaggle is None:
            self.notify("The shelf has no live board; each of its runs tells its rank.", markup=False)
        else:
            self.post_message(WatchRanks(Watched(chosen.kaggle, chosen.slug)))

    @work
    async def _ask(self, chosen: Entry | None) -> None:
        listed = self.query_one(Competitions).rows_shown
        slugs = list(dict.fromkeys(row.slug for row in listed))
        url = chosen.kaggle.url if chosen and chosen.kaggle else ""
        slug = chosen.slug if chosen else ""
        form = NewRun(self._state, self._launcher, slugs, slug, kaggle_url=url)
        run_id = await self.app.push_screen_wait(form)
        self.action_refresh()
        if run_id:
            self.post_message(WatchRun(run_id))

    def action_help(self) -> None:
        self.app.push_screen(Help(HELP))


def _cells(row: dict[str, Any], now: datetime) -> tuple[str, ...]:
    """A run's line: name, state, best score or what is wrong, rank, age."""
    name = listed_name(row["run"])
    if row["fault"]:
        return name, state(row["status"]), shortened(one_line(row["fault"]), FAULT_WIDTH), "–", "–"
    metric = f" {row['metric']}{arrow(row['higher_is_better'])}" if row["metric"] else ""
    return (
        name,
        state(row["status"]),
        one_line(number(row["best_score"]) + metric + labels_mark(row["labels_readable"])),
        one_line(place(row)),
        duration(since(row["started_at"] or "", now)) if row["started_at"] else "–",
    )
