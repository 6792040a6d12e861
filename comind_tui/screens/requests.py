"""What a screen asks of the application that shows it."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from comind_tui.core.ranks import Watched


@dataclass
class WatchRun(Message):
    """Open a run's screen; its database need not exist yet."""

    run_id: str


@dataclass
class WatchRanks(Message):
    """Open the ranks of a competition, above whatever is shown."""

    watched: Watched
