"""One coding agent: ReAct in one live notebook (comind.md, Coding Agent).

Everything is recorded before it is used, so a resumed run walks the same way again: replies, ended cells
and evaluations come from the store, and the kernel is rebuilt by running cheap cells once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from comind.briefing import draft_text, evaluation_text, files_text, limits_text
from comind.clock import Clock, stamp
from comind.control import Control
from comind.conversation import Conversation
from comind.evaluator.evaluator import Evaluator
from comind.llm.asking import ask_parsed
from comind.llm.client import CallKey
from comind.llm.parsing import MalformedReply
from comind.records import Agent, Cell, Draft, Evaluation, Report
from comind.roles.coder import MARKS, SolutionReport, Turn, parse_report, parse_turn
from comind.roles.desk import Brief, Desk
from comind.runs import RunFolder
from comind.scores import better
from comind.solutions import solution_script, write_agent_notebook
from comind.store import Store
from comind.watching import CellUnderWatch, Watcher
from kaggle_runner.errors import LimitReached, ModelError
from kaggle_runner.session import CellLimits, CellResult, NotebookSession

REPLAY_CELL_SECONDS = 60.0
REPLAY_TOTAL_SECONDS = 600.0
LOST_TURNS = 3
"""Turns in a row without a readable reply after which an agent gives up."""


class OpenSession(Protocol):
    """Makes the agent's notebook session; the engine knows how code is confined."""

    def __call__(self, agent: str, resources: Mapping[str, Path]) -> NotebookSession: ...


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all coding agents of a run share."""

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
    monotonic: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Step:
    """One finished turn as the conversation shows it."""

    turn: Turn
    cell: Cell
    evaluation: Evaluation | None


class CodingAgent:
    """Implements one draft. `run` always returns; what went wrong is in the agent's record and the events."""

    def __init__(
        self, shop: Workshop, agent: Agent, draft: Draft, *, seconds: float, resources: Mapping[str, Path]
    ) -> None:
        """`seconds` is this agent's share of the run's time; `resources` are datasets by mount name."""
        self._shop = shop
        self._agent = agent
        self._draft = draft
        self._resources = resources
        self._deadline = shop.control.seconds_used + seconds
        self._steps: list[Step] = []
        self._best: Evaluation | None = None
        self._outputs: dict[int, list[dict[str, Any]]] = {}
        self._session: NotebookSession | None = None
        self._session_note = ""
        self._talk = self._opening()

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
        self._event(
            "agent_done",
            f"{status}: best feedback score {best}" if best else f"{status}: nothing valid",
        )
        return self._agent

    async def _work(self) -> str:
        """The turns. Returns why they ended early, or nothing."""
        lost = 0
        for step in range(1, self._agent.max_steps + 1):
            await self._shop.control.wait_while_paused()
            reason = self._must_stop()
            if reason:
                return reason
            self._update(status="thinking", step=step)
            try:
                turn = await self._think(step)
            except MalformedReply as error:
                lost += 1
                if lost == LOST_TURNS:
                    raise
                self._event("turn_lost", f"step {step} was lost: {error.message}")
                continue
            lost = 0
            if not turn.code.strip():
                self._update(step=step - 1)
                return ""
            cell = await self._run_cell(step, turn)
            evaluation = await self._evaluate(step, turn, cell)
            self._steps.append(Step(turn, cell, evaluation))
            self._write_notebook()
            best = self._best.score("feedback") if self._best else None
            self._talk.observed(cell, evaluation, best, self._limits(step + 1), fault=turn.fault)
        return ""

    def _must_stop(self) -> str:
        reason = self._shop.control.stop_reason(self._agent.id)
        return reason or ("this agent's time is over" if self.seconds_left <= 0 else "")

    # --- one turn

    async def _think(self, step: int) -> Turn:
        key = CallKey(self._agent.id, step, "turn")
        parsed = await ask_parsed(self._shop.desk.client, "coder", key, self._talk.fitting(), parse_turn)
        self._talk.replied(parsed.value.text)
        return parsed.value

    async def _run_cell(self, step: int, turn: Turn) -> Cell:
        cell_id = f"{self._agent.id}-s{step:02d}"
        recorded = self._shop.store.get(Cell, cell_id)
        if recorded is not None and recorded.status != "running":
            return recorded
        session = await self._open()
        log = self._shop.folder.cell_log(self._agent.id, step)
        log.parent.mkdir(parents=True, exist_ok=True)
        cell = Cell(
            id=cell_id,
            agent=self._agent.id,
            step=step,
            goal=turn.goal,
            code=turn.code,
            log_path=self._shop.folder.relative(log),
            started_at=self._now(),
        )
        self._shop.store.save(cell)
        self._update(status="running", goal=turn.goal)
        self._event("cell", f"cell {step}: {turn.goal}")
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
        return cell

    async def _execute(self, session: NotebookSession, cell: Cell, log: Path) -> CellResult:
        seconds = max(1.0, min(self._shop.cell_seconds, self.seconds_left))
        watcher = Watcher(
            session,
            CellUnderWatch(cell.agent, cell.step, cell.goal, cell.code, seconds),
            desk=self._shop.desk,
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
        note, self._session_note = self._session_note, ""
        return f"[{note}]\n{result.text}" if note else result.text

    async def _evaluate(self, step: int, turn: Turn, cell: Cell) -> Evaluation | None:
        if not turn.submits:
            return None
        evaluation = self._shop.store.get(Evaluation, cell.id)
        if evaluation is None:
            self._update(status="grading")
            evaluation = await self._shop.evaluator.evaluate(
                cell.id,
                workspace=self._shop.folder.workspace(self._agent.id),
                validation_name=turn.validation_submission,
                submission_name=turn.submission,
                agent=self._agent.id,
                round=self._agent.round,
                step=step,
            )
            evaluation = replace(evaluation, submission_name=turn.submission)
            self._shop.store.save(evaluation)
            score = evaluation.score("feedback")
            self._event(
                "evaluation", f"feedback score {score}" if score else f"not valid: {evaluation.message}"
            )
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
        self._session = self._shop.open_session(self._agent.id, self._resources)
        seconds = await self._session.start()
        self._update(kernel_start_seconds=round(self._agent.kernel_start_seconds + seconds, 3))
        if self._steps:
            self._session_note = await self._replay(self._session)
        return self._session

    async def _replay(self, session: NotebookSession) -> str:
        """Rebuild variables after an engine restart: cheap finished cells, in order, to the first error."""
        done: list[int] = []
        spent = 0.0
        for step in self._steps:
            cell = step.cell
            if cell.status != "ok":
                continue
            if cell.seconds > REPLAY_CELL_SECONDS or spent + cell.seconds > REPLAY_TOTAL_SECONDS:
                break
            spent += cell.seconds
            log = self._shop.folder.cell_log(self._agent.id, cell.step).with_suffix(".replay.log")
            limits = CellLimits(seconds=4 * REPLAY_CELL_SECONDS, memory_bytes=self._shop.memory_bytes)
            result = await session.execute(cell.code, log_path=log, limits=limits)
            if result.status != "ok":
                break
            done.append(cell.step)
        lost = [
            step.cell.step for step in self._steps if step.cell.status == "ok" and step.cell.step not in done
        ]
        note = f"The kernel was restarted. Cells run again: {done or 'none'}."
        return note + (f" Not run again, so their variables are gone: {lost}." if lost else "")

    async def _close_session(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- the conversation

    def _opening(self) -> Conversation:
        brief = self._shop.brief
        resources = {
            name: sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            for name, folder in self._resources.items()
        }
        values = {
            "competition": brief.competition,
            "metric": brief.metric,
            "machine": brief.machine,
            "files": files_text(self._shop.slug, resources),
            "data": brief.data,
            "draft": draft_text(self._draft),
            "limits": self._limits(1),
        }
        return Conversation(self._shop.desk.prompts, self._shop.context_tokens, values)

    def _limits(self, step: int) -> str:
        seconds = max(0.0, self.seconds_left)
        cell_seconds = min(self._shop.cell_seconds, seconds)
        text = limits_text(step, self._agent.max_steps, seconds, cell_seconds)
        if self._best is None and step > self._agent.max_steps // 2:
            text += "\nno valid pair of prediction files yet: write a simple one first, then improve"
        return text

    # --- the end

    async def _report(self, reason: str) -> Report | None:
        """The agent's own report, or one made from its records when it cannot be asked any more."""
        if not self._steps:
            return None
        self._update(status="reporting", goal="writing the report")
        lines = [
            f"cell {step.cell.step}: {evaluation_text(step.evaluation, None)}"
            for step in self._steps
            if step.evaluation
        ]
        key = CallKey(self._agent.id, self._agent.max_steps + 1, "report")
        try:
            messages = self._talk.asking_for_report("\n".join(lines) or "none")
            written = (await ask_parsed(self._shop.desk.client, "coder", key, messages, parse_report)).value
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
        cells = [step.cell for step in self._steps]
        path = self._shop.folder.notebook(self._agent.id)
        write_agent_notebook(path, cells, title=self._draft.title, outputs=self._outputs)

    def _update(self, **changes: object) -> None:
        self._agent = replace(self._agent, **changes)  # type: ignore[arg-type]
        self._shop.store.save(self._agent)

    def _event(self, kind: str, message: str) -> None:
        self._shop.store.event(kind, message, agent=self._agent.id, round=self._agent.round)

    def _now(self) -> str:
        return stamp(self._shop.clock())


def report_id(round: int, place: int) -> str:
    """Numbers that a resumed run gives again: kernels from 1, discussions from 501, solutions from 801."""
    return f"report-{round * 1000 + place:04d}"
