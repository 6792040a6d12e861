"""A person's commands to a running engine: each a small file that one rename brings into its inbox.

The sender is any process (the screen, a script); the engine takes each file once, journals it and answers
with an event. Nothing here talks to the database.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kaggle_runner.errors import Unusable
from kaggle_runner.files import write_whole
from kaggle_runner.rows import from_json, to_json

Action = Literal["pause", "resume", "stop", "stop_agent", "add_idea"]
_LONGEST = 4000


@dataclass(frozen=True, slots=True)
class Command:
    """`target` is an agent's id for `stop_agent`; `text` is the idea for `add_idea`."""

    action: Action
    target: str = ""
    text: str = ""


def send(inbox: Path, command: Command) -> Path:
    """Put a command into the inbox; returns the file that the engine will take."""
    final = inbox / f"{uuid.uuid4().hex}.json"
    write_whole(final, to_json(command))
    return final


def take(inbox: Path) -> list[Command]:
    """Every waiting command, oldest first; each file is removed. A file that is no command is dropped."""
    waiting = sorted(
        (path for path in inbox.glob("*.json") if path.is_file()), key=lambda path: path.stat().st_mtime_ns
    )
    commands: list[Command] = []
    for path in waiting:
        try:
            found = from_json(Command, path.read_bytes(), path)
            commands.append(Command(found.action, found.target[:_LONGEST], found.text[:_LONGEST]))
        except Unusable:
            pass  # not ours: whatever was dropped here must not stop the engine
        path.unlink(missing_ok=True)
    return commands
