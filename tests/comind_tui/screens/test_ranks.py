"""The ranks screen, driven: history, movement, trouble, and the ways to it and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from textual.widgets import DataTable

from comind.state.runs import RunFolder
from comind_tui.app import ComindApp
from comind_tui.core.ranks import Watched
from comind_tui.screens.home import Home
from comind_tui.screens.new_run import NewRun
from comind_tui.screens.ranks import RanksScreen
from comind_tui.widgets.competitions import Competitions
from kaggle_runner.account import AccountBook, account_name
from kaggle_runner.kaggle.addresses import Kaggle
from kaggle_runner.kaggle.catalogue import account_of, database_of
from kaggle_runner.ranks.look import record
from tests.comind_tui.driving import app_of, both_sizes, shown, text_of, until
from tests.kaggle_runner.ranks.boards import asked, table
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer, tiny_server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    with tiny_server(tmp_path) as running:
        monkeypatch.setenv("COMIND_KAGGLE_URL", running.url)
        monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
        yield running


def kaggle_at(url: str) -> Kaggle:
    return Kaggle(url.removeprefix("http://"), url, TOKEN, "the test")


async def remember(state: Path, url: str, *, newest: timedelta) -> None:
    """Three looks in the book, the last one so long ago, and the token's user."""
    others = {f"Team {n}": 10.0 * n for n in range(1, 121)}
    with AccountBook(database_of(state), account_name("alice", url)) as book:
        for step, score in enumerate((905.0, 605.0, 455.0)):
            at = datetime.now(UTC) - newest - timedelta(hours=12 * (2 - step))
            record(book, asked(table({**others, "Alice": score, f"New {step}": 1.0 + step}), at))


async def known_user(state: Path, server: RunningServer) -> None:
    kaggle = kaggle_at(server.url)
    await account_of(kaggle, database_of(state), kaggle.client())


@both_sizes
async def test_a_fresh_look_of_the_book_is_shown_at_once(
    server: RunningServer, tmp_path: Path, size: tuple[int, int]
) -> None:
    await known_user(tmp_path, server)
    await remember(tmp_path, server.url, newest=timedelta(seconds=2))
    app = ComindApp(tmp_path, ranks=Watched(kaggle_at(server.url), SLUG, seconds=3600))
    async with app.run_test(size=size) as pilot:
        parts = (
            "as alice", "rank 47/122 (synthetic board)", "▲15 in 12h 00m", "455.00 ↓", "bronze",
            "silver needs -", "next in", "among 122 teams, synthetic board", "◀ next", "▶", "inside",
        )  # fmt: skip
        await until(pilot, lambda: all(part in text_of(app) for part in parts))
        for key, part in (("2", "we passed"), ("3", "rank on the synthetic board"), ("4", "medals begin")):
            await pilot.press(key)
            await until(pilot, lambda part=part: part in text_of(app))  # type: ignore[misc]
        await until(pilot, lambda: all(part in text_of(app) for part in ("Look now", "Leave", "Help")))
        await pilot.press("q")
    assert app.return_code == 0


async def test_it_asks_when_nothing_is_known_and_says_that_we_are_not_on_the_board(
    server: RunningServer, tmp_path: Path
) -> None:
    app = ComindApp(tmp_path, ranks=Watched(kaggle_at(server.url), SLUG, seconds=3600))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "not on the board yet (20 teams, synthetic board)" in text_of(app))
        parts = ("bronze begins at 80.000", "4 submissions left today")
        await until(pilot, lambda: all(part in text_of(app) for part in parts))
        await pilot.press("question_mark")
        await until(pilot, lambda: "Medal zones are Kaggle's table" in text_of(app))


async def test_a_kaggle_that_is_away_leaves_the_last_look_with_its_age(
    server: RunningServer, tmp_path: Path
) -> None:
    await known_user(tmp_path, server)
    await remember(tmp_path, server.url, newest=timedelta(hours=2))
    server.service.state.close()  # every call is answered by an error now
    app = ComindApp(tmp_path, ranks=Watched(kaggle_at(server.url), SLUG, seconds=3600))
    async with app.run_test(size=(80, 24)) as pilot:
        parts = ("✗ looked 2h 0", "ago · next in", "rank 47/122 (synthetic board)")
        await until(pilot, lambda: all(part in text_of(app) for part in parts))


