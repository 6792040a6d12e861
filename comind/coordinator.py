"""The loop of the paper, top to bottom: sample, analyse, propose, draft, code in parallel, publish, again.

A newcomer starts here. Each step is recorded before the next builds on it, and every step first looks for its
own record, so a resumed run walks through what is done without asking or running anything twice.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from comind import briefing
from comind.clock import stamp
from comind.coding import CodingAgent, Workshop, report_id
from comind.community import publish, sample_discussions, sample_kernels
from comind.config import RunConfig
from comind.llm.client import CallKey
from comind.llm.faults import ContextOverflow
from comind.llm.parsing import MalformedReply
from comind.prompts import quote
from comind.ranking import Standing, best_of_each_agent, select_best, standings
from comind.records import Agent, Dataset, Discussion, Draft, Evaluation, Event, Idea, Kernel, Report
from comind.roles import analyzer, coordinator, proposer
from comind.roles.analyzer import Analysis
from comind.roles.coordinator import DraftReply
from comind.scores import Score, better_beyond_noise
from comind.solutions import solution_script
from kaggle_runner.errors import ComindError, LimitReached, ModelError

T = TypeVar("T")

SKIPPABLE = (MalformedReply, ModelError)
"""A reply that could not be had or read: the step goes on without it, with an event."""


@dataclass(frozen=True, slots=True)
class Sample:
    """K' and D' of one round."""

    kernels: list[Kernel]
    discussions: list[Discussion]


class Coordinator:
    """Leads one run. `run` returns why it ended; everything else is in the store."""

    def __init__(self, shop: Workshop, config: RunConfig, baseline: Score | None) -> None:
        self._shop = shop
        self._store = shop.store
        self._config = config
        self._baseline = baseline
        self._room = briefing.Room.of(config.context_tokens)

    async def run(self) -> str:
        """Rounds until they are done, or time, money, plateau or a person ends them."""
        for round in range(1, self._config.rounds + 1):
            reason = self._shop.control.stop_reason() or self._plateau(round)
            if reason:
                return reason
            self._save_run(round=round)
            if not self._store.count(Event, "kind = 'round' AND round = ?", (round,)):
                self._event("round", f"Round {round} of {self._config.rounds} begins", round)
            try:
                await self.run_round(round)
            except LimitReached as error:
                return error.message
        return self._shop.control.stop_reason()

    async def run_round(self, round: int) -> None:
        """One round of the paper's loop."""
        sample = self._sample(round)
        await self._analyze(round, sample)
        await self._propose(round)
        drafts = await self._draft(round)
        agents = await self._code(round, drafts)
        await self._publish(agents)

    # --- sample and analyse

    def _sample(self, round: int) -> Sample:
        """Seeded by the run and the round; marked as used, so that later rounds look elsewhere first."""
        rng = random.Random(f"{self._config.seed}/{round}/sample")
        kernels, discussions = self._store.all(Kernel), self._store.all(Discussion)
        recorded = self._store.all(Event, "kind = 'sample' AND round = ?", (round,))
        if recorded:
            chosen = recorded[0].data["ids"]
            return Sample(
                [one for one in kernels if one.id in chosen], [one for one in discussions if one.id in chosen]
            )
        higher = self._shop.evaluator.profile.higher_is_better
        # this run's own kernels are reported by their agents; analysing them again would pay twice
        upstream = [kernel for kernel in kernels if kernel.origin == "upstream"]
        sample = Sample(
            sample_kernels(upstream, self._config.sample_kernels, rng, higher=higher),
            sample_discussions(discussions, self._config.sample_discussions, rng),
        )
        used: list[Kernel | Discussion] = [*sample.kernels, *sample.discussions]
        what = f"Sampled {len(sample.kernels)} kernels and {len(sample.discussions)} discussions"
        self._store.event("sample", what, round=round, data={"ids": [one.id for one in used]})
        self._store.save(*(replace(one, times_sampled=one.times_sampled + 1) for one in used))
        return sample

    async def _analyze(self, round: int, sample: Sample) -> None:
        """One report an artifact. What an earlier round has read is not read again."""
        known = {report.subject for report in self._store.all(Report, "kind != 'solution'")}
        jobs: list[Awaitable[None]] = []
        for place, kernel in enumerate(sample.kernels, start=1):
            if kernel.id not in known:
                jobs.append(self._analyze_kernel(round, place, kernel))
        for place, discussion in enumerate(sample.discussions, start=1):
            if discussion.id not in known:
                jobs.append(self._analyze_discussion(round, place, discussion))
        await asyncio.gather(*jobs)

    async def _analyze_kernel(self, round: int, place: int, kernel: Kernel) -> None:
        heading = briefing.kernel_heading(kernel)
        key = CallKey("analyzer", round, f"kernel{place}")
        work = analyzer.analyze_kernel(
            self._shop.desk, self._shop.brief, key, heading, quote(kernel.source, self._room.source)
        )
        analysis = await self._or_skip(work, f"{kernel.id} was not analysed", round)
        if analysis is not None:
            self._save_analysis(report_id(round, place), round, "kernel", kernel.id, heading, analysis)

    async def _analyze_discussion(self, round: int, place: int, discussion: Discussion) -> None:
        heading = f"discussion {discussion.id}, {discussion.votes} votes: {discussion.title[:200]}"
        key = CallKey("analyzer", round, f"discussion{place}")
        work = analyzer.analyze_discussion(
            self._shop.desk, self._shop.brief, key, heading, quote(discussion.body, self._room.source)
        )
        analysis = await self._or_skip(work, f"{discussion.id} was not analysed", round)
        if analysis is None:
            return
        self._save_analysis(
            report_id(round, 500 + place), round, "discussion", discussion.id, heading, analysis
        )
        first = round * 1000 + 500 + 20 * (place - 1)
        self._store.save(
            *(
                Idea(
                    id=f"idea-{first + n:04d}",
                    round=round,
                    text=text,
                    path=discussion.title,
                    origin="discussion",
                    created_at=self._now(),
                )
                for n, text in enumerate(analysis.ideas[:20])
            )
        )

    def _save_analysis(
        self, id: str, round: int, kind: str, subject: str, heading: str, analysis: Analysis
    ) -> None:
        report = Report(
            id=id,
            round=round,
            kind="kernel" if kind == "kernel" else "discussion",
            subject=subject,
            title=heading,
            pipeline=analysis.pipeline,
            summary=analysis.summary,
            scores=analysis.marks,
            created_at=self._now(),
        )
        self._store.save(report)
        self._event("report", f"Read {heading}", round)

    # --- propose

    async def _propose(self, round: int) -> None:
        """Brainstorm, then filter and reconstruct; the memory only grows."""
        ideas = self._store.all(Idea)
        if any(idea.round == round and idea.rank > 0 for idea in ideas):
            return
        brainstormed = proposer.brainstorm(
            self._shop.desk,
            self._shop.brief,
            CallKey("proposer", round, "brainstorm"),
            reports=self._reports_text(self._room.reports),
            leaderboard=self._leaderboard_text(),
            memory=briefing.ideas_text(ideas, characters=self._room.ideas),
        )
        paths = await self._or_skip(brainstormed, "No new ideas in this round", round) or []
        numbered = [(path.description, text) for path in paths for text in path.ideas][:499]
        new = [
            Idea(
                id=f"idea-{round * 1000 + n:04d}",
                round=round,
                text=text,
                path=description,
                created_at=self._now(),
            )
            for n, (description, text) in enumerate(numbered, start=1)
        ]
        self._store.save(*new)
        await self._filter(round, [*new, *self._unranked(round)])

    def _unranked(self, round: int) -> list[Idea]:
        """Ideas of discussions and people that no filter has seen yet."""
        waiting = self._store.all(Idea, "origin != 'proposer' AND rank = 0 AND merged_into = ''")
        return [idea for idea in waiting if idea.round in (0, round)]

    async def _filter(self, round: int, ideas: Sequence[Idea]) -> None:
        """Rank and link. An idea that the filter left out keeps rank 0 and stays in the memory."""
        if not ideas:
            return
        work = proposer.filter_ideas(
            self._shop.desk,
            self._shop.brief,
            CallKey("proposer", round, "filter"),
            reports=self._reports_text(self._room.reports // 3),
            ideas=briefing.ideas_text(ideas, characters=self._room.ideas),
        )
        unfiltered = [proposer.RankedIdea([idea.id], idea.text) for idea in ideas]
        ranking = await self._or_skip(work, "The ideas were not ranked", round) or unfiltered
        ranked = ranked_ideas(ideas, ranking, round)
        if not any(idea.rank for idea in ranked):
            self._event("skipped", "The ideas were not ranked: the reply names none of them", round)
            ranked = ranked_ideas(ideas, unfiltered, round)
        self._store.save(*ranked)
        kept_count = sum(idea.rank > 0 for idea in ranked)
        self._event("ideas", f"{len(ideas)} new ideas, {kept_count} kept after filtering", round)

    # --- draft

    async def _draft(self, round: int) -> list[Draft]:
        """N distinct drafts, one for each coding agent."""
        recorded = self._store.all(Draft, "round = ?", (round,), order="id")
        if recorded:
            return recorded
        rounds_left = self._config.rounds - round + 1
        left = self._shop.control.working_seconds_left
        reports = self._store.all(Report)
        datasets = self._store.all(Dataset)
        published = {one.evaluation.agent: one.score for one in self._board()}
        material = coordinator.DraftMaterial(
            time=f"seconds left in the run: {left:.0f}\nseconds for one agent: {left / rounds_left:.0f}\n"
            f"rounds left: {rounds_left}\nround: {round}",
            ideas=briefing.ranked_ideas_text(self._store.all(Idea), characters=self._room.ideas),
            reports=self._reports_text(self._room.reports),
            pipelines=briefing.pipelines_text(reports, self._room.pipelines),
            leaderboard=self._leaderboard_text(),
            datasets=briefing.datasets_text(datasets, published),
        )
        replies = await self._write_drafts(round, material)
        known = {dataset.id.split("/")[-1] for dataset in datasets}
        drafts = [
            Draft(
                id=f"r{round}-a{index}",
                round=round,
                title=reply.title,
                description=reply.description,
                code=reply.code,
                baseline=reply.baseline,
                resources=[name for name in dict.fromkeys(reply.resources) if name in known],
                parent=reply.starts_from,
            )
            for index, reply in enumerate(replies, start=1)
        ]
        self._store.save(*drafts)
        for draft in drafts:
            self._event("draft", draft.title, round, agent=draft.id)
        return drafts

    async def _write_drafts(self, round: int, material: coordinator.DraftMaterial) -> list[DraftReply]:
        count = self._config.coders
        key = CallKey("coordinator", round, "drafts")
        try:
            return await coordinator.write_drafts(self._shop.desk, self._shop.brief, key, material, count)
        except (MalformedReply, ContextOverflow) as error:
            # agents that start from plain drafts are worth more than a round without agents
            self._event("skipped", f"No drafts could be read, so plain ones are used: {error.message}", round)
            return coordinator.plain_drafts(material.ideas, count)

    # --- code

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
        )
        self._store.save(agent)
        coding = CodingAgent(self._shop, agent, draft, seconds=seconds, resources=self._resources(draft))
        try:
            return await coding.run()
        except ComindError as error:
            # one agent's broken session must not end the others; the run goes on with them
            failed = replace(
                coding.agent, status="failed", stop_reason=error.message, finished_at=self._now()
            )
            self._store.save(failed)
            self._event("agent_failed", str(error), draft.round, agent=draft.id)
            return failed

    def _resources(self, draft: Draft) -> dict[str, Path]:
        paths = {dataset.id.split("/")[-1]: dataset.path for dataset in self._store.all(Dataset)}
        return {name: self._shop.folder.path / paths[name] for name in draft.resources if name in paths}

    # --- publish

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
            )
            self._event("published", f"{agent.title}: notebook and outputs", agent.round, agent=agent.id)
        champion = select_best(self._store.all(Evaluation))
        if champion is not None:
            self._save_run(best_evaluation=champion.evaluation.id)

    # --- when to stop, and what is known

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

    def _board(self) -> list[Standing]:
        """What agents may know: each one's best on the feedback rows."""
        return best_of_each_agent(standings(self._store.all(Evaluation), "feedback"))

    def _leaderboard_text(self) -> str:
        titles = {agent.id: agent.title for agent in self._store.all(Agent)}
        return briefing.leaderboard_text(self._board(), titles, self._baseline)

    def _reports_text(self, characters: int) -> str:
        reports = self._store.all(Report)
        headings = {report.id: briefing.report_heading(report) for report in reports}
        return briefing.reports_text(reports, headings, characters=characters)

    async def _or_skip(self, work: Awaitable[T], lost: str, round: int) -> T | None:
        try:
            return await work
        except SKIPPABLE as error:
            self._event("skipped", f"{lost}: {error.message}", round)
            return None

    def _save_run(self, *, round: int | None = None, best_evaluation: str = "") -> None:
        run = self._store.run()
        assert run is not None, "the engine writes the run's row before its coordinator starts"
        run = replace(run, round=round if round is not None else run.round)
        self._store.save(replace(run, best_evaluation=best_evaluation or run.best_evaluation))

    def _event(self, kind: str, message: str, round: int, *, agent: str = "") -> None:
        self._store.event(kind, message, agent=agent, round=round)

    def _now(self) -> str:
        return stamp(self._shop.clock())


def ranked_ideas(ideas: Sequence[Idea], ranking: Sequence[proposer.RankedIdea], round: int) -> list[Idea]:
    """`ideas` with ranks, new words and links to what they were merged into; rank 0 where left out."""
    by_id = {idea.id: idea for idea in ideas}
    by_text = {idea.text.lower(): idea.id for idea in ideas}
    for rank, ranked in enumerate(ranking, start=1):
        sources = [id for id in ranked.sources if id in by_id] or [
            by_text[text] for text in [ranked.text.lower()] if text in by_text
        ]
        if not sources or by_id[sources[0]].rank:
            continue
        kept = by_id[sources[0]]
        by_id[kept.id] = replace(kept, text=ranked.text, rank=rank, round=kept.round or round)
        for id in sources[1:]:
            by_id[id] = replace(by_id[id], merged_into=kept.id)
    return list(by_id.values())
