"""The first step of a round: a seeded sample of the community, and one report on each artifact in it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Literal

from comind.agents.work import report_id
from comind.community.sample import sample_discussions, sample_kernels
from comind.llm.client import CallKey
from comind.roles import analyzer, briefing
from comind.roles.analyzer import Analysis
from comind.roles.prompts import quote
from comind.round.knowledge import Knowledge
from comind.state.records import Discussion, Event, Idea, Kernel, Report


@dataclass(frozen=True, slots=True)
class StudySample:
    """K' and D' of one round."""

    kernels: list[Kernel]
    discussions: list[Discussion]


def draw_sample(known: Knowledge, round: int) -> StudySample:
    """Seeded by the run and the round; marked as used, so that later rounds look elsewhere first."""
    store, config = known.store, known.config
    rng = random.Random(f"{config.seed}/{round}/sample")
    kernels, discussions = store.all(Kernel), store.all(Discussion)
    recorded = store.all(Event, "kind = 'sample' AND round = ?", (round,))
    if recorded:
        chosen = recorded[0].data["ids"]
        return StudySample(
            [one for one in kernels if one.id in chosen], [one for one in discussions if one.id in chosen]
        )
    # this run's own kernels are reported by their agents; analysing them again would pay twice
    upstream = [kernel for kernel in kernels if kernel.origin == "upstream"]
    sample = StudySample(
        sample_kernels(upstream, config.sample_kernels, rng, higher=known.higher_is_better),
        sample_discussions(discussions, config.sample_discussions, rng),
    )
    used: list[Kernel | Discussion] = [*sample.kernels, *sample.discussions]
    what = f"Sampled {len(sample.kernels)} kernels and {len(sample.discussions)} discussions"
    store.event("sample", what, round=round, data={"ids": [one.id for one in used]})
    store.save(*(replace(one, times_sampled=one.times_sampled + 1) for one in used))
    return sample


async def analyze_sample(known: Knowledge, round: int, sample: StudySample) -> None:
    """One report an artifact. What an earlier round has read is not read again."""
    read = {report.subject for report in known.store.all(Report, "kind != 'solution'")}
    jobs: list[Awaitable[None]] = []
    for place, kernel in enumerate(sample.kernels, start=1):
        if kernel.id not in read:
            jobs.append(_analyze_kernel(known, round, place, kernel))
    for place, discussion in enumerate(sample.discussions, start=1):
        if discussion.id not in read:
            jobs.append(_analyze_discussion(known, round, place, discussion))
    await asyncio.gather(*jobs)


async def _analyze_kernel(known: Knowledge, round: int, place: int, kernel: Kernel) -> None:
    heading = briefing.kernel_heading(kernel)
    key = CallKey("analyzer", round, f"kernel{place}")
    source = quote(kernel.source, known.room.source)
    work = analyzer.analyze_kernel(known.shop.desk, known.shop.brief, key, heading, source)
    analysis = await known.or_skip(work, f"{kernel.id} was not analysed", round)
    if analysis is not None:
        _save_report(known, report_id(round, place), round, "kernel", kernel.id, heading, analysis)


async def _analyze_discussion(known: Knowledge, round: int, place: int, discussion: Discussion) -> None:
    heading = f"discussion {discussion.id}, {discussion.votes} votes: {discussion.title[:200]}"
    key = CallKey("analyzer", round, f"discussion{place}")
    body = quote(discussion.body, known.room.source)
    work = analyzer.analyze_discussion(known.shop.desk, known.shop.brief, key, heading, body)
    analysis = await known.or_skip(work, f"{discussion.id} was not analysed", round)
    if analysis is None:
        return
    id = report_id(round, 500 + place)
    _save_report(known, id, round, "discussion", discussion.id, heading, analysis)
    first = round * 1000 + 500 + 20 * (place - 1)
    known.store.save(
        *(
            Idea(
                id=f"idea-{first + n:04d}",
                round=round,
                text=text,
                path=discussion.title,
                origin="discussion",
                created_at=known.now(),
            )
            for n, text in enumerate(analysis.ideas[:20])
        )
    )


def _save_report(
    known: Knowledge,
    id: str,
    round: int,
    kind: Literal["kernel", "discussion"],
    subject: str,
    heading: str,
    analysis: Analysis,
) -> None:
    report = Report(
        id=id,
        round=round,
        kind=kind,
        subject=subject,
        title=heading,
        pipeline=analysis.pipeline,
        summary=analysis.summary,
        scores=analysis.marks,
        created_at=known.now(),
    )
    known.store.save(report)
    known.event("report", f"Read {heading}", round)
