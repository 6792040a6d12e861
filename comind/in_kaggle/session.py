"""What the engine does otherwise inside a Kaggle session: agents are fenced in, and the session has an end.

Everywhere else nothing here has an effect. How a session begins and what it hands on is `notebook.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from comind.control import Control
from comind.state.store import Store
from kaggle_runner.inside_kaggle import INPUT, SESSION_ENDED, is_session, seconds_left
from kaggle_runner.sandbox.fence import close_to_others
from kaggle_runner.sandbox.sandbox import require_sandbox

_CLOSED = "The attached data are closed to it."
_OPEN = (
    "Attached data can be read by it, the labels of the validation rows too: "
    "the scores of this run cannot be compared with other runs'."
)


async def confine(store: Store, state: Path, *, inputs: Path = INPUT) -> None:
    """See that agent code can be confined, or raise SandboxUnavailable.

    Where only the fence can do it, the state is closed to other users, and what stays open is told.
    """
    report = await require_sandbox()
    if report.tier != "fence":
        return
    await asyncio.to_thread(close_to_others, state)
    readable = report.labels_readable and not _close(inputs)
    told = f"{report.detail[:1].upper()}{report.detail[1:]}."
    if report.labels_readable:
        told += f" {_OPEN if readable else _CLOSED}"
    store.event("sandbox", told, data={"labels_readable": readable})


def _close(folder: Path) -> bool:
    """Let other users neither in nor through; False where that cannot be changed, as a mount may not be."""
    try:
        folder.chmod(folder.stat().st_mode & ~0o077)
        return not folder.stat().st_mode & 0o077
    except OSError:
        return False


async def watch_session(store: Store, control: Control, environment: Mapping[str, str]) -> None:
    """Wind the run down before the session's end: its state is whole then, and the next one resumes it."""
    if not is_session(environment):
        return
    await asyncio.sleep(seconds_left(environment))
    told = "The Kaggle session ends soon: agents wind down, and the next session resumes the run"
    store.event("stopping", told)
    control.stop(SESSION_ENDED)
