"""The home screen and the form for a new run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Checkbox, DataTable, Input, Select, Static

from comind_tui.app import ComindApp
from comind_tui.screens.home import Home
from comind_tui.screens.new_run import NewRun
from comind_tui.screens.run import RunScreen
from comind_tui.widgets.documents import Documents
from kaggle_runner.errors import UnknownCompetition
from tests.comind_tui import sample_run
from tests.comind_tui.driving import both_sizes, shown, text_of, until


class Launcher:
    """Stands in for the helper process: notes what is asked, and builds a run or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.requests: list[dict[str, Any]] = []

    def __call__(self, request: dict[str, Any], state: Path) -> str:
        self.requests.append(request)
        if self.fails:
            raise UnknownCompetition("There is no competition [/red].", hint="Look at the list.")
        return sample_run.build(state, run_id="started").id


@both_sizes
async def test_runs_and_competitions_are_listed(tmp_path: Path, size: tuple[int, int]) -> None:
    sample_run.build(tmp_path, status="finished")
    app = ComindApp(tmp_path)
    async with app.run_test(size=size) as pilot:
        parts = (
            "14/212",
            "census-income",
            "✓ finished",
            "0.95600 accuracy↑",
            "New run",
            "Refresh",
            "Quit",
            "Help",
        )
        await until(pilot, lambda: all(part in text_of(app) for part in parts))


async def test_enter_watches_a_run_and_leaving_comes_back(tmp_path: Path) -> None:
    sample_run.build(tmp_path, status="finished")
    app = ComindApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "14/212" in text_of(app))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, Home))
        await pilot.press("q")
    assert app.return_code == 0


async def test_a_screen_that_was_left_while_it_read_shows_nothing_and_fails_nothing(tmp_path: Path) -> None:
    sample_run.build(tmp_path, status="finished")
    app = ComindApp(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "14/212" in text_of(app))
        home = app.screen
        assert isinstance(home, Home)
        await pilot.press("enter")
        watching = await shown(pilot)
        reports = watching.query_one("#reports", Documents)
        await pilot.press("q")
        await until(pilot, lambda: app.screen is home)
        await watching.read().wait()
        await reports._load("").wait()
    home._show_competitions([])


async def test_an_empty_state_folder_points_to_the_first_run(tmp_path: Path) -> None:
    app = ComindApp(tmp_path / "absent")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "no runs yet" in text_of(app))
        await pilot.press("enter", "r")
        assert isinstance(app.screen, Home)


@both_sizes
async def test_a_competition_can_be_entered_from_the_list(tmp_path: Path, size: tuple[int, int]) -> None:
    launcher = Launcher()
    app = ComindApp(tmp_path, launcher=launcher)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "census-income" in text_of(app))
        app.screen.query_one("#competitions", DataTable).focus()
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, NewRun))
        assert app.screen.query_one("#competition", Select).value == "bike-demand"
        app.screen.query_one("#rounds", Input).value = "5"
        app.screen.query_one("#time_limit", Input).value = "30m"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
    config = launcher.requests[0]["config"]
    assert (config["competition"], config["offline"], config["rounds"]) == ("bike-demand", True, 5)
    assert config["time_limit"] == 1800.0


@pytest.mark.parametrize(
    ("field", "value", "part"),
    [
        ("coders", "0", "coders is 0"),
        ("coders", "many", "must be a whole number"),
        ("rounds", "", "rounds is ''"),
        ("time_limit", "soon", "not a duration"),
        ("max_cost", "-1", "cannot be negative"),
        ("seed", "x", "seed is 'x'"),
    ],
)
async def test_a_wrong_field_is_named_in_place_and_nothing_starts(
    tmp_path: Path, field: str, value: str, part: str
) -> None:
    launcher = Launcher()
    app = ComindApp(tmp_path, launcher=launcher)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "census-income" in text_of(app))
        await pilot.press("n")
        await until(pilot, lambda: "Ready" in text_of(app))
        app.screen.query_one(f"#{field}", Input).value = value
        await until(pilot, lambda: part in text_of(app))
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, NewRun)
    assert launcher.requests == []


async def test_a_model_without_key_or_address_says_how_to_get_either(tmp_path: Path) -> None:
    app = ComindApp(tmp_path, launcher=Launcher())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "census-income" in text_of(app))
        await pilot.press("n")
        await until(pilot, lambda: "Ready" in text_of(app))
        app.screen.query_one("#offline", Checkbox).value = False
        await until(pilot, lambda: "OPENAI_API_KEY is not set" in text_of(app))
        app.screen.query_one("#base_url", Input).value = "http://127.0.0.1:11434/v1"
        await until(pilot, lambda: "Ready" in text_of(app))


async def test_a_folder_wins_over_the_list_and_must_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    launcher = Launcher()
    app = ComindApp(tmp_path, launcher=launcher)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "census-income" in text_of(app))
        await pilot.press("n")
        await until(pilot, lambda: "Ready" in text_of(app))
        app.screen.query_one("#folder", Input).value = "houses"
        await until(pilot, lambda: "There is no folder 'houses'" in text_of(app))
        (tmp_path / "houses").mkdir()
        app.screen.query_one("#coders", Input).value = "3"
        await until(pilot, lambda: "the folder wins over the list" in text_of(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
    assert launcher.requests[0]["config"]["competition"] == "./houses"


async def test_a_start_that_fails_is_told_on_the_form_as_plain_text(tmp_path: Path) -> None:
    app = ComindApp(tmp_path, launcher=Launcher(fails=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "census-income" in text_of(app))
        await pilot.press("n")
        await until(pilot, lambda: "Ready" in text_of(app))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "There is no competition [/red]." in text_of(app))
        assert app.screen.query_one("#problem", Static).has_class("bad")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Home))
