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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from comind.agents.executor import Executor, Predicted
from comind.agents.workshop import Workbench, Workshop
from comind.llm.formats import MalformedReply
from comind.roles.briefing import draft_text, evaluation_text
from comind.roles.coder import MARKS, SolutionReport
from comind.run.solutions import solution_script, write_agent_notebook
from comind.state.records import Agent, Cell, Draft, Evaluation, Event, Report
from kaggle_runner.errors import LimitReached, ModelError
from kaggle_runner.notebook.session import CellLimits, CellResult, NotebookSession
from kaggle_runner.packages.overlay import installed
from kaggle_runner.score import better

KILLS_OF_A_CELL = 2
"""A cell that was running when the engine was killed is run again until it was killed so often."""
Asked = TypeVar("Asked")


class Assignment(NamedTuple):
    """What an agent is given to work on."""

    shop: Workshop
    agent: Agent
    draft: Draft
    seconds: float
    """Its share of the run's time."""
    resources: Mapping[str, Path]
    """Datasets by name."""


class AgentAtWork(ABC):
    """One agent's life. `run` always returns; what went wrong is in the agent's record and the events."""

    model_watches = True
    """Whether the monitor may ask the model about a running cell, beside its rules."""
    lost_turns = 3
    """In a row, without a readable reply; then it gives up."""

    def __init__(self, given: Assignment, executor: Executor) -> None:
        self._shop = given.shop
        self._draft = given.draft
        self._executor = executor
        self._bench = Workbench(
            given.shop,
            given.agent,
            seconds=given.seconds,
            data_name=executor.data_name,
            data=executor.data,
            datasets={executor.dataset_name(name): folder for name, folder in given.resources.items()},
            model_watches=self.model_watches,
        )
        self._cells: list[Cell] = []
        self._evaluations: list[Evaluation] = []
        self._best: Evaluation | None = None
        self._outputs: dict[int, list[dict[str, Any]]] = {}
        self._lost = ""
        """What was wrong with the last reply, where it could not be read."""
        self._session: NotebookSession | None = None

    @property
    def agent(self) -> Agent:
        return self._bench.agent

    @property
    def best(self) -> Evaluation | None:
        """The best valid evaluation by feedback score, the one that the agent itself knows."""
        return self._best

    async def run(self) -> Agent:
        """Work until done, stopped, or out of steps, time or money; then report. Returns the final record."""
        self._bench.update(status="thinking", started_at=self.agent.started_at or self._bench.now())
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
        self._bench.update(status=status, stop_reason=reason, finished_at=self._bench.now(), goal="")
        best = self._best.score("feedback") if self._best else None
        told = f"best feedback score {best}" if best else "nothing valid"
        self._bench.event("agent_done", f"{status}: {told}" + (f"; {reason}" if reason else ""))
        return self.agent

    @abstractmethod
    async def _work(self) -> str:
        """The turns. Returns why they ended early, or nothing."""

    async def _take_turns(
        self, think: Callable[[int], Awaitable[Asked]], act: Callable[[int, Asked], Awaitable[bool]]
    ) -> str:
        """A turn a step, until `act` returns False. Returns why they ended early, or nothing.

        A step whose reply cannot be read is lost; the last MalformedReply of `lost_turns` in a row is raised.
        """
        lost = 0
        for step in range(1, self.agent.max_steps + 1):
            await self._shop.control.wait_while_paused()
            if reason := self._bench.must_stop():
                return reason
            self._bench.update(status="thinking", step=step)
            try:
                asked = await think(step)
            except MalformedReply as error:
                lost += 1
                if lost == self.lost_turns:
                    raise
                self._lost = error.message
                self._bench.event("turn_lost", f"step {step} was lost: {error.message}")
                continue
            lost, self._lost = 0, ""
            if not await act(step, asked):
                break
        return ""

    async def _written_report(self, evaluations: str) -> SolutionReport | None:
        """The agent's own report; None for work that ends without one.

        Raises ModelError, MalformedReply or LimitReached when it cannot be had.
        """
        return None

    # --- cells

    async def _run_cell(self, step: int, goal: str, code: str) -> Cell:
        """The recorded cell of this step, or the code run now; recorded either way when it returns."""
        cell_id = f"{self.agent.id}-s{step:02d}"
        recorded = self._shop.store.get(Cell, cell_id)
        if recorded is not None and recorded.status == "running":
            recorded = self._given_up(recorded)
        if recorded is not None:
            self._cells.append(recorded)
            return recorded
        session = await self._open()
        log = self._shop.folder.cell_log(self.agent.id, step)
        log.parent.mkdir(parents=True, exist_ok=True)
        cell = Cell(
            id=cell_id,
            agent=self.agent.id,
            step=step,
            goal=goal,
            code=code,
            log_path=self._shop.folder.relative(log),
            started_at=self._bench.now(),
        )
        self._shop.store.save(cell)
        self._bench.update(status="running", goal=goal)
        self._bench.event("cell", f"cell {step}: {goal}")
        result = await self._execute(session, cell, log)
        cell = replace(
            cell,
            status=result.status,
            output=self._told(result),
            error_name=result.error_name,
            images=result.images,
            seconds=round(result.seconds, 3),
            kernel_generation=result.kernel_generation,
            finished_at=self._bench.now(),
        )
        self._shop.store.save(cell)
        if result.status != "ok":
            what = result.error_name or result.detail
            self._bench.event("cell_failed", f"cell {step}: {result.status} {what}".strip())
        self._outputs[step] = result.outputs
        self._cells.append(cell)
        await self._note_packages()
        return cell

    async def _note_packages(self) -> None:
        """Record what was installed, so that the solution's needs are known."""
        if not self._shop.installs:
            return
        there = await asyncio.to_thread(installed, self._bench.workspace)
        if there != self.agent.packages:
            new = ", ".join(sorted(set(there) - set(self.agent.packages)))
            self._bench.update(packages=there)
            self._bench.event("packages", f"installed {new}" if new else "installed packages were removed")

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
                round=self.agent.round,
                data={"cell": cell.id, "started_at": cell.started_at},
            )
        if len(starts) < KILLS_OF_A_CELL:
            return None
        note = "[This cell was running when the engine ended, twice. It was not run again.]"
        cell = replace(cell, status="interrupted", output=note, finished_at=self._bench.now())
        self._shop.store.save(cell)
        return cell

    async def _execute(self, session: NotebookSession, cell: Cell, log: Path) -> CellResult:
        seconds = max(1.0, min(self._shop.cell_seconds, self._bench.seconds_left))
        limits = CellLimits(seconds=seconds, memory_bytes=self._shop.memory_bytes)
        async with self._bench.watching(session, cell, seconds):
            return await session.execute(cell.code, log_path=log, limits=limits)

    def _told(self, result: CellResult) -> str:
        """What the agent is shown; the session's text says itself when its kernel was lost."""
        return result.text

    # --- predictions

    async def _grade(self, cell: Cell, names: tuple[str, str]) -> tuple[Evaluation | None, Predicted]:
        """The evaluation of the cell's predictions, recorded, and where they came from. The best is kept."""
        predicted = await self._executor.predictions(self._bench, cell, names)
        if predicted.folder is None:
            return None, predicted
        evaluation = self._shop.store.get(Evaluation, cell.id)
        if evaluation is None:
            self._bench.update(status="grading")
            evaluation = await self._shop.evaluator.evaluate(
                cell.id,
                workspace=predicted.folder,
                validation_name=names[0],
                submission_name=names[1],
                agent=self.agent.id,
                round=self.agent.round,
                step=cell.step,
            )
            evaluation = replace(evaluation, submission_name=names[1])
            self._shop.store.save(evaluation)
            score = evaluation.score("feedback")
            self._bench.event(
                "evaluation", f"feedback score {score}" if score else f"not valid: {evaluation.message}"
            )
        self._evaluations.append(evaluation)
        score = evaluation.score("feedback")
        champion = self._best.score("feedback") if self._best else None
        if score is not None and better(score, champion):
            self._best = evaluation
            self._bench.update(best_evaluation=evaluation.id)
        return evaluation, predicted

    # --- the session

    async def _open(self) -> NotebookSession:
        if self._session is not None:
            return self._session
        workspace = self._bench.workspace
        workspace.mkdir(parents=True, exist_ok=True)
        self._session = self._bench.open_notebook(self.agent.id, workspace)
        seconds = await self._session.start()
        self._bench.update(kernel_start_seconds=round(self.agent.kernel_start_seconds + seconds, 3))
        await self._opened(self._session)
        return self._session

    async def _opened(self, session: NotebookSession) -> None:  # noqa: B027  most agents need nothing here
        """Called once after the session's first kernel has started."""

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- the end

    async def _report(self, reason: str) -> Report | None:
        """The agent's own report, or one made from its records when it cannot be asked any more; or none."""
        if not self._cells:
            return None
        self._bench.update(status="reporting", goal="writing the report")
        lines = [f"cell {one.step}: {evaluation_text(one, None)}" for one in self._evaluations]
        try:
            written = await self._written_report("\n".join(lines) or "none")
        except (ModelError, MalformedReply, LimitReached) as error:
            self._bench.event("report_missing", f"The agent wrote no report: {error.message}")
            written = self._fallback_report(reason or error.message, lines)
        if written is None:
            return None
        score = self._best.score("feedback") if self._best else None
        return Report(
            id=report_id(self.agent.round, 800 + self.agent.index),
            round=self.agent.round,
            kind="solution",
            subject=self.agent.id,
            title=self.agent.title,
            pipeline=written.pipeline,
            summary=written.summary,
            scores=written.marks,
            local_score=score.value if score else None,
            created_at=self._bench.now(),
        )

    def _fallback_report(self, reason: str, lines: Sequence[str]) -> SolutionReport:
        code = solution_script(self._shop.store, self.agent.id, self.agent.max_steps)
        summary = f"Made from the agent's records, since it ended early: {reason}.\n\n" + "\n".join(lines)
        return SolutionReport(
            f"{draft_text(self._draft)}\n\n```python\n{code}\n```", summary, dict.fromkeys(MARKS, 0.0)
        )

    def _write_notebook(self) -> None:
        path = self._shop.folder.notebook(self.agent.id)
        write_agent_notebook(path, self._cells, title=self._draft.title, outputs=self._outputs)


def report_id(round: int, place: int) -> str:
    """Numbers that a resumed run gives again: kernels from 1, discussions from 501, solutions from 801."""
    return f"report-{round * 1000 + place:04d}"
