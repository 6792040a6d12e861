"""Keys of the run screen that tell the engine something, or leave, copy and explain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from comind.state.records import Cell, Run
from comind.state.runs import RunFolder
from comind.state.store import Store
from comind_tui.screens.dialogs import AskText, Confirm, Help
from comind_tui.screens.run import RunScreen
from tests.comind_tui import sample_run
from tests.comind_tui.driving import LARGE, SMALL, app_of, both_sizes, shown, text_of, until


def commands(folder: RunFolder) -> list[dict[str, str]]:
    return [json.loads(path.read_text()) for path in folder.inbox.glob("*.json")]


@both_sizes
async def test_pause_and_resume_are_commands_in_the_inbox(live_run: RunFolder, size: tuple[int, int]) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot)
        await pilot.press("p")
        assert [one["action"] for one in commands(live_run)] == ["pause"]
        with Store(live_run.database) as store:
            store.save(replace(store.all(Run)[0], status="paused"))
        await until(pilot, lambda: screen.snapshot.status == "paused")
        await until(pilot, lambda: "‖ pausing" in text_of(app))
        with Store(live_run.database) as store:
            running = store.all(Cell, "status = 'running'")
            store.save(*(replace(cell, status="ok") for cell in running))
        await until(pilot, lambda: "‖ paused" in text_of(app))
        await pilot.press("p")
        assert {one["action"] for one in commands(live_run)} == {"pause", "resume"}
        assert len(app._notifications) == 2


@both_sizes
async def test_stopping_an_agent_asks_first(live_run: RunFolder, size: tuple[int, int]) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await pilot.press("right", "x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Stop agent r2-a2?" in text_of(app)
        await pilot.press("enter", "n")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert commands(live_run) == []
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: bool(commands(live_run)))
        assert commands(live_run) == [{"action": "stop_agent", "target": "r2-a2", "text": ""}]


async def test_stopping_the_run_asks_first(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: bool(commands(live_run)))
        assert commands(live_run)[0]["action"] == "stop"


async def test_an_idea_travels_as_it_was_typed(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, AskText))
        app.screen.query_one(Input).value = "try [/red] rank averaging"
        await pilot.press("enter")
        await until(pilot, lambda: bool(commands(live_run)))
        assert commands(live_run) == [
            {"action": "add_idea", "target": "", "text": "try [/red] rank averaging"}
        ]


@pytest.mark.parametrize("key", ["p", "x", "S", "i"])
async def test_a_finished_run_takes_no_command_and_names_its_submission(
    finished_run: RunFolder, key: str
) -> None:
    app = app_of(finished_run)
    async with app.run_test(size=SMALL) as pilot:
        screen = await shown(pilot)
        await pilot.press(key)
        await until(pilot, lambda: bool(app._notifications))
        message = next(iter(app._notifications)).message
        assert message.startswith("This run has ended.")
        assert str(finished_run.best / "submission.csv") in message
        assert "resume" not in message
        assert app.screen is screen
        assert commands(finished_run) == []


@pytest.mark.parametrize("status", ["stopped", "failed", "running"])
async def test_a_run_that_can_go_on_says_how(tmp_path: Path, status: Any) -> None:
    folder = sample_run.build(tmp_path, status=status)
    app = app_of(folder)
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await pilot.press("S")
        await until(pilot, lambda: bool(app._notifications))
        message = next(iter(app._notifications)).message
        assert f"comind-tui resume {folder.id} --state {tmp_path}" in message
        assert commands(folder) == []


@both_sizes
async def test_copying_puts_clean_code_on_the_clipboard(live_run: RunFolder, size: tuple[int, int]) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "import numpy" in text_of(app))
        await pilot.press("y")
        assert app.clipboard.startswith("import numpy as np")
        await pilot.press("Y")
        assert "epoch 40" in app.clipboard


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_leaving_lets_the_run_go_on(live_run: RunFolder, key: str) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await pilot.press(key)
    assert app.return_code == 0
    assert app.runs_watched() == {live_run.id}
    assert commands(live_run) == []


async def test_help_names_every_key_of_the_screen(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=LARGE) as pilot:
        await shown(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help))
        text = text_of(app)
        for part in ("pause", "stop the chosen agent", "add an idea", "search", "leave", "Ctrl+P", "PgUp"):
            assert part in text
        await pilot.press("escape")
        assert isinstance(app.screen, RunScreen)


async def test_the_palette_knows_the_screen_s_commands(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        screen = await shown(pilot)
        titles = {command.title for command in app.get_system_commands(screen)}
        assert {"Pause", "Stop run", "Idea", "Search", "Leave"} <= titles
