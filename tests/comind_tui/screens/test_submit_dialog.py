"""The dialog that submits from the run screen, against a real server that takes three a day."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Static

from comind.state.runs import RunFolder
from comind_tui.screens.run import RunScreen
from comind_tui.screens.submit_dialog import SubmitDialog
from tests.comind.run.run_to_submit import add_solution, make_run
from tests.comind_tui.driving import app_of, both_sizes, shown, text_of, until
from tests.fakes.kaggle_line import KaggleLine
from tests.kaggle_runner.submissions.governors import client_of, three_a_day
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with three_a_day(tmp_path / "kaggle") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
    monkeypatch.delenv("COMIND_KAGGLE_URL", raising=False)
    run = make_run(tmp_path / "state", kaggle_url=server.url)
    add_solution(run, "r1-a1", 20.0, title="A long title, as models write them, " * 12)
    return run


@both_sizes
async def test_y_submits_what_is_shown_and_its_score_appears(
    folder: RunFolder, server: RunningServer, size: tuple[int, int]
) -> None:
    app = app_of(folder)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "yes, send it" in text_of(app))
        offer = str(app.screen.query_one("#offer", Static).render())
        for part in (
            "r1-a1-s01",
            "40 rows, columns and ids",
            "worth sending",
            "3 left today",
            "20.000 [19.000",
        ):
            assert part in offer
        await pilot.press("enter")
        assert await client_of(server.url).submissions(SLUG) == []
        await pilot.press("y")
        await until(pilot, lambda: "public score" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
    assert len(await client_of(server.url).submissions(SLUG)) == 1


async def test_n_sends_nothing(folder: RunFolder, server: RunningServer) -> None:
    app = app_of(folder)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        await pilot.press("u")
        await until(pilot, lambda: "yes, send it" in text_of(app))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
    assert await client_of(server.url).submissions(SLUG) == []


async def test_while_it_is_on_its_way_the_dialog_stays_and_y_sends_no_second(
    folder: RunFolder, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KaggleLine(server.url) as line:
        monkeypatch.setenv("COMIND_KAGGLE_URL", line.url)
        line.spoil("CreateSubmission", "held")
        app = app_of(folder)
        async with app.run_test(size=(80, 24)) as pilot:
            await shown(pilot)
            await pilot.press("u")
            await until(pilot, lambda: "yes, send it" in text_of(app))
            await pilot.press("y")
            await asyncio.to_thread(line.arrived.wait, 60)
            await pilot.press("y", "escape", "y")
            assert isinstance(app.screen, SubmitDialog) and "Sending r1-a1-s01" in text_of(app)
            line.release.set()
            await until(pilot, lambda: "public score" in text_of(app))
    assert len(await client_of(server.url).submissions(SLUG)) == 1


async def test_an_offline_run_is_told_that_it_was_graded(
    finished_run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COMIND_KAGGLE_URL", raising=False)
    app = app_of(finished_run)
    async with app.run_test(size=(80, 24)) as pilot:
        await shown(pilot)
        await pilot.press("u", "y")
        await until(pilot, lambda: "its own MLE-Live" in text_of(app))
        assert "yes, send it" not in text_of(app)
