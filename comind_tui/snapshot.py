"""Everything the run screen shows of the database, read in one go by a thread with a Reader of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from comind.analysis.forecast import Forecast, forecast
from comind.analysis.standings import Standing, standings
from comind.run.summary import best_standing, shown_status
from comind.state.reader import Reader, reading
from comind.state.records import Agent, Cell, Evaluation, Event, Idea, MonitorDecision, Push, Report, Run
from comind.state.runs import RunFolder, engine_alive
from kaggle_runner.errors import RunNotFound, Unusable
from kaggle_runner.jobs.states import ORDERED
from kaggle_runner.moments import Clock

EVENTS_KEPT = 300
ENDED = frozenset({"finished", "stopped", "failed"})
"""Statuses of runs and agents after which nothing happens any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One moment of a run. Before the engine has written anything, `run` is None and the rest is empty."""

    run: Run | None = None
    fault: str = ""
    """Why the run cannot be read; what else is here is then what was read before."""
    alive: bool = False
    round: int = 0
    """The round whose agents and cells are here; 0 holds the public kernels that were run as they are."""
    first_round: int = 0
    """The earliest that has any."""
    agents: tuple[Agent, ...] = ()
    cells: Mapping[str, tuple[Cell, ...]] = field(default_factory=dict)
    """Agent → its cells, oldest first."""
    pushes: Mapping[str, Push] = field(default_factory=dict)
    """Cell → the notebook that it made to be run at Kaggle."""
    kernels: Mapping[str, Event] = field(default_factory=dict)
    """Agent → what was last told of its kernel that is under way at Kaggle."""
    board: tuple[Standing, ...] = ()
    decisions: tuple[MonitorDecision, ...] = ()
    events: tuple[Event, ...] = ()
    totals: Mapping[str, Any] = field(default_factory=dict)
    ideas: int = 0
    reports: int = 0
    titles: Mapping[str, str] = field(default_factory=dict)
    """Agent → its draft's title, of all rounds."""
    running_cells: int = 0
    """Cells that run now, whichever round is shown."""
    forecast: Forecast | None = None
    """Of a run that an engine works on, once enough was done to tell."""

    @property
    def status(self) -> str:
        return shown_status(self.run, self.alive)

    @property
    def shown_state(self) -> str:
        """The status as people see it: a pause begins when the cells that run have ended."""
        return "pausing" if self.status == "paused" and self.running_cells else self.status

    @property
    def ended(self) -> bool:
        """Whether nobody would read a command: the run is over, or its engine is gone."""
        return self.run is not None and self.status in ENDED

    @property
    def engine_gone(self) -> bool:
        """Whether the engine died before it could say how the run ended."""
        return self.run is not None and self.ended and self.run.status not in ENDED

    @property
    def winding_down(self) -> bool:
        """Whether a living engine begins nothing new because money or tokens have ended."""
        told = any(event.kind == "winding_down" for event in self.events)
        return told and self.alive and self.status == "running"

    def state_of(self, agent: Agent) -> str:
        """The agent's status; without an engine nobody is at work, whatever was stored last."""
        if self.alive or agent.status in ENDED:
            return agent.status
        return "engine gone" if self.engine_gone else "stopped"

    def state_of_cell(self, cell: Cell) -> str:
        """The cell's status; no cell runs without an engine."""
        return "stopped" if cell.status == "running" and not self.alive else cell.status

    @property
    def best(self) -> Standing | None:
        return best_standing(self.run, list(self.board))

    def best_of(self, agent: str) -> Standing | None:
        """The agent's best evaluation."""
        return next((one for one in self.board if one.evaluation.agent == agent), None)

    def agent(self, id: str) -> Agent | None:
        return next((agent for agent in self.agents if agent.id == id), None)


def read_snapshot(
    folder: RunFolder, round: int | None, clock: Clock, before: Snapshot | None = None
) -> Snapshot:
    """The run now, with the agents of `round` (None: of the newest). Blocks; call it from a thread.

    A run that cannot be read, or that is gone, is what it was `before`, with the fault.
    """
    before = before or Snapshot()
    alive = engine_alive(folder)
    try:
        with reading(folder.database) as reader:
            return _read(reader, round, alive, clock) if reader.run() else Snapshot(alive=alive)
    except Unusable as error:
        return replace(before, alive=alive, fault=error.why)
    except RunNotFound:
        gone = before.run is not None
        return replace(before, alive=alive, fault="its folder was deleted, or emptied" if gone else "")


def _read(reader: Reader, round: int | None, alive: bool, clock: Clock) -> Snapshot:
    everyone = reader.all(Agent)
    newest = max((agent.round for agent in everyone), default=0)
    oldest = min((agent.round for agent in everyone), default=0)
    shown = newest if round is None else min(max(round, oldest), newest)
    agents = reader.all(Agent, "round = ?", (shown,), order='"index"')
    pushes = reader.all(Push, "round = ?", (shown,))
    return Snapshot(
        run=reader.run(),
        alive=alive,
        round=shown,
        first_round=oldest,
        agents=tuple(agents),
        cells={agent.id: tuple(reader.all(Cell, "agent = ?", (agent.id,), order="step")) for agent in agents},
        pushes={push.id: push for push in pushes},
        kernels=_kernels(reader, pushes) if alive else {},
        board=tuple(standings(reader.all(Evaluation, "success = 1"))),
        decisions=tuple(reader.all(MonitorDecision, order="at DESC, rowid DESC", limit=EVENTS_KEPT)[::-1]),
        events=tuple(reader.last_events(EVENTS_KEPT)),
        totals=reader.totals(),
        ideas=reader.count(Idea),
        reports=reader.count(Report),
        titles={agent.id: agent.title for agent in everyone},
        running_cells=reader.count(Cell, "status = 'running'") if alive else 0,
        forecast=forecast(reader, clock) if alive else None,
    )


def _kernels(reader: Reader, pushes: list[Push]) -> dict[str, Event]:
    """The newest word on each agent's kernel that is pushed or waits for a session."""
    found: dict[str, Event] = {}
    for push in pushes:
        if push.state in ORDERED:
            said = reader.all(
                Event,
                "kind = 'kernel' AND agent = ? AND at >= ?",
                (push.agent, push.started_at),
                order="seq DESC",
                limit=1,
            )
            found.update((event.agent, event) for event in said)
    return found
