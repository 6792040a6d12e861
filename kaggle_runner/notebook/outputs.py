"""What a person at a terminal would see of a cell's output, in bounded memory.

Progress bars that redraw themselves, repeated warnings and a million lines come down to what matters:
carriage returns, backspaces and cursor movements are carried out, escape codes are removed, repeats are
folded, and of a long text the beginning and the end are kept. It neither reads channels nor writes files.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator

from kaggle_runner.texts import clip

HEAD_LINES = 200
TAIL_LINES = 400
LIVE_LINES = 40
"""How far up a stream may move its cursor: nested progress bars redraw a few lines."""
OPEN_LINES = 80
"""Lines, of all streams together, that may still change."""
LINE_CHARACTERS = 2000
LONGEST_REPEAT = 3
"""Blocks of up to this many lines are folded when they repeat: a Python warning has two."""

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f]+)"
    r"|(?P<move>[\n\r\b\t])"
    r"|\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<command>[@-~])"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[^\[\]\x1b]"
    r"|[\x00-\x1f\x7f]"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]{0,4096}\x1b?)?\Z")
_PLAIN = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f]*")


class ScreenLine:
    """One row on the screen. A settled line has left the screen and no longer changes."""

    __slots__ = ("cut", "settled", "text")

    def __init__(self) -> None:
        self.text = ""
        self.cut = 0
        self.settled = False

    def shown(self) -> str:
        text = self.text.rstrip(" ")
        return f"{text} […{self.cut} more characters]" if self.cut else text


class _Screen:
    """One stream's cursor over its own last rows."""

    def __init__(self) -> None:
        self.rows: deque[ScreenLine | None] = deque([None], maxlen=LIVE_LINES)
        self.row = 0
        self.column = 0
        self.unfinished = ""


class _Folded:
    """Lines in order, repeated blocks replaced by one notice."""

    def __init__(self) -> None:
        self._recent: deque[str] = deque(maxlen=2 * LONGEST_REPEAT)
        self._block: list[str] = []
        self._place = 0
        self._repeats = 0

    def add(self, line: str) -> Iterator[str]:
        """The lines that are certain now that `line` has come."""
        if self._block:
            if line == self._block[self._place]:
                self._place += 1
                if self._place == len(self._block):
                    self._place = 0
                    self._repeats += 1
                return
            yield from self.finish()
        elif self._recent and line == self._recent[-1]:
            self._block, self._repeats, self._place = [line], 1, 0
            return
        yield line
        self._recent.append(line)
        recent = list(self._recent)
        for size in range(2, LONGEST_REPEAT + 1):
            if len(recent) >= 2 * size and recent[-size:] == recent[-2 * size : -size]:
                self._block, self._repeats, self._place = recent[-size:], 0, 0
                return

    def finish(self) -> Iterator[str]:
        """What is still held back: the notice, and a block that broke off."""
        block, repeats, place = self._block, self._repeats, self._place
        self._block, self._repeats, self._place = [], 0, 0
        self._recent.clear()
        if repeats == 1:
            yield from block
        elif repeats:
            what = "the line above" if len(block) == 1 else f"the {len(block)} lines above"
            yield f"[{what} repeated {repeats} more times]"
        yield from block[:place]

    def copy(self) -> _Folded:
        twin = _Folded()
        twin._recent = self._recent.copy()
        twin._block, twin._place, twin._repeats = list(self._block), self._place, self._repeats
        return twin


