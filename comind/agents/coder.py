"""One coding agent: ReAct in one live notebook (CoMind paper, Coding Agent).

What it shares with other agents is `comind.agents.work`; where its notebook runs is an argument
(`comind.agents.executor`). When a resumed run comes back to it, the kernel is rebuilt by running cheap cells
once more.
"""

from __future__ import annotations

from dataclasses import dataclass

from comind.agents.conversation import Conversation
from comind.agents.executor import Executor, Predicted
from comind.agents.work import AgentAtWork, Assignment
from comind.llm.client import CallKey
from comind.llm.question import ask_parsed
from comind.roles.briefing import draft_text, files_text, limits_text
from comind.roles.coder import (
    SolutionReport,
    Turn,
    parse_report,
    parse_turn,
    report_without_marks,
    short_report,
)
from comind.state.records import Cell, Evaluation
from kaggle_runner.notebook.session import CellLimits, CellResult, NotebookSession

REPLAY_CELL_SECONDS = 60.0
REPLAY_TOTAL_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Step:
    """One finished turn as the conversation shows it."""

    turn: Turn
    cell: Cell
    evaluation: Evaluation | None


class CodingAgent(AgentAtWork):
    """Implements one draft, a goal and a cell a turn."""

    def __init__(self, given: Assignment, executor: Executor) -> None:
        super().__init__(given, executor)
        self._steps: list[Step] = []
        self._session_note = ""
        self._talk = self._opening()

    async def _work(self) -> str:
        return await self._take_turns(self._think, self._act)

    async def _act(self, step: int, turn: Turn) -> bool:
        """Run the turn's cell and observe what came of it. False where it has none: the work is done."""
        if not turn.code.strip():
            self._bench.update(step=step - 1)
            return False
        cell = await self._run_cell(step, turn.goal, turn.code)
        evaluation, predicted = None, Predicted(None)
        if turn.submits:
            names = (turn.validation_submission, turn.submission)
            evaluation, predicted = await self._grade(cell, names)
        self._steps.append(Step(turn, cell, evaluation))
        self._write_notebook()
        best = self._best.score("feedback") if self._best else None
        self._talk.observed(
            cell, evaluation, best, self._limits(step + 1),
            fault=turn.fault or predicted.fault, kernel=predicted.kernel,
        )  # fmt: skip
        return True

    async def _think(self, step: int) -> Turn:
        key = CallKey(self.agent.id, step, "turn")
        parsed = await ask_parsed(self._shop.desk.client, "coder", key, self._talk.fitting(), parse_turn)
        self._talk.replied(parsed.value.text)
        return parsed.value

    def _told(self, result: CellResult) -> str:
        note, self._session_note = self._session_note, ""
        return f"[{note}]\n{result.text}" if note else result.text

    async def _opened(self, session: NotebookSession) -> None:
        if self._steps:
            self._session_note = await self._replay(session)

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
            log = self._shop.folder.cell_log(self.agent.id, cell.step).with_suffix(".replay.log")
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

    def _opening(self) -> Conversation:
        brief = self._shop.brief
        datasets = {
            name: sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
            for name, folder in self._bench.datasets.items()
        }
        values = {
            "competition": brief.competition,
            "metric": brief.metric,
            "machine": brief.machine,
            "kaggle": self._executor.told(self._bench),
            "files": files_text(
                self._bench.data_name, datasets, usual=self._shop.evaluator.profile.has_ready_split
            ),
            "data": brief.data,
            "draft": draft_text(self._draft),
            "limits": self._limits(1),
        }
        return Conversation(self._shop.desk.prompts, self._shop.context_tokens, values)

    def _limits(self, step: int) -> str:
        seconds = max(0.0, self._bench.seconds_left)
        cell_seconds = min(self._shop.cell_seconds, seconds)
        text = limits_text(step, self.agent.max_steps, seconds, cell_seconds)
        if self._best is None and step > self.agent.max_steps // 2:
            text += "\nno valid pair of prediction files yet: write a simple one first, then improve"
        return text

    async def _written_report(self, evaluations: str) -> SolutionReport:
        key = CallKey(self.agent.id, self.agent.max_steps + 1, "report")
        messages = self._talk.asking_for_report(evaluations)
        desk = self._shop.desk
        asked = ask_parsed(
            desk.client, "coder", key, messages, parse_report,
            attempts=2, lenient=report_without_marks, smaller=short_report(desk.prompts, messages),
        )  # fmt: skip
        return (await asked).value
