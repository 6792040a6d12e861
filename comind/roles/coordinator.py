"""Coordinator's prompt: N self-contained drafts that do not overlap. The loop is `comind.coordinator`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations

from comind.analysis.likeness import code_sketch, likeness, shared_words
from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply, separated_blocks
from comind.llm.question import ask_parsed
from comind.roles.desk import Brief, Desk

SAME_DRAFT = 0.85
"""Share of common words, and of common token runs in code, from which two drafts overlap."""
_LEAST_RUNS = 40
"""Shorter code is alike by chance."""
_FIELD = re.compile(
    r"^[ \t*]*(title|baseline|starts_from|resources|retest"
    r"|ideas(?=[ \t*]*:[^\n]*(?:idea-\d|none))|needs(?=[ \t*]*:[^\n]*(?:\d|none)))[ \t*]*:(.*)$",
    re.M | re.I,
)
_IDEA = re.compile(r"idea-\d+")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|sec|second|min|minute|m|h|hour|hr)s?\b", re.I)
_GPUS = re.compile(r"(?<![\w.])([1-9]\d*|one|two|a)\s*(?:x\s*)?gpus?\b", re.I)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
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
    ideas: list[str]
    """Ids of the ideas that it names."""
    retest: bool
    seconds: float | None
    """What it says it needs; None where it says nothing."""
    gpu: bool


@dataclass(frozen=True, slots=True)
class DraftMaterial:
    """What the drafts are made of, as prompt text."""

    time: str
    ideas: str
    reports: str
    pipelines: str
    leaderboard: str
    evidence: str
    lineage: str
    datasets: str
    seconds: float = math.inf
    """What one agent has."""
    gpu: bool = True
    """Whether there is any."""


async def write_drafts(
    desk: Desk, brief: Brief, key: CallKey, material: DraftMaterial, count: int
) -> list[DraftReply]:
    """Exactly `count` drafts with distinct titles. Raises MalformedReply when not even one could be read.

    Drafts that overlap, do not fit the machine or lack a baseline are asked for once more, then taken. What
    two replies lack is asked for one draft at a time, and filled up with plain drafts where that fails too.
    """
    values = {**asdict(brief), **asdict(material), "count": count}
    messages = desk.prompts.opening("coordinator", "drafts", values)
    reader = _DraftReader(count, material.seconds, material.gpu)
    asked = ask_parsed(
        desk.client, "coordinator", key, messages, reader,
        attempts=2, lenient=lambda text: some_drafts(text, count),
    )  # fmt: skip
    unreadable = None
    try:
        drafts = (await asked).value
    except MalformedReply as error:
        drafts, unreadable = [], error
    while len(drafts) < count:
        try:
            drafts.append(await _one_more(desk, brief, key, material, drafts))
        except MalformedReply as error:
            if not drafts:
                raise unreadable or error from None
            break
    if len(drafts) < count:
        drafts += plain_drafts(material.ideas, count)[len(drafts) :]
    return with_one_baseline(drafts)


async def _one_more(
    desk: Desk, brief: Brief, key: CallKey, material: DraftMaterial, taken: Sequence[DraftReply]
) -> DraftReply:
    """The smaller question: one draft that is none of those `taken`."""
    values = {
        "competition": brief.competition,
        "metric": brief.metric,
        "machine": brief.machine,
        "time": material.time,
        "ideas": material.ideas,
        "taken": "\n".join(f"- {draft.title}" for draft in taken) or "none",
    }

    def parse(text: str) -> DraftReply:
        draft = some_drafts(text, 1)[0]
        if draft.title.lower() in {one.title.lower() for one in taken}:
            raise MalformedReply(f"There is a draft {draft.title!r} already.")
        return draft

    this = replace(key, kind=f"draft{len(taken) + 1}")
    messages = desk.prompts.opening("coordinator", "draft_short", values)
    return (await ask_parsed(desk.client, "coordinator", this, messages, parse, attempts=1)).value


class _DraftReader:
    """Reads one question's replies; a complaint on what drafts say, rather than how, is made only once."""

    def __init__(self, count: int, seconds: float, gpu: bool) -> None:
        self._count = count
        self._seconds = seconds
        self._gpu = gpu
        self._complained = False

    def __call__(self, text: str) -> list[DraftReply]:
        drafts = parse_drafts(text, self._count)
        fault = overlap(drafts) or misfit(drafts, self._seconds, self._gpu) or _no_baseline(drafts)
        if fault and not self._complained:
            self._complained = True
            raise MalformedReply(fault)
        return with_one_baseline(drafts)


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


