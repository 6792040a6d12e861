"""What a competition's own pages say may be done, in their sentences. Nothing is judged, and nothing guessed.

A sentence is quoted under each topic that it speaks of; a topic without one is told as "not said".
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NOT_SAID = "not said"
_MOST_QUOTES = 8
_LONGEST_QUOTE = 500
_OF_RULES = re.compile(r"rule|requirement", re.I)
"""Names of the pages that are read."""
_BREAKS = re.compile(r"</?(?:p|div|li|ul|ol|br|tr|td|th|table|section)\b[^>]*>", re.I)
_HEADING = re.compile(r"<h([1-6])\b[^>]*>.*?</h\1>|^ {0,3}#{1,6}[ \t][^\n]*$", re.I | re.S | re.M)
_ITEM = re.compile(r"\n\s*\n|\n\s*(?:[-*•]|\(?[0-9a-z]{1,3}[.)])\s+")
_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?:\(?[a-z][.)]\s+)?(?=[\"'“‘(\[*_]*[A-Z0-9])")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|No|Nos|Inc|Ltd|Mr|Ms|Dr|St|Art|Sec|[A-Z]|\d{1,2})|[(])\.$"
)
_VERB = re.compile(
    r"\b(?:no|not|never|none|must|may|can(?:not)?|shall|will|should|is|are|was|has|have|use|"
    r"allowed|permitted|prohibited|forbidden|banned|acceptable|required|limited|yes|only|"
    r"up to|maximum|until|within)\b|:\s*\S",
    re.I,
)

_DATA = r"(?:data ?-?sets?|data|models?|sources?|weights)"
_OPENLY = r"(?:publicly|freely)(?: and \w+)? available"
_GIVEN = r"(?:provided|supplied)"
_TOOL = r"(?:software|tools?|llms?|language models?|apis?|models?|data ?-?sets?|data|compute|hardware|gpus?)"
_COST = r"(?:costs?|charges?|expenses?|fees?)"
_WHO = r"(?:teams?|groups?|members?|participants?|competitors?|others|anyone|parties)"
_WORK = r"(?:code|data|solutions?|models?)"
_SHARED = r"shar(?:e|ed|ing)"
_PUBLIC = r"(?:public\w*|forums?|everyone|all)"
_MOST = r"(?:at most|up to|no more than|maximum|max|limited to|more than)"
_TOPICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "external_data": ("external data", (
        rf"\b(?:external|outside|extra|additional|supplementa\w+|third[- ]party)\s+(?:\w+\s+)?{_DATA}\b",
        rf"\b(?:no )?other (?:public )?{_DATA}\b",
        r"\bexternal (?:resources?|information|files?|images?|texts?|corpora)\b",
        rf"\bhand[- ]?label\w+\b|\bonly (?:use )?(?:the )?{_DATA} (?:that |which )?(?:we|is|are|was|from)\b",
        r"\bpre-?trained\b|\bdata (?:other than|beyond|from outside)\b",
        rf"\b{_DATA} (?:that (?:is|are|was) )?not {_GIVEN}\b",
        rf"\b{_OPENLY}\b.*\b{_DATA}\b|\b{_DATA}\b.*\b{_OPENLY}\b",
        rf"\bonly (?:use )?(?:the )?(?:{_GIVEN}|competition) {_DATA}\b|\b{_GIVEN} {_DATA} only\b",
    )),
    "automated_tools": ("automated tools", (
        r"\bauto-?ml\b|\bAMLTs?\b|\bautomated (?:machine|ml|learning|mean|system|process|program|model)",
        r"\bautomat(?:ed|ic)\b.*\b(?:tools?|agents?|scripts?|software|bots?|entries|submissions?)\b",
        r"\b(?:ro)?bots?\b|\b(?:coding|ai|autonomous|llm) (?:agents?|assistants?)\b",
        r"\bgenerative ai\b|\bai[- ](?:generated|tools?)\b|\b(?:chatbots?|chatgpt|copilot)\b",
        r"\b(?:macros?|scripted) (?:entries|submissions?)\b|\b(?:auto-?sklearn|autogluon)\b",
        r"\b(?:llms?|ai|(?:language )?models?)[- ](?:based|powered|driven) (?:agents?|assistants?|tools?)\b",
    )),
    "paid_tools": ("paid tools", (
        rf"\b(?:{_COST}|price[sd]?|paid|paying|pay|subscriptions?|free of charge|budget)\b.*\b{_TOOL}\b",
        rf"\b(?:commercial(?:ly)?|proprietary)\b.*\b{_TOOL}\b",
        rf"\b{_TOOL}\b.*\b(?:minimal|excessive|reasonable|additional|no|high|zero|extra) (?:\w+ )?{_COST}\b",
        rf"\b{_TOOL}\b.*\b(?:paid|subscriptions?|free of charge|for free|commercial licen[cs]e)\b",
        rf"\b{_TOOL}\b.*\bcosts? (?:more|less|money|nothing|at most|over|above)\b",
        r"\brequir\w+ (?:\w+ )?payment\b",
        rf"\b{_TOOL} (?:\w+ ){{0,3}}(?:must|should|has to|have to) be\b.*\bfree\b",
        r"\breasonabl[ey] accessib\w+|\breasonableness\b|\bequally accessible\b|\bprocur\w+ a licen[cs]e\b",
    )),
    "private_sharing": ("private sharing", (
        r"\bprivate(?:ly)? (?:code )?shar\w+|\bshar\w+ (?:\w+ ){0,4}privately\b",
        rf"\b{_SHARED}\b.*\b(?:outside|between|with|among|across|other)\b.*\b{_WHO}\b",
        rf"\bexchang\w+ (?:\w+ )?{_WORK}\b",
        r"\bcollaborat\w+\b.*\b(?:outside|between|across|other)\b.*\bteams?\b",
        rf"\b{_SHARED}\b.*\b{_WORK}\b.*\b{_PUBLIC}\b|\b{_WORK}\b.*\b{_SHARED}\b.*\b{_PUBLIC}\b",
    )),
    "team_limits": ("team limits", (
        r"\bteam (?:size|merg\w+|limits?)\b|\bsize of (?:a|the|your|each) team\b|\bmerg\w+ (?:of )?teams?\b",
        rf"\bteams?\b.*\b(?:{_MOST}|fewer than|exceed|consist\w*)\b",
        rf"\b{_MOST}\b.*\b(?:members?|people|persons?)\b.*\bteams?\b",
        r"\b(?:individual(?:s|ly)?|solo|alone|one person)\b.*\b(?:only|compete|participat\w+|enter)\b",
        r"\bteams? of (?:one|two|three|four|five|six|seven|eight|ten|\d+)\b|\bnumber of (?:team )?members\b",
        r"\bteams? (?:may|can|must|should) (?:have|be|consist|include)\b",
        r"\bgroups? of (?:up to|at most|no more)\b",
        r"\bteams are not\b|\bno teams?\b|\b(?:one|single) team\b|\bmultiple teams\b",
    )),
}  # fmt: skip
"""Topic → its name for people, and what a sentence of it holds."""
_PATTERNS = {topic: re.compile("|".join(patterns), re.I | re.S) for topic, (_, patterns) in _TOPICS.items()}
TITLES = {topic: title for topic, (title, _) in _TOPICS.items()}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the pages say of each topic; no sentence where they say nothing of it."""

    found: bool
    """Whether there is a page of rules at all."""
    quotes: dict[str, tuple[str, ...]]
    """Topic of TITLES → sentences, as they stand there."""

    def told(self, topic: str) -> str:
        """The sentences, or that there is none."""
        quoted = " … ".join(f"“{one}”" for one in self.quotes.get(topic, ()))
        return quoted or (NOT_SAID if self.found else f"{NOT_SAID}: there is no rules page")

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "found": self.found,
            **{
                topic: {
                    "said": bool(self.quotes.get(topic)),
                    "sentences": list(self.quotes.get(topic, ())),
                    "told": self.told(topic),
                }
                for topic in TITLES
            },
        }


