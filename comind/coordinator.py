"""The loop of the paper, top to bottom: sample, analyse, propose, draft, code in parallel, publish, again.

A newcomer starts here. Each step is recorded before the next builds on it, and every step first looks for its
own record, so a resumed run walks through what is done without asking or running anything twice. The steps
are `comind.round.study`, `comind.round.proposal`, `comind.round.drafts`, `comind.agents.coder` and
`comind.community.publication`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from comind.agents.coder import CodingAgent
from comind.agents.executor import Executor
from comind.agents.scripter import ScriptAgent, hints_from, prepare_view, script_drafts
from comind.agents.work import AgentAtWork, Assignment
from comind.agents.workshop import Workshop
from comind.analysis.standings import select_best
from comind.community.publication import publish
from comind.config import RunConfig
from comind.roles import briefing
from comind.round.drafts import write_drafts
from comind.round.knowledge import Knowledge
from comind.round.proposal import propose_ideas
from comind.round.study import analyze_sample, draw_sample
from comind.round.verification import most_promising, verify_kernels, verifying_seconds
from comind.run.solutions import solution_script
from comind.state.records import Agent, Dataset, Discussion, Draft, Evaluation, Event, Kernel, Push, Report
from kaggle_runner.errors import ComindError, LimitReached
from kaggle_runner.score import Score, better_beyond_noise

_AT_ONCE = 2
"""Community kernels that run at the same time."""
_VERIFYING_SHARE = 0.1
"""Of the time that is left, for running kernels in one round."""
_LEAST_SHARE = 10.0
"""Seconds; with less, the agents need all that is left."""
_LEAST_SECONDS = 20.0
"""For one kernel, in however short a run."""


class Coordinator:
    """Leads one run. `run` returns why it ended; everything else is in the store."""

    def __init__(
        self,
        shop: Workshop,
        config: RunConfig,
        baseline: Score | None,
        *,
        executor: Executor,
        after_round: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """`executor`: where coding agents' notebooks run.

        `after_round` is told each round that ended, before the next one begins (comind.run.submission).
        """
        self._shop = shop
        self._store = shop.store
        self._config = config
        self._executor = executor
        self._after_round = after_round
        self._known = Knowledge(shop, config, briefing.Room.of(config.context_tokens), baseline)

    async def run(self) -> str:
        """Rounds until they are done, or time, money, plateau or a person ends them."""
        for round in range(1, self._config.rounds + 1):
            reason = self._shop.control.stop_reason() or self._plateau(round)
            if reason:
                return reason
            self._save_run(round=round)
            if not self._store.count(Event, "kind = 'round' AND round = ?", (round,)):
                self._known.event("round", f"Round {round} of {self._config.rounds} begins", round)
            try:
                await self.run_round(round)
                if self._after_round is not None:
                    await self._after_round(round)
            except LimitReached as error:
                return error.message
        return self._shop.control.stop_reason()

    async def run_round(self, round: int) -> None:
        """One round of the paper's loop."""
        drafts = await self._plan(round)
        agents = await self._code(round, drafts)
        await self._publish(agents)

    async def _plan(self, round: int) -> list[Draft]:
        """What this round's agents are to do: sample, analyse, propose, draft."""
        sample = draw_sample(self._known, round)
        if self._config.coding == "script":
            await self._verify(sample.kernels)
            return script_drafts(self._shop, round, self._config.coders)
        # kernels run while the model reads: neither waits for the other
        await asyncio.gather(analyze_sample(self._known, round, sample), self._verify(sample.kernels))
        await propose_ideas(self._known, round)
        return await write_drafts(self._known, round)

    async def _verify(self, kernels: Sequence[Kernel]) -> None:
        """Sampled kernels get a score of our own; script agents also need the view they are run on.

        Where agents write their own notebooks, kernels are begun for about a tenth of the time left, the most
        promising first, and none near the end; the others wait for a later round.
        """
        if self._config.coding == "script":
            await prepare_view(self._shop)
        if not self._config.verify_kernels:
            return
        left = self._shop.control.working_seconds_left
        seconds, within = verifying_seconds(left, self._shop.cell_seconds), math.inf
        if self._config.coding == "notebook":
            share = _VERIFYING_SHARE * left
            within = share if share >= _LEAST_SHARE else -1.0
            seconds = min(seconds, max(_LEAST_SECONDS, 2 * share))
        higher = self._shop.evaluator.profile.higher_is_better
        kernels = most_promising(kernels, higher=higher)
        await verify_kernels(self._shop, kernels, seconds=seconds, within=within, at_once=_AT_ONCE)

    async def _code(self, round: int, drafts: Sequence[Draft]) -> list[Agent]:
        """All agents of the round at once, each with an equal share of what time is left for it."""
        rounds_left = self._config.rounds - round + 1
        seconds = self._shop.control.working_seconds_left / rounds_left
        return list(await asyncio.gather(*(self._run_agent(draft, seconds) for draft in drafts)))

    async def _run_agent(self, draft: Draft, seconds: float) -> Agent:
        recorded = self._store.get(Agent, draft.id)
        if recorded is not None and recorded.finished_at:
            return recorded
        agent = recorded or Agent(
            id=draft.id,
            round=draft.round,
            index=int(draft.id.rpartition("a")[2]),
            title=draft.title,
            max_steps=self._config.steps,
            style=self._config.coding,
        )
        self._store.save(agent)
        seconds = self._share(draft.id, seconds)
        coding = self._agent_at_work(agent, draft, seconds)
        try:
            return await coding.run()
        except ComindError as error:
            # one agent's broken session must not end the others; the run goes on with them
            failed = replace(
                coding.agent, status="failed", stop_reason=error.message, finished_at=self._known.now()
            )
            self._store.save(failed)
            self._known.event("agent_failed", str(error), draft.round, agent=draft.id)
            return failed

    def _share(self, agent: str, seconds: float) -> float:
        """At most the person's limit, of which an agent that goes on after a resume has used a part."""
        limit = self._config.agent_time_limit
        if limit is None:
            return seconds
        used = sum(work.seconds for work in self._store.work() if work.agent == agent)
        return min(seconds, limit - used)

    def _agent_at_work(self, agent: Agent, draft: Draft, seconds: float) -> AgentAtWork:
        given = Assignment(self._shop, agent, draft, seconds, self._resources(draft))
        if self._config.coding == "notebook":
            return CodingAgent(given, self._executor)
        base = next((one for one in self._known.board() if one.evaluation.agent == draft.parent), None)
        discussions = self._store.all(Discussion, order="votes DESC")
        titles = [one.title for one in self._store.all(Kernel, "origin = 'upstream'", order="votes DESC")]
        hints = hints_from(discussions, titles, self._config.context_tokens // 8)
        return ScriptAgent(given, start=base.score if base else None, hints=hints)

    def _resources(self, draft: Draft) -> dict[str, Path]:
        paths = {dataset.id.split("/")[-1]: dataset.path for dataset in self._store.all(Dataset)}
        return {name: self._shop.folder.path / paths[name] for name in draft.resources if name in paths}

    async def _publish(self, agents: Sequence[Agent]) -> None:
        """What worked goes back to the community; the next round sees it like anyone's."""
        for agent in agents:
            evaluation = self._store.get(Evaluation, agent.best_evaluation)
            published = self._store.get(Kernel, f"comind/{agent.id}")
            if evaluation is None or published is not None:
                continue
            draft = self._store.get(Draft, agent.id)
            await publish(
                self._store,
                self._shop.folder,
                agent,
                evaluation,
                source=solution_script(self._store, agent.id, evaluation.step),
                used=draft.resources if draft else [],
                clock=self._shop.clock,
                competition=self._shop.slug,
                parent=self._kernel_behind(draft.parent) if draft else "",
                outputs=self._outputs(evaluation),
            )
            self._known.event(
                "published", f"{agent.title}: notebook and outputs", agent.round, agent=agent.id
            )
        champion = select_best(self._store.all(Evaluation))
        if champion is not None:
            self._save_run(best_evaluation=champion.evaluation.id)

    def _outputs(self, evaluation: Evaluation) -> Path | None:
        """Where a pushed kernel's output came home to: the agent's own workspace holds a sample's results."""
        pushed = self._store.get(Push, evaluation.id)
        return self._shop.folder.pushed(pushed.agent, pushed.step) / "output" if pushed else None

    def _kernel_behind(self, parent: str) -> str:
        """The kernel that a draft starts from, be it named by itself, by its agent or by a report on it."""
        report = self._store.get(Report, parent)
        subject = report.subject if report else parent
        names = [subject, f"comind/{subject}"]
        return next((name for name in names if self._store.get(Kernel, name)), "")

    def _plateau(self, round: int) -> str:
        """A reason when the last rounds brought no gain beyond noise on the selection rows."""
        patience = self._config.plateau_rounds
        if not patience or round <= patience + 1:
            return ""
        evaluations = self._store.all(Evaluation)
        recent = select_best(one for one in evaluations if one.round >= round - patience)
        earlier = select_best(one for one in evaluations if one.round < round - patience)
        if recent is None or earlier is None or better_beyond_noise(recent.score, earlier.score):
            return ""
        return f"no gain beyond noise in {patience} rounds"

    def _save_run(self, *, round: int | None = None, best_evaluation: str = "") -> None:
        run = self._store.run()
        assert run is not None, "the engine writes the run's row before its coordinator starts"
        run = replace(run, round=round if round is not None else run.round)
        self._store.save(replace(run, best_evaluation=best_evaluation or run.best_evaluation))
