"""What an agent is told of an error: its own frames and the last lines. The log keeps the whole traceback.

A library's frames are most of a traceback and the least of its message: they are counted, and the innermost
is named. Knows IPython's frames and the plain ones that worker processes and scikit-learn quote in messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MOST_FRAMES = 12
"""Of the agent's own code, in one traceback; a recursion has a thousand."""

_FRAME = re.compile(r"File (?P<path>\S.*?):(?P<line>\d+), in (?P<name>[^\n(]*)")
_CELL = re.compile(r"Cell In\[\d+\], line ")
_PLAIN_FRAME = re.compile(
    r"^(?P<indent>[ |]*)File \"(?P<path>[^\"\n]+)\", line (?P<line>\d+)(?:, in (?P<name>[^\n]*))?\n"
    r"(?:(?P=indent)[ ]{2,}[^\n]*(?:\n|\Z)){0,6}",
    re.M,
)
_OWN = ("/kaggle/", "/tmp/ipykernel_", "<")
_LIBRARY_FOLDER = re.compile(r"^.*(?:-packages|/python3\.\d+)/")
_RULE = re.compile(r"-{20,}\n?")
_WHOLE = ("SyntaxError", "IndentationError", "TabError")
"""What the compiler says is short, and every line of it counts."""


def told_traceback(parts: Iterable[str], error_name: str) -> str:
    """`parts` (a traceback as the notebook protocol sends it, without escape codes) as one shorter text."""
    if error_name in _WHOLE:
        return "\n".join(parts)
    return "\n".join(part.rstrip("\n") for part in _without_library_frames(parts))


def _without_library_frames(parts: Iterable[str]) -> Iterator[str]:
    own: list[str] = []
    library: list[str] = []
    for part in parts:
        if _RULE.fullmatch(part):
            continue
        frame = _FRAME.match(part)
        if frame and not frame["path"].startswith(_OWN):
            yield from _ends(own)
            own = []
            library.append(_place(frame))
            continue
        if library:
            yield _note(library)
            library = []
        if frame or _CELL.match(part):
            own.append(part)
            continue
        yield from _ends(own)
        own = []
        yield _without_plain_frames(part)
    yield from _ends(own)
    if library:
        yield _note(library)


def _ends(frames: list[str]) -> list[str]:
    if len(frames) <= MOST_FRAMES:
        return frames
    half = MOST_FRAMES // 2
    return [*frames[:half], f"[… {len(frames) - 2 * half} more of these frames …]", *frames[-half:]]


def _without_plain_frames(text: str) -> str:
    """A message that quotes a traceback in Python's own format, each run of library frames as one line."""
    kept: list[str] = []
    library: list[str] = []
    end = 0
    for frame in _PLAIN_FRAME.finditer(text):
        between = text[end : frame.start()]
        end = frame.end()
        is_own = frame["path"].startswith(_OWN)
        if library and (between or is_own):
            kept.append(f"{_note(library)}\n")
            library = []
        kept.append(between)
        if is_own:
            kept.append(frame[0])
        else:
            library.append(_place(frame))
    if library:
        kept.append(f"{_note(library)}\n")
    return "".join([*kept, text[end:]])


def _place(frame: re.Match[str]) -> str:
    path = _LIBRARY_FOLDER.sub("", frame["path"])
    return f"{path}:{frame['line']} in {(frame['name'] or '').strip()}"


def _note(library: list[str]) -> str:
    count = len(library)
    frames = "1 library frame" if count == 1 else f"{count} library frames"
    return f"[… {frames} left out, innermost: {library[-1][:200]} …]"
