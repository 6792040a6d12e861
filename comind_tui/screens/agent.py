"""One agent in full: its cells, the code of the chosen one, and that cell's output with scrollback."""

from __future__ import annotations

from typing import ClassVar, Protocol

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.highlight import highlight
from textual.screen import Screen
from textual.widgets import Footer, OptionList, Static
from textual.widgets.option_list import Option

from comind.state.records import Agent, Cell, Push
from comind.state.runs import RunFolder
from comind_tui.logs import LogTail
from comind_tui.screens.dialogs import Help
from comind_tui.snapshot import Snapshot
from comind_tui.text.glyphs import state, symbol
from comind_tui.text.kernels import kernel_lines
from comind_tui.text.lines import Line
from comind_tui.text.plain import number
from comind_tui.widgets.header import flow
from comind_tui.widgets.lines import Lines
from kaggle_runner.moments import duration
from kaggle_runner.texts import one_line, plain

REFRESH_SECONDS = 0.2
CODE_SHOWN = 60_000
HELP = """\
AGENT SCREEN

1 … 9        another agent of this round
Tab          cells, code, output
up down      in the cells: choose one; else scroll
End, G       follow the output's end again after scrolling up
y            copy the cell's code      Y    copy its output
x            stop this agent (asks)
q, Escape    back to all agents
"""


class ShownRun(Protocol):
    """The run whose agents are looked at: its folder, what was last read of it, and a way to stop one."""

    folder: RunFolder
    snapshot: Snapshot

    def stop_agent(self, agent: str) -> object:
        """Ask the person, then tell the engine."""


class AgentScreen(Screen[None]):
    """Looks at the run screen's snapshot; it has no data of its own but the log it tails."""

    AUTO_FOCUS = "#cells"
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(key), f"agent({key})", f"Agent {key}", show=False) for key in range(1, 10)),
        Binding("y", "copy_code", "Copy code"),
        Binding("Y", "copy_output", "Copy output"),
        Binding("x", "stop_agent", "Stop agent"),
        Binding("q,escape", "back", "Back", key_display="q"),
        Binding("question_mark", "help", "Help", key_display="?"),
    ]

    def __init__(self, run: ShownRun, agent: str) -> None:
        super().__init__()
        self._run = run
        self.agent_id = agent
        self.cell: Cell | None = None
        self._cells: tuple[Cell, ...] = ()
        self._alive = False
        self._log: LogTail | None = None
        self._push: Push | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="agent-head", markup=False)
        cells = OptionList(id="cells", markup=False, compact=True)
        code = VerticalScroll(Static(id="code", markup=False), id="code-scroll")
        output = Lines(id="output", empty="No output yet.")
        cells.border_title, code.border_title, output.border_title = "cells", "code", "output"
        yield Vertical(cells, code, output, id="agent-body")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        self._refresh()
        self.set_interval(REFRESH_SECONDS, self._refresh)

    def _refresh(self) -> None:
        agent = self._run.snapshot.agent(self.agent_id)
        if agent is None or not self.display:  # the person has left, and the widgets are going
            return
        self.query_one("#agent-head", Static).update(
            Text(self._head(agent), no_wrap=True, overflow="ellipsis")
        )
        cells = self._run.snapshot.cells.get(self.agent_id, ())
        if (cells, self._run.snapshot.alive) != (self._cells, self._alive):
            self._alive = self._run.snapshot.alive
            self._list(cells)
        push = self._run.snapshot.pushes.get(self.cell.id) if self.cell else None
        if (self._log and self._log.poll()) or push != self._push:
            self._show_output()

    def _head(self, agent: Agent) -> str:
        best = self._run.snapshot.best_of(agent.id)
        facts = (
            f"{agent.index} {agent.id}",
            state(self._run.snapshot.state_of(agent)),
            f"step {agent.step}/{agent.max_steps}",
            f"best {number(best.score.value if best else None)}",
            agent.stop_reason,
            agent.title,
        )
        return "\n".join(
            f" {line}" for line in flow([one_line(fact) for fact in facts if fact], self.size.width - 2)[:2]
        )

    def _list(self, cells: tuple[Cell, ...]) -> None:
        """Rebuild the list of cells; whoever looked at the last one goes on to the new last one."""
        options = self.query_one("#cells", OptionList)
        at = options.highlighted
        at_end = at is None or at >= len(self._cells) - 1
        self._cells = cells
        options.clear_options()
        options.add_options(
            [
                Option(
                    Text(
                        _headline(cell, self._run.snapshot.state_of_cell(cell)),
                        no_wrap=True,
                        overflow="ellipsis",
                    )
                )
                for cell in cells
            ]
        )
        if cells:
            options.highlighted = len(cells) - 1 if at_end or at is None else at

    @on(OptionList.OptionHighlighted, "#cells")
    def _choose(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index >= len(self._cells):
            return
        cell = self._cells[event.option_index]
        before, self.cell = self.cell, cell
        if before is None or before.id != cell.id:
            self._log = LogTail(self._run.folder.path / cell.log_path) if cell.log_path else None
            code = highlight(plain(cell.code)[:CODE_SHOWN], language="python") if cell.code else Content("")
            self.query_one("#code", Static).update(code)
            self.query_one("#output", Lines).anchor()
            if self._log:
                self._log.poll()
        self._show_output()

    def _show_output(self) -> None:
        lines: list[Line] = []
        if self._log:
            if self._log.skipped:
                lines.append(Line(f"… the beginning is in {self._log.path}", "dim"))
            lines += [Line(text) for text in self._log.tail(5000)]
        if self.cell and not lines and self.cell.output:
            lines = [Line(text) for text in plain(self.cell.output).splitlines()]
        if self.cell and self.cell.error_name:
            lines.append(Line(f"✗ {one_line(self.cell.error_name)}", "bad"))
        self._push = self._run.snapshot.pushes.get(self.cell.id) if self.cell else None
        if self._push:
            lines += [*([Line("")] if lines else []), *kernel_lines(self._push)]
        self.query_one("#output", Lines).show(lines)

    def action_agent(self, index: int) -> None:
        agents = [agent for agent in self._run.snapshot.agents if agent.index == index]
        if agents and agents[0].id != self.agent_id:
            self.agent_id, self.cell, self._cells, self._log = agents[0].id, None, (), None
            self.query_one("#cells", OptionList).clear_options()
            self.query_one("#code", Static).update(Content(""))
            self.query_one("#output", Lines).show([])
            self._refresh()

    def action_copy_code(self) -> None:
        self._copy(self.cell.code if self.cell else "", "code")

    def action_copy_output(self) -> None:
        self._copy(self.query_one("#output", Lines).text, "output")

    def _copy(self, text: str, what: str) -> None:
        """Terminals take about 74 kB through the clipboard escape; the end of an output matters most."""
        self.app.copy_to_clipboard(plain(text)[-50_000:])
        self.notify(f"Copied the {what} (if this terminal allows it).", markup=False)

    def action_stop_agent(self) -> None:
        self._run.stop_agent(self.agent_id)

    def action_back(self) -> None:
        self.dismiss(None)

    def action_help(self) -> None:
        self.app.push_screen(Help(HELP))


def _headline(cell: Cell, status: str) -> str:
    took = duration(cell.seconds) if cell.finished_at else "…" if status == "running" else "–"
    return f"{symbol(status)} {cell.step:>2} {took:>7}  {one_line(cell.goal)}"
