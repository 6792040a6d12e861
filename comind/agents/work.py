"""What every agent that runs code has in common: a notebook session, cells under watch, graded predictions.

How an agent decides what to run is `comind.agents.coder` (one live notebook, the paper's agent),
`comind.agents.scripter` (whole scripts, for small models) and `comind.round.verification` (a community
kernel as it is).

Everything is recorded before it is used, so a resumed run walks the same way again: replies, ended cells and
evaluations come from the store.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from comind.agents.watch import CellUnderWatch, Watcher
from comind.control import Control
from comind.evaluator.evaluator import Evaluator
from comind.llm.formats import MalformedReply
from comind.roles.briefing import draft_text, evaluation_text
from comind.roles.coder import MARKS, SolutionReport
from comind.roles.desk import Brief, Desk
from comind.run.solutions import solution_script, write_agent_notebook
from comind.state.records import Agent, Cell, Draft, Evaluation, Event, Report
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import LimitReached, ModelError
from kaggle_runner.moments import Clock, stamp
from kaggle_runner.notebook.session import CellLimits, CellResult, NotebookSession
from kaggle_runner.score import better

if TYPE_CHECKING:
    from comind.at_kaggle.place import KagglePlace

KILLS_OF_A_CELL = 2
"""A cell that was running when the engine was killed is run again until it was killed so often."""


class OpenSession(Protocol):
    """Makes the agent's notebook session; the engine knows how code is confined."""

    def __call__(self, agent: str, resources: Mapping[str, Path]) -> NotebookSession: ...


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
    open_session: OpenSession
    slug: str
    context_tokens: int
    cell_seconds: float
    memory_bytes: int | None
    kaggle: KagglePlace | None = None
    """Where notebooks run that are pushed; None where they run on this machine."""


