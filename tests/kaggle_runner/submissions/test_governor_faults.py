"""Bad lines and dead processes: nothing is sent twice or lost, and what is not known is found out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import KaggleError, SubmissionRefused
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.submissions.book import SubmissionBook, mark_in
from kaggle_runner.submissions.governor import Governor, Patience
from kaggle_runner.submissions.policy import chosen
from tests.fakes.clocks import HandClock
from tests.fakes.kaggle_line import Fault, KaggleLine
from tests.kaggle_runner.submissions.governors import (
    LIMIT,
    QUICK,
    client_of,
    governor,
    open_book,
    three_a_day,
    write_candidate,
)
from tests.tiny_kaggle import SLUG, RunningServer, wait_until_graded


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with three_a_day(tmp_path / "kaggle") as running:
        yield running


@pytest.fixture
def line(server: RunningServer) -> Iterator[KaggleLine]:
    with KaggleLine(server.url) as bad:
        yield bad


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AccountBook]:
    with open_book(tmp_path) as opened:
        yield opened


async def submitted(server: RunningServer) -> int:
    return len(await client_of(server.url).submissions(SLUG))


async def test_an_answer_that_got_lost_is_found_in_the_list(
    server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    line.spoil("CreateSubmission", "answer lost")
    row = await governor(book, line.url).send(write_candidate(tmp_path, "mine", 5.0))
    assert row.state in ("sent", "scored") and row.ref
    assert line.passed["CreateSubmission"] == 1 and await submitted(server) == 1


async def test_a_silent_server_is_given_up_and_its_list_is_read(
    server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    line.spoil("CreateSubmission", "hung")
    client = client_of(line.url, read=3.0)
    desk = Governor(book, client, SLUG, clock=SYSTEM_CLOCK, patience=QUICK)
    assert (await desk.send(write_candidate(tmp_path, "mine", 5.0))).ref
    assert line.passed["CreateSubmission"] == 1 and await submitted(server) == 1


@pytest.mark.parametrize("fault", ["never arrived", "500", "429", "refused"])
async def test_what_did_not_arrive_uses_nothing_and_may_be_sent_again(
    fault: Fault, server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    line.spoil("CreateSubmission", fault)
    mine, desk = write_candidate(tmp_path, "mine", 5.0), governor(book, line.url)
    with pytest.raises(SubmissionRefused):
        await desk.send(mine)
    (row,) = (await desk.look()).history
    assert row.state == "unsent" and await submitted(server) == 0
    assert (await desk.send(mine)).state == "sent"
    assert await submitted(server) == 1


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0], ids=["put back", "put on"])
async def test_what_may_still_arrive_is_looked_for_as_long_when_the_machines_time_is_set(
    step: float, server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    """Too long would block every submission, too short would send one twice."""
    clock = HandClock(SYSTEM_CLOCK.now())

    async def wait(seconds: float) -> None:
        await clock.sleep(seconds)
        if len(clock.slept) == 2:
            clock.step(step)

    line.spoil("CreateSubmission", "never arrived")
    desk = Governor(
        book, client_of(line.url), SLUG, clock=clock, patience=Patience(settle=90, poll=10), sleep=wait
    )
    with pytest.raises(SubmissionRefused, match="did not reach"):
        await desk.send(write_candidate(tmp_path, "mine", 5.0))
    assert clock.slept == [10] * 9


@pytest.mark.parametrize("step", ["StartSubmissionUpload", "_blob"])
@pytest.mark.parametrize("fault", ["cut half-way", "500", "429", "answer lost"])
async def test_a_spoilt_upload_is_repeated_and_submitted_once(
    step: str, fault: Fault, server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    line.spoil(step, fault)
    assert (await governor(book, line.url).send(write_candidate(tmp_path, "mine", 5.0))).state == "sent"
    assert await submitted(server) == 1


async def test_a_server_that_is_gone_for_a_while_after_the_submission_is_waited_for(
    server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    looks = 0

    async def wait(seconds: float) -> None:
        nonlocal looks
        looks += 1
        line.down = looks < 4

    line.spoil("CreateSubmission", "down after it")
    desk = Governor(book, client_of(line.url), SLUG, clock=SYSTEM_CLOCK, patience=QUICK, sleep=wait)
    assert (await desk.send(write_candidate(tmp_path, "mine", 5.0))).ref
    assert looks == 4 and await submitted(server) == 1


async def test_a_question_that_stays_open_is_answered_at_the_next_look(
    server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    line.spoil("CreateSubmission", "down after it")
    mine = write_candidate(tmp_path, "mine", 5.0)
    with pytest.raises(KaggleError, match="it is not known whether mine was submitted") as caught:
        await governor(book, line.url).send(mine)
    assert caught.value.maybe_done
    (row,) = SubmissionBook(book, SLUG).rows()
    assert row.state == "intended" and row.counts
    line.down = False
    (row,) = (await governor(book, line.url).look()).history
    assert row.state in ("sent", "scored") and await submitted(server) == 1


async def test_cancelling_waits_for_what_cannot_be_called_back(
    server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    line.spoil("CreateSubmission", "held")
    sending = asyncio.ensure_future(governor(book, line.url).send(write_candidate(tmp_path, "mine", 5.0)))
    await asyncio.to_thread(line.arrived.wait, 60)
    sending.cancel()
    await asyncio.sleep(0)
    line.release.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    (row,) = (await governor(book, server.url).look()).history
    assert row.ref and await submitted(server) == 1


SENDER = """
import asyncio, sys
from pathlib import Path
from tests.kaggle_runner.submissions.governors import governor, open_book, write_candidate

