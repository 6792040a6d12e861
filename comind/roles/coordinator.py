"""Coordinator's prompt: N self-contained drafts that do not overlap. The loop is `comind.coordinator`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from comind.llm.asking import ask_parsed
from comind.llm.client import CallKey
from comind.llm.parsing import MalformedReply, separated_blocks
from comind.roles.desk import Brief, Desk

_FIELD = re.compile(r"^[ \t*]*(title|baseline|starts_from|resources)[ \t*]*:(.*)$", re.M | re.I)
_FENCE = re.compile(r"(?<!`)`{3,}+[^\n`]*\n(?P<code>.*?)(?:^```|\Z)", re.M | re.S)
_PLAIN = """\
Read the data, build simple features, fit a robust, well-known model, measure it by cross-validation on the
training part, fit it on all of that, and write both prediction files. Only then try these ideas, one by one,
and keep what helps:"""


@dataclass(frozen=True, slots=True)
class DraftReply:
    title: str
    description: str
    code: str
    baseline: bool
    resources: list[str]
    starts_from: str


@dataclass(frozen=True, slots=True)
class DraftMaterial:
    """What the drafts are made of, as prompt text."""

    time: str
    ideas: str
    reports: str
    pipelines: str
    leaderboard: str
    datasets: str


async def write_drafts(
    desk: Desk, brief: Brief, key: CallKey, material: DraftMaterial, count: int
) -> list[DraftReply]:
    """Exactly `count` drafts with distinct titles. Raises MalformedReply when no attempt gave them."""
    values = {
        "competition": brief.competition,
        "metric": brief.metric,
        "machine": brief.machine,
        "time": material.time,
        "data": brief.data,
        "ideas": material.ideas,
        "reports": material.reports,
        "pipelines": material.pipelines,
        "leaderboard": material.leaderboard,
        "datasets": material.datasets,
        "count": count,
    }
    messages = desk.prompts.opening("coordinator", "drafts", values)

    def parse(text: str) -> list[DraftReply]:
        return parse_drafts(text, count)

    return (await ask_parsed(desk.client, "coordinator", key, messages, parse)).value


def parse_drafts(text: str, count: int) -> list[DraftReply]:
    """More drafts than asked for are cut; fewer, or two of one title, are a fault."""
    drafts = [draft for draft in map(_draft, separated_blocks(text)) if draft is not None][:count]
    if len(drafts) < count:
        raise MalformedReply(
            f"{len(drafts)} drafts were found, {count} are needed. Put a line `===SEPARATOR===` between"
            " them and begin each with its `title:` line."
        )
    titles = [draft.title.lower() for draft in drafts]
    twice = {title for title in titles if titles.count(title) > 1}
    if twice:
        raise MalformedReply(f"Two drafts have the title {twice.pop()!r}; every draft must be different.")
    return drafts


def plain_drafts(ideas: str, count: int) -> list[DraftReply]:
    """What the agents work from when no reply could be read: a baseline each, and a share of the ideas.

    `ideas` is the prompt's list, one a line; it is dealt out, so that the drafts differ.
    """
    lines = [line for line in ideas.splitlines() if line.strip()]
    drafts = []
    for index in range(count):
        dealt = "\n".join(lines[index::count]) or "none"
        drafts.append(
            DraftReply(
                title=f"Plain baseline {index + 1}" if count > 1 else "Plain baseline",
                description=f"{_PLAIN}\n{dealt}",
                code="",
                baseline=True,
                resources=[],
                starts_from="",
            )
        )
    return drafts


def _draft(block: str) -> DraftReply | None:
    found = {name.lower(): value.strip(" \t\r*") for name, value in _FIELD.findall(block)}
    if not found.get("title"):
        return None
    fences = [match["code"].strip() for match in _FENCE.finditer(block)]
    description = _FENCE.sub("", _FIELD.sub("", block)).strip()
    resources = [name.strip() for name in re.split(r"[,\s]+", found.get("resources", "")) if name.strip()]
    start = found.get("starts_from", "")
    return DraftReply(
        title=found["title"][:120],
        description=description,
        code=fences[-1] if fences else "",
        baseline=found.get("baseline", "").lower().startswith("y"),
        resources=[name for name in resources if name.lower() != "none"],
        starts_from="" if start.lower() == "none" else start,
    )
