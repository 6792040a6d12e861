"""What the reports and the leaderboard say about the shelf's variants. It chooses nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from comind.offline.shelf import Variant
from comind.state.runs import CODING_AGENT

_ROW = re.compile(r'^\s*(\d+)\.\s+(?P<agent>\S+)\s+"(?P<title>.*?)"\s+(?P<score>-?\d[\d.e+-]*)', re.M)
_EFFECT = re.compile(
    r"^- \[(?P<id>idea-\d+)\] (?P<effect>[+-]\d[\d.e+-]*) ± \S+ in \d+ trials?: (?P<verdict>\w+)\.", re.M
)
_RETEST = re.compile(
    r"^to be tested again: \[(?P<id>idea-\d+)\] \((?P<why>.*); used by (?P<agents>[^)]*)\)", re.M
)
_REPORT = re.compile(r"^### (?P<id>\S+)(?P<about>.*)$", re.M)


class VariantStanding(NamedTuple):
    """One line of the run's leaderboard; they come best first."""

    agent: str
    title: str
    score: float


class Retest(NamedTuple):
    """The claim that one draft is to test again."""

    idea: str
    why: str
    agents: tuple[str, ...]


class Told(NamedTuple):
    """One report with what its heading says."""

    id: str
    about: str
    body: str
    public_score: float | None
    votes: int


def standings(leaderboard: str) -> list[VariantStanding]:
    """This run's own agents, best first; only the best line of each title."""
    found: dict[str, VariantStanding] = {}
    for match in _ROW.finditer(leaderboard):
        if not CODING_AGENT.fullmatch(match["agent"]):
            continue
        title = match["title"].strip()
        found.setdefault(title, VariantStanding(match["agent"], title, float(match["score"])))
    return list(found.values())


def verdicts(evidence: str) -> dict[str, str]:
    """Idea → helps, hurts or unclear."""
    return {match["id"]: match["verdict"] for match in _EFFECT.finditer(evidence)}


def retest(evidence: str) -> Retest | None:
    match = _RETEST.search(evidence)
    if match is None:
        return None
    return Retest(match["id"], match["why"], tuple(re.split(r",\s*", match["agents"])))


def reports(text: str) -> list[Told]:
    heads = list(_REPORT.finditer(text))
    ends = [*(match.start() for match in heads[1:]), len(text)][: len(heads)]
    found = []
    for match, end in zip(heads, ends, strict=True):
        about = match["about"]
        score = re.search(r"public score (-?\d+(?:\.\d+)?)", about)
        votes = re.search(r"(\d+) votes?", about)
        found.append(
            Told(
                id=match["id"],
                about=about,
                body=text[match.end() : end],
                public_score=float(score[1]) if score else None,
                votes=int(votes[1]) if votes else 0,
            )
        )
    return found


def support(variant: Variant, told: Sequence[Told], higher_is_better: bool) -> float:
    """0 to 1: the place by public score of the best public kernel that uses this kind of model.

    Never less than what the shelf itself says for it.
    """
    if not variant.words:
        return variant.support
    scored = sorted(
        (one for one in told if one.public_score is not None),
        key=lambda one: (one.public_score or 0.0) * (1 if higher_is_better else -1),
    )
    named = [place for place, one in enumerate(scored, start=1) if re.search(variant.words, one.body)]
    return max(variant.support, max(named) / len(scored) if named else 0.0)


def report_of(agent: str, told: Sequence[Told]) -> str:
    """The id of the report on what an agent did, or `none`."""
    return next((one.id for one in told if re.search(rf"\b{re.escape(agent)}\b", one.about)), "none")


def origin(
    variant: Variant, told: Sequence[Told], board: Sequence[VariantStanding], higher_is_better: bool
) -> str:
    """The id of the report that a variant builds on: its parent's, the best public kernel's, or `none`."""
    parent = next((one for one in board if one.title == variant.after), None)
    if parent is not None:
        return report_of(parent.agent, told)
    if variant.words:
        public = [one for one in told if one.public_score is not None and re.search(variant.words, one.body)]
        if public:
            sign = 1 if higher_is_better else -1
            return max(public, key=lambda one: (sign * (one.public_score or 0.0), one.votes)).id
    return "none"
