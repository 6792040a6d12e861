"""What every step of a round works with: the workshop, the settings, and what the run knows as prompt text.

It decides nothing and asks nobody; the steps are `comind.round.study`, `comind.round.proposal` and
`comind.round.drafts`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from comind.agents.workshop import Workshop
from comind.analysis.evidence import Evidence, WeakClaim
from comind.analysis.graph import build_graph
from comind.analysis.members import complementary, prediction_correlations, redundant
from comind.analysis.standings import Standing, best_of_each_agent, standings
from comind.config import RunConfig
from comind.llm.formats import MalformedReply
from comind.roles import briefing
from comind.roles.briefing import KernelRun
from comind.state.records import Agent, Evaluation, Idea, Kernel, Link, Report
from comind.state.store import Store
from kaggle_runner.errors import ModelError
from kaggle_runner.moments import stamp
from kaggle_runner.score import Score

T = TypeVar("T")

SKIPPABLE = (MalformedReply, ModelError)
"""A reply that could not be had or read: the step goes on without it, with an event."""

_COMPARED = 24
"""Solutions whose predictions are compared pairwise, the best."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """One run's shared means. `baseline` is the sample submission's feedback score."""

    shop: Workshop
    config: RunConfig
    room: briefing.Room
    baseline: Score | None

    @property
    def store(self) -> Store:
        return self.shop.store

    @property
    def higher_is_better(self) -> bool:
        return self.shop.evaluator.profile.higher_is_better

    def board(self) -> list[Standing]:
        """What agents may know: each one's best on the feedback rows."""
        return best_of_each_agent(standings(self.store.all(Evaluation), "feedback"))

    def leaderboard_text(self) -> str:
        titles = {agent.id: agent.title for agent in self.store.all(Agent)}
        return briefing.leaderboard_text(self.board(), titles, self.baseline)

    def reports_text(self, characters: int) -> str:
        reports = self.store.all(Report)
        runs = {run.kernel: run for run in self.kernel_runs()}
        headings = {one.id: briefing.report_heading(one, runs.get(one.subject)) for one in reports}
        return briefing.reports_text(reports, headings, characters=characters)

    def kernel_runs(self) -> list[KernelRun]:
        """Verified kernels, best feedback score first, then those that failed."""
        kernels = {one.verified_by: one.id for one in self.store.all(Kernel, "verified != ''")}
        board = self.board()
        ran = [
            KernelRun(kernels.pop(one.evaluation.agent), one.score)
            for one in board
            if one.evaluation.agent in kernels
        ]
        return ran + [KernelRun(id, None) for id in sorted(kernels.values())]

    def evidence_text(self, evidence: Evidence, retest: WeakClaim | None = None) -> str:
        ideas = self.store.all(Idea)
        return briefing.evidence_text(evidence, ideas, characters=self.room.ideas // 2, retest=retest)

    async def lineage_text(self) -> str:
        """Prediction files are read in a thread: they may be large."""
        board = self.board()
        folder = self.shop.folder.path
        files = {one.evaluation.agent: one.evaluation.validation_submission for one in board[:_COMPARED]}
        paths = {agent: folder / path for agent, path in files.items() if path}
        correlations = await asyncio.to_thread(prediction_correlations, paths)
        links = self.store.all(Link)
        return briefing.lineage_text(
            build_graph(links),
            links,
            complementary(board, correlations, self.baseline),
            redundant(board, correlations),
            characters=self.room.ideas // 3,
        )

    async def or_skip(self, work: Awaitable[T], lost: str, round: int) -> T | None:
        """What `work` gives, or None and an event that says what was `lost`."""
        try:
            return await work
        except SKIPPABLE as error:
            self.event("skipped", f"{lost}: {error.message}", round)
            return None

    def event(self, kind: str, message: str, round: int, *, agent: str = "") -> None:
        self.store.event(kind, message, agent=agent, round=round)

    def now(self) -> str:
        return stamp(self.shop.clock.now())
