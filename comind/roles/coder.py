"""Coding Agent's turns and report as replies, in the paper's formats. The loop is `comind.agents.coder`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from comind.llm.formats import (
    MalformedReply,
    check_python,
    required_tag,
    scored_lines,
    sections,
    strip_fences,
    tag,
)
from comind.llm.question import Smaller
from comind.roles.prompts import Message, Prompts
from comind.roles.untagged import first_words, untagged_code, written_predictions

_CODE = re.compile(r"<\s*code\s*>", re.I)
_GOAL = re.compile(r"^[ \t]*(?P<goal><\s*goal\s*>)", re.I | re.M)
_LEAST_PIPELINE = 40
"""Characters from which a reply to the short question for a report is one."""
LONGEST_GOAL = 500
"""Characters; a goal is shown whole in events, lists and prompts."""
MARKS = ("novelty", "feasibility", "effectiveness", "efficiency", "confidence")


@dataclass(frozen=True, slots=True)
class Turn:
    """A goal and one cell. Empty code means the agent is finished. Both files are named, or neither."""

    goal: str
    code: str
    validation_submission: str
    submission: str
    fault: str = ""
    """Why the files that were named do not count; the cell runs all the same."""
    text: str = ""
    """The part of the reply that this turn was read from."""

    @property
    def submits(self) -> bool:
        return bool(self.submission)


@dataclass(frozen=True, slots=True)
class SolutionReport:
    pipeline: str
    summary: str
    marks: dict[str, float]
    """Mean over the components of each of the five marks."""


def parse_turn(text: str) -> Turn:
    """The first turn of a reply: what follows it was written without having seen the first cell's output."""
    first = _CODE.search(text)
    second = _GOAL.search(text, first.end()) if first else None
    text = text[: second.start("goal")].rstrip() if second else text
    code = tag(text, "code")
    if code is None:
        return _untagged_turn(text)
    code = strip_fences(code).strip("\n")
    fault = check_python(code) if code.strip() else ""
    if fault:
        raise MalformedReply(f"The cell is not valid Python: {fault}")
    goal = stated_goal(text, "(no goal stated)" if code.strip() else "finished")
    try:
        validation, test = _file(text, "validation_submission"), _file(text, "submission")
    except MalformedReply as error:
        return Turn(goal, code, "", "", error.message, text)
    if bool(validation) != bool(test):
        fault = "only one prediction file was named. Name both in the turn that writes them, or None twice."
        return Turn(goal, code, "", "", fault, text)
    return Turn(goal, code, validation, test, "", text)


def _untagged_turn(text: str) -> Turn:
    """A cell in fences, with the files that it writes named by itself where the reply does not name any."""
    code = untagged_code(text)
    if code is None:
        raise MalformedReply("The <code> part is missing. Write the whole cell as <code>...</code>.")
    goal = stated_goal(text, first_words(text)[:LONGEST_GOAL] or "(no goal stated)")
    named = tag(text, "validation_submission") is not None or tag(text, "submission") is not None
    if named:
        return parse_turn(f"{text}\n<code>\n{code}\n</code>")
    validation, test = written_predictions(code)
    return Turn(goal, code, validation, test, "", text)


def stated_goal(text: str, otherwise: str = "(no goal stated)") -> str:
    """On one line, of at most LONGEST_GOAL characters."""
    return re.sub(r"\s+", " ", tag(text, "goal") or "").strip()[:LONGEST_GOAL] or otherwise


def parse_report(text: str) -> SolutionReport:
    pipeline, summary = required_tag(text, "pipeline"), required_tag(text, "summary")
    per_mark: dict[str, list[float]] = {name: [] for name in MARKS}
    for part in [section.body for section in sections(summary)] or [summary]:
        for name, (mark, _) in scored_lines(part).items():
            if name in per_mark:
                per_mark[name].append(mark)
    marks = {name: sum(values) / len(values) for name, values in per_mark.items() if values}
    if not marks:
        raise MalformedReply(
            "The <summary> holds no mark. A mark is a number from 0 to 10 on a line such as"
            " `effectiveness: 6 - reason`."
        )
    return SolutionReport(pipeline, summary, marks)


def report_without_marks(text: str) -> SolutionReport:
    """A pipeline whose summary is missing or holds no mark."""
    pipeline = required_tag(text, "pipeline")
    return SolutionReport(pipeline, tag(text, "summary") or "No summary was given.", {})


def short_report(prompts: Prompts, messages: Sequence[Message]) -> Smaller[SolutionReport]:
    """The smaller question at the end of a talk that `messages` (with the question for the report) ends."""
    question = {"role": "user", "content": prompts.render("coder", "report_short")}
    return Smaller([*messages[:-1], question], _parse_short_report)


def _parse_short_report(text: str) -> SolutionReport:
    pipeline = (tag(text, "pipeline") or text).strip()
    if len(pipeline) < _LEAST_PIPELINE:
        raise MalformedReply("The reply describes no pipeline.")
    return SolutionReport(pipeline, "No summary was given.", {})


def _file(text: str, name: str) -> str:
    """A plain file name, or empty for None. Directories are refused: files lie in the working folder."""
    value = (tag(text, name) or "").strip().strip("`'\"")
    if value.lower() in ("", "none", "null", "n/a"):
        return ""
    path = PurePosixPath(value.removeprefix("/kaggle/working/").removeprefix("./"))
    if path.is_absolute() or len(path.parts) != 1 or ".." in path.parts:
        raise MalformedReply(f"<{name}> names {value!r}; it must be a file in the working folder.")
    return str(path)
