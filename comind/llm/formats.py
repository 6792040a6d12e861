"""Tolerant readers for the reply formats of the agents' roles. They read; asking again is `question.py`'s.

Models wrap, forget to close, number, embolden and apologise. What is unambiguous is accepted; what is not
raises MalformedReply with a complaint in words that can be shown to the model.

A reply may be a flood of anything, so every reader takes time linear in its length: no two repetitions that
can match the same characters stand side by side, and none that crosses lines starts at every line.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Final, NamedTuple

from comind.llm.json_replies import json_blocks, json_part
from comind.llm.thinking import strip_thinking as strip_thinking
from kaggle_runner.errors import ComindError

_FENCE: Final = re.compile(
    r"^[ \t]*(?P<mark>`{3,}|~{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)(?:^[ \t]*(?P=mark)[ \t]*$|\Z)", re.M | re.S
)
_SEPARATOR: Final = re.compile(r"^[ \t#*`]*={2,}\s*SEPARATOR\s*={2,}[ \t*`]*$", re.M | re.I)
_BULLET: Final = re.compile(r"^\s*(?:[-*•+]|\(?\d{1,3}[.):]|[a-z][.)])\s+(?P<text>\S.*)$")
_SCORED: Final = re.compile(
    r"^[\s>*_#|\-•+\d.)]*?(?P<name>[A-Za-z][A-Za-z /-]{0,40}?)[*_`\s]*"
    r"(?:\([^)\n]*\)[*_\s]*)?[:=|–—-][*_`\s:|]*"
    r"(?P<score>\d+(?:\.\d+)?)\s*(?P<scale>/\s*\d+(?:\.\d+)?|\bout of \d+)?[*_`\s]*"
    r"(?P<reason>.*)$"
)
_LONGEST_MARKER: Final = 200


class MalformedReply(ComindError):
    """A reply that lacks what was asked for. The message is the complaint to show to the model."""


class Section(NamedTuple):
    title: str
    body: str


def tag(text: str, name: str) -> str | None:
    """What stands in the last complete `<name>…</name>`, stripped; None when the tag is not there.

    Letter case and spaces inside the angle brackets do not matter. When no block is complete, the last
    open one reaches to the next closing or opening tag on a line of its own, or to the end of the reply. A
    reply without the tag that is JSON is read by its keys.
    """
    opening = rf"<\s*{re.escape(name)}\s*>"
    closing = rf"<\s*/\s*{re.escape(name)}\s*>"
    blocks = re.findall(rf"{opening}((?:(?!{opening}).)*?){closing}", text, re.I | re.S)
    if blocks:
        return str(blocks[-1]).strip()
    tails = list(re.finditer(opening, text, re.I))
    if not tails:
        return json_part(text, name)
    rest = text[tails[-1].end() :]
    stop = re.search(r"^[ \t]*<[ \t]?/?[ \t]?[a-z][a-z_]*[ \t]*>", rest, re.I | re.M)
    # A tag at the very start belongs to the content (code may begin with one), not to what follows it.
    return (rest[: stop.start()] if stop and rest[: stop.start()].strip() else rest).strip()


def required_tag(text: str, name: str) -> str:
    """As `tag`, but raises MalformedReply when the tag is missing or empty."""
    value = tag(text, name)
    if not value:
        state = "is empty" if value is not None else "is missing"
        raise MalformedReply(f"The <{name}> part {state}. Write it as <{name}>...</{name}>.")
    return value


def strip_fences(code: str) -> str:
    """Code without Markdown fences. Several fenced blocks are joined; prose around them is dropped.

    Fences inside code that is Python as it stands (a docstring, a Markdown text) are left alone.
    """
    for whole in (code, inside_fence(code.strip())):
        if whole.strip() and not check_python(whole):
            return whole.strip("\n")
    blocks = [match["body"].rstrip() for match in _FENCE.finditer(code)]
    if blocks:
        return "\n\n".join(block for block in blocks if block).strip("\n")
    single = re.fullmatch(r"\s*`{1,3}(?P<body>[^`]+)`{1,3}\s*", code, re.S)
    return (single["body"] if single else code).strip("\n")


def fenced_blocks(text: str) -> list[tuple[str, str]]:
    """What stands behind each opening fence, and the block; the last one may lack its end."""
    return [(match["info"].strip(), match["body"]) for match in _FENCE.finditer(text)]


def inside_fence(code: str) -> str:
    """What stands between a fence on the first line and one at the very end; empty without both."""
    opening = re.match(r"`{3,}+[^\n`]*\n", code)
    body = code.rstrip("`")
    if opening is None or len(code) - len(body) < 3:
        return ""
    return body[opening.end() :].rstrip(" \t").removesuffix("\n")


def check_python(code: str) -> str:
    """Why `code` is not a notebook cell, for instance `line 3: invalid syntax: x =`; empty when it is one.

    IPython's `!`, `%`, `%%` and `?` lines and top-level `await` are allowed. Nothing is run.
    """
    if not code.strip():
        return "the code is empty"
    first = code.lstrip().split("\n", 1)[0]
    if first.startswith("%%"):
        return (
            ""
            if not re.match(r"%%(time|timeit|capture)\b", first)
            else _compiles(code.lstrip().partition("\n")[2])
        )
    return _compiles(code)


def _compiles(code: str) -> str:
    if _syntax_error(code) is None:
        return ""
    # Only now are magics replaced: a `%` at the start of a line may well be Python.
    error = _syntax_error(_without_magics(code))
    if error is None:
        return ""
    shown = (error.text or "").strip()
    return f"line {error.lineno}: {error.msg}" + (f": {shown[:200]}" if shown else "")


def _syntax_error(code: str) -> SyntaxError | None:
    try:
        compile(code, "<cell>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError) as error:
        return SyntaxError(str(error) or type(error).__name__)
    return None


def _without_magics(code: str) -> str:
    """Magic lines as `pass`, with their continuation lines."""
    lines = []
    continued = python_continued = False
    for line in code.split("\n"):
        bare = line.strip()
        if python_continued:
            lines.append(line)
            python_continued = line.endswith("\\")
            continue
        magic = continued or bare.startswith(("!", "%")) or re.fullmatch(r"\??[\w.]+\?{1,2}|\?[\w.]+", bare)
        assigned = re.match(r"([ \t]*[\w.,][\w., ]*=[ \t]*)[!%]", line)
        if magic:
            lines.append(line[: len(line) - len(line.lstrip())] + "pass" if not continued else "")
        else:
            lines.append(f"{assigned[1]}None" if assigned else line)
        continued = bool(magic or assigned) and line.endswith("\\")
        python_continued = not (magic or assigned) and line.endswith("\\")
    return "\n".join(lines)


def sections(text: str, marker: str = r"=== *(?P<title>[^ =].*?)===") -> list[Section]:
    """The parts that begin with a line matching the regular expression `marker`.

    Text before the first is dropped. The section's title is the group `title`, or the whole line when there
    is none. Markdown around the marker (`#`, `**`, backquotes) is ignored. A very long line is no marker.
    """
    pattern = re.compile(rf"[ \t#*`>]*(?P<_marker>{marker})[ \t*`:]*", re.I)
    parts: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        match = pattern.fullmatch(line.rstrip()) if len(line) <= _LONGEST_MARKER else None
        if match:
            parts.append((match.groupdict().get("title") or match["_marker"], []))
        elif parts:
            parts[-1][1].append(line)
    return [Section(title.strip(), "\n".join(lines).strip()) for title, lines in parts]


def separated_blocks(text: str) -> list[str]:
    """The non-empty blocks between `===SEPARATOR===` lines; of JSON, its objects or their parts."""
    return json_blocks(text) or [block.strip() for block in _SEPARATOR.split(text) if block.strip()]


def list_of_strings(text: str) -> list[str]:
    """The strings of a JSON or Python list, or else the items of a numbered or dashed list.

    Raises MalformedReply when there are none.
    """
    for candidate in _bracketed(text):
        strings = _literal_strings(candidate)
        if strings:
            return strings
    strings = bullets(text)
    if not strings:
        raise MalformedReply('No list was found. Reply with a list of strings, for instance ["one", "two"].')
    return strings


def bullets(text: str) -> list[str]:
    """The items of a dashed, starred or numbered list; deeper or unmarked lines continue the item above."""
    items: list[list[str]] = []
    indent = 0
    after_blank = False
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        match = _BULLET.match(line)
        if match and (not items or depth <= indent + 1):
            items.append([match["text"].strip()])
            indent = depth
        elif items and line.strip() and (depth > indent or not after_blank):
            items[-1].append(line.strip())
        after_blank = not line.strip()
    return ["\n".join(lines) for lines in items]


def scored_lines(text: str) -> dict[str, tuple[float, str]]:
    """Lines such as `novelty: 7 - why` or `**Novelty**: 7/10 — why` as {name: (score, reason)}.

    Names are in lower case, scores 0-10. A line whose score is not on that scale is left out; the last line
    of a name wins.
    """
    found: dict[str, tuple[float, str]] = {}
    for line in text.splitlines():
        match = _SCORED.match(line)
        if match is None:
            continue
        score = float(match["score"])
        if match["scale"]:
            top = float(re.sub(r"[^\d.]", "", match["scale"]))
            score = score * 10 / top if top else -1.0
        if 0 <= score <= 10:
            reason = re.sub(r"^[\s\-–—:;,.|()*]+", "", match["reason"]).strip().strip("|").strip()
            found[match["name"].strip().lower()] = (round(score, 6), _balanced(reason))
    return found


def _balanced(reason: str) -> str:
    """`(because)` arrives here as `because)`."""
    return reason[:-1] if reason.endswith(")") and "(" not in reason else reason


def _bracketed(text: str) -> list[str]:
    """Texts that may be a list literal, best guess first."""
    end = text.rfind("]") + 1
    outer = text[text.find("[") : end]
    fenced = strip_fences(text).strip()
    # Prose before the list may hold brackets too: a list usually opens a line.
    opening = re.search(r"^[ \t]*\[", text, re.M)
    at_line = text[opening.end() - 1 : end] if opening else ""
    return [part for part in (fenced, at_line, outer) if part.startswith("[")]


def _literal_strings(text: str) -> list[str]:
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return [item.strip() for item in value if item.strip()]
    return []