def read_rules(pages: Mapping[str, str]) -> Rules:
    """From the competition's pages by name; those of rules and of requirements for code are read."""
    texts = [text for name, text in pages.items() if _OF_RULES.search(name)]
    quotes: dict[str, dict[str, None]] = {topic: {} for topic in TITLES}
    for sentence in (sentence for text in texts for sentence in sentences(text)):
        for topic, pattern in _PATTERNS.items():
            if pattern.search(sentence):
                quotes[topic][_cut(sentence, pattern)] = None
    most = {topic: tuple(found)[:_MOST_QUOTES] for topic, found in quotes.items()}
    return Rules(any("rule" in name.lower() for name in pages), most)


def sentences(text: str) -> Iterator[str]:
    """The sentences of a page in HTML or Markdown, without its headings."""
    plain = _HEADING.sub("\n\n", text)
    plain = html.unescape(re.sub(r"<[^>]+>", " ", _BREAKS.sub("\n\n", plain)))
    for block in _ITEM.split(plain):
        rest = ""
        for piece in _END.split(" ".join(block.split())):
            whole = f"{rest} {piece}".strip()
            if _ABBREVIATED.search(whole):
                rest = whole
                continue
            rest = ""
            yield from _said(whole)
        yield from _said(rest)


def _said(sentence: str) -> Iterator[str]:
    """The sentence without marks around it; none where it is only a title."""
    bare = re.sub(r"\*\*|__", "", sentence).strip("#*-_| ")
    words = len(bare.split())
    if bare and (words > 5 or (words > 3 and bare[-1] in ".!?") or _VERB.search(bare)):
        yield bare


def _cut(sentence: str, pattern: re.Pattern[str]) -> str:
    """A very long sentence round what it says of the topic."""
    if len(sentence) <= _LONGEST_QUOTE:
        return sentence
    match = pattern.search(sentence)
    start = max(0, min(match.start() if match else 0, len(sentence)) - _LONGEST_QUOTE // 4)
    cut = sentence[start : start + _LONGEST_QUOTE]
    return f"{'… ' if start else ''}{cut.strip()}{' …' if start + _LONGEST_QUOTE < len(sentence) else ''}"
