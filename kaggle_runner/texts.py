"""Texts of others: made inert for terminals, made whole for files and databases, and cut with a mark."""

from __future__ import annotations

import re
from collections import deque

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor moves
    r"|[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC: titles, clipboards, links
    r"|[ -/]*[0-~])"  # the short ones
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one C1 character
    r"|[\x9d\x90\x98\x9e\x9f].*?(?:\x07|\x1b\\|\x9c|$)",  # OSC and its kind as one
    re.DOTALL,
)
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"
    r"\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What steers a terminal, and what cannot be seen or reorders what is seen."""


def whole_characters(text: str) -> str:
    """`text` as UTF-8 and SQLite take it: two halves of a character become it, a lone half becomes `�`.

    JSON can spell halves of a surrogate pair, and undecodable bytes in file names become some.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def plain(text: str) -> str:
    """`text` that cannot steer a terminal: no escape sequences, controls or half characters.

    Newlines stay, tabs become spaces.
    """
    if text.isprintable():
        return text
    return without_controls(_ESCAPES.sub("", text.replace("\r\n", "\n"))).replace("\t", "    ")


def without_controls(text: str) -> str:
    """What can be seen of `text`, as wide as before: of an escape sequence all but its first character."""
    return text if text.isprintable() else whole_characters(_CONTROLS.sub("", text))


def one_line(text: str) -> str:
    """`plain` text on one line."""
    return " ".join(plain(text).split())


def clip(
    text: str, characters: int, *, front: int | None = None, mark: str = "\n[… {} characters left out …]\n"
) -> str:
    """`text`, or its first `front` and its last characters around a mark with the number left out.

    It keeps so many `characters` in all, of which 30 % stand in front unless told otherwise.
    """
    left_out = len(text) - characters
    if left_out <= 0:
        return text
    front = characters * 3 // 10 if front is None else front
    return text[:front] + mark.replace("{}", str(left_out)) + text[front + left_out :]


class Ends:
    """What `clip` keeps, of a text that comes in pieces, in bounded memory."""

    def __init__(self, characters: int, *, front: int | None = None) -> None:
        self._front = characters * 3 // 10 if front is None else front
        self._back = characters - self._front
        self._head = ""
        self._tail: deque[str] = deque()
        self._size = self._dropped = 0

    def add(self, text: str) -> None:
        room = self._front - len(self._head)
        self._head += text[:room]
        if not (rest := text[room:]):
            return
        self._tail.append(rest)
        self._size += len(rest)
        while self._size - len(self._tail[0]) >= self._back:
            gone = len(self._tail.popleft())
            self._size -= gone
            self._dropped += gone

    def text(self) -> str:
        tail = "".join(self._tail)
        left_out = self._dropped + max(0, len(tail) - self._back)
        mark = f"\n[… {left_out} characters left out …]\n" if left_out else ""
        return self._head + mark + tail[-self._back :]


def shortened(text: str, characters: int) -> str:
    """`text` in at most so many characters, the last of them `…` where something was left out."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
