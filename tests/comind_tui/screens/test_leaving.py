"""A person may leave a screen before it has been drawn: at whatever moment, that is no fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.screen import Screen

from comind.state.runs import RunFolder
from comind_tui.app import ComindApp
from comind_tui.core.ranks import Watched
from comind_tui.launch import launch_quietly
from comind_tui.screens.agent import AgentScreen
from comind_tui.screens.home import Home
from comind_tui.screens.ranks import RanksScreen
from comind_tui.screens.run import RunScreen
from comind_tui.screens.submit_dialog import SubmitDialog
from comind_tui.snapshot import read_snapshot
from kaggle_runner.kaggle.addresses import Kaggle
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.comind_tui.driving import SMALL

NOBODYS_BOARD = Watched(Kaggle("nobody", "http://127.0.0.1:9", "t", "a test"), "tiny")
MOMENTS = range(0, 60, 3)
"""Turns of the event loop after a screen was opened; after the last of them it is drawn."""


def run_screen(folder: RunFolder) -> RunScreen:
    return RunScreen(folder, SYSTEM_CLOCK)


def agent_screen(folder: RunFolder) -> AgentScreen:
    run = run_screen(folder)
    run.snapshot = read_snapshot(folder, None, SYSTEM_CLOCK, run.snapshot)
    return AgentScreen(run, "r1-a1")


# not the form for a new run: Textual's own Select does not stand it
SCREENS: dict[str, Callable[[RunFolder], Screen[Any]]] = {
    "run": run_screen,
    "agent": agent_screen,
    "home": lambda folder: Home(folder.path.parent.parent, SYSTEM_CLOCK, launch_quietly),
    "ranks": lambda folder: RanksScreen(NOBODYS_BOARD, folder.path.parent / "k.sqlite", SYSTEM_CLOCK),
    "submission": lambda folder: SubmitDialog(folder, SYSTEM_CLOCK),
}


@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_is_left_at_any_moment_after_it_was_opened(name: str, finished_run: RunFolder) -> None:
    app = ComindApp(finished_run.path.parent.parent)
    async with app.run_test(size=SMALL) as pilot:
        for turns in MOMENTS:
            app.push_screen(SCREENS[name](finished_run))
            for _ in range(turns):
                await asyncio.sleep(0)
            app.pop_screen()
        await pilot.pause()
        assert isinstance(app.screen, Home)


@pytest.mark.parametrize("turns", MOMENTS[::4])
async def test_the_application_is_left_at_any_moment_after_a_run_was_opened(
    turns: int, finished_run: RunFolder
) -> None:
    app = ComindApp(finished_run.path.parent.parent, run_id=finished_run.id)
    async with app.run_test(size=SMALL):
        for _ in range(turns):
            await asyncio.sleep(0)
        app.exit()
    assert app.return_code == 0  # a fault in a handler makes it 1
