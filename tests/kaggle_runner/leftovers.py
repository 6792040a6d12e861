"""Processes that a call may have left: found by a mark in their command lines."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

SCATTERING = """
import os, subprocess, sys, time
sleeper = [sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[1]]
for _ in range(3):
    subprocess.Popen(sleeper, start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 3)
        while True:
            time.sleep(1)
while True:
    print('at work', flush=True)
    time.sleep(0.05)
"""
"""A script, to be given a mark, whose processes leave its session and its pipes, and which never ends."""


def marked(mark: str) -> list[int]:
    """Living processes with `mark` in their command lines: the sandbox's own, and those in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended while we looked
            found += [int(path.parent.name)] if mark.encode() in path.read_bytes() else []
    return found


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncIterator[str]:
    """A mark for one call; afterwards nothing that carries it may be alive, or be so for long."""
    mark = uuid.uuid4().hex
    try:
        yield mark
        for _ in range(1500):
            if not marked(mark):
                break
            await asyncio.sleep(0.02)
        assert marked(mark) == []
    finally:
        for pid in marked(mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def cancelled_after(seconds: float, call: Coroutine[Any, Any, object], *, again: float = 0.0) -> None:
    """Cancel `call` after so long, and once more `again` seconds later; it must end soon."""
    running = asyncio.create_task(call)
    await asyncio.sleep(seconds)
    running.cancel()
    if again:
        await asyncio.sleep(again)
        running.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await running
