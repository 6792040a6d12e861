"""Edits of a script as a weak model writes them: old lines and the new lines in their place.

A model that repeats a whole script to change one line takes ten times as long, and often changes nothing.
Old lines are found whatever their indentation and spacing; the new ones are shifted to where the old ones
stood.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

from comind.llm.formats import MalformedReply, strip_fences
from comind.llm.json_replies import json_objects

_MARK = re.compile(r"<[ \t]{0,9}(/?)[ \t]{0,9}(old|new)[ \t]{0,9}>", re.I)
_MARKS = ("<<<", ">>>")
_NO_SETTINGS = {"axis", "cv", "header", "n_jobs", "ndim", "nrows", "random_state", "seed", "verbose"}
"""Numbers that are no settings of a model."""
_SETTING = re.compile(r"(?<=[(,\s])(?P<name>[A-Za-z_]\w{0,40})=(?P<value>\d{1,9}(?:\.\d{1,9})?)(?=[,)\s]|$)")
_MOST = 10
_LONGEST = 100_000
"""Characters of a reply that are searched: a flood of opening tags must not cost quadratic time."""


class Edit(NamedTuple):
    old: str
    new: str


def parse_edits(text: str) -> list[Edit]:
    """The edits of a reply in order; none when it holds no `<old>`…`</old>` with `<new>` behind it.

    A `<new>` part reaches to the next mark of any kind, or to the end. The text is cut at the marks once, so
    that a flood of them takes linear time.
    """
    pieces = _MARK.split(text[:_LONGEST])
    marks = [f"{slash}{name}".lower() for slash, name in zip(pieces[1::3], pieces[2::3], strict=True)]
    texts = pieces[3::3]  # what follows each mark
    pairs = [
        Edit(_lines_of(texts[place]), _lines_of(texts[place + 2]))
        for place in range(len(marks) - 2)
        if marks[place : place + 3] == ["old", "/old", "new"] and not texts[place + 1].strip()
    ]
    pairs = pairs or [
        Edit(_lines_of(str(one["old"])), _lines_of(str(one["new"])))
        for one in json_objects(text[:_LONGEST])
        if {"old", "new"} <= one.keys()
    ]
    return pairs[:_MOST]


def apply_edits(script: str, edits: Sequence[Edit]) -> str:
    """The changed script. MalformedReply names the first edit whose old lines are not in it, or are twice."""
    lines = _split(script.rstrip("\r\n"))
    for edit in edits:
        lines = _replaced(lines, edit)
    return "\n".join(lines) + "\n"


def example_edit(script: str, turn: int) -> tuple[str, Edit]:
    """An edit of this very script that would run: weak models copy examples, so the copy must be a fair try.

    A number that a call is given is doubled or halved, another one each turn; the goal comes first.
    """
    places = [
        (line, found)
        for line in script.splitlines()
        for found in _SETTING.finditer(line)
        if found["name"] not in _NO_SETTINGS and not line.lstrip().startswith(("#", "def ", "import "))
    ]
    if not places:
        lines = [line for line in script.splitlines() if line.strip()] or ["pass"]
        return "say in one sentence what changes", Edit(lines[-1], lines[-1])
    line, found = places[turn % len(places)]
    halve = turn // len(places) % 2 == 1 and float(found["value"]) > 1
    value = float(found["value"]) * (0.5 if halve else 2)
    shown = str(round(value)) if "." not in found["value"] else f"{value:g}"
    changed = f"{line[: found.start('value')]}{shown}{line[found.end('value') :]}"
    return f"try {found['name']}={shown}", Edit(line.strip(), changed.strip())


def without_marks(code: str) -> str:
    """Code without the marks that quoted it in the prompt: weak models copy them along."""
    lines = code.strip("\n").splitlines()
    while lines and lines[-1].strip() in (*_MARKS, ""):
        lines.pop()
    while lines and lines[0].strip() in (*_MARKS, ""):
        lines.pop(0)
    return "\n".join(lines)


def _lines_of(text: str) -> str:
    return without_marks(strip_fences(text))


def _replaced(lines: list[str], edit: Edit) -> list[str]:
    old = [line for line in _split(edit.old) if line.strip()]
    if not old:
        raise MalformedReply("An <old> part is empty. Copy into it the lines of the script that change.")
    # remarks of the model's own among the copied lines are no part of the script
    places = _find(lines, old) or _find(lines, [line for line in old if not line.lstrip().startswith("#")])
    if not places:
        raise MalformedReply(_missing(lines, old))
    if len(places) > 1:
        raise MalformedReply(
            f"The lines `{old[0].strip()[:100]}` stand in the script {len(places)} times."
            " Copy one line more, so that it is clear which are meant."
        )
    start, end = places[0]
    first = next((line for line in old if _plain(line) == _plain(lines[start])), old[0])
    given, here = _margin(first), _margin(lines[start])
    new = [_shifted(line, given, here) for line in _split(edit.new)]
    return [*lines[:start], *new, *lines[end:]]


def _find(lines: Sequence[str], old: Sequence[str]) -> list[tuple[int, int]]:
    """Where `old` stands in `lines`, as (first, one past the last); empty lines do not count."""
    if not old:
        return []
    wanted = [_plain(line) for line in old]
    filled = [(number, _plain(line)) for number, line in enumerate(lines) if line.strip()]
    found = []
    for first in range(len(filled) - len(wanted) + 1):
        if [text for _, text in filled[first : first + len(wanted)]] == wanted:
            found.append((filled[first][0], filled[first + len(wanted) - 1][0] + 1))
    return found


def _missing(lines: Sequence[str], old: Sequence[str]) -> str:
    """The complaint, with the line of the script that is nearest to the first line not found."""
    present = {_plain(line) for line in lines}
    lost = next((line for line in old if _plain(line) not in present), old[0]).strip()
    near = difflib.get_close_matches(lost, [line.strip() for line in lines if line.strip()], n=1, cutoff=0.5)
    hint = f" The nearest line of the script is `{near[0][:200]}`." if near else ""
    return f"The line `{lost[:200]}` of <old> is not in the script.{hint} Copy old lines exactly."


def _split(text: str) -> list[str]:
    """Lines as Python has them: `splitlines` would also cut a string at a form feed or a line separator."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if text else []


def _plain(line: str) -> str:
    return " ".join(line.split())


def _margin(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _shifted(line: str, given: str, here: str) -> str:
    """`line`, written for old lines that begin with `given`, for where they begin with `here`.

    Tabs and spaces are not mixed: a script with tabs is often quoted with spaces.
    """
    if given == here or not line.strip():
        return line
    if "\t" in given + here:
        line, given = line.expandtabs(4), given.expandtabs(4)
    text = line.lstrip()
    deeper = len(_margin(line)) - len(given)
    step = 4 if "\t" in here else 1
    if deeper < 0:
        return here[: max(0, len(here) + deeper // step)] + text
    return here + ("\t" if step == 4 else " ") * (deeper // step) + " " * (deeper % step) + text
