"""What models leave of their thinking, and of their chat template, around the reply proper.

Usual servers take both out; others, and templates that a server does not know, let them through. A mark
counts only outside code: a cell may well hold the text `</think>`. Every search goes once through the reply.
"""

from __future__ import annotations

import re
from bisect import bisect
from itertools import pairwise
from typing import Final

_NAMES = r"(?:[a-z_:|]{0,20}think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|inner_monologue)"
_FAMILIES: Final = (
    (rf"<{_NAMES}>", rf"</{_NAMES}>"),
    (r"\[think(?:ing)?\]", r"\[/think(?:ing)?\]"),
    (r"◁think(?:ing)?▷", r"◁/think(?:ing)?▷"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|think(?:ing)?\|>", r"<\|/think(?:ing)?\|>"),
)
_OPENINGS: Final = "|".join(f"(?P<f{n}>{opening})" for n, (opening, _) in enumerate(_FAMILIES))
_OPENING: Final = re.compile(rf"\s*(?:{_OPENINGS})", re.I)
_BEGUN: Final = rf"(?:{_OPENINGS}|(?P<fence>`{{3,}}|~{{3,}})[^\n`]*$)"
_CODE: Final = r"(?P<code><[ \t]?code[ \t]?>)"
_EVENT: Final = re.compile(rf"^[ \t]*{_BEGUN}|{_CODE}", re.I | re.M)
_DIRECTLY: Final = re.compile(rf"\s*(?:{_BEGUN}|{_CODE})", re.I | re.M)
_CLOSINGS: Final = [re.compile(closing, re.I) for _, closing in _FAMILIES]
_CLOSING: Final = re.compile("|".join(closing for _, closing in _FAMILIES), re.I)
_BORDER: Final = re.compile(
    r"<[ \t]?(?P<end>/?)[ \t]?code[ \t]?>|^[ \t]*(?P<mark>`{3,}|~{3,})(?P<info>[^\n`]*)$", re.I | re.M
)
_QUOTES: Final = frozenset("\"'`")

_CHANNEL: Final = re.compile(
    r"(?:^|\|>|assistant)[ \t]*(?P<mark><\|channel\|>)[ \t]*(?P<name>final|commentary|analysis)\b[^<\n]{0,80}"
    r"(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>",
    re.I | re.M,
)
_BARE_CHANNELS: Final = re.compile(r"\s*analysis(?=[A-Z\s]).*?assistantfinal(?=[\s<`A-Z{\[])", re.S)
"""Channels whose marks a server took for special tokens and left out."""
_OPENED_TURN: Final = re.compile(
    r"\s*(?:(?:<\|start_header_id\|>\s*assistant\s*)?<\|end_header_id\|>|<\|im_start\|>[ \t]*assistant"
    r"|<\|start\|>[ \t]*assistant|<start_of_turn>[ \t]*model|<\|assistant\|>|<\|message\|>|\[/INST\]|<s>"
    r"|<\|START_RESPONSE\|>|<\|begin_of_solution\|>|<\|(?:eot_id|im_end|end)\|>|<\|begin_of_text\|>)"
)
_NEXT_TURN: Final = re.compile(
    r"^[ \t]*(?:<\|start_header_id\|>|<\|im_start\|>|<\|start\|>|<start_of_turn>)[ \t]*"
    r"(?:user|system|assistant|model)"
    r"|(?:<\|(?:eot_id|im_end|end|return|call|eom_id|endoftext)\|>|<end_of_turn>|</s>)\s*"
    r"(?:<\|start_header_id\|>|<\|im_start\|>|<\|start\|>|<start_of_turn>|<s>|\[INST\])",
    re.M,
)
_LAST: Final = re.compile(
    r"(?:<\|(?:eot_id|im_end|end|return|call|eom_id|endoftext|end_of_text|END_RESPONSE|end_of_solution)\|>"
    r"|<end_of_turn>|</s>|<\uff5cend\u2581of\u2581sentence\uff5c>|\s)+\Z"
)
_LONGEST_END: Final = 400


def strip_thinking(text: str) -> str:
    """The reply without thoughts and template marks. A thought that never ends leaves nothing: it was cut."""
    text = _one_turn(_answer_channel(text))
    text = _without_thoughts(text)
    text = _after_lone_end(text)
    opening = _OPENING.match(text)
    return "" if opening else _one_turn(text).strip()


def _answer_channel(text: str) -> str:
    """What is said on the last `final` channel of OpenAI's harmony format, else on `commentary`."""
    code = _Code(text)
    channels = [found for found in _CHANNEL.finditer(text) if not code.holds(found, "mark")]
    if not channels:
        bare = _BARE_CHANNELS.match(text)
        return text[bare.end() :] if bare else text
    names = [found["name"].lower() for found in channels]
    for wanted in ("final", "commentary"):
        if wanted in names:
            place = len(names) - 1 - names[::-1].index(wanted)
            end = channels[place + 1].start() if place + 1 < len(channels) else len(text)
            return text[channels[place].end() : end]
    return text[: channels[0].start()]


def _one_turn(text: str) -> str:
    """Without the marks around an assistant's turn, and without turns that it went on to invent."""
    while opened := _OPENED_TURN.match(text):
        text = text[opened.end() :]
    code = _Code(text)
    following = next((one for one in _NEXT_TURN.finditer(text) if not code.holds(one)), None)
    text = text[: following.start()] if following else text
    end = _LAST.search(text, max(0, len(text) - _LONGEST_END))
    return text[: end.start()] if end else text


def _without_thoughts(text: str) -> str:
    """Drops the closed blocks that begin a line outside code, and those that follow one directly."""
    kept, place = [], 0
    event = _EVENT.search(text)
    while event:
        family = _family(event)
        if family is None:
            event = _EVENT.search(text, _end_of_code(text, event))
            continue
        end = _CLOSINGS[family].search(text, event.end())
        if end is None:
            break
        kept.append(text[place : event.start()])
        place = end.end()
        event = _DIRECTLY.match(text, place) or _EVENT.search(text, place)
    return "".join([*kept, text[place:]])


def _family(found: re.Match[str]) -> int | None:
    return next((n for n in range(len(_FAMILIES)) if found[f"f{n}"] is not None), None)


def _end_of_code(text: str, opening: re.Match[str]) -> int:
    """Where the code ends that opens here; at the end of the reply where it does not."""
    if opening["fence"]:
        closing = re.compile(rf"^[ \t]*{opening['fence']}[ \t]*$", re.M)
    else:
        closing = re.compile(r"<[ \t]?/[ \t]?code[ \t]?>", re.I)
    found = closing.search(text, opening.end())
    return found.end() if found else len(text)


def _after_lone_end(text: str) -> str:
    """Some templates open the thought themselves, so that only its end is in the reply."""
    code = _Code(text)
    ends = (end for end in reversed(list(_CLOSING.finditer(text))) if not code.holds(end))
    end = next(ends, None)
    return text[end.end() :] if end else text


class _Code:
    """Where in a reply code stands: between a mark that opens it and the next mark, if that one closes."""

    def __init__(self, text: str) -> None:
        self._text = text
        borders = list(_BORDER.finditer(text))
        spans = [
            (one.start(), other.start())
            for one, other in pairwise(borders)
            if not one["end"] and (other["end"] or (other["info"] == "" and other["mark"] == one["mark"]))
        ]
        self._starts, self._ends = [one for one, _ in spans], [other for _, other in spans]

    def holds(self, found: re.Match[str], name: int | str = 0) -> bool:
        """Whether a mark (a group of the match) stands in code, or right beside a quotation mark."""
        start, end = found.span(name)
        around = self._text[max(0, start - 1) : start] + self._text[end : end + 1]
        place = bisect(self._starts, start) - 1
        return bool(_QUOTES & {*around}) or (place >= 0 and start < self._ends[place])
