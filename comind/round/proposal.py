"""The second step of a round: brainstorm apart, filter and reconstruct, remember. The memory only grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from comind.analysis.evidence import read_evidence
from comind.llm.client import CallKey
from comind.roles import briefing, proposer
from comind.roles.proposer import RankedIdea
from comind.round.knowledge import Knowledge
from comind.state.records import Idea


async def propose_ideas(known: Knowledge, round: int) -> None:
    """New ideas of this round, ranked together with those that no filter has seen yet."""
    ideas = known.store.all(Idea)
    if any(idea.round == round and idea.rank > 0 for idea in ideas):
        return
    evidence = known.evidence_text(read_evidence(known.store))
    brainstormed = proposer.brainstorm(
        known.shop.desk,
        known.shop.brief,
        CallKey("proposer", round, "brainstorm"),
        reports=known.reports_text(known.room.reports),
        leaderboard=known.leaderboard_text(),
        evidence=evidence,
        memory=briefing.ideas_text(ideas, characters=known.room.ideas),
    )
    paths = await known.or_skip(brainstormed, "No new ideas in this round", round) or []
    numbered = [(path.description, text) for path in paths for text in path.ideas][:499]
    new = [
        Idea(
            id=f"idea-{round * 1000 + n:04d}",
            round=round,
            text=text,
            path=description,
            created_at=known.now(),
        )
        for n, (description, text) in enumerate(numbered, start=1)
    ]
    known.store.save(*new)
    await _filter(known, round, [*new, *_unranked(known, round)], evidence)


def _unranked(known: Knowledge, round: int) -> list[Idea]:
    """Ideas of discussions and people that no filter has seen yet."""
    waiting = known.store.all(Idea, "origin != 'proposer' AND rank = 0 AND merged_into = ''")
    return [idea for idea in waiting if idea.round in (0, round)]


async def _filter(known: Knowledge, round: int, ideas: Sequence[Idea], evidence: str) -> None:
    """Rank and link. An idea that the filter left out keeps rank 0 and stays in the memory."""
    if not ideas:
        return
    work = proposer.filter_ideas(
        known.shop.desk,
        known.shop.brief,
        CallKey("proposer", round, "filter"),
        reports=known.reports_text(known.room.reports // 3),
        evidence=evidence,
        ideas=briefing.ideas_text(ideas, characters=known.room.ideas),
    )
    unfiltered = [RankedIdea([idea.id], idea.text) for idea in ideas]
    ranking = await known.or_skip(work, "The ideas were not ranked", round) or unfiltered
    ranked = ranked_ideas(ideas, ranking, round)
    if not any(idea.rank for idea in ranked):
        known.event("skipped", "The ideas were not ranked: the reply names none of them", round)
        ranked = ranked_ideas(ideas, unfiltered, round)
    known.store.save(*ranked)
    kept_count = sum(idea.rank > 0 for idea in ranked)
    known.event("ideas", f"{len(ideas)} new ideas, {kept_count} kept after filtering", round)


def ranked_ideas(ideas: Sequence[Idea], ranking: Sequence[RankedIdea], round: int) -> list[Idea]:
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