async def test_nobody_there_and_nothing_known_is_one_line(tmp_path: Path) -> None:
    app = ComindApp(tmp_path, ranks=Watched(kaggle_at("http://127.0.0.1:1"), SLUG))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "✗ no look yet · next in" in text_of(app))
        await pilot.press("r", "2", "3", "4", "1")
        assert isinstance(app.screen, RanksScreen)


async def test_a_move_is_told_as_it_is_seen(server: RunningServer, tmp_path: Path) -> None:
    await known_user(tmp_path, server)
    await remember(tmp_path, server.url, newest=timedelta(seconds=2))
    app = ComindApp(tmp_path, ranks=Watched(kaggle_at(server.url), SLUG, seconds=3600))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "rank 47/122" in text_of(app))
        with AccountBook(database_of(tmp_path), account_name("alice", server.url)) as book:
            better = {f"Team {n}": 10.0 * n for n in range(1, 121)} | {"Alice": 15.0}
            look = record(book, asked(table(better), datetime.now(UTC)))
        screen = app.screen
        assert isinstance(screen, RanksScreen)
        screen._tell(replace(screen.view_shown, look=look))
        await until(pilot, lambda: "▲45 rank 2/121 (synthetic board), gold" in text_of(app))


async def test_another_process_that_asks_is_told_of(server: RunningServer, tmp_path: Path) -> None:
    await known_user(tmp_path, server)
    await remember(tmp_path, server.url, newest=timedelta(seconds=2))
    with AccountBook(database_of(tmp_path), account_name("alice", server.url)) as other:
        app = ComindApp(tmp_path, ranks=Watched(kaggle_at(server.url), SLUG, seconds=3600))
        with other.exclusively(f"ranks-{SLUG}-"):
            async with app.run_test(size=(80, 24), notifications=True) as pilot:
                await until(pilot, lambda: "another comind on this machine asks" in text_of(app))
                await pilot.press("r")
                await until(pilot, lambda: "Another comind asks" in text_of(app))


@pytest.mark.parametrize("no_colour", [False, True])
async def test_it_is_readable_without_colour_and_in_light_themes(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_colour: bool
) -> None:
    if no_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    await known_user(tmp_path, server)
    await remember(tmp_path, server.url, newest=timedelta(seconds=2))
    app = ComindApp(tmp_path, ranks=Watched(kaggle_at(server.url), SLUG, seconds=3600))
    async with app.run_test(size=(200, 50)) as pilot:
        if not no_colour:
            app.theme = "textual-light"
        await until(pilot, lambda: "rank 47/122" in text_of(app) and "medals begin" in text_of(app))


async def test_home_lists_the_kaggles_and_opens_ranks_and_runs_on_them(
    server: RunningServer, tmp_path: Path
) -> None:
    app = ComindApp(tmp_path / "state")
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: SLUG in text_of(app) and "list of" in text_of(app))
        await pilot.press("R")
        await until(pilot, lambda: "Choose a competition below" in text_of(app))
        table = app.screen.query_one(Competitions)
        table.focus()
        await pilot.press("R")
        await until(pilot, lambda: "The shelf has no live board" in text_of(app))
        table.move_cursor(row=[row.slug for row in table.rows_shown].index(SLUG))
        await pilot.press("R")
        await until(pilot, lambda: "not on the board yet" in text_of(app))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Home))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, NewRun) and f"Ready: {SLUG}" in text_of(app))
        assert isinstance(app.screen, NewRun) and app.screen._config().kaggle_url == server.url


async def test_home_opens_with_the_last_list_when_its_kaggle_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    with tiny_server(tmp_path) as running:
        monkeypatch.setenv("COMIND_KAGGLE_URL", running.url)
        monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
        app = ComindApp(state)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: SLUG in text_of(app) and "list of" in text_of(app))
    app = ComindApp(state)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: SLUG in text_of(app) and "digits-5k" in text_of(app))
        await pilot.press("r")
        await until(pilot, lambda: "no connection" in text_of(app))
        assert SLUG in text_of(app)
        assert app.screen.query_one("#competitions", DataTable).row_count == 5


async def test_a_run_of_the_shelf_says_where_its_rank_is(live_run: RunFolder) -> None:
    app = app_of(live_run)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shown(pilot)
        await until(pilot, lambda: all(part in text_of(app) for part in ("q Leave", "? Help")))
        await pilot.press("R")
        await until(pilot, lambda: "This run's board is made by us" in text_of(app))
