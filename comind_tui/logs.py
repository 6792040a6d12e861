"""The tail of a growing log file as clean lines: new bytes only, progress bars folded, escapes dropped."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from kaggle_runner.texts import plain

KEPT_LINES = 5000
_FIRST_READ = 256 * 1024
_READ = 1024 * 1024


class LogTail:
    """Follows one file that another process appends to. A missing file is an empty one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.skipped = False
        """Whether the beginning of the file was left out."""
        self._offset = 0
        self._open = b""

    def poll(self) -> bool:
        """Read what was appended, at most 1 MiB; whether anything was."""
        try:
            size = self.path.stat().st_size
            if size < self._offset:
                self._restart()
            if size == self._offset:
                return False
            with self.path.open("rb") as file:
                if not self._offset and size > _FIRST_READ:
                    self._offset, self.skipped = size - _FIRST_READ, True
                file.seek(self._offset)
                data = file.read(_READ)
        except OSError:
            return False
        self._offset += len(data)
        *done, self._open = (self._open + data).split(b"\n")
        self.lines.extend(fold(line.decode("utf-8", "replace")) for line in done)
        self._open = self._open[-_FIRST_READ:]
        return True

    def tail(self, count: int) -> list[str]:
        """The last lines, the unfinished one included."""
        unfinished = fold(self._open.decode("utf-8", "replace")) if self._open else ""
        kept = [*list(self.lines)[-count:], unfinished] if unfinished else list(self.lines)[-count:]
        return kept[-count:] if count else []

    def _restart(self) -> None:
        self.lines.clear()
        self._offset, self._open, self.skipped = 0, b"", False


def fold(line: str) -> str:
    """What a terminal would show of one line: the text after the last carriage return, without escapes."""
    parts = [part for part in line.split("\r") if part]
    return plain(parts[-1]) if parts else ""
