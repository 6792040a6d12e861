"""The run screen: agents' panes, leaderboard, ideas, reports, monitor and plot of one run, live.

It reads the run and sends commands to its inbox; leaving it changes nothing. One timer drives everything:
logs of the panes in view five times a second, the database once a second in a thread.
"""

from __future__ import annotations

import asyncio
import os
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Footer
from textual.worker import Worker

from comind.state.inbox import Action, Command, send
from comind.state.records import Agent, Idea, Report
from comind.state.runs import RunFolder, signature
from comind_tui.core.ranks import ranks_of_run
from comind_tui.logs import LogTail
from comind_tui.screens.agent import AgentScreen
from comind_tui.screens.dialogs import AskText, Confirm, Help
from comind_tui.screens.requests import WatchRanks
from comind_tui.snapshot import Snapshot, read_snapshot
from comind_tui.text.ending import ended_notice
from comind_tui.text.kernels import kernel_clock, kernel_note
from comind_tui.text.plain import number, since
from comind_tui.widgets.documents import Documents
from comind_tui.widgets.header import VIEWS, RunHeader, ViewBar
from comind_tui.widgets.monitor import MonitorView
from comind_tui.widgets.mosaic import AgentMosaic, Tile
from comind_tui.widgets.overview import Overview
from comind_tui.widgets.plot import ScorePlot
from kaggle_runner.errors import ConfigError
from kaggle_runner.moments import Clock, duration
from kaggle_runner.texts import plain

TICK_SECONDS = 0.2
TICKS_PER_READ = 5
CODE_LINES = 60

HELP = """\
RUN SCREEN

1 … 6         agents, board, ideas, reports, monitor, plot
arrows hjkl   choose an agent   Enter  its code, output and cells
PgUp PgDn     pages of agents   [ ]    earlier and later round
p             pause, or go on   i      add an idea for next round
x             stop the chosen agent (asks)
S             stop the whole run (asks)
R             live ranks, for a competition of a Kaggle
u             submit the best to its leaderboard (shows all, asks)
/             search ideas or reports
q, Ctrl+C     leave: back home if you came from there; the run
              goes on (come back: comind-tui attach)
Ctrl+P        command palette   ?      this help

● running  ◌ thinking  ◆ grading  ◇ reporting  ○ waiting
✓ finished  ■ stopped, or its engine is gone  ✗ failed  ‖ paused

k07 is a public kernel, run as it is on our split, before round 1;
r2-a1 is the first agent of round 2.
Scores are on the selection rows, with a 95 % interval; ★ is the
run's choice. Baseline: "✓ beats" the sample submission beyond
noise, or is within its "~ noise".
"""