class Transcript:
    """Several streams (stdout, stderr, results) interleaved as they come; each moves its own cursor only."""

    def __init__(self) -> None:
        self._screens: dict[str, _Screen] = {}
        self._open: deque[ScreenLine] = deque()
        self._folded = _Folded()
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._left_out = 0
        self._was_cut = False

    def feed(self, stream: str, text: str) -> None:
        """Append what arrived; chunks may be cut anywhere, also within an escape code."""
        screen = self._screens.get(stream) or self._screens.setdefault(stream, _Screen())
        text = screen.unfinished + text
        screen.unfinished = ""
        if unfinished := _UNFINISHED.search(text, max(0, len(text) - 4200)):
            screen.unfinished = unfinished.group()
            text = text[: unfinished.start()]
        for part in text.splitlines(keepends=True) if "\n" in text else (text,):
            body = part[:-1] if part.endswith("\n") else part
            if _PLAIN.fullmatch(body):
                self._write(screen, body)
                if body is not part:
                    self._new_line(screen)
            else:
                self._carry_out(screen, part)

    def rewrite(self, stream: str, text: str) -> None:
        """Replace what `stream` shows (a display that is updated in place), kept to one line."""
        screen = self._screens.get(stream)
        if screen is not None:
            screen.row, screen.column = len(screen.rows) - 1, 0
            self._erase(screen, "2")
        self.feed(stream, " ".join(text.split()))

    def view(self, characters: int) -> tuple[str, bool]:
        """The beginning (30 %) and the end (70 %) of everything, at most about `characters` long.

        The second tells whether something was cut away.
        """
        folded = self._folded.copy()
        settling = itertools.chain.from_iterable(folded.add(line.shown()) for line in self._open)
        recent = [*settling, *folded.finish()]
        room = HEAD_LINES - len(self._head)
        head = self._head + (recent[:room] if not self._tail else [])
        recent = recent[room:] if not self._tail and room > 0 else recent
        text, was_cut = _both_ends(head, [*self._tail, *recent], self._left_out, characters)
        return text, was_cut or self._was_cut or any(line.cut for line in self._open)

    def tail(self, characters: int) -> str:
        """The last lines, at most `characters` long."""
        lines = [*itertools.islice(reversed(self._tail), 60)][::-1] if self._tail else self._head[-60:]
        text = "\n".join([*lines, *(line.shown() for line in self._open)])
        return text[-characters:]

    def clear(self) -> None:
        """Forget everything, as a notebook's `clear_output` does."""
        self.__init__()  # type: ignore[misc]

    def _carry_out(self, screen: _Screen, text: str) -> None:
        for token in _TOKEN.finditer(text):
            kind = token.lastgroup
            if kind == "text":
                self._write(screen, token["text"])
            elif kind == "command":
                self._command(screen, token["command"], token["arguments"])
            elif kind == "move":
                self._move(screen, token["move"])

    def _move(self, screen: _Screen, key: str) -> None:
        if key == "\n":
            self._new_line(screen)
        elif key == "\r":
            screen.column = 0
        elif key == "\b":
            screen.column = max(0, screen.column - 1)
        else:
            self._write(screen, " " * (8 - screen.column % 8))

    def _command(self, screen: _Screen, command: str, arguments: str) -> None:
        count = int(arguments) if arguments.isdigit() and len(arguments) < 6 else 1
        if command == "A":
            screen.row = max(0, screen.row - count)
        elif command == "B":
            screen.row = min(len(screen.rows) - 1, screen.row + count)
        elif command == "C":
            screen.column = min(LINE_CHARACTERS, screen.column + count)
        elif command == "D":
            screen.column = max(0, screen.column - count)
        elif command == "G":
            screen.column = min(LINE_CHARACTERS, max(0, count - 1))
        elif command in "KJ":
            self._erase(screen, arguments)

    def _erase(self, screen: _Screen, arguments: str) -> None:
        line = screen.rows[screen.row]
        if line is None or line.settled:
            return
        if arguments in ("2", "3"):
            line.text = ""
        elif arguments == "1":
            line.text = " " * screen.column + line.text[screen.column :]
        else:
            line.text = line.text[: screen.column]
        line.cut = 0

    def _new_line(self, screen: _Screen) -> None:
        if screen.rows[screen.row] is None:
            self._open_line(screen)
        if screen.row == len(screen.rows) - 1:
            screen.rows.append(None)
            screen.row = len(screen.rows) - 1
        else:
            screen.row += 1
        screen.column = 0

    def _open_line(self, screen: _Screen) -> ScreenLine:
        line = screen.rows[screen.row] = ScreenLine()
        self._open.append(line)
        if len(self._open) > OPEN_LINES:
            oldest = self._open.popleft()
            oldest.settled = True
            self._was_cut |= oldest.cut > 0
            for settled in self._folded.add(oldest.shown()):
                self._keep(settled)
        return line

    def _write(self, screen: _Screen, text: str) -> None:
        if not text:
            return
        line = screen.rows[screen.row]
        if line is None or line.settled:
            line = self._open_line(screen)
        room = LINE_CHARACTERS - screen.column
        if len(text) > room:
            line.cut += len(text) - max(0, room)
            text = text[: max(0, room)]
        column, end = screen.column, screen.column + len(text)
        if column == len(line.text):
            line.text += text
        else:
            line.text = line.text[:column].ljust(column) + text + line.text[end:]
        screen.column = end

    def _keep(self, line: str) -> None:
        if len(self._head) < HEAD_LINES:
            self._head.append(line)
            return
        if len(self._tail) == TAIL_LINES:
            self._left_out += 1
        self._tail.append(line)


def as_seen(text: str) -> str:
    """`text` without escape codes and redrawn progress, otherwise whole."""
    lines: list[str] = []
    for part in text.split("\n"):
        screen = Transcript()
        screen.feed("", part)
        lines.append(screen.tail(LINE_CHARACTERS + 100))
    return "\n".join(lines)


def _both_ends(head: list[str], tail: list[str], left_out: int, characters: int) -> tuple[str, bool]:
    lines = head + tail
    if not left_out and sum(map(len, lines)) + len(lines) <= characters:
        return "\n".join(lines), False
    front = _take(head if left_out else lines, characters * 3 // 10)
    last = tail if left_out else lines[len(front) :]
    back = _take(reversed(last), characters - sum(map(len, front)) - len(front))[::-1]
    dropped = left_out + len(lines) - len(front) - len(back)
    if not dropped:
        return "\n".join(lines), False
    return "\n".join([*front, f"[… {dropped} lines left out …]", *back]), True


def _take(lines: Iterable[str], characters: int) -> list[str]:
    """As many whole lines as fit; at least a piece of the first."""
    taken: list[str] = []
    for line in lines:
        characters -= len(line) + 1
        if characters < 0:
            return taken or [clip(line, max(200, characters + len(line)))]
        taken.append(line)
    return taken
