"""Whatever others wrote into a run or onto a board, every command prints as text and as nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comind.state.records import RECORDS, Event
from comind.state.runs import RunFolder
from comind_tui.cli import main
from comind_tui.commands.headless import Printer
from kaggle_runner.kaggle.client import KaggleClient
from mle_live.cli import main as mle_live
from tests.comind.in_kaggle import exported_run
from tests.comind.run.run_to_submit import add_solution, make_run
from tests.comind_tui import sample_run
from tests.fakes.clocks import HandClock
from tests.tiny_kaggle import (
    CANARY,
    SLUG,
    TOKEN,
    RunningServer,
    make_root,
    running_server,
    submission_text,
    wait_until_graded,
)

EVIL = (
    "\x1b[2J\x1b]0;owned\x07\x9b31m\x9d0;owned\x9c\x1bP1;2q\x1b\\\x1b]8;;http://x\x1b\\link\x1b"
    "\u202egnp.exe\u2066\u200b\x08\r\x07\x7f\x85\u2028\nforged line\ttail"
)
"""A title, a link, colours, reversed and invisible text, a bell, and a line that looks like one of ours."""
STRUCTURE = {
    "at", "status", "state", "kind", "origin", "style", "action", "step", "verified", "used_at", "created_at",
    "started_at", "finished_at", "submission", "validation_submission", "log_path", "competition",
    "metric_source",
}  # fmt: skip
"""Texts that are words of ours, moments and paths."""


def taint(folder: RunFolder) -> None:
    """EVIL behind every text of the run's database, inside JSON too; ids still find each other."""
    database = sqlite3.connect(folder.database)
    database.create_function("tainted", 1, _tainted)
    present = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for record in RECORDS:
        if record.TABLE not in present:
            continue
        table = record.TABLE
        for column in [row[1] for row in database.execute(f"PRAGMA table_info({table})") if row[2] == "TEXT"]:
            if column not in STRUCTURE and column != "config":
                database.execute(f"UPDATE {table} SET {column} = tainted({column}) WHERE {column} != ''")
    database.commit()
    database.close()


def _tainted(text: str) -> str:
    if not text.startswith(("{", "[")):
        return text + EVIL
    return json.dumps(_within(json.loads(text)))


