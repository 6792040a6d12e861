"""Idea Proposer: brainstorm apart, then filter and reconstruct. The store remembers: ideas only grow."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

from comind.analysis.likeness import shared_words
from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply, bullets, list_of_strings, sections
from comind.llm.question import Smaller, ask_parsed
from comind.roles.desk import Brief, Desk

MINIMUM_PATHS = 4
SAME_PATH = 0.7
"""Share of common words from which two paths are one."""
_PATH = r"={2,}\s*SOLUTION[_ ]PATH[_ ]{0,3}(?P<title>\w+)\s*={2,}"
_LISTED = re.compile(r"^- \[(idea-\d+)\] (.*)$", re.M)
"""An idea as the prompt lists it."""
_IDS = re.compile(r"^\s*\[(?P<ids>[^\]]*)\]\s*(?P<text>.+)$", re.S)


@dataclass(frozen=True, slots=True)
class SolutionPath:
    description: str
    ideas: list[str]


@dataclass(frozen=True, slots=True)
class RankedIdea:
    """One string of the filter's list: which ideas it was made of, and its text."""

    sources: list[str]
    text: str


async def brainstorm(
    desk: Desk, brief: Brief, key: CallKey, *, reports: str, leaderboard: str, evidence: str, memory: str
) -> list[SolutionPath]:
    """At least one path. Fewer than four, or two that are nearly one, are asked for again, then taken."""
    values = {
        **asdict(brief),
        "reports": reports,
        "leaderboard": leaderboard,
        "evidence": evidence,
        "memory": memory,
    }
    messages = desk.prompts.opening("proposer", "brainstorm", values)
    asked = ask_parsed(desk.client, "proposer", key, messages, _PathReader(), lenient=any_paths)
    return (await asked).value


async def filter_ideas(
    desk: Desk, brief: Brief, key: CallKey, *, reports: str, evidence: str, ideas: str
) -> list[RankedIdea]:
    """The ideas worth trying, best first. A model that cannot write the list is asked for the ids alone."""
    values = {
        "competition": brief.competition,
        "metric": brief.metric,
        "machine": brief.machine,
        "reports": reports,
        "evidence": evidence,
        "ideas": ideas,
    }
    messages = desk.prompts.opening("proposer", "filter", values)
    short = {"metric": brief.metric, "ideas": ideas}
    texts = dict(_LISTED.findall(ideas))
    smaller = Smaller(
        desk.prompts.opening("proposer", "filter_short", short), lambda text: parse_ids(text, texts)
    )
    asked = ask_parsed(desk.client, "proposer", key, messages, parse_ranking, attempts=2, smaller=smaller)
    return (await asked).value


class _PathReader:
    """Reads one question's replies: strict at first, since a model that is told its fault often mends it."""

    def __init__(self) -> None:
        self._too_few = 0
        self._told_alike = False

    def __call__(self, text: str) -> list[SolutionPath]:
        try:
            paths = parse_paths(text)
        except MalformedReply:
            self._too_few += 1
            found = _found_paths(text)
            if self._too_few <= 2 or not found:
                raise
            return found
        alike = alike_paths(paths)
        if alike and not self._told_alike:
            self._told_alike = True
            raise MalformedReply(alike)
        return paths


def parse_paths(text: str) -> list[SolutionPath]:
    paths = _found_paths(text)
    if len(paths) < MINIMUM_PATHS:
        raise MalformedReply(
            f"{len(paths)} solution paths were found, at least {MINIMUM_PATHS} are needed. Start each with a"
            " line `===SOLUTION_PATH_n===`, then its description, then its ideas on lines starting with `- `."
        )
    return paths


def alike_paths(paths: Sequence[SolutionPath]) -> str:
    """Which two paths are nearly one, as a complaint; empty when all differ."""
    texts = [" ".join([path.description, *path.ideas]) for path in paths]
    for (one, text), (other, second) in combinations(enumerate(texts, start=1), 2):
        if shared_words(text, second) >= SAME_PATH:
            return (
                f"Solution paths {one} and {other} say nearly the same. Keep one of them and write another"
                " path in its place that uses a different family of models, features or training."
            )
    return ""


def _found_paths(text: str) -> list[SolutionPath]:
    paths: list[SolutionPath] = []
    for section in sections(text, _PATH):
        ideas = [re.sub(r"\s+", " ", item) for item in bullets(section.body)]
        description = re.split(r"^[ \t]*[-*•] ", section.body, maxsplit=1, flags=re.M)[0].strip()
        if ideas:
            paths.append(SolutionPath(re.sub(r"\s+", " ", description), ideas))
    return paths


def any_paths(text: str) -> list[SolutionPath]:
    """The paths there are, if there is any."""
    paths = _found_paths(text)
    if not paths:
        raise MalformedReply("No solution path was found.")
    return paths


def parse_ids(text: str, texts: Mapping[str, str]) -> list[RankedIdea]:
    """Ids in order, wherever they stand in the reply; `texts` are the ideas' words by id."""
    ids = [id for id in dict.fromkeys(re.findall(r"idea-\d+", text)) if id in texts]
    if not ids:
        raise MalformedReply("The reply names no idea of the list by its id.")
    return [RankedIdea([id], texts[id]) for id in ids]


def parse_ranking(text: str) -> list[RankedIdea]:
    ranked: list[RankedIdea] = []
    for item in list_of_strings(text):
        match = _IDS.match(item)
        ids = re.findall(r"idea-\d+", match["ids"]) if match else []
        words = match["text"] if match and ids else item
        ranked.append(RankedIdea(ids, re.sub(r"\s+", " ", words).strip()))
    return ranked
