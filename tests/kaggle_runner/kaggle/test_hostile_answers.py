"""What agents' code leaves at Kaggle, and absurd answers of servers: told or left out, never a crash."""

from __future__ import annotations

import io
import json
import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from kaggle_runner.errors import KaggleError
from kaggle_runner.jobs.comind_work import PROGRESS
from kaggle_runner.jobs.gathered import read_progress
from kaggle_runner.jobs.verdicts import told, verdict
from kaggle_runner.kaggle.board import read_board
from kaggle_runner.kaggle.downloads import unpack
from kaggle_runner.kaggle.faults import Failed
from kaggle_runner.kaggle.outputs import OutputFolder, read_log
from kaggle_runner.kaggle.records import KernelOutput, KernelStatus, LogLine
from kaggle_runner.score import Score
from kaggle_runner.submissions.file import similarity
from kaggle_runner.submissions.ledger import read_ledger
from kaggle_runner.submissions.records import SentSubmission
from tests.fakes.kaggle_line import KaggleLine
from tests.kaggle_runner.submissions.governors import client_of, inspect, three_a_day
from tests.tiny_kaggle import SLUG

NOTE: dict[str, Any] = {
    "mark": "m", "machine": {"gpus": [], "tpu": "", "cpus": 1}, "cells": [], "failed": None,
    "out_of_time": False, "kept": None, "not_kept": "", "finished": True,
}  # fmt: skip
BOARD = "Rank,TeamId,TeamName,Score,SubmissionCount,TeamMemberUserNames\n"


@pytest.mark.parametrize("forged", ["", 0, False, [], {}, 7, "x", [1]])
@pytest.mark.parametrize("field", ["failed", "kept"])
def test_forged_notes_of_a_session_are_no_notes(field: str, forged: object) -> None:
    assert read_progress(json.dumps({**NOTE, field: forged})) is None
    assert read_progress(json.dumps({**NOTE, field: None})) is not None


def test_a_text_in_notes_that_ours_would_have_cut_is_forged() -> None:
    assert read_progress(json.dumps({**NOTE, "not_kept": "x" * 20_000})) is not None
    assert read_progress(json.dumps({**NOTE, "not_kept": "x" * 20_001})) is None


def test_half_characters_in_notes_and_logs_become_text_that_can_be_stored() -> None:
    failed = {"number": 1, "error": "bad \ud800", "traceback": "\udfff"}
    progress = read_progress(json.dumps({**NOTE, "failed": failed}))
    assert progress is not None
    assert progress.failed is not None
    log = read_log(json.dumps([{"stream_name": "stdout", "time": 10**400, "data": "\ud800"}]))
    assert log == [LogLine("stdout", 0.0, "�")]
    assert (progress.failed.error, progress.failed.traceback) == ("bad �", "�")


def test_notes_of_many_megabytes_are_not_read(tmp_path: Path) -> None:
    note = tmp_path / PROGRESS
    note.write_text(json.dumps({**NOTE, "mark": "x" * 5_000_000}))
    assert told(KernelOutput((PROGRESS,), {PROGRESS: note}, {}, ())) is None


def test_a_failure_is_a_sentence_and_not_a_log() -> None:
    log = [LogLine("stdout", 1.0, "x" * 1_000_000)]
    state, failure = verdict(KernelStatus("error", ""), None, log, ran=1, allowed=2)
    assert state == "failed"
    assert len(failure) == 2000


