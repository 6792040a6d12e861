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

from comind.llm.parsing import MalformedReply, strip_fences

_EDIT = re.compile(
    r"<\s*old\s*>(?P<old>.*?)<\s*/\s*old\s*>\s*<\s*new\s*>(?P<new>.*?)(?:<\s*/\s*new\s*>|(?=<\s*old\s*>)|\Z)",
    re.I | re.S,
)
_MARKS = ("<<<", ">>>")
_MOST = 10
_LONGEST = 100_000
"""Characters of a reply that are searched: a flood of opening tags must not cost quadratic time."""


class Edit(NamedTuple):
    old: str
    new: str


def parse_edits(text: str) -> list[Edit]:
    """The edits of a reply in order; none when it holds no `<old>`…`<new>` pair."""
    pairs = [Edit(_lines_of(one["old"]), _lines_of(one["new"])) for one in _EDIT.finditer(text[:_LONGEST])]
    return pairs[:_MOST]


def apply_edits(script: str, edits: Sequence[Edit]) -> str:
    """The changed script. MalformedReply names the first edit whose old lines are not in it, or are twice."""
    lines = script.splitlines()
    for edit in edits:
        lines = _replaced(lines, edit)
    return "\n".join(lines) + "\n"


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
    old = [line for line in edit.old.splitlines() if line.strip()]
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
    shift = _indent(lines[start]) - _indent(first)
    new = [_shifted(line, shift) for line in edit.new.splitlines()]
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


def _plain(line: str) -> str:
    return " ".join(line.split())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shifted(line: str, shift: int) -> str:
    if shift >= 0:
        return " " * shift + line if line.strip() else line
    return line[min(-shift, _indent(line)) :]
