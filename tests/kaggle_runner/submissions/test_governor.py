"""The governor against a real MLE-Live server that takes three submissions a day."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import SubmissionRefused
from kaggle_runner.kaggle.records import KernelPush
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.submissions.policy import chosen
from kaggle_runner.submissions.records import KernelFile
from tests.fakes.clocks import HandClock
from tests.fakes.kaggle_line import KaggleLine
from tests.kaggle_runner.submissions.governors import (
    LIMIT,
    client_of,
    governor,
    inspect,
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
def book(tmp_path: Path) -> Iterator[AccountBook]:
    with open_book(tmp_path) as opened:
        yield opened


async def test_the_best_goes_out_first_and_its_score_comes_back(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    desk = governor(book, server.url)
    worse, better = (write_candidate(tmp_path, name, value) for name, value in (("a", 9.0), ("b", 5.0)))
    standing, verdicts = await desk.consider([worse, better])
    assert standing.situation.allowed_now == 3
    assert [(one.candidate.evaluation, one.level) for one in verdicts] == [("b", "send"), ("a", "hold")]
    best = chosen(verdicts)
    assert best is not None
    row = await desk.send(best.candidate)
    assert row.state == "sent" and row.ref
    wait_until_graded(server)
    (scored,) = await desk.follow_up()
    assert scored.state == "scored" and scored.public_score is not None
    assert scored.score == better.score and scored.sha256 == better.facts.sha256
    assert "nothing with a local score was sent yet" in scored.reason
    (listed,) = await client_of(server.url).submissions(SLUG)
    assert listed.message == f"comind run-1 b #{better.token}"


async def test_the_same_content_is_refused_to_everybody(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    desk = governor(book, server.url)
    first = write_candidate(tmp_path, "first", 5.0)
    await desk.send(first)
    lines = first.path.read_text().splitlines()
    again = write_candidate(tmp_path, "again", 5.0)
    again.path.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    again = replace(again, facts=inspect(again.path, tmp_path / "sample.csv"))
    assert again.facts.sha256 != first.facts.sha256
    with pytest.raises(SubmissionRefused, match="says the same as submission"):
        await desk.send(again, by_person=True)
    assert len(await client_of(server.url).submissions(SLUG)) == 1


async def test_a_day_takes_what_the_limit_says_and_not_one_more(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    desk = governor(book, server.url)
    for number in range(LIMIT):
        await desk.send(write_candidate(tmp_path, f"c{number}", 50.0 - 10 * number))
    last = write_candidate(tmp_path, "one too many", 1.0)
    with pytest.raises(SubmissionRefused, match="the day's submissions are used up"):
        await desk.send(last, by_person=True)
    assert len(await client_of(server.url).submissions(SLUG)) == LIMIT


async def test_a_team_mate_who_was_quicker_is_noticed_before_sending(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    desk = governor(book, server.url)
    mine = write_candidate(tmp_path, "mine", 5.0)
    _, verdicts = await desk.consider([mine])
    assert chosen(verdicts) is not None
    for number in range(LIMIT):
        theirs = write_candidate(tmp_path, f"theirs{number}", 20.0 + number)
        await client_of(server.url).submit(SLUG, theirs.path, "by hand")
    with pytest.raises(SubmissionRefused, match="used up"):
        await desk.send(mine)
    assert len(await client_of(server.url).submissions(SLUG)) == LIMIT


async def test_a_team_mate_who_takes_the_last_one_during_the_upload_costs_nothing(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    with KaggleLine(server.url) as line:
        line.spoil("CreateSubmission", "held")
        mine = write_candidate(tmp_path, "mine", 5.0)
        sending = asyncio.ensure_future(governor(book, line.url).send(mine))
        await asyncio.to_thread(line.arrived.wait, 60)
        for number in range(LIMIT):
            theirs = write_candidate(tmp_path, f"theirs{number}", 20.0 + number)
            await client_of(server.url).submit(SLUG, theirs.path, "by hand")
        line.release.set()
        with pytest.raises(SubmissionRefused, match="daily submission allowance"):
            await sending
    (row,) = (await governor(book, server.url).look()).history
    assert row.state == "unsent" and not row.counts


async def test_a_lost_book_is_no_reason_to_send_twice(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    mine = write_candidate(tmp_path, "mine", 5.0)
    await governor(book, server.url).send(mine)
    with open_book(tmp_path / "another machine") as fresh:
        desk = governor(fresh, server.url)
        with pytest.raises(SubmissionRefused, match="says the same as submission"):
            await desk.send(mine, by_person=True)
        (row,) = (await desk.look()).history
    assert (row.run, row.evaluation, row.score) == ("run-1", "mine", None)


async def test_two_engines_at_once_send_one(server: RunningServer, book: AccountBook, tmp_path: Path) -> None:
    mine = write_candidate(tmp_path, "mine", 5.0)
    with open_book(tmp_path) as other:
        desks = governor(book, server.url), governor(other, server.url)
        answers = await asyncio.gather(*(desk.send(mine) for desk in desks), return_exceptions=True)
    assert sorted(type(answer).__name__ for answer in answers) == ["SentSubmission", "SubmissionRefused"]
    assert len(await client_of(server.url).submissions(SLUG)) == 1


async def test_the_deadline_is_read_on_the_servers_clock(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    deadline = server.competition.deadline
    mine = write_candidate(tmp_path, "mine", 5.0)
    with KaggleLine(server.url, skew=timedelta(hours=1)) as line:
        skewed = governor(book, line.url, clock=HandClock(deadline - timedelta(minutes=30)))
        standing, (verdict,) = await skewed.consider([mine])
        assert standing.situation.late
        assert verdict.level == "hold" and "the deadline has passed" in verdict.reason
        with pytest.raises(SubmissionRefused, match="the deadline has passed"):
            await skewed.send(mine)
    straight = governor(book, server.url, clock=HandClock(deadline - timedelta(minutes=30)))
    assert not (await straight.look()).situation.late
    assert (await governor(book, server.url, clock=SYSTEM_CLOCK).look()).situation.deadline is not None


async def test_a_closed_competition_takes_nothing_from_anybody(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    with KaggleLine(server.url) as line:
        line.edits["GetCompetition"] = {"submissionsDisabled": True}
        with pytest.raises(SubmissionRefused, match="takes no submissions any more"):
            await governor(book, line.url).send(write_candidate(tmp_path, "mine", 5.0), by_person=True)
        assert not any("Submission" in path and "Create" in path for path in line.passed)


async def test_a_limit_on_all_days_is_told_from_one_on_a_day(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    with KaggleLine(server.url) as line:
        line.edits["GetSubmissionLimits"] = {"numAllowedNow": 1, "limitedByTotal": True}
        with pytest.raises(SubmissionRefused, match="kept for the competition's last day"):
            await governor(book, line.url).send(write_candidate(tmp_path, "mine", 5.0))


async def test_a_code_competition_is_sent_a_version_of_a_kernel(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    client = client_of(server.url)
    mine = write_candidate(tmp_path, "mine", 5.0)
    source = f"open('out.csv', 'w').write({mine.path.read_text()!r})"
    pushed = await client.push_kernel(KernelPush("my-kernel", "my kernel", source, "script"))
    while not (await client.kernel_status(pushed.ref, pushed.version)).ended:
        await asyncio.sleep(0.1)
    version = replace(mine, kernel=KernelFile(pushed.ref, pushed.version, "out.csv"))
    with KaggleLine(server.url) as line:
        line.edits["GetCompetition"] = {"isKernelsSubmissionsOnly": True}
        desk = governor(book, line.url)
        with pytest.raises(SubmissionRefused, match="comind-tui --kaggle-push tiny-comp"):
            await desk.send(mine, by_person=True)
        row = await desk.send(version)
        assert line.passed["CreateCodeSubmission"] == 1 and line.passed["CreateSubmission"] == 0
        with pytest.raises(SubmissionRefused, match="says the same"):
            await desk.send(version, by_person=True)
    done = await client.wait_for_submission(row.ref or 0, 60)
    assert done.status == "complete" and done.file_name == "out.csv"


async def test_where_files_are_taken_a_pushed_solution_is_sent_as_its_file(
    server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    mine = write_candidate(tmp_path, "mine", 5.0)
    pushed = replace(mine, kernel=KernelFile("alice/elsewhere", 1))
    row = await governor(book, server.url).send(pushed)
    assert row.token == mine.token