class AgentAtWork(ABC):
    """One agent's life. `run` always returns; what went wrong is in the agent's record and the events."""

    model_watches = True
    """Whether the monitor may ask the model about a running cell, beside its rules."""

    def __init__(
        self, shop: Workshop, agent: Agent, draft: Draft, *, seconds: float, resources: Mapping[str, Path]
    ) -> None:
        """`seconds` is this agent's share of the run's time; `resources` are datasets by mount name."""
        self._shop = shop
        self._agent = agent
        self._draft = draft
        self._resources = resources
        self._deadline = shop.control.seconds_used + seconds
        shop.control.set_agent_deadline(agent.id, self._deadline)
        self._cells: list[Cell] = []
        self._evaluations: list[Evaluation] = []
        self._best: Evaluation | None = None
        self._outputs: dict[int, list[dict[str, Any]]] = {}
        self._session: NotebookSession | None = None

    @property
    def agent(self) -> Agent:
        return self._agent

    @property
    def best(self) -> Evaluation | None:
        """The best valid evaluation by feedback score, the one that the agent itself knows."""
        return self._best

    @property
    def seconds_left(self) -> float:
        return min(self._deadline - self._shop.control.seconds_used, self._shop.control.working_seconds_left)

    async def run(self) -> Agent:
        """Work until done, stopped, or out of steps, time or money; then report. Returns the final record."""
        self._update(status="thinking", started_at=self._agent.started_at or self._now())
        reason, failed = "", False
        try:
            reason = await self._work()
        except LimitReached as error:
            reason = error.message
        except (ModelError, MalformedReply) as error:
            reason, failed = error.message, True
        finally:
            await self._close_session()
        self._write_notebook()
        report = await self._report(reason)
        if report is not None:
            self._shop.store.save(report)
        status = "failed" if failed and self._best is None else "stopped" if reason else "finished"
        self._update(status=status, stop_reason=reason, finished_at=self._now(), goal="")
        best = self._best.score("feedback") if self._best else None
        told = f"best feedback score {best}" if best else "nothing valid"
        self._event("agent_done", f"{status}: {told}" + (f"; {reason}" if reason else ""))
        return self._agent

    @abstractmethod
    async def _work(self) -> str:
        """The turns. Returns why they ended early, or nothing."""

    @abstractmethod
    async def _written_report(self, evaluations: str) -> SolutionReport:
        """The agent's own report. ModelError, MalformedReply or LimitReached when it cannot be had."""

    def _must_stop(self) -> str:
        reason = self._shop.control.stop_reason(self._agent.id)
        return reason or ("this agent's time is over" if self.seconds_left <= 0 else "")

    # --- cells

    async def _run_cell(self, step: int, goal: str, code: str) -> Cell:
        """The recorded cell of this step, or the code run now; recorded either way when it returns."""
        cell_id = f"{self._agent.id}-s{step:02d}"
        recorded = self._shop.store.get(Cell, cell_id)
        if recorded is not None and recorded.status == "running":
            recorded = self._given_up(recorded)
        if recorded is not None:
            self._cells.append(recorded)
            return recorded
        session = await self._open()
        log = self._shop.folder.cell_log(self._agent.id, step)
        log.parent.mkdir(parents=True, exist_ok=True)
        cell = Cell(
            id=cell_id,
            agent=self._agent.id,
            step=step,
            goal=goal,
            code=code,
            log_path=self._shop.folder.relative(log),
            started_at=self._now(),
        )
        self._shop.store.save(cell)
        self._update(status="running", goal=goal)
        self._event("cell", f"cell {step}: {goal}")
        result = await self._execute(session, cell, log)
        cell = replace(
            cell,
            status=result.status,
            output=self._told(result),
            error_name=result.error_name,
            images=result.images,
            seconds=round(result.seconds, 3),
            kernel_generation=result.kernel_generation,
            finished_at=self._now(),
        )
        self._shop.store.save(cell)
        if result.status != "ok":
            what = result.error_name or result.detail
            self._event("cell_failed", f"cell {step}: {result.status} {what}".strip())
        self._outputs[step] = result.outputs
        self._cells.append(cell)
        return cell

    def _given_up(self, cell: Cell) -> Cell | None:
        """A cell that was running when the engine was killed: run again once (None), the second time not.

        One that fills the disk or takes the machine down would do so at every resume. Each start of the cell
        counts once, however often an engine ended before the cell was started again.
        """
        killed = self._shop.store.all(Event, "kind = 'cell_interrupted' AND agent = ?", (cell.agent,))
        starts = {one.data["started_at"] for one in killed if one.data["cell"] == cell.id}
        if cell.started_at not in starts:
            starts.add(cell.started_at)
            told = "it is run again" if len(starts) < KILLS_OF_A_CELL else "as once before: it is left out"
            self._shop.store.event(
                "cell_interrupted",
                f"cell {cell.step} was running when the engine ended; {told}",
                agent=cell.agent,
                round=self._agent.round,
                data={"cell": cell.id, "started_at": cell.started_at},
            )
        if len(starts) < KILLS_OF_A_CELL:
            return None
        note = "[This cell was running when the engine ended, twice. It was not run again.]"
        cell = replace(cell, status="interrupted", output=note, finished_at=self._now())
        self._shop.store.save(cell)
        return cell

    async def _execute(self, session: NotebookSession, cell: Cell, log: Path) -> CellResult:
        seconds = max(1.0, min(self._shop.cell_seconds, self.seconds_left))
        watcher = Watcher(
            session,
            CellUnderWatch(cell.agent, cell.step, cell.goal, cell.code, seconds),
            desk=self._shop.desk if self.model_watches else None,
            store=self._shop.store,
            control=self._shop.control,
            clock=self._shop.clock,
            deadline=lambda: self.seconds_left,
        )
        watching = asyncio.create_task(watcher.run())
        try:
            limits = CellLimits(seconds=seconds, memory_bytes=self._shop.memory_bytes)
            return await session.execute(cell.code, log_path=log, limits=limits)
        finally:
            watching.cancel()
            outcome = (await asyncio.gather(watching, return_exceptions=True))[0]
            if isinstance(outcome, Exception):
                self._event("monitor_failed", f"The monitor stopped watching: {outcome!r}")

    def _told(self, result: CellResult) -> str:
        """What the agent is shown; the session's text says itself when its kernel was lost."""
        return result.text

    # --- predictions

    async def _evaluate(
        self, cell: Cell, *, workspace: Path, validation_name: str, submission_name: str
    ) -> Evaluation:
        """The cell's evaluation, recorded; the best one so far is kept."""
        evaluation = self._shop.store.get(Evaluation, cell.id)
        if evaluation is None:
            self._update(status="grading")
            evaluation = await self._shop.evaluator.evaluate(
                cell.id,
                workspace=workspace,
                validation_name=validation_name,
                submission_name=submission_name,
                agent=self._agent.id,
                round=self._agent.round,
                step=cell.step,
            )
            evaluation = replace(evaluation, submission_name=submission_name)
            self._shop.store.save(evaluation)
            score = evaluation.score("feedback")
            self._event(
                "evaluation", f"feedback score {score}" if score else f"not valid: {evaluation.message}"
            )
        self._evaluations.append(evaluation)
        score = evaluation.score("feedback")
        champion = self._best.score("feedback") if self._best else None
        if score is not None and better(score, champion):
            self._best = evaluation
            self._update(best_evaluation=evaluation.id)
        return evaluation

    # --- the session

    async def _open(self) -> NotebookSession:
        if self._session is not None:
            return self._session
        workspace = self._shop.folder.workspace(self._agent.id)
        workspace.mkdir(parents=True, exist_ok=True)
        self._session = self._new_session()
        seconds = await self._session.start()
        self._update(kernel_start_seconds=round(self._agent.kernel_start_seconds + seconds, 3))
        await self._opened(self._session)
        return self._session

    def _new_session(self) -> NotebookSession:
        return self._shop.open_session(self._agent.id, self._resources)

    async def _opened(self, session: NotebookSession) -> None:  # noqa: B027  most agents need nothing here
        """Called once after the session's first kernel has started."""

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- the end

    async def _report(self, reason: str) -> Report | None:
        """The agent's own report, or one made from its records when it cannot be asked any more."""
        if not self._cells:
            return None
        self._update(status="reporting", goal="writing the report")
        lines = [f"cell {one.step}: {evaluation_text(one, None)}" for one in self._evaluations]
        try:
            written = await self._written_report("\n".join(lines) or "none")
        except (ModelError, MalformedReply, LimitReached) as error:
            self._event("report_missing", f"The agent wrote no report: {error.message}")
            written = self._fallback_report(reason or error.message, lines)
        score = self._best.score("feedback") if self._best else None
        return Report(
            id=report_id(self._agent.round, 800 + self._agent.index),
            round=self._agent.round,
            kind="solution",
            subject=self._agent.id,
            title=self._agent.title,
            pipeline=written.pipeline,
            summary=written.summary,
            scores=written.marks,
            local_score=score.value if score else None,
            created_at=self._now(),
        )

    def _fallback_report(self, reason: str, lines: Sequence[str]) -> SolutionReport:
        code = solution_script(self._shop.store, self._agent.id, self._agent.max_steps)
        summary = f"Made from the agent's records, since it ended early: {reason}.\n\n" + "\n".join(lines)
        return SolutionReport(
            f"{draft_text(self._draft)}\n\n```python\n{code}\n```", summary, dict.fromkeys(MARKS, 0.0)
        )

    def _write_notebook(self) -> None:
        path = self._shop.folder.notebook(self._agent.id)
        write_agent_notebook(path, self._cells, title=self._draft.title, outputs=self._outputs)

    def _update(self, **changes: object) -> None:
        self._agent = replace(self._agent, **changes)  # type: ignore[arg-type]
        self._shop.store.save(self._agent)

    def _event(self, kind: str, message: str) -> None:
        self._shop.store.event(kind, message, agent=self._agent.id, round=self._agent.round)

    def _now(self) -> str:
        return stamp(self._shop.clock.now())


def report_id(round: int, place: int) -> str:
    """Numbers that a resumed run gives again: kernels from 1, discussions from 501, solutions from 801."""
    return f"report-{round * 1000 + place:04d}"
