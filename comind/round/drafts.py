"""The third step of a round: N drafts that do not overlap, one for each coding agent."""

from __future__ import annotations

from collections.abc import Mapping

from comind.analysis.evidence import WeakClaim, kept_ids, read_evidence
from comind.llm.client import CallKey
from comind.llm.faults import ContextOverflow
from comind.llm.formats import MalformedReply
from comind.roles import briefing, coordinator
from comind.roles.coordinator import DraftMaterial, DraftReply
from comind.round.knowledge import Knowledge
from comind.state.records import Dataset, Draft, Idea, Report

_AGENTS_TO_SPARE_ONE = 3


async def write_drafts(known: Knowledge, round: int) -> list[Draft]:
    """The round's drafts: those that were recorded, or new ones."""
    recorded = known.store.all(Draft, "round = ?", (round,), order="id")
    if recorded:
        return recorded
    claim = claim_to_retest(known, round)
    replies = await _replies(known, round, await _material(known, round, claim))
    mountable = {dataset.id.split("/")[-1] for dataset in known.store.all(Dataset)}
    kept = kept_ids(known.store.all(Idea))
    drafts = [
        Draft(
            id=f"r{round}-a{index}",
            round=round,
            title=reply.title,
            description=reply.description,
            code=reply.code,
            baseline=reply.baseline,
            resources=[name for name in dict.fromkeys(reply.resources) if name in mountable],
            parent=reply.starts_from,
            ideas=_tried(reply, kept, claim),
            retest=reply.retest and claim is not None,
        )
        for index, reply in enumerate(replies, start=1)
    ]
    known.store.save(*drafts)
    for draft in drafts:
        known.event("draft", draft.title, round, agent=draft.id)
    return drafts


def claim_to_retest(known: Knowledge, round: int) -> WeakClaim | None:
    """The weakest claim, from the second round on, where there are agents enough to spare one."""
    if round < 2 or known.config.coders < _AGENTS_TO_SPARE_ONE:
        return None
    return next(iter(read_evidence(known.store).weak), None)


def _tried(reply: DraftReply, kept: Mapping[str, str], claim: WeakClaim | None) -> list[str]:
    """The ideas that exist, each as what it was merged into; a re-test tries its claim whatever it names."""
    named = [kept[id] for id in reply.ideas if id in kept]
    if reply.retest and claim is not None:
        named.insert(0, claim.idea)
    return list(dict.fromkeys(named))


async def _material(known: Knowledge, round: int, claim: WeakClaim | None) -> DraftMaterial:
    rounds_left = known.config.rounds - round + 1
    left = known.shop.control.working_seconds_left
    published = {one.evaluation.agent: one.score for one in known.board()}
    return DraftMaterial(
        time=f"seconds left in the run: {left:.0f}\nseconds for one agent: {left / rounds_left:.0f}\n"
        f"rounds left: {rounds_left}\nround: {round}",
        ideas=briefing.ranked_ideas_text(known.store.all(Idea), characters=known.room.ideas),
        reports=known.reports_text(known.room.reports),
        pipelines=briefing.pipelines_text(known.store.all(Report), known.room.pipelines, known.kernel_runs()),
        leaderboard=known.leaderboard_text(),
        evidence=known.evidence_text(read_evidence(known.store), claim),
        lineage=await known.lineage_text(),
        datasets=briefing.datasets_text(known.store.all(Dataset), published),
        seconds=left / rounds_left,
        gpu=known.shop.brief.gpu,
    )


async def _replies(known: Knowledge, round: int, material: DraftMaterial) -> list[DraftReply]:
    count = known.config.coders
    key = CallKey("coordinator", round, "drafts")
    try:
        return await coordinator.write_drafts(known.shop.desk, known.shop.brief, key, material, count)
    except (MalformedReply, ContextOverflow) as error:
        # agents that start from plain drafts are worth more than a round without agents
        told = f"No drafts could be read, so plain ones are used: {error.message}"
        known.event("skipped", told, round)
        return coordinator.plain_drafts(material.ideas, count)
