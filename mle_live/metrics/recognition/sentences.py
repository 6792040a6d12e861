"""A description in sentences, each with whether it stands where a competition speaks of its scoring."""

from __future__ import annotations

import re
from typing import NamedTuple

_SPEAKS_OF_SCORING = re.compile(r"evaluat|metric|scor(?:e\b|ing)|judg|grading", re.IGNORECASE)
_SPEAKS_OF_FILES = re.compile(
    r"submission|timeline|prize|citation|dataset|\bdata\b|\bfile|faq|rules|format|requirement|code",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^(#{1,6})[ \t]*(.*?)[ \t]*#*[ \t]*$|^(?P<under>[^\n#>|*-][^\n]{2,80})\n(?:=|-){3,}\s*$", re.MULTILINE
)
_CODE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
_END = re.compile(
    r"(?<=[.!?])[\"'”)\]]*\s+(?=[\"'“(\[]*[A-Z0-9\[\"“(#*`$])|(?<=:)\s*\n|\n\s*\n|\n(?=\s*(?:[-*•]"
    r"|\d+[.)])\s)"
)
_NO_END = re.compile(r"\b(?:e\.g|i\.e|vs|etc|cf|approx|resp|no|fig|eq|al|st)\.$|\b[A-Z]\.$", re.IGNORECASE)
_LONGEST = 1000
"""Characters of a sentence."""
_NO_HEADINGS_WITHIN = 4000
"""A text without a heading on scoring, and no longer than this, speaks of it anywhere."""


class Sentence(NamedTuple):
    """A piece of the text without markup."""

    text: str
    scoring: bool
    """It stands under a heading on scoring, or in a short text without one."""
    heading: bool = False


class WrittenFormula(NamedTuple):
    """A formula between dollar signs or the like, or a function in code."""

    text: str
    scoring: bool


def split(text: str) -> tuple[list[Sentence], list[WrittenFormula]]:
    """All of the text in pieces, formulas and code apart."""
    sections = _sections(text)
    named = any(scoring for _, _, scoring in sections)
    sentences: list[Sentence] = []
    formulas: list[WrittenFormula] = []
    for heading, body, scoring in sections:
        scoring = scoring or (not named and len(text) <= _NO_HEADINGS_WITHIN)
        code = [match[0] for match in _CODE.finditer(body) if "def " in match[0]]
        body, found = _without_formulas(_without_code(body))
        formulas += [WrittenFormula(formula, scoring) for formula in (*found, *code)]
        if heading:
            sentences.append(Sentence(heading, scoring, heading=True))
        sentences += [Sentence(piece, scoring) for piece in _pieces(_without_markup(body))]
    return sentences, formulas


def _sections(text: str) -> list[tuple[str, str, bool]]:
    """Heading, body and whether it speaks of scoring: by its own words, or those of the heading above it."""
    blank = _CODE.sub(lambda match: " " * len(match[0]), text)  # a `#` in code is no heading
    headings = list(_HEADING.finditer(blank))
    found = [("", text[: headings[0].start()] if headings else text, False)]
    above: list[tuple[int, bool]] = []
    for index, match in enumerate(headings):
        level = len(match[1]) if match[1] else 2
        name = _without_markup(match[2] or match["under"] or "")
        above = [one for one in above if one[0] < level]
        of_files = _SPEAKS_OF_FILES.search(name) and not re.search(r"evaluation|metric", name, re.IGNORECASE)
        scoring = bool(_SPEAKS_OF_SCORING.search(name)) or (bool(above) and above[-1][1] and not of_files)
        above.append((level, scoring))
        end = headings[index + 1].start() if index + 1 < len(headings) else len(text)
        found.append((name, text[match.end() : end], scoring))
    return found


def _without_code(text: str) -> str:
    """Fenced blocks and HTML comments hold code and examples."""
    text = _CODE.sub("\n\n", text)
    return re.sub(r"<!--.*?-->|<(?:script|style)\b.*?</\w+>", " ", text, flags=re.DOTALL)


def _without_formulas(text: str) -> tuple[str, list[str]]:
    found: list[str] = []

    def alone(match: re.Match[str]) -> str:
        """A line of a formula that stands between no signs; within signs it is kept for them."""
        if "$" in match[0]:
            return match[0]
        found.append(match[0])
        return " "

    def keep(match: re.Match[str]) -> str:
        found.append(match[0])
        # a formula that is one symbol is a word: $R^2$
        inner = match[0].strip("$ ")
        return inner if re.fullmatch(r"\\?(?:text\w*)?\{?[\w^{}\\.]{1,12}\}?", inner) else " "

    text = re.sub(
        r"^.*\\(?:frac|sum|sqrt|textrm?|left|operatorname|mathrm)\b.*$", alone, text, flags=re.MULTILINE
    )
    return re.sub(
        r"\$\$.*?\$\$|\\\[.*?\\\]|\\\(.*?\\\)|\$[^$\n]{1,300}\$", keep, text, flags=re.DOTALL
    ), found


def _without_markup(text: str) -> str:
    text = re.sub(r"!\[[^\]\n]{0,300}\]\([^)\n]{0,600}\)", " ", text)
    text = re.sub(r"\[([^\[\]\n]{0,300})\]\(<?[^)\s]{0,600}>?(?:\s+\"[^\"\n]{0,200}\")?\)", r"\1", text)
    text = re.sub(r"https?://\S+", " ", text)
    text = re.sub(r"</?[a-zA-Z][^>\n]*>", " ", text)
    text = re.sub(r"&nbsp;|\\_", " ", text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = re.sub(r"\*\*|__|(?<![\w)])[*_](?=[A-Za-z])|(?<=[A-Za-z.])[*_](?![\w(])|`", "", text)
    return re.sub(r"[ \t]+", " ", text).strip()


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for piece in _END.split(text):
        piece = " ".join(piece.split()).lstrip("-*•> ")
        if pieces and _NO_END.search(pieces[-1]):
            pieces[-1] += " " + piece
        elif piece:
            pieces.append(piece)
    return [part for piece in pieces for part in _bounded(piece)]


def _bounded(piece: str) -> list[str]:
    """A sentence without end in parts, so that reading hostile text takes no longer than honest text."""
    parts = []
    while len(piece) > _LONGEST:
        cut = piece.rfind(" ", 1, _LONGEST)
        cut = cut if cut > 0 else _LONGEST
        parts.append(piece[:cut])
        piece = piece[cut:].strip()
    return [*parts, piece]
