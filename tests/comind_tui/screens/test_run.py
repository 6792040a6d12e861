"""What the run screen shows, at both ends of terminal sizes, of runs in every state."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import OptionList

from comind.state.records import Agent, MonitorDecision, Run
from comind.state.runs import RunFolder, engine_lock
from comind.state.store import Store
from comind_tui.app import ComindApp
from comind_tui.screens.agent import AgentScreen
from comind_tui.screens.run import RunScreen
from comind_tui.widgets.board import Board
from comind_tui.widgets.documents import Documents
from comind_tui.widgets.header import VIEWS
from comind_tui.widgets.lines import Lines
from comind_tui.widgets.mosaic import AgentMosaic
from tests.comind_tui import sample_run
from tests.comind_tui.driving import LARGE, SMALL, app_of, both_sizes, shown, text_of, until


@both_sizes
async def test_head_panes_and_keys_are_on_screen(live_run: RunFolder, size: tuple[int, int]) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "epoch 40" in text_of(app) and "Leave" in text_of(app))
        text = text_of(app)
        for part in (
            "digits-5k accuracy ↑", "round 2/2", "● running", "elapsed",
            "best 0.94400 [0.92600, 0.96000] vs baseline 0.10120",
            "1 r2-a1 ● running", "2 r2-a2 ◌ thinking", "3 r2-a3 ◆ grading", "4 r2-a4",
            "→ Fit and validate the model", "Pause", "Stop agent", "Stop run", "Idea", "Search", "Leave",
        ):  # fmt: skip
            assert part in text
        assert ("✓ beats" in text) == (size == LARGE)


@both_sizes
async def test_number_keys_choose_views(live_run: RunFolder, size: tuple[int, int]) -> None:
    views = (
        ("2", "board", "✓ beats"),
        ("3", "ideas", "deskew the digits"),
        ("4", "reports", "Small convolutional network"),
        ("5", "monitor", "STOP"),
        ("6", "plot", "on the selection rows"),
        ("1", "agents", "r2-a1"),
    )
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot)
        for key, view, part in views:
            await pilot.press(key)
            await until(pilot, lambda part=part: part in text_of(app))  # type: ignore[misc]
            assert screen.view == view
            assert screen.query_one(AgentMosaic).display == (view == "agents" or size == LARGE)


async def test_views_can_be_clicked(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        screen = await shown(pilot)
        for offset, (view, title) in zip((3, 13, 23, 33, 45, 56), VIEWS, strict=True):
            await pilot.click("ViewBar", offset=(offset, 0))
            await until(pilot, lambda view=view: screen.view == view)  # type: ignore[misc]
            assert title in text_of(app)


@both_sizes
async def test_search_narrows_ideas_and_reports(live_run: RunFolder, size: tuple[int, int]) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot)
        for key, view, word, count in (("3", "ideas", "deskew", 2), ("4", "reports", "convol", 1)):
            await pilot.press(key)
            found = screen.query_one(f"#{view}", Documents).query_one(OptionList)
            await until(pilot, lambda found=found: found.option_count > 2)  # type: ignore[misc]
            await pilot.press("slash", *word)
            await until(pilot, lambda found=found, count=count: found.option_count == count)  # type: ignore[misc]
            assert word in text_of(app).lower()
            await pilot.press("escape")
            await until(pilot, lambda found=found: found.option_count > 2)  # type: ignore[misc]


@both_sizes
async def test_an_agent_opens_in_full_and_numbers_change_agents(
    live_run: RunFolder, size: tuple[int, int]
) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, AgentScreen))
        await until(pilot, lambda: "epoch 40: loss 0.0250" in text_of(app))
        text = text_of(app)
        for part in (
            "r2-a3",
            "Small convolutional network",
            "import numpy as np",
            "Build features",
            "cells",
            "output",
        ):
            assert part in text
        await pilot.press("4")
        await until(pilot, lambda: "r2-a4" in text_of(app))
        await pilot.press("up")
        await until(pilot, lambda: "✗ ValueError" in text_of(app))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_output_follows_the_log_until_scrolled_up_and_again_after_end(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "epoch 40" in text_of(app))
        output = app.screen.query_one("#output", Lines)
        log = live_run.cell_log("r2-a1", 3)
        with log.open("a") as file:
            file.write("fresh line\n")
        await until(pilot, lambda: "fresh line" in text_of(app))
        output.focus()
        await pilot.press("pageup")
        await until(pilot, lambda: output.scroll_y < output.max_scroll_y)
        with log.open("a") as file:
            file.write("later line\n")
        await until(pilot, lambda: "later line" in output.text)
        assert "later line" not in text_of(app)
        await pilot.press("G")
        await until(pilot, lambda: "later line" in text_of(app))


async def test_new_rows_appear_while_one_watches(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=LARGE) as pilot:
        await shown(pilot)
        await pilot.press("5")
        with Store(live_run.database) as store:
            store.event("note", "a sudden thing", agent="r2-a1", round=2)
            store.save(
                MonitorDecision(
                    id="m",
                    agent="r2-a1",
                    step=3,
                    action="STOP",
                    reason="loss is NaN",
                    source="rule",
                    at="2027-01-01T00:00:00.000Z",
                )
            )
        await until(pilot, lambda: "a sudden thing" in text_of(app) and "loss is NaN" in text_of(app))


async def test_earlier_rounds_can_be_looked_at(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: "r1-a1 ✓ finished" in text_of(app))
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "r2-a1 ● running" in text_of(app))


async def test_agents_that_do_not_fit_are_on_further_pages(tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path, rounds=1, agents=9)
    with engine_lock(folder):
        app = app_of(folder)
        async with app.run_test(size=SMALL) as pilot:
            await shown(pilot)
            await until(pilot, lambda: "page 1/3" in text_of(app))
            await pilot.press("pagedown", "pagedown")
            await until(pilot, lambda: "9 r1-a9" in text_of(app))
            assert "r1-a4" not in text_of(app)


@both_sizes
async def test_hostile_text_is_shown_as_text(tmp_path: Path, size: tuple[int, int]) -> None:
    app = app_of(sample_run.build(tmp_path, hostile=True))
    async with app.run_test(size=size) as pilot:
        screen = await shown(pilot)
        for key in ("3", "4", "5", "2", "6", "1", "enter"):
            await pilot.press(key)
            await screen.read().wait()
            await pilot.pause(0.1)
            text = text_of(app)
            assert text.replace("\n", "").isprintable()
            if key in ("3", "5"):
                await until(pilot, lambda: "[/red]" in text_of(app))
        assert isinstance(app.screen, AgentScreen)


@both_sizes
async def test_a_run_that_has_not_begun_says_so_and_fills_when_it_does(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = ComindApp(tmp_path, run_id="soon")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "preparing" in text_of(app))
        for key in "234561":
            await pilot.press(key)
        assert "No agent has started yet." in text_of(app)
        sample_run.build(tmp_path, run_id="soon", status="finished")
        await until(pilot, lambda: "✓ finished" in text_of(app))


@pytest.mark.parametrize(
    ("status", "part"),
    [
        ("failed", "✗ failed: The grader refused"),
        ("finished", "rank 14/212"),
        ("running", "■ engine gone"),
    ],
)
async def test_the_end_of_a_run_is_told_in_words(tmp_path: Path, status: Any, part: str) -> None:
    app = app_of(sample_run.build(tmp_path, status=status))
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await until(pilot, lambda: part in text_of(app))


@both_sizes
async def test_without_colour_everything_is_still_readable(
    live_run: RunFolder, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "epoch 40" in text_of(app))
        assert app.theme == "plain"
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                style = segment.style
                if segment.text.strip(" │─▏▎") and style and style.color and style.bgcolor:
                    ink, paper = style.color.get_truecolor(), style.bgcolor.get_truecolor()
                    assert abs(sum(ink) - sum(paper)) > 90, segment


async def test_an_idle_screen_reads_the_database_only_when_it_changes(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        screen = await shown(pilot)
        with Store(live_run.database) as store:
            await screen.read().wait()
            before = screen.snapshot
            await screen.read().wait()
            assert screen.snapshot is before
            store.save(replace(store.all(Agent)[0], step=9))
            await until(pilot, lambda: screen.snapshot is not before)


@both_sizes
async def test_a_baseline_near_the_scores_is_a_dotted_line(
    live_run: RunFolder, size: tuple[int, int]
) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await pilot.press("6")
        await until(pilot, lambda: "(line: best so far)" in text_of(app))
        assert "0.0" in text_of(app)
        assert "· · ·" not in text_of(app)
        with Store(live_run.database) as store:
            store.save(
                replace(store.all(Run)[0], baseline={"score": 0.87, "interval": (0.86, 0.88), "rows": 500})
            )
        await until(pilot, lambda: "dots: baseline" in text_of(app) and "· · ·" in text_of(app))


@both_sizes
async def test_the_board_names_drafts(live_run: RunFolder, size: tuple[int, int]) -> None:
    app = app_of(live_run)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        await pilot.press("2")
        await until(pilot, lambda: "Small convolution" in text_of(app))


async def test_panes_of_a_run_whose_engine_is_gone_say_so(tmp_path: Path) -> None:
    app = app_of(sample_run.build(tmp_path))
    async with app.run_test(size=LARGE) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "1 r2-a1 ■ engine gone" in text_of(app))
        text = text_of(app)
        assert "31m 00s elapsed ·" in text
        for working in ("● running", "◌ thinking", "◆ grading"):
            assert working not in text
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AgentScreen))
        await until(pilot, lambda: "r2-a1 · ■ engine gone" in text_of(app))
        assert "●" not in text_of(app)


async def test_the_board_keeps_its_cursor_when_a_score_comes_in(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=SMALL) as pilot:
        screen = await shown(pilot)
        await pilot.press("2")
        board = screen.query_one(Board)
        await until(pilot, lambda: board.row_count > 5)
        await pilot.press("down", "down", "down")
        with Store(live_run.database) as store:
            store.save(replace(store.all(Run)[0], best_evaluation="r1-a3-s02"))
        await until(pilot, lambda: bool(screen.snapshot.run and screen.snapshot.run.best_evaluation))
        assert board.cursor_row == 3
