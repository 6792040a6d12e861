"""Driving the screens in tests: open a run, wait for what must appear, read the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from comind.state.runs import RunFolder
from comind_tui.app import ComindApp
from comind_tui.screens.run import RunScreen
from comind_tui.widgets.header import RunHeader

SMALL, LARGE = (80, 24), (200, 50)
both_sizes = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x50"])


def app_of(folder: RunFolder) -> ComindApp:
    return ComindApp(folder.path.parent.parent, run_id=folder.id)


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Let the application work until the condition holds; after very many turns, fail with what is shown."""
    for _ in range(1000):
        if condition():
            return
        await pilot.pause(0.02)
    pytest.fail(f"never happened; on screen:\n{text_of(pilot.app)}")


async def shown(pilot: Pilot[Any]) -> RunScreen:
    """The run screen, once it has read and drawn the run."""
    await until(
        pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.snapshot.run is not None
    )
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    await until(pilot, lambda: bool(screen.query_one(RunHeader).facts))
    return screen


def text_of(app: App[Any]) -> str:
    """All that the terminal shows, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip)[:width] for strip in lines[:height])
