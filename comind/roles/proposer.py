"""Idea Proposer: brainstorm apart, then filter and reconstruct. The store remembers: ideas only grow."""

from __future__ import annotations

import re
from dataclasses import dataclass

from comind.llm.asking import ask_parsed
from comind.llm.client import CallKey
from comind.llm.parsing import MalformedReply, bullets, list_of_strings, sections
from comind.roles.desk import Brief, Desk

MINIMUM_PATHS = 4
_PATH = r"={2,}\s*SOLUTION[_ ]PATH[_ ]{0,3}(?P<title>\w+)\s*={2,}"
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
    desk: Desk, brief: Brief, key: CallKey, *, reports: str, leaderboard: str, memory: str
) -> list[SolutionPath]:
    """At least one path; fewer than four are asked for again, but taken when the model has no more."""
    values = {
        "competition": brief.competition,
        "metric": brief.metric,
        "machine": brief.machine,
        "data": brief.data,
        "reports": reports,
        "leaderboard": leaderboard,
        "memory": memory,
    }
    messages = desk.prompts.opening("proposer", "brainstorm", values)
    return (await ask_parsed(desk.client, "proposer", key, messages, parse_paths)).value


async def filter_ideas(
    desk: Desk, brief: Brief, key: CallKey, *, reports: str, ideas: str
) -> list[RankedIdea]:
    """The ideas worth trying, best first."""
    values = {
        "competition": brief.competition,
        "metric": brief.metric,
        "machine": brief.machine,
        "reports": reports,
        "ideas": ideas,
    }
    messages = desk.prompts.opening("proposer", "filter", values)
    return (await ask_parsed(desk.client, "proposer", key, messages, parse_ranking)).value


def parse_paths(text: str) -> list[SolutionPath]:
    paths: list[SolutionPath] = []
    for section in sections(text, _PATH):
        ideas = [re.sub(r"\s+", " ", item) for item in bullets(section.body)]
        description = re.split(r"^[ \t]*[-*•] ", section.body, maxsplit=1, flags=re.M)[0].strip()
        if ideas:
            paths.append(SolutionPath(re.sub(r"\s+", " ", description), ideas))
    if len(paths) < MINIMUM_PATHS:
        raise MalformedReply(
            f"{len(paths)} solution paths were found, at least {MINIMUM_PATHS} are needed. Start each with a"
            " line `===SOLUTION_PATH_n===`, then its description, then its ideas on lines starting with `- `."
        )
    return paths


def parse_ranking(text: str) -> list[RankedIdea]:
    ranked: list[RankedIdea] = []
    for item in list_of_strings(text):
        match = _IDS.match(item)
        ids = re.findall(r"idea-\d+", match["ids"]) if match else []
        words = match["text"] if match and ids else item
        ranked.append(RankedIdea(ids, re.sub(r"\s+", " ", words).strip()))
    return ranked
