"""One run that is no good never hurts the others, is told with its reason, and never ends in a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import DataTable

from comind.state.runs import RunFolder, engine_lock
from comind_tui.app import ComindApp
from comind_tui.cli import main
from comind_tui.core.runs import RunRows
from comind_tui.screens.home import Home
from tests.comind_tui import sample_run
from tests.comind_tui.bad_runs import BAD, Harm, changed, deleted, spoil_pages, statement, without_numbers
from tests.comind_tui.driving import app_of, shown, text_of, until

cases = pytest.mark.parametrize(("harm", "words"), BAD.values(), ids=BAD)


def good_and_bad(state: Path, harm: Harm) -> RunFolder:
    """A good run, and one that something was done to."""
    sample_run.build(state, run_id="good", status="finished")
    folder = sample_run.build(state, run_id="bad", status="finished")
    harm(folder)
    return folder


@cases
def test_the_list_tells_why_and_the_others_stand(
    harm: Harm, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good_and_bad(tmp_path, harm)
    assert main(["runs", "--json", "--state", str(tmp_path)]) == 0
    good, bad = json.loads(capsys.readouterr().out)
    assert (good["run"], good["status"], good["fault"], good["rank"]) == ("good", "finished", None, 14)
    assert (bad["run"], bad["status"], bad["best_score"]) == ("bad", "unreadable", None)
    assert words in bad["fault"]
    assert main(["runs", "--state", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "14/212" in out
    assert f"bad unreadable: {bad['fault']}" in out.splitlines()


@cases
def test_asking_for_it_is_one_message_and_for_the_newest_is_a_good_one(
    harm: Harm, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good_and_bad(tmp_path, harm)
    for command in ("show", "leaderboard", "ideas", "reports"):
        code = main([command, "bad", "--state", str(tmp_path)])
        out, err = capsys.readouterr()
        if code == 0:
            assert command in ("ideas", "reports"), "these need neither the run's row nor its scores"
        else:
            assert (code, out) == (2, "")
            assert err.startswith("comind-tui: ") and "cannot be used" in err and words in err
    if words != "selection":  # the run itself can be read
        assert main(["show", "--json", "--state", str(tmp_path)]) == 0
        assert json.loads(capsys.readouterr().out)["run"] == "good"


def test_scores_that_are_no_numbers_are_null_and_the_others_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good_and_bad(tmp_path, without_numbers)
    assert main(["runs", "--json", "--state", str(tmp_path)]) == 0
    scores = {row["run"]: row["best_score"] for row in json.loads(capsys.readouterr().out)}
    assert scores["good"] == 0.956 and scores["bad"] is None
    assert main(["leaderboard", "bad", "--json", "--state", str(tmp_path)]) == 0
    entry = json.loads(capsys.readouterr().out)[0]
    assert (entry["score"], entry["interval"], entry["rows"]) == (None, [None, None], 1)
    for command in ("show", "leaderboard", "runs"):
        assert main([command, *(["bad"] if command != "runs" else []), "--state", str(tmp_path)]) == 0


async def test_home_shows_the_good_ones_and_the_reasons_of_the_others(tmp_path: Path) -> None:
    sample_run.build(tmp_path, run_id="good", status="finished")
    for number, (harm, _) in enumerate(BAD.values()):
        harm(sample_run.build(tmp_path, run_id=f"bad-{number:02}", status="finished"))
    app = ComindApp(tmp_path)
    async with app.run_test(size=(160, 60), notifications=True) as pilot:
        await until(pilot, lambda: "14/212" in text_of(app))
        text = text_of(app)
        assert text.count("✗ unreadable") == len(BAD)
        assert "it is a pipe" in text and "newer version" in text
        table = app.screen.query_one("#runs", DataTable)
        table.move_cursor(row=1)
        await pilot.press("enter")
        await until(pilot, lambda: "cannot be used" in text_of(app))
        assert isinstance(app.screen, Home)
    assert app.return_code in (0, None)


async def test_a_slow_reading_is_waited_for_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    sample_run.build(tmp_path, run_id="good", status="finished")
    go_on, asked = threading.Event(), []
    read = RunRows.read

    def slow(self: RunRows) -> list[dict[str, object]]:
        asked.append(1)
        go_on.wait(30)
        return read(self)

    monkeypatch.setattr(RunRows, "read", slow)
    app = ComindApp(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: bool(asked))
        for _ in range(5):
            app.screen.action_refresh()  # type: ignore[attr-defined]
            await pilot.pause()
        go_on.set()
        await until(pilot, lambda: "14/212" in text_of(app))
    assert len(asked) <= 2


def test_runs_that_did_not_change_are_not_read_again(tmp_path: Path) -> None:
    rows = RunRows(tmp_path)
    folder = sample_run.build(tmp_path, run_id="one", status="finished")
    sample_run.build(tmp_path, run_id="two", status="finished")
    first = {row["run"]: row for row in rows.read()}
    with changed(folder) as connection:
        connection.execute("UPDATE run SET metric = 'f1'")
    second = {row["run"]: row for row in rows.read()}
    assert second["one"]["metric"] == "f1"
    assert second["two"] is first["two"]
    with engine_lock(folder):
        assert {row["run"]: row for row in rows.read()}["one"] is not second["one"]
    deleted(folder)
    assert [row["run"] for row in rows.read()] == ["two"]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (spoil_pages, "damaged"),
        (statement("UPDATE evaluations SET selection = '{'"), "selection"),
        (deleted, "was deleted"),
        (lambda folder: folder.database.unlink(), "was deleted"),
    ],
    ids=["spoilt", "bad JSON", "deleted", "emptied"],
)
async def test_the_run_screen_stands_when_its_run_is_harmed(harm: Harm, words: str, tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path, status="finished")
    app = app_of(folder)
    async with app.run_test(size=(160, 50), notifications=True) as pilot:
        await shown(pilot)
        harm(folder)
        await until(pilot, lambda: "✗ unreadable" in text_of(app) and words in text_of(app))
        assert "0.95600" in text_of(app)
        await pilot.press("p")
        await until(pilot, lambda: "This run cannot be used" in text_of(app))
        for key in "234561":
            await pilot.press(key)
        assert "✗ unreadable" in text_of(app)


@pytest.mark.parametrize("name", ["bad JSON in the run", "half a database", "a pipe", "a newer version"])
async def test_a_bad_run_can_be_opened_and_left(name: str, tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path, status="finished")
    harm, words = BAD[name]
    harm(folder)
    app = app_of(folder)
    async with app.run_test(size=(160, 50), notifications=True) as pilot:
        await until(pilot, lambda: "✗ unreadable" in text_of(app) and words in text_of(app))
        await pilot.press("q")
    assert app.return_code == 0