def some_drafts(text: str, count: int) -> list[DraftReply]:
    """The drafts there are, the first of each title and at most `count`, if there is any."""
    found = [draft for draft in map(_draft, separated_blocks(text)) if draft is not None]
    distinct = {draft.title.lower(): draft for draft in reversed(found)}
    drafts = [draft for draft in found if distinct[draft.title.lower()] is draft][:count]
    if not drafts:
        raise MalformedReply("No draft was found. Begin it with a line `title: a few words`.")
    return drafts


def overlap(drafts: Sequence[DraftReply]) -> str:
    """Which two drafts are nearly one, as a complaint; empty when all differ."""
    sketches = [code_sketch(draft.code) for draft in drafts]
    for one, other in combinations(range(len(drafts)), 2):
        prose = shared_words(drafts[one].description, drafts[other].description)
        long = min(sketches[one].total, sketches[other].total) >= _LEAST_RUNS
        code = likeness(sketches[one], sketches[other]) if long else None
        if (prose >= SAME_DRAFT and (code is None or code >= SAME_DRAFT)) or (code or 0) >= 0.95:
            return (
                f"The drafts {drafts[one].title!r} and {drafts[other].title!r} are nearly the same. Keep one"
                " and replace the other: another model family, other features, another use of earlier work."
            )
    return ""


def misfit(drafts: Sequence[DraftReply], seconds: float, gpu: bool) -> str:
    """Which draft needs more than there is, as a complaint; empty when all fit."""
    for draft in drafts:
        if draft.gpu and not gpu:
            return (
                f"The draft {draft.title!r} needs a GPU, and this machine has none. Write one that does not."
            )
        if draft.seconds is not None and draft.seconds > seconds:
            return (
                f"The draft {draft.title!r} needs {draft.seconds / 60:.3g} minutes, and its agent has"
                f" {seconds / 60:.3g}. Make it smaller, or replace it."
            )
    return ""


def with_one_baseline(drafts: Sequence[DraftReply]) -> list[DraftReply]:
    """The first that says so, else the first that builds on nothing, else the first."""
    places = [place for place, draft in enumerate(drafts) if draft.baseline]
    places += [p for p, draft in enumerate(drafts) if not draft.resources and not draft.starts_from]
    chosen = [*places, 0][0]
    return [replace(draft, baseline=place == chosen) for place, draft in enumerate(drafts)]


def _no_baseline(drafts: Sequence[DraftReply]) -> str:
    if len(drafts) == 1 or any(draft.baseline for draft in drafts):
        return ""
    return "No draft is the baseline. Make one a robust, well-known solution and say `baseline: yes` there."


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
                ideas=_IDEA.findall(dealt),
                retest=False,
                seconds=None,
                gpu=False,
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
    # a draft without the line still names its ideas where it describes them
    ideas = _IDEA.findall(found.get("ideas", "") or description)
    needs = found.get("needs", "")
    return DraftReply(
        title=found["title"][:120],
        description=description,
        code=fences[-1] if fences else "",
        baseline=found.get("baseline", "").lower().startswith("y"),
        resources=[name for name in resources if name.lower() != "none"],
        starts_from="" if start.lower() == "none" else start,
        ideas=list(dict.fromkeys(ideas)),
        retest=found.get("retest", "").lower().startswith("y"),
        seconds=_seconds(needs),
        gpu=bool(_GPUS.search(needs)),
    )


def _seconds(needs: str) -> float | None:
    """`10 min`, `1 h 30 min`, `90 s` in seconds; None when no time is named."""
    parts = _DURATION.findall(needs)
    return sum(float(number) * _SECONDS[unit[0].lower()] for number, unit in parts) if parts else None