folder, url = Path(sys.argv[1]), sys.argv[2]
with open_book(folder) as book:
    asyncio.run(governor(book, url).send(write_candidate(folder, "mine", 5.0)))
"""


@pytest.mark.parametrize("arrives", [True, False])
async def test_an_engine_killed_between_upload_and_confirmation_sends_it_once(
    arrives: bool, server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    line.spoil("CreateSubmission", "held")
    with subprocess.Popen([sys.executable, "-c", SENDER, str(tmp_path), line.url]) as sender:
        assert await asyncio.to_thread(line.arrived.wait, 60)
        os.kill(sender.pid, signal.SIGKILL)
    if arrives:
        line.release.set()
        while not await submitted(server):
            await asyncio.sleep(0.05)
    mine = write_candidate(tmp_path, "mine", 5.0)
    desk = governor(book, server.url)
    _, (verdict,) = await desk.consider([mine])
    if arrives:
        assert verdict.level == "refuse" and "says the same as submission" in verdict.reason
    else:
        line.upstream = "http://127.0.0.1:1"  # the held call dies with its line
        assert verdict.level == "send"
        await desk.send(mine)
    (row,) = (await desk.look()).history
    assert row.ref and await submitted(server) == 1


async def test_a_score_that_cannot_be_asked_for_now_comes_with_the_next_look(
    server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    desk = governor(book, line.url)
    await desk.send(write_candidate(tmp_path, "mine", 5.0))
    line.down = True
    (row,) = await desk.follow_up(0.2)
    assert row.state == "sent"
    line.down = False
    wait_until_graded(server)
    (row,) = await desk.follow_up()
    assert row.state == "scored"


STEPS = (
    "GetCompetition", "GetSubmissionLimits", "ListSubmissions", "StartSubmissionUpload", "_blob",
    "CreateSubmission", "GetSubmission",
)  # fmt: skip
FAULTS: tuple[Fault, ...] = ("500", "429", "never arrived", "answer lost", "cut half-way", "body cut", "html")


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_breaks_where_nothing_goes_out_twice_or_beyond_the_limit(
    seed: int, server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    """Rounds of candidates, some of them the same, on a line that spoils calls of every kind."""
    chance = random.Random(seed)
    client = client_of(line.url)
    for number in range(8):
        if chance.random() < 0.6:
            line.spoil("CreateSubmission", chance.choice(FAULTS))
        line.spoil(chance.choice(STEPS), chance.choice(FAULTS))
        made = [
            write_candidate(tmp_path / f"{number}", f"r{number}-a{place}", chance.choice((40.0, 30, 20, 10)))
            for place in range(2)
        ]
        desk = Governor(book, client, SLUG, clock=SYSTEM_CLOCK, patience=QUICK)
        with contextlib.suppress(KaggleError):
            _, verdicts = await desk.consider(made)
            if verdict := chosen(verdicts):
                await desk.send(verdict.candidate)
    straight = governor(book, server.url)
    await straight.consider([])
    wait_until_graded(server)
    standing = await straight.look()
    marks = [mark_in(one.message) for one in standing.listed]
    assert 1 <= len(marks) == len(set(marks)) <= LIMIT
    known = {row.ref: row for row in standing.history if row.counts}
    assert known.keys() == {one.ref for one in standing.listed}
    assert all(row.state == "scored" and row.score for row in known.values())


@pytest.mark.parametrize("fault", ["down before it", "down after it"])
@pytest.mark.parametrize("step", STEPS)
async def test_a_server_that_goes_away_at_any_step_is_sent_it_once_in_the_end(
    step: str, fault: Fault, server: RunningServer, line: KaggleLine, book: AccountBook, tmp_path: Path
) -> None:
    mine, desk = write_candidate(tmp_path, "mine", 5.0), governor(book, line.url)
    line.spoil(step, fault)
    with contextlib.suppress(KaggleError):
        await desk.consider([mine])
        await desk.send(mine)
        await desk.follow_up(0.1)
    assert line.down
    line.down = False
    _, (verdict,) = await desk.consider([mine])
    if verdict.level == "send":
        await desk.send(mine)
    wait_until_graded(server)
    (row,) = await desk.follow_up()
    assert row.state == "scored" and await submitted(server) == 1