class RunScreen(Screen[None]):
    """Watches one run."""

    AUTO_FOCUS = "AgentMosaic"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(key), f"view('{view}')", title, show=False)
            for key, (view, title) in enumerate(VIEWS, 1)
        ),
        Binding("p", "pause", "Pause"),
        Binding("x", "stop_agent", "Stop agent"),
        Binding("S", "stop_run", "Stop run"),
        Binding("i", "add_idea", "Idea"),
        Binding("slash", "search", "Search", key_display="/"),
        Binding("R", "ranks", "Ranks", show=False),
        Binding("u", "submit", "Submit", show=False),
        Binding("left_square_bracket", "round(-1)", "Earlier round", show=False),
        Binding("right_square_bracket", "round(1)", "Later round", show=False),
        Binding("q", "app.leave", "Leave"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

    def __init__(self, folder: RunFolder, clock: Clock) -> None:
        super().__init__()
        self.folder = folder
        self.snapshot = Snapshot()
        self._clock = clock
        self._round: int | None = None
        self._ticks = 0
        self._reading: Worker[None] | None = None
        self._read_state: tuple[object, ...] = ()
        self._logs: dict[str, LogTail] = {}

    def compose(self) -> ComposeResult:
        yield RunHeader()
        yield ViewBar()
        with Horizontal(id="body", classes="-agents"):
            yield AgentMosaic(id="agents")
            with ContentSwitcher(id="side", initial="board"):
                yield Overview(id="board")
                yield Documents(self.folder, Idea, id="ideas")
                yield Documents(self.folder, Report, id="reports")
                yield MonitorView(id="monitor")
                yield ScorePlot(id="plot")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self.read()
        self.set_interval(TICK_SECONDS, self._tick)

    @property
    def view(self) -> str:
        """What fills a narrow terminal."""
        body = self.query_one("#body")
        return "agents" if body.has_class("-agents") else str(self.query_one(ContentSwitcher).current)

    def _tick(self) -> None:
        self._ticks += 1
        if self._ticks % TICKS_PER_READ == 0:
            if self._reading is None or self._reading.is_finished:  # a slow disk must not pile up reads
                self._reading = self.read()
        elif self.is_current:
            self._show_agents()

    @work(group="database")
    async def read(self) -> None:
        """Read the database if it has changed, and show what is new."""
        round = self._round
        state = (await asyncio.to_thread(signature, self.folder), round)
        if state != self._read_state or self.snapshot.fault:
            snapshot = await asyncio.to_thread(read_snapshot, self.folder, round, self._clock, self.snapshot)
            if round != self._round:  # the person has gone on to another round meanwhile
                return
            self.snapshot, self._read_state = snapshot, state
        if self.display:  # else the person has left meanwhile, and the widgets are going
            self._show()

    def _show(self) -> None:
        snapshot = self.snapshot
        self.query_one(RunHeader).show(snapshot, self.folder.id, self._clock.now())
        self._show_agents()
        current = self.query_one(ContentSwitcher).current
        if current == "board":
            self.query_one(Overview).show(snapshot)
        elif current == "ideas":
            self.query_one("#ideas", Documents).show(snapshot.ideas)
        elif current == "reports":
            self.query_one("#reports", Documents).show(snapshot.reports)
        elif current == "monitor":
            self.query_one(MonitorView).show(snapshot)
        elif current == "plot":
            self.query_one("#plot", ScorePlot).show(snapshot)

    def _show_agents(self) -> None:
        mosaic = self.query_one(AgentMosaic)
        if not mosaic.display:
            return
        visible = set(mosaic.visible_agents) or {agent.id for agent in self.snapshot.agents}
        mosaic.show([self._tile(agent, agent.id in visible) for agent in self.snapshot.agents])

    def _tile(self, agent: Agent, is_visible: bool) -> Tile:
        cells = self.snapshot.cells.get(agent.id, ())
        cell = cells[-1] if cells else None
        output: list[str] = []
        if cell and is_visible:
            output = self._log(agent.id, cell.log_path).tail(self.query_one(AgentMosaic).output_lines)
        running = cell is not None and self.snapshot.state_of_cell(cell) == "running"
        best = self.snapshot.best_of(agent.id)
        return Tile(
            agent=agent.id,
            index=agent.index,
            status=self.snapshot.state_of(agent),
            progress=f"{agent.step}/{agent.max_steps}",
            clock=duration(since(cell.started_at, self._clock.now()))
            if cell and running
            else kernel_clock(self.snapshot, agent.id, self._clock.now()),
            best=number(best.score.value if best else None),
            title=agent.title,
            goal=agent.goal or agent.stop_reason,
            note=kernel_note(self.snapshot, agent.id),
            code=tuple(plain(cell.code).splitlines()[:CODE_LINES]) if cell and is_visible else (),
            output=tuple(output),
        )

    def _log(self, agent: str, path: str) -> LogTail:
        full = self.folder.path / path
        log = self._logs.get(agent)
        if log is None or log.path != full:
            log = self._logs[agent] = LogTail(full)
        if path:
            log.poll()
        return log

    def action_view(self, view: str) -> None:
        body = self.query_one("#body")
        body.set_class(view == "agents", "-agents")
        self.query_one(ViewBar).active = view
        if view == "agents":
            self.query_one(AgentMosaic).focus()
        else:
            self.query_one(ContentSwitcher).current = view
            shown = self.query_one(f"#{view}")
            inner = [shown, *shown.query("OptionList, DataTable, Lines")]
            next((one for one in inner if one.focusable), self.query_one(AgentMosaic)).focus()
        self._show()

    @on(ViewBar.Chosen)
    def _view_clicked(self, event: ViewBar.Chosen) -> None:
        self.action_view(event.view)

    @on(AgentMosaic.Opened)
    def _open_agent(self, event: AgentMosaic.Opened) -> None:
        self.app.push_screen(AgentScreen(self, event.agent))

    def action_search(self) -> None:
        if self.query_one(ContentSwitcher).current not in ("ideas", "reports") or self.view == "agents":
            self.action_view("ideas")
        self.query_one(f"#{self.query_one(ContentSwitcher).current}", Documents).open_search()

    def action_round(self, step: int) -> None:
        last = self.snapshot.run.round if self.snapshot.run else 0
        wanted = self.snapshot.round + step
        if self.snapshot.first_round <= wanted <= last:
            self._round = None if wanted == last else wanted
            told = f"Agents of round {wanted}" if wanted else "Public kernels, run as they are"
            self.notify(told, markup=False)
            self.read()

    def action_pause(self) -> None:
        paused = self.snapshot.status == "paused"
        self.command(
            "resume" if paused else "pause",
            told="The run goes on." if paused else "Pausing: cells that run now end first.",
        )

    def action_stop_agent(self) -> None:
        self.stop_agent(self.query_one(AgentMosaic).chosen_agent)

    @work
    async def stop_agent(self, agent: str) -> None:
        """Ask, then tell the engine."""
        question = f"Stop agent {agent}? What it has scored is kept."
        if self._too_late() or not agent:
            return
        if await self.app.push_screen_wait(Confirm(question)):
            self.command("stop_agent", target=agent, told=f"Stopping {agent}.")

    @work
    async def action_stop_run(self) -> None:
        question = "Stop the whole run? It ends with the best found so far; comind-tui resume goes on later."
        if self._too_late():
            return
        if await self.app.push_screen_wait(Confirm(question)):
            self.command("stop", told="Stopping the run.")

    @work
    async def action_add_idea(self) -> None:
        if self._too_late():
            return
        text = await self.app.push_screen_wait(
            AskText("An idea for the next round:", "for instance: blend the best two")
        )
        if text:
            self.command("add_idea", text=text, told="The idea is in the inbox.")

    def command(self, action: Action, *, target: str = "", text: str = "", told: str) -> None:
        """Put a command into the run's inbox, and say so; say it too when nobody would read it."""
        if self._too_late():
            return
        try:
            send(self.folder.inbox, Command(action, target, text))
        except OSError as error:
            self.notify(f"The command could not be sent: {error}", severity="error", markup=False)
            return
        self.notify(told, markup=False)

    def _too_late(self) -> bool:
        """Whether no engine would read a command; the person is told."""
        if self.snapshot.fault:
            told = f"This run cannot be used: {self.snapshot.fault}."
            self.notify(told, severity="error", markup=False, timeout=10)
        elif self.snapshot.ended:
            self.notify(ended_notice(self.snapshot, self.folder), markup=False, timeout=10)
        elif not self.snapshot.alive:
            self.notify("The run's engine has not started yet.", severity="warning", markup=False)
        else:
            return False
        return True

    def action_ranks(self) -> None:
        """The live board of the run's competition, where it has one."""
        run = self.snapshot.run
        try:
            watched = ranks_of_run(run.settings, os.environ) if run else None
        except ConfigError as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        if watched is None:
            self.notify(
                "This run's board is made by us; its rank is above, once it was graded.", markup=False
            )
        else:
            self.post_message(WatchRanks(watched))

    def action_submit(self) -> None:
        from comind_tui.screens.submit_dialog import SubmitDialog  # it brings the account's database

        self.app.push_screen(SubmitDialog(self.folder, self._clock))

    def action_help(self) -> None:
        self.app.push_screen(Help(HELP))
