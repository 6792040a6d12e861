"""`comind-tui ranks`: the document, the lines, exit codes, and refusals before anything is asked."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comind.config import Settings
from comind_tui.cli import main
from comind_tui.commands.ranks import RankPrinter
from comind_tui.core.ranks import ranks_of_run, slug_of
from comind_tui.text.ranks import (
    deadline_text,
    look_document,
    look_line,
    missing,
    movement_text,
    moves_texts,
    next_zone_text,
    trouble_line,
)
from kaggle_runner.account import AccountBook
from kaggle_runner.errors import ConfigError, KaggleError, UsageError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import SubmissionLimits
from kaggle_runner.ranks.board import rows_of
from kaggle_runner.ranks.look import assess, record
from kaggle_runner.ranks.watch import View
from tests.fakes.clocks import HandClock
from tests.kaggle_runner.ranks.boards import NOON, asked, table
from tests.tiny_kaggle import (
    CANARY,
    SLUG,
    TOKEN,
    RunningServer,
    submission_text,
    tiny_server,
    wait_until_graded,
)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    with tiny_server(tmp_path) as running:
        monkeypatch.setenv("COMIND_KAGGLE_URL", running.url)
        monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
        yield running


def command(state: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command that runs to its end."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*words, "--state", str(state)])
    return code, out.getvalue(), err.getvalue()


async def submit(server: RunningServer, folder: Path, error: float) -> None:
    file = folder / "submission.csv"
    file.write_text(submission_text([value + error for value in CANARY]))
    await KaggleClient(server.url, TOKEN).submit(SLUG, file, "")
    wait_until_graded(server)


def test_once_shows_the_rank_that_the_server_holds(server: RunningServer, tmp_path: Path) -> None:
    code, out, _ = command(tmp_path, "ranks", SLUG, "--once", "--json")
    before: dict[str, Any] = json.loads(out)
    assert (code, before["on_board"], before["rank"], before["teams"]) == (1, False, None, 20)
    asyncio.run(submit(server, tmp_path, 45.0))
    code, out, _ = command(tmp_path, "ranks", SLUG, "--once", "--json")
    first: dict[str, Any] = json.loads(out)
    assert (code, first["rank"], first["teams"], first["score"], first["medal"]) == (0, 5, 21, 45.0, "bronze")
    assert (first["next_zone"], first["next_zone_needs"]) == ("silver", -5.0)
    assert (first["board"], first["submissions_left"], first["account"][:6]) == ("synthetic", 3, "alice@")
    asyncio.run(submit(server, tmp_path, 25.0))
    second: dict[str, Any] = json.loads(command(tmp_path, "ranks", SLUG, "--once", "--json")[1])
    assert (second["rank"], second["since_last"]["places"]) == (3, 2)
    assert second["passed_by_us"] == {"count": 2, "teams": ["Team 3", "Team 4"]}
    _, line, _ = command(
        tmp_path, "ranks", f"https://www.kaggle.com/competitions/{SLUG}/leaderboard", "--once"
    )
    assert f"{SLUG}: rank 3/21 (synthetic board)" in line and "silver; gold needs -5.000, past 20.000" in line
    _, line, _ = command(tmp_path, "ranks", SLUG, "--once", "--team", "team 7")
    assert "rank 8/21 (synthetic board)" in line


def _heed_interrupts() -> None:
    """What a shell runs in the background ignores them, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_lines_are_printed_until_interrupted(server: RunningServer, tmp_path: Path) -> None:
    environment = {**os.environ, "COMIND_KAGGLE_URL": server.url, "COMIND_KAGGLE_TOKEN": TOKEN}
    words = [sys.executable, "-m", "comind_tui", "ranks", SLUG, "--json", "--state", str(tmp_path)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, env=environment, text=True, preexec_fn=_heed_interrupts
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert json.loads(line)["teams"] == 20


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((SLUG, "--every", "5s"), "too often"),
        ((SLUG, "--every", "soon"), "not a duration"),
        (("./folder", "--once"), "not a competition of a Kaggle"),
        ((SLUG, "--once", "--kaggle-url", "http://example.org"), "unencrypted"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    server: RunningServer, tmp_path: Path, words: tuple[str, ...], part: str
) -> None:
    code, _, err = command(tmp_path, "ranks", *words)
    assert code == 2 and part in err
    assert not (tmp_path / "kaggle.sqlite").exists()


def test_without_credentials_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    code, _, err = command(tmp_path / "state", "ranks", SLUG, "--once")
    assert code == 2 and "no credentials for kaggle.com" in err and "KAGGLE_API_TOKEN" in err


def test_a_wrong_name_and_a_wrong_token_end_with_code_3(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = command(tmp_path, "ranks", "no-such-thing", "--once", "--json")
    assert code == 3 and "no-such-thing" in json.loads(out)["error"]
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", "wrong")
    code, _, err = command(tmp_path, "ranks", SLUG, "--once")
    assert code == 3 and "token" in err


def test_a_slug_is_read_from_the_address_of_a_page() -> None:
    assert slug_of("Titanic") == "titanic"
    assert slug_of("https://www.kaggle.com/competitions/AI4Code") == slug_of("AI4Code") == "AI4Code"
    assert slug_of("https://www.kaggle.com/competitions/titanic/leaderboard?tab=public") == "titanic"
    for text in ("", "a/b", "./folder"):
        with pytest.raises(UsageError):
            slug_of(text)


def test_runs_on_the_shelf_and_on_folders_have_no_live_board(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"COMIND_KAGGLE_TOKEN": "t"}
    url = "http://127.0.0.1:8787"
    assert ranks_of_run(Settings(competition="digits-5k"), {}) is None
    assert ranks_of_run(Settings(competition="./houses"), there) is None
    watched = ranks_of_run(Settings(competition="digits-5k", kaggle_url=url), there)
    assert watched is not None and (watched.slug, watched.kaggle.name) == ("digits-5k", "127.0.0.1:8787")
    with pytest.raises(ConfigError):
        ranks_of_run(Settings(competition="titanic", kaggle_url=url), {})


def test_texts_say_direction_zone_and_what_is_left(tmp_path: Path) -> None:
    scores = {f"Team {n}": 0.5 + n / 1000 for n in range(1, 31)}
    with AccountBook(tmp_path / "kaggle.sqlite", "alice@example.org") as book:
        limits = SubmissionLimits(1, 9, 3)
        record(
            book, asked(table({**scores, "Alice": 0.5}, lower_is_better=False), NOON - timedelta(hours=30))
        )
        look = record(book, asked(table({**scores, "Alice": 0.5255}, lower_is_better=False), limits=limits))
    assert (look.medal, next_zone_text(look)) == ("silver", "gold needs +0.00250, past 0.52800")
    assert look.next_zone is not None and missing(look.next_zone, look) == "+0.00250"
    assert movement_text(look) == "▲25 in 1d 06h"
    assert moves_texts(look.moves)[0] == "we passed: Team 25, Team 24, Team 23 and 22 more"
    line = look_line(look, NOON)
    for part in (
        "rank 6/31 (synthetic board)",
        "score 0.52550 ↑",
        "3 submissions left today",
        "29d 12h to 2026-07",
    ):
        assert part in line
    assert deadline_text(look, NOON + timedelta(days=40)).startswith("ended 10d 12h ago")
    behind = replace(look, clock_offset=3600.0)
    assert deadline_text(behind, NOON).startswith("29d 11h to"), "the server's clock says when it ends"


def test_a_machine_elsewhere_tells_its_own_time_beside_utc(in_kolkata: None) -> None:
    look = assess(asked(table({"Alice": 2.0}), limits=None), rows_of(table({"Alice": 2.0})))
    assert deadline_text(look, NOON) == "29d 12h to 2026-07-01 00:00 UTC (07-01 05:30 IST)"
    assert look_line(look, NOON).startswith("17:30:00  ")
    assert trouble_line(KaggleError("gone"), None, NOON) == "17:30:00  gone"
    document = look_document(look, "k", "alice")
    assert (document["at"], document["deadline"]) == ("2026-06-01T12:00:00.000Z", "2026-07-01T00:00:00.000Z")


def test_hostile_team_names_cannot_steer_the_terminal() -> None:
    name = "\x1b[2J\x07evil\u202e [/red]"
    look = assess(
        asked(table({name: 1.0, "Alice": 2.0}), limits=None), rows_of(table({name: 1.0, "Alice": 2.0}))
    )
    assert "\x1b" not in look_line(look, NOON) and "\u202e" not in look_line(look, NOON)


def test_lines_of_trouble_go_to_stderr_with_the_age_of_what_is_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    teams = table({"Alice": 1.0})
    look = assess(asked(teams), rows_of(teams))
    lines = RankPrinter(lambda one: f"rank {one.own and one.own.rank}", fresh=60, clock=HandClock(NOON))
    away = KaggleError("no connection", status=0)
    lines.show(View(look=look))
    lines.show(View(look=look, trouble=away))
    lines.show(View(look=look))
    lines.show(View(look=assess(asked(teams, NOON - timedelta(hours=1)), rows_of(teams))))
    told = capsys.readouterr()
    assert told.out == "rank 1\n"
    lines._clock = HandClock(NOON - timedelta(days=1))  # the machine's time was put back
    lines.show(View(look=assess(asked(teams, NOON - timedelta(days=1)), rows_of(teams))))
    assert capsys.readouterr().out == "rank 1\n"
    assert "no connection; the last look is 0s old" in told.err
    with pytest.raises(KaggleError):
        lines.show(View(trouble=KaggleError("no such competition", status=404)))


def test_competitions_lists_every_kaggle_beside_the_shelf(
    server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = command(tmp_path, "competitions", "--json")
    rows = {(row["source"], row["slug"]): row for row in json.loads(out)}
    name = server.url.removeprefix("http://")
    assert code == 0 and err == ""
    assert rows["shelf", "digits-5k"]["metric"] == "accuracy"
    assert rows[name, SLUG]["teams"] == 20 and rows[name, SLUG]["deadline"] == "2027-01-01T00:00:00.000Z"
    found = json.loads(command(tmp_path, "competitions", "--json", "--search", "digits")[1])
    assert [row["slug"] for row in found] == ["digits-5k"]
    assert SLUG in command(tmp_path, "competitions", "--offline")[1]
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", "wrong")
    code, out, err = command(tmp_path, "competitions")
    assert code == 0 and "digits-5k" in out and SLUG not in out and name in err


def test_a_kaggle_address_that_cannot_be_meant_is_a_line_beside_the_shelf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMIND_KAGGLE_URL", "http://example.org")
    code, out, err = command(tmp_path, "competitions")
    assert code == 0 and "digits-5k" in out and "unencrypted" in err
