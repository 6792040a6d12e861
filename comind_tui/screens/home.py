"""The home screen: runs, competitions, and the way to a new run."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from comind.clock import Clock
from comind.runs import list_runs
from comind_tui.glyphs import state
from comind_tui.listing import run_row
from comind_tui.plain import arrow, duration, number, one_line, place, since
from comind_tui.screens.dialogs import Help
from comind_tui.screens.new_run import NewRun

if TYPE_CHECKING:
    from comind_tui.app import ComindApp

REFRESH_SECONDS = 5.0
HELP = """\
HOME

Enter   watch the run, or start one on the competition
Tab     from one table to the other
n       new run               r    read the list again
q       quit; runs go on      Ctrl+P  command palette
"""


class Home(Screen[None]):
    """Two tables; Enter opens what the cursor is on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new_run", "New run"),
        Binding("r", "refresh", "Refresh"),
        Binding("q", "app.leave", "Quit"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._rows: list[dict[str, Any]] = []
        self._slugs: list[str] = []

    @property
    def comind(self) -> ComindApp:
        return cast("ComindApp", self.app)

    def compose(self) -> ComposeResult:
        yield Static(
            Text(f" CoMind   runs in {self.comind.state}", no_wrap=True, overflow="ellipsis"),
            id="home-head",
            markup=False,
        )
        yield Static("Runs", classes="caption", markup=False)
        yield DataTable(id="runs", cursor_type="row", zebra_stripes=True)
        yield Static("Competitions", classes="caption", markup=False)
        yield DataTable(id="competitions", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#runs", DataTable).add_columns("run", "status", "best", "rank", "age")
        self.query_one("#competitions", DataTable).add_columns(
            "competition", "kind", "metric", "rows", "about"
        )
        self._load_competitions()
        self.action_refresh()
        self.set_interval(REFRESH_SECONDS, self.action_refresh)
        self.query_one("#runs").focus()

    @work(exclusive=True, group="runs")
    async def action_refresh(self) -> None:
        try:
            rows = await asyncio.to_thread(self._read)
        except (OSError, sqlite3.DatabaseError) as error:  # half-made or broken: the next refresh may do
            self.notify(f"The runs cannot be read: {error}", severity="warning", markup=False)
            return
        table = self.query_one("#runs", DataTable)
        at = table.cursor_row
        self._rows = rows
        table.clear()
        now = self._clock()
        for row in rows:
            metric = f" {row['metric']}{arrow(row['higher_is_better'])}" if row["metric"] else ""
            table.add_row(
                Text(one_line(row["run"])),
                Text(state(row["status"])),
                Text(one_line(number(row["best_score"]) + metric)),
                Text(one_line(place(row))),
                Text(duration(since(row["started_at"] or "", now)) if row["started_at"] else "–"),
            )
        if not rows:
            table.add_row(Text("no runs yet: press n"), *(Text("") for _ in range(4)))
        table.move_cursor(row=min(at, table.row_count - 1))

    def _read(self) -> list[dict[str, Any]]:
        return [run_row(folder) for folder in list_runs(self.comind.state)]

    @work(exclusive=True, group="competitions")
    async def _load_competitions(self) -> None:
        from mle_live.shelf import list_shelf

        entries = await asyncio.to_thread(list_shelf)
        self._slugs = [entry.slug for entry in entries]
        table = self.query_one("#competitions", DataTable)
        for entry in entries:
            about = one_line(entry.description_line)
            table.add_row(*map(Text, (entry.slug, entry.modality, entry.metric, f"{entry.rows:,}", about)))

    @on(DataTable.RowSelected, "#runs")
    def _open_run(self, event: DataTable.RowSelected) -> None:
        if event.cursor_row < len(self._rows):
            self.comind.watch_run(self._rows[event.cursor_row]["run"])

    @on(DataTable.RowSelected, "#competitions")
    def _start_here(self, event: DataTable.RowSelected) -> None:
        self._ask(self._slugs[event.cursor_row])

    def action_new_run(self) -> None:
        self._ask("")

    @work
    async def _ask(self, competition: str) -> None:
        run_id = await self.app.push_screen_wait(NewRun(self._slugs, competition))
        self.action_refresh()
        if run_id:
            self.comind.watch_run(run_id)

    def action_help(self) -> None:
        self.app.push_screen(Help(HELP))
