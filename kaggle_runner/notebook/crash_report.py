"""What a kernel writes past its notebook: start failures and native crashes, through a pipe, bounded.

A file handed into the sandbox could be grown without end by a cell, and by what a cell leaves running.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

LOG_BYTES = 1 << 20
"""The log file stops growing there; the end is still kept in memory."""
TAIL_BYTES = 1 << 14
_PAUSE_SECONDS = 0.01  # between pieces of a flood: its writer waits, the engine does not burn a core on it


class CrashReport:
    """The reading end. Give `write_end` to the child and call `started`; a thread then reads to the end."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._tail = b""
        self._read_end, self.write_end = os.pipe()
        self._thread = threading.Thread(target=self._read, name="crash report", daemon=True)
        self._thread.start()

    def started(self) -> None:
        """The child has its copy of the writing end, or never will: ours is closed. Twice is safe."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def text(self, *, ended: bool) -> str:
        """The end of what was said. `ended`: nobody writes any more, so what is in the pipe belongs to it."""
        if ended:
            self._thread.join(0.5)
        return self._tail.decode(errors="replace").strip()

    def _read(self) -> None:
        room = LOG_BYTES
        with os.fdopen(self._read_end, "rb", buffering=0) as pipe, self._log.open("wb", buffering=0) as log:
            while piece := pipe.read(1 << 16):
                self._tail = (self._tail + piece)[-TAIL_BYTES:]
                kept, room = piece[:room], max(0, room - len(piece))
                try:
                    log.write(kept)
                except OSError:  # a full disk ends the log, not the reading
                    room = 0
                if room == 0:
                    time.sleep(_PAUSE_SECONDS)