def _within(value: object) -> object:
    if isinstance(value, dict):
        return {name: _within(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_within(one) for one in value]
    return value + EVIL if isinstance(value, str) else value


def assert_inert(*texts: str) -> None:
    for text in texts:
        bad = {char for char in text if char != "\n" and not char.isprintable()}
        assert not bad, f"{bad} in {text[:300]!r}"
        assert not any(line.startswith("forged") for line in text.splitlines()), text


@pytest.fixture
def hostile_run(tmp_path: Path) -> RunFolder:
    folder = sample_run.build(tmp_path / "state", run_id="hostile", status="finished")
    taint(folder)
    there = folder.path.with_name(f"hostile{EVIL.replace('/', '')}")
    folder.path.rename(there)
    return RunFolder(there)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A Kaggle whose teams are called EVIL things."""
    root = make_root(tmp_path / "root")
    board = root / "competitions" / SLUG / "leaderboard.csv"
    teams = list(csv.reader(board.read_text().splitlines()))
    with board.open("w", newline="") as file:
        csv.writer(file).writerows([teams[0], *([f"{name}{EVIL}", *rest] for name, *rest in teams[1:])])
    with running_server(root, tmp_path / "server", now=datetime.now(UTC)) as running:
        monkeypatch.setenv("COMIND_KAGGLE_URL", running.url)
        monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
        yield running


@pytest.mark.parametrize(
    "words",
    [
        ("runs",), ("show",), ("ideas",), ("reports",), ("leaderboard",), ("competitions", "--offline"),
        ("ideas", "--search", "shifts"), ("show", EVIL), ("doctor", "--base-url", f"http://127.0.0.1:9/{EVIL}"),
        (EVIL,), ("run", f"./{EVIL}", "--offline"), ("attach",), ("submit", "--dry-run"), ("reproduce",),
    ],
    ids=lambda words: " ".join(words)[:20].encode("ascii", "ignore").decode(),
)  # fmt: skip
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_prints_what_steers_a_terminal(
    hostile_run: RunFolder, words: tuple[str, ...], as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    main([*words, *(["--json"] if as_json else []), "--state", str(hostile_run.state)])
    out, err = capsys.readouterr()
    assert out or err
    assert_inert(out, err)
    assert "Traceback" not in err
    if as_json:
        json.loads(out)


def test_written_files_are_named_inertly(
    hostile_run: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["recording", "--state", str(hostile_run.state)]) == 0
    exported = exported_run.make_run(tmp_path / "exported", slug=SLUG, offline=True, metric="rmse")
    taint(exported)
    with sqlite3.connect(exported.database) as database:
        database.execute("UPDATE run SET metric = 'rmse'")  # any other is refused
    out = str(tmp_path / f"out{EVIL.replace('/', '')}")
    words = ["export", "--kaggle-notebook", "--out", out, "--state", str(tmp_path / "exported")]
    assert main(words) == 0
    assert_inert(*capsys.readouterr())


def test_headless_lines_are_inert(hostile_run: RunFolder) -> None:
    out, err = io.StringIO(), io.StringIO()
    with Printer(hostile_run, err, clock=HandClock(datetime(2026, 11, 21, 10, tzinfo=UTC))) as printer:
        printer.catch_up()
        printer.event(Event(kind="round", message=EVIL, agent=EVIL, round=2, at="2026-11-21T09:00:00Z"))
        printer.sign_of_life()
    printer.finish(out, as_json=False)
    assert_inert(out.getvalue(), err.getvalue())
    assert "gnp.exe" in err.getvalue()


def test_boards_and_submissions_are_inert(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_run(tmp_path / "state", kaggle_url=server.url)
    add_solution(folder, "r1-a1", 20.0, title=EVIL)
    state = ["--state", str(tmp_path / "state")]
    for error in (45.0, 25.0):
        asyncio.run(_submitted(server, tmp_path, error))
        main(["ranks", SLUG, "--once", *state])
    for words in (["submissions", SLUG], ["submit", "--dry-run"], ["submit", "--yes"], ["competitions"]):
        for more in ([], ["--json"]):
            main([*words, *more, *state])
    out, err = capsys.readouterr()
    assert "we passed: Team 3" in out and "gnp.exe" in out
    assert_inert(out, err)


async def _submitted(server: RunningServer, folder: Path, error: float) -> None:
    file = folder / "submission.csv"
    file.write_text(submission_text([value + error for value in CANARY]))
    await KaggleClient(server.url, TOKEN).submit(SLUG, file, f"by hand {EVIL}")
    wait_until_graded(server)


@pytest.mark.parametrize("words", [(), ("attach", "hostile")], ids=["home", "run"])
def test_screens_leave_the_title_of_the_terminal_alone(
    hostile_run: RunFolder, words: tuple[str, ...]
) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "comind_tui", *words, "--state", str(hostile_run.state)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "48"}
    painted = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as screen:
        os.close(theirs)
        while b"gnp.exe" not in painted:
            painted += os.read(ours, 1 << 16)
        os.write(ours, b"q")
        with contextlib.suppress(OSError):  # the end of a terminal
            while piece := os.read(ours, 1 << 16):
                painted += piece
    os.close(ours)
    assert screen.returncode == 0
    assert not re.search(r"\x1b\][0128];|[\x80-\x9f\u202e\u2066]", painted.decode())


@pytest.mark.parametrize(
    "words",
    [
        ("show",), ("runs",), ("leaderboard",), ("competitions", "--offline"), ("--help",),
        ("doctor", "--base-url", "http://127.0.0.1:9/ü"),
    ],
)  # fmt: skip
def test_a_terminal_of_few_characters_gets_those_it_has(tmp_path: Path, words: tuple[str, ...]) -> None:
    sample_run.build(tmp_path, status="finished")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "comind_tui", *words, "--state", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.isascii() and done.stdout


def test_mle_live_prints_inertly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mle_live(["competitions", "--root", str(tmp_path)])
    assert mle_live(["grade", EVIL, str(tmp_path / EVIL.replace("/", "")), "--root", str(tmp_path)]) == 2
    assert_inert(*capsys.readouterr())
