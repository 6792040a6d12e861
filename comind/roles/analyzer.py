"""Analyzer: what one public artifact does and what it is worth (comind.md, Roles)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from comind.llm.asking import ask_parsed
from comind.llm.client import CallKey
from comind.llm.parsing import MalformedReply, bullets, scored_lines, separated_blocks
from comind.roles.desk import Brief, Desk

MARKS = ("novelty", "feasibility", "effectiveness", "efficiency")


@dataclass(frozen=True, slots=True)
class Analysis:
    """One artifact, read."""

    pipeline: str
    """Kernels: description and code abstract. Discussions: the ideas as a list."""
    summary: str
    """The marks with their reasons, patterns, pitfalls, as the model wrote them."""
    marks: dict[str, float]
    ideas: list[str]
    """Discussions only: the separate ideas."""


async def analyze_kernel(desk: Desk, brief: Brief, key: CallKey, heading: str, source: str) -> Analysis:
    """`source` is quoted and bounded by the caller. Raises MalformedReply when no attempt could be read."""
    messages = desk.prompts.opening("analyzer", "kernel", _values(brief, heading, source))
    return (await ask_parsed(desk.client, "analyzer", key, messages, parse_kernel)).value


async def analyze_discussion(desk: Desk, brief: Brief, key: CallKey, heading: str, body: str) -> Analysis:
    """Raises MalformedReply when no attempt could be read."""
    messages = desk.prompts.opening("analyzer", "discussion", _values(brief, heading, body))
    return (await ask_parsed(desk.client, "analyzer", key, messages, parse_discussion)).value


def parse_kernel(text: str) -> Analysis:
    pipeline, summary, marks = _two_blocks(text)
    return Analysis(pipeline, summary, marks, [])


def parse_discussion(text: str) -> Analysis:
    pipeline, summary, marks = _two_blocks(text)
    ideas = [re.sub(r"\s+", " ", item) for item in bullets(pipeline)]
    if not ideas:
        raise MalformedReply(
            "The first block holds no idea. Write each idea on a line that starts with `- `."
        )
    return Analysis(pipeline, summary, marks, ideas)


def _values(brief: Brief, heading: str, source: str) -> dict[str, str]:
    return {
        "competition": brief.competition,
        "metric": brief.metric,
        "heading": heading,
        "source": source,
    }


def _two_blocks(text: str) -> tuple[str, str, dict[str, float]]:
    blocks = separated_blocks(text)
    if not blocks:
        raise MalformedReply("The reply is empty.")
    first, rest = blocks[0], "\n\n".join(blocks[1:])
    # a model that forgets the separator still writes its marks; one that swaps the blocks writes them first
    swapped = bool(rest) and len(_marks(first)) > len(_marks(rest))
    pipeline, summary = (rest, first) if swapped else (first, rest or first)
    marks = _marks(summary)
    missing = [name for name in MARKS if name not in marks]
    if missing:
        raise MalformedReply(
            f"Marks are missing: {', '.join(missing)}. Write each on a line of its own as"
            " `name: mark - reason`, where the mark is a number from 0 to 10."
        )
    return pipeline, summary, marks


def _marks(text: str) -> dict[str, float]:
    return {name: mark for name, (mark, _) in scored_lines(text).items() if name in MARKS}
