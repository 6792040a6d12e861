"""What all agents of a run share, and what each has of its own: its record, its time, its watcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from comind.agents.watch import WatchedCell, Watcher
from comind.control import AGENT_TIME, Control
from comind.evaluator.evaluator import Evaluator
from comind.roles.desk import Brief, Desk
from comind.state.records import Agent, Cell, Dataset
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.input_names import competition_folders, newer_names
from kaggle_runner.moments import Clock, stamp
from kaggle_runner.notebook.session import NotebookSession


class OpenNotebook(Protocol):
    """Makes a sandboxed notebook session with these folders under /kaggle/input; the engine knows how."""

    def __call__(self, name: str, inputs: Mapping[str, Path], workspace: Path) -> NotebookSession: ...


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all agents of a run share."""

    folder: RunFolder
    store: Store
    desk: Desk
    brief: Brief
    evaluator: Evaluator
    control: Control
    clock: Clock
    open_notebook: OpenNotebook
    slug: str
    context_tokens: int
    cell_seconds: float
    memory_bytes: int | None
    installs: bool = False
    """Whether notebooks may install packages."""


class Workbench:
    """What one agent has of its own in the workshop."""

    def __init__(
        self, shop: Workshop, agent: Agent, *, seconds: float, data_name: str, data: Path,
        datasets: Mapping[str, Path], model_watches: bool,
    ) -> None:  # fmt: skip
        """`seconds` is the agent's share of the run's time.

        Code finds `data` and `datasets` by their names under /kaggle/input. `model_watches`: the monitor may
        ask the model about what runs, beside its rules.
        """
        self.shop = shop
        self.agent = agent
        self.data_name = data_name
        self.datasets = datasets
        self._inputs = {**datasets, **competition_folders(data_name, data)}
        self._model_watches = model_watches
        self._deadline = shop.control.seconds_used + seconds
        shop.control.set_agent_deadline(agent.id, self._deadline)

    @property
    def workspace(self) -> Path:
        return self.shop.folder.workspace(self.agent.id)

    @property
    def seconds_left(self) -> float:
        return min(self._deadline - self.shop.control.seconds_used, self.shop.control.working_seconds_left)

    def must_stop(self) -> str:
        """Why the agent may do no more; empty while it may."""
        return self.shop.control.stop_reason(self.agent.id) or (AGENT_TIME if self.seconds_left <= 0 else "")

    def open_notebook(self, name: str, workspace: Path) -> NotebookSession:
        public = [one.id for one in self.shop.store.all(Dataset, "origin = 'upstream'")]
        inputs = {**self._inputs, **newer_names(self.datasets, public)}
        return self.shop.open_notebook(name, inputs, workspace)

    @asynccontextmanager
    async def watching(
        self, session: WatchedCell, cell: Cell, seconds: float, *, where: str = ""
    ) -> AsyncIterator[None]:
        """Meanwhile the monitor watches the cell in `session`, which may take `seconds`, and may stop it."""
        shop = self.shop
        watcher = Watcher(
            session,
            cell,
            limit=seconds,
            where=where,
            desk=shop.desk if self._model_watches else None,
            store=shop.store,
            control=shop.control,
            clock=shop.clock,
            deadline=lambda: self.seconds_left,
        )
        watching = asyncio.create_task(watcher.run())
        try:
            yield
        finally:
            watching.cancel()
            ended = (await asyncio.gather(watching, return_exceptions=True))[0]
            if isinstance(ended, Exception):
                self.event("monitor_failed", f"The monitor stopped watching: {ended!r}")

    def update(self, **changes: object) -> None:
        self.agent = replace(self.agent, **changes)  # type: ignore[arg-type]
        self.shop.store.save(self.agent)

    def event(self, kind: str, message: str) -> None:
        self.shop.store.event(kind, message, agent=self.agent.id, round=self.agent.round)

    def now(self) -> str:
        return stamp(self.shop.clock.now())
