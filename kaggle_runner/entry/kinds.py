"""What kind of competition one is, by what Kaggle tells of it, and whether CoMind can take part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kaggle_runner.entry.rules import sentences
from kaggle_runner.kaggle.records import Competition

KindName = Literal["ordinary", "code", "simulation", "hackathon", "analytics", "host-only"]

_SIMULATION = re.compile(
    r"\bsimulations?\b|skill rating|\btrueskill\b|\belo\b|\bkaggle[-_ ]environments?\b", re.I
)
_RATING = r"(?:skill rating|trueskill|elo)"
_EPISODES = re.compile(
    r"\bkaggle[-_ ]environments?\b|"
    rf"\b{_RATING}\b.*\b(?:episodes?|match(?:es)?|games?|opponents?|bots?|agents?)\b|"
    r"\b(?:agents?|bots?)\b.*\b(?:plays?|battles?|competes?) (?:against|other|with)\b|"
    rf"\bepisodes?\b.*\b(?:{_RATING}|against (?:other|another))",
    re.I | re.S,
)
_JUDGES = r"(?:judg(?:es?|ed|ing)|jury|rubric|panel)"
_ENTRIES = r"(?:write-?ups?|submissions?|entries|notebooks?|reports?|projects?|videos?|essays?|papers?)"
_JUDGED = re.compile(
    rf"\b{_JUDGES}\b.*\b{_ENTRIES}\b|\b{_ENTRIES}\b.*\b{_JUDGES}\b|\bno (?:\w+ )?leaderboard\b", re.I | re.S
)
_PREDICTIONS = re.compile(r"\bsubmission files?\b|\bsample[ _]?submission|\bpredict\w*\b.*\bfor each\b", re.I)
"""Where they are submitted nobody need judge."""
_INVITED = re.compile(
    r"\b(?:by invitation|invitation[- ]only|invite[- ]only|invited (?:participants|users|teams) only|"
    r"only (?:the )?(?:hosts?|organi[sz]ers?|invited \w+) (?:may|can)\b)",
    re.I,
)
_PLACEHOLDER = re.compile(
    r"\bplaceholder\b|\b(?:hidden|unseen|dummy|example|mock) test\b|\b(?:replaced|swapped)\b.*\btest\b|"
    r"\btest\b.*\b(?:replaced|swapped|only (?:a few|an? (?:example|sample))|not the (?:real|full|actual))\b",
    re.I | re.S,
)
_LIMITED = re.compile(r"\b(?:masters|recruitment|invite|limited)\b", re.I)
_OTHER_PAGES = re.compile(r"rule|prize", re.I)
"""They speak of everything."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class CompetitionKind:
    """What a competition is. `sentence` says it, by what one knows it, and whether CoMind takes part."""

    name: KindName
    sentence: str
    hint: str = ""
    served: bool = True
    """Whether a run can compete there at all."""

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {"name": self.name, "served": self.served, "sentence": self.sentence}


IS_CODE = "is a code competition"
"""In the sentence of every one."""
ORDINARY = CompetitionKind("ordinary", "files of predictions are submitted, and scored against hidden values")


def kind_of(competition: Competition, pages: Mapping[str, str], now: datetime) -> CompetitionKind:
    """By category, tags, metric and flags first, else by what the pages say in so many words."""
    slug, named = competition.slug, competition.metric.strip()
    if by := _simulation(competition, pages, named):
        return CompetitionKind(
            "simulation",
            f"{slug} is a simulation ({by}): agents play against each other there and no predictions are "
            "scored, so CoMind does not take part",
            "Choose a competition in which predictions are submitted.",
            served=False,
        )
    if found := _judged(competition, pages, named):
        name, by = found
        what = "a hackathon" if name == "hackathon" else "an analytics competition"
        return CompetitionKind(
            name,
            f"{slug} is {what} ({by}): people judge its entries and no leaderboard scores predictions, so "
            "CoMind does not take part",
            "Choose a competition in which predictions are submitted.",
            served=False,
        )
    if by := _closed(competition, pages, now):
        return CompetitionKind(
            "host-only",
            f"{slug} takes no submissions of yours ({by}); a run is scored on rows held out here",
            "Leave --submit away.",
        )
    if competition.kernels_only:
        placeholder = _first(pages, _PLACEHOLDER)
        told = f"; of the test data it is said: “{placeholder}”" if placeholder else ""
        return CompetitionKind(
            "code",
            f"{slug} {IS_CODE}: notebooks are submitted, which run again at Kaggle on test data "
            f"that is not shown, and no files{told}",
            "Its submissions need a run that was pushed: comind-tui --kaggle-push.",
        )
    return ORDINARY


def _simulation(competition: Competition, pages: Mapping[str, str], named: str) -> str:
    for field, text in (("category", competition.category), ("metric", named)):
        if _SIMULATION.search(text):
            return f"its {field} is {text}"
    for tag in competition.tags:  # of physics too, where predictions are scored
        if _SIMULATION.search(tag) and not named:
            return f"its tag is {tag}"
    quoted = "" if named or _first(pages, _PREDICTIONS) else _first(pages, _EPISODES)
    return f"“{quoted}”" if quoted else ""


def _judged(
    competition: Competition, pages: Mapping[str, str], named: str
) -> tuple[Literal["hackathon", "analytics"], str] | None:
    for field, texts in (("category", (competition.category,)), ("tag", competition.tags)):
        for text in texts:
            words = text.lower()
            if "hackathon" in words:
                return "hackathon", f"its {field} is {text}"
            if "analytics" in words and (field == "category" or not named):
                return "analytics", f"its {field} is {text}"
    if named:
        return None
    if "hackathon" in competition.title.lower():
        return "hackathon", f"its title is {competition.title}, and it names no metric"
    quoted = "" if _first(pages, _PREDICTIONS) else _first(pages, _JUDGED)
    return ("hackathon", f"it names no metric; “{quoted}”") if quoted else None


def _closed(competition: Competition, pages: Mapping[str, str], now: datetime) -> str:
    goes_on = competition.deadline is None or now < competition.deadline
    if competition.submissions_disabled and goes_on:
        return "its host has disabled submissions"
    if competition.entered or not goes_on:
        return ""
    if _LIMITED.search(competition.category):
        return f"its category is {competition.category}, and you have not been let in"
    quoted = _first(pages, _INVITED)
    return f"“{quoted}”" if quoted else ""


def _first(pages: Mapping[str, str], pattern: re.Pattern[str]) -> str:
    """The first sentence that says it, of the pages about the task; empty where none does."""
    about = (text for name, text in pages.items() if not _OTHER_PAGES.search(name))
    found = (one for text in about for one in sentences(text) if pattern.search(one))
    return next(found, "")[:_LONGEST]
