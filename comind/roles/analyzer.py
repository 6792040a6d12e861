"""Analyzer: what one public artifact does and what it is worth (CoMind paper, Analyzer)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply, bullets, scored_lines, separated_blocks
from comind.llm.question import Smaller, ask_parsed
from comind.roles.desk import Brief, Desk
from comind.roles.prompts import quote

MARKS = ("novelty", "feasibility", "effectiveness", "efficiency")
NOT_GIVEN = 5.0
"""The middle of the scale, for a mark that no reply gave; its reason says so."""
_LEAST_PIPELINE = 200
"""Characters of prose from which a text without marks passes for a pipeline."""
_SHORT_SOURCE = 4000
_FENCE = re.compile(r"^```", re.M)


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
    """`source` is quoted and bounded by the caller. Raises MalformedReply when no attempt could be read.

    A pipeline without its marks is kept; a model that writes neither is asked for the pipeline in prose.
    """
    messages = desk.prompts.opening("analyzer", "kernel", _values(brief, heading, source))
    short = _values(brief, heading, quote(source, _SHORT_SOURCE))
    smaller = Smaller(desk.prompts.opening("analyzer", "kernel_short", short), parse_short)
    asked = ask_parsed(
        desk.client, "analyzer", key, messages, parse_kernel,
        attempts=2, lenient=pipeline_without_marks, smaller=smaller,
    )  # fmt: skip
    return (await asked).value


async def analyze_discussion(desk: Desk, brief: Brief, key: CallKey, heading: str, body: str) -> Analysis:
    """Raises MalformedReply when no attempt could be read."""
    messages = desk.prompts.opening("analyzer", "discussion", _values(brief, heading, body))
    asked = ask_parsed(desk.client, "analyzer", key, messages, parse_discussion, lenient=ideas_without_marks)
    return (await asked).value


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


def pipeline_without_marks(text: str) -> Analysis:
    """What is there of an analysis without marks. MalformedReply when that is no pipeline either."""
    pipeline, summary = _blocks(text)
    if len(pipeline) < _LEAST_PIPELINE and not _FENCE.search(pipeline):
        raise MalformedReply("The reply describes no pipeline.")
    return _completed(pipeline, "" if summary == pipeline else summary, [])


def ideas_without_marks(text: str) -> Analysis:
    """The ideas of a discussion whose marks are missing."""
    pipeline, summary = _blocks(text)
    ideas = [re.sub(r"\s+", " ", item) for item in bullets(pipeline)]
    if not ideas:
        raise MalformedReply("The reply holds no idea.")
    return _completed(pipeline, "" if summary == pipeline else summary, ideas)


def parse_short(text: str) -> Analysis:
    """The smaller question's reply: prose, and the line `effectiveness: mark - reason` if it is there."""
    prose = "\n".join(line for line in text.splitlines() if not _marks(line)).strip()
    if len(prose) < _LEAST_PIPELINE // 4:
        raise MalformedReply(
            "The reply describes no pipeline. Write what the artifact does in a few sentences."
        )
    given = "\n".join(line for line in text.splitlines() if _marks(line))
    return _completed(prose, given, [])


def _completed(pipeline: str, summary: str, ideas: list[str]) -> Analysis:
    """Missing marks become NOT_GIVEN, and the summary says so."""
    marks = _marks(summary)
    added = [f"{name}: {NOT_GIVEN:.0f} - not given" for name in MARKS if name not in marks]
    marks = {name: marks.get(name, NOT_GIVEN) for name in MARKS}
    return Analysis(pipeline, "\n".join([*([summary] if summary else []), *added]), marks, ideas)


def _values(brief: Brief, heading: str, source: str) -> dict[str, str]:
    return {"competition": brief.competition, "metric": brief.metric, "heading": heading, "source": source}


def _blocks(text: str) -> tuple[str, str]:
    """(pipeline, summary) of a reply in any order; one text stands for both where nothing separates them."""
    blocks = separated_blocks(text)
    if not blocks:
        raise MalformedReply("The reply is empty.")
    first, rest = blocks[0], "\n\n".join(blocks[1:])
    # a model that forgets the separator still writes its marks; one that swaps the blocks writes them first
    swapped = bool(rest) and len(_marks(first)) > len(_marks(rest))
    return (rest, first) if swapped else (first, rest or first)


def _two_blocks(text: str) -> tuple[str, str, dict[str, float]]:
    pipeline, summary = _blocks(text)
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