class Body(requests.Response):
    """An answer with these bytes."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.status_code = 200
        self.raw = io.BytesIO(content)


@pytest.mark.parametrize(
    "name",
    ["a.csv/b.csv", "x" * 300 + ".csv", "é" * 150 + ".csv", "d" * 251 + "/e.csv", "../a.csv", "\ud800"],
)
def test_an_output_file_that_cannot_be_placed_is_left_out_and_the_others_come(
    name: str, tmp_path: Path
) -> None:
    folder = OutputFolder(tmp_path, 1000)
    for one in ("a.csv", name, "b.csv"):
        folder.save(one, Body(b"1,2"))
    assert sorted(folder.saved) == ["a.csv", "b.csv"]
    assert list(folder.left_out) == [name]


def zipped(path: Path, text: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("board.csv", text)
    return path


def spoilt(path: Path, how: str) -> Path:
    """A zip file with one kind of damage, or one that zipfile has other words for."""
    content = bytearray(zipped(path, BOARD + "1,2,ann,0.5,1,ann\n" * 500).read_bytes())
    entry = content.find(b"PK\x01\x02")
    match how:
        case "data":
            content[60:70] = b"\xff" * 10
        case "encrypted":
            content[6] |= 1
            content[entry + 8] |= 1
        case "method":
            content[8:10] = content[entry + 10 : entry + 12] = struct.pack("<H", 99)
        case "cut":
            del content[-100:]
        case "page":
            content = bytearray(b"<html>log in</html>")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("how", ["data", "encrypted", "method", "cut", "page"])
def test_a_spoilt_archive_is_one_error(how: str, tmp_path: Path) -> None:
    archive = spoilt(tmp_path / "board.zip", how)
    with pytest.raises(KaggleError):
        read_board(archive)
    with pytest.raises(KaggleError):
        unpack(archive, tmp_path / "out", most_bytes=10**6)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("names", [("a", "a/b"), ("x" * 300,), ("d/" + "x" * 300,)])
def test_an_archive_whose_files_cannot_stand_together_is_one_error(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name in names:
            archive.writestr(name, "1")
    with pytest.raises(KaggleError, match="holds"):
        unpack(tmp_path / "data.zip", tmp_path / "out", most_bytes=10**6)


def test_a_board_of_empty_lines_and_huge_numbers_is_read(tmp_path: Path) -> None:
    rows = f"{'9' * 30},{'9' * 5000},ann,nan,1,ann\n\n\n2,7,bob,1e999,1,bob\n"
    first, second = read_board(zipped(tmp_path / "board.zip", BOARD + "\n\n" + rows))
    assert (first.rank, first.team_id, first.team) == (1, 0, "ann")
    assert math.isnan(first.score)
    assert (second.rank, second.team_id, second.score) == (2, 7, math.inf)


def test_a_board_that_unpacks_to_more_than_any_board_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KaggleError, match="128 MiB"):
        read_board(zipped(tmp_path / "board.zip", "\n" * (2**27 + 1)))


def sent(number: int, local: float, public: float) -> SentSubmission:
    return SentSubmission(
        token=f"t{number}", competition="c", state="scored", run="r", evaluation=f"e{number}", ref=number,
        sketch=((local, 1.0),), score=Score(local, local, local, 10, higher_is_better=True),
        public_score=public, rows=100, created_at="",
    )  # fmt: skip


@pytest.mark.parametrize("absurd", [1e200, -1.7e308, math.nan, math.inf])
def test_absurd_scores_stay_out_of_the_ledger(absurd: float) -> None:
    history = [sent(number, 0.1 * number, 0.1 * number + 0.01) for number in range(1, 6)]
    strange = [sent(8, 0.5, absurd), sent(9, absurd, 0.5)]
    ledger = read_ledger([*history, *strange])
    assert ledger.points == 5
    assert ledger.pearson == pytest.approx(1.0)


def test_predictions_of_any_size_can_be_compared() -> None:
    assert similarity(((1e200, -1e200),), ((1e200, -1e200),)) == pytest.approx(1.0)
    assert similarity(((1.7e308, -1.7e308),), ((-1.7e308, 1.7e308),)) == pytest.approx(-1.0)
    assert similarity(((math.inf, 1.0),), ((math.inf, 2.0),)) == 0.5


def test_a_whole_number_of_hundreds_of_digits_is_a_problem_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text("id,target\n1,0.5\n2,0.5\n")
    (tmp_path / "mine.csv").write_text(f"id,target\n1,{'9' * 400}\n2,1\n")
    [problem] = inspect(tmp_path / "mine.csv", tmp_path / "sample.csv").problems
    assert "target" in problem


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("17", 17.0),
        ("Sun, 22 Nov 2026 06:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 05:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
    ],
)
def test_the_wait_that_a_server_asks_for_is_seconds_or_a_date_by_its_own_clock(
    wish: str, seconds: float
) -> None:
    answer = Body(b"")
    answer.status_code = 429
    answer.headers.update({"Retry-After": wish, "Date": "Sun, 22 Nov 2026 06:00:00 GMT"})
    assert Failed(requests.HTTPError("too many"), answer).retry_after == seconds


@pytest.fixture
def line(tmp_path: Path) -> Iterator[KaggleLine]:
    with three_a_day(tmp_path / "kaggle") as running, KaggleLine(running.url) as bad:
        yield bad


async def test_limits_that_are_no_numbers_are_an_error_and_negative_ones_are_none_left(
    line: KaggleLine,
) -> None:
    client = client_of(line.url)
    line.edits["GetSubmissionLimits"] = {"numToday": -4, "numAllowedNow": -1}
    limits = await client.submission_limits(SLUG)
    assert (limits.today, limits.allowed_now) == (0, 0)
    line.edits["GetSubmissionLimits"] = {"numAllowedNow": "many"}
    with pytest.raises(KaggleError, match="cannot be read"):
        await client.submission_limits(SLUG)


async def test_a_list_whose_next_page_is_always_the_same_ends(line: KaggleLine) -> None:
    line.edits["ListSubmissions"] = {"nextPageToken": "1"}
    assert await client_of(line.url).submissions(SLUG) == []
