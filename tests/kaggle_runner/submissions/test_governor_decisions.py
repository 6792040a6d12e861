"""What the governor decides on answers that are given here, and how long it waits, by a hand clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import KaggleError, SubmissionRefused
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import Competition, Submission, SubmissionLimits
from kaggle_runner.moments import stamp
from kaggle_runner.submissions.book import SubmissionBook, description
from kaggle_runner.submissions.governor import Governor, Patience
from kaggle_runner.submissions.records import KernelFile, SentSubmission
from tests.fakes.clocks import HandClock
from tests.kaggle_runner.ranks.boards import competition
from tests.kaggle_runner.submissions.governors import open_book, write_candidate

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SLUG = "tiny-comp"
LOST = KaggleError("no answer", maybe_done=True)
AWAY = "Kaggle is away"
PATIENCE = Patience(settle=90.0, poll=5.0, away=600.0)


@dataclass
class Answers:
    """What Kaggle says to each call; `asked` keeps what was asked."""

    head: Competition = field(default_factory=competition)
    limits: SubmissionLimits = field(default_factory=lambda: SubmissionLimits(1, 7, 3))
    listed: list[Submission] = field(default_factory=list)
    list_faults: list[str | None] = field(default_factory=list)
    """Of the next looks at the list; None is a good one. Without any left all are good."""
    taken: int | KaggleError = 9
    arrives: bool = False
    """A submission stands in the list at once, even where its answer was lost."""
    offset: float = 0.0
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    async def competition(self, slug: str) -> Competition:
        return self.head

    async def submission_limits(self, slug: str) -> SubmissionLimits:
        return self.limits

    async def clock_offset(self) -> float:
        return self.offset

    async def submissions(self, slug: str) -> list[Submission]:
        self.asked.append(("list", slug))
        fault = self.list_faults.pop(0) if self.list_faults else None
        if fault is not None:
            raise KaggleError(fault)
        return list(self.listed)

    async def submission(self, ref: int) -> Submission:
        self.asked.append(("one", ref))
        return next(one for one in self.listed if one.ref == ref)

    async def submit(self, *sent: Any) -> int:
        return await self._take("file", *sent)

    async def submit_kernel(self, *sent: Any) -> int:
        return await self._take("kernel", *sent)

    async def _take(self, *sent: Any) -> int:
        self.asked.append(sent)
        await asyncio.sleep(0)
        if self.arrives:
            self.listed.append(entry(9, sent[-1]))
        if isinstance(self.taken, KaggleError):
            raise self.taken
        return self.taken

    @property
    def sent(self) -> list[tuple[Any, ...]]:
        return [one for one in self.asked if one[0] in ("file", "kernel")]


def entry(ref: int, message: str, status: str = "complete") -> Submission:
    return Submission(ref, status, "submission.csv", message, NOON, 0.5, None, "")  # type: ignore[arg-type]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AccountBook]:
    with open_book(tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> HandClock:
    return HandClock(NOON)


def desk(book: AccountBook, kaggle: Answers, clock: HandClock, patience: Patience = PATIENCE) -> Governor:
    client = cast(KaggleClient, kaggle)
    return Governor(book, client, SLUG, clock=clock, patience=patience, sleep=clock.sleep)


def journaled(
    book: AccountBook, folder: Path, name: str = "before", moment: datetime = NOON
) -> SentSubmission:
    """One whose fate is open."""
    one = write_candidate(folder, name, 50.0)
    return SubmissionBook(book, SLUG).intend(one, "", description(one), moment)


async def test_a_look_is_what_kaggle_says_on_its_own_clock(book: AccountBook, clock: HandClock) -> None:
    limits = SubmissionLimits(2, 40, 5, limited_by_total=True)
    head = competition(kernels_only=True, url="https://k/c/tiny-comp")
    said = Answers(head=head, limits=limits, listed=[entry(3, "by hand")], offset=90.0)
    standing = await desk(book, said, clock).look()
    now = standing.situation
    assert now.now == NOON + timedelta(seconds=90) and now.deadline == head.deadline
    assert (now.daily, now.used_today, now.used_total, now.allowed_now) == (4, 2, 40, 5)
    assert (now.limited_by_total, now.kernels_only, now.closed, now.url) == (True, True, "", head.url)
    assert (standing.competition, standing.history, len(standing.listed)) == (head, (), 1)


async def test_a_competition_that_is_closed_is_called_so(book: AccountBook, clock: HandClock) -> None:
    said = Answers(head=competition(submissions_disabled=True))
    assert (
        await desk(book, said, clock).look()
    ).situation.closed == "tiny-comp takes no submissions any more"


@pytest.mark.parametrize(("allowed", "open_questions", "left"), [(3, 1, 2), (1, 1, 0), (1, 2, 0), (0, 0, 0)])
async def test_what_may_have_been_sent_counts_as_sent(
    book: AccountBook, clock: HandClock, tmp_path: Path, allowed: int, open_questions: int, left: int
) -> None:
    for number in range(open_questions):
        one = write_candidate(tmp_path, f"open {number}", 50.0 + number)
        SubmissionBook(book, SLUG).intend(one, "", "", NOON)
    standing = await desk(book, Answers(limits=SubmissionLimits(0, 0, allowed)), clock).look()
    assert standing.situation.allowed_now == left


async def test_considering_asks_what_became_of_open_questions_first(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    row = journaled(book, tmp_path)
    said = Answers(listed=[entry(4, row.message)])
    standing, (verdict,) = await desk(book, said, clock).consider([write_candidate(tmp_path, "new", 5.0)])
    assert [(one.state, one.ref) for one in standing.history] == [("scored", 4)]
    assert (verdict.level, clock.slept, len(said.asked)) == ("send", [], 2)
    said.asked.clear()
    await desk(book, said, clock).consider([])
    assert len(said.asked) == 1, "nothing is open any more"


async def test_nothing_is_sent_while_a_fate_is_open(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    row = journaled(book, tmp_path)
    said = Answers(list_faults=[AWAY] * 1000)
    with pytest.raises(KaggleError, match="it is not known whether before was submitted"):
        await desk(book, said, clock).send(write_candidate(tmp_path, "new", 5.0), by_person=True)
    assert said.sent == []
    said = Answers(listed=[entry(4, row.message)])
    await desk(book, said, clock).send(write_candidate(tmp_path, "new", 5.0))
    assert [(one.state, one.ref) for one in SubmissionBook(book, SLUG).rows()] == [("scored", 4), ("sent", 9)]


@pytest.mark.parametrize(
    ("head", "limits", "by_person", "why", "hint"),
    [
        ({"deadline": NOON - timedelta(days=1)}, (0, 0, 3), False, "the deadline has passed",
         "a person may send it all the same: comind-tui submit RUN"),
        ({}, (4, 4, 0), True, "the day's submissions are used up",
         "limits are the team's: a team-mate's submissions count too"),
        ({"submissions_disabled": True}, (4, 4, 0), True, "takes no submissions any more",
         "nothing was sent"),
        ({"kernels_only": True}, (0, 0, 3), True, "takes versions of kernels", "nothing was sent"),
    ],
)  # fmt: skip
async def test_a_refusal_says_why_and_what_may_be_done(
    book: AccountBook, clock: HandClock, tmp_path: Path, head: dict[str, Any], limits: tuple[int, int, int],
    by_person: bool, why: str, hint: str,
) -> None:  # fmt: skip
    said = Answers(head=competition(**head), limits=SubmissionLimits(*limits))
    with pytest.raises(SubmissionRefused) as raised:
        await desk(book, said, clock).send(write_candidate(tmp_path, "mine", 5.0), by_person=by_person)
    assert (
        raised.value.message.startswith(f"mine is not submitted to {SLUG}: ") and why in raised.value.message
    )
    assert raised.value.hint == hint
    assert said.sent == [] and SubmissionBook(book, SLUG).rows() == []


async def test_a_person_may_send_what_the_policy_holds_back(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    said = Answers(head=competition(deadline=NOON - timedelta(days=1)))
    mine = write_candidate(tmp_path, "mine", 5.0)
    row = await desk(book, said, clock).send(mine, by_person=True, message="late")
    assert row.reason.startswith("a person's word; the deadline has passed")
    assert (row.state, row.ref, row.created_at) == ("sent", 9, stamp(NOON))
    assert said.sent == [("file", SLUG, mine.path, f"comind run-1 mine #{mine.token} late")]


@pytest.mark.parametrize("kernels_only", [True, False])
async def test_a_kernels_version_goes_where_no_files_are_taken(
    book: AccountBook, clock: HandClock, tmp_path: Path, kernels_only: bool
) -> None:
    file = write_candidate(tmp_path, "mine", 5.0)
    pushed = replace(file, kernel=KernelFile("me/k", 3, "out.csv"))
    said = Answers(head=competition(kernels_only=kernels_only))
    row = await desk(book, said, clock).send(pushed)
    token = (pushed if kernels_only else file).token
    text = f"comind run-1 mine #{token}"
    expected = (
        ("kernel", SLUG, "me/k", 3, "out.csv", text) if kernels_only else ("file", SLUG, file.path, text)
    )
    assert (said.sent, row.token) == ([expected], token)
    assert row.reason == "nothing with a local score was sent yet"


async def test_a_refusal_by_kaggle_uses_nothing(book: AccountBook, clock: HandClock, tmp_path: Path) -> None:
    said = Answers(taken=KaggleError("not today", hint="tomorrow", status=403))
    with pytest.raises(SubmissionRefused, match="mine was not taken: not today") as raised:
        await desk(book, said, clock).send(write_candidate(tmp_path, "mine", 5.0))
    assert (raised.value.hint, raised.value.status) == ("tomorrow", 403)
    (row,) = SubmissionBook(book, SLUG).rows()
    assert (row.state, row.error, row.settled_at) == ("unsent", "not today", stamp(NOON))
    assert len(said.asked) == 2, "the list is not asked again"


async def test_a_lost_answer_is_found_in_the_list(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    said = Answers(taken=LOST, arrives=True)
    row = await desk(book, said, clock).send(write_candidate(tmp_path, "mine", 5.0))
    assert (row.state, row.ref, len(said.sent), clock.slept) == ("scored", 9, 1, [])


async def test_what_is_not_in_the_list_in_time_never_arrived(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    said = Answers(taken=LOST)
    with pytest.raises(SubmissionRefused, match=f"mine did not reach {SLUG}: no answer"):
        await desk(book, said, clock).send(write_candidate(tmp_path, "mine", 5.0))
    assert clock.slept == [5.0] * 18, "ninety seconds, with a look at both ends"
    (row,) = SubmissionBook(book, SLUG).rows()
    assert (row.state, row.error, row.settled_at) == (
        "unsent",
        "no answer",
        stamp(NOON + timedelta(seconds=90)),
    )


@pytest.mark.parametrize(("ago", "looks"), [(0, 19), (60, 7), (90, 1), (9000, 1), (-3600, 19)])
async def test_time_that_has_passed_since_the_try_is_not_waited_again(
    book: AccountBook, clock: HandClock, tmp_path: Path, ago: int, looks: int
) -> None:
    journaled(book, tmp_path, moment=NOON - timedelta(seconds=ago))
    said = Answers()
    await desk(book, said, clock).consider([])
    assert len(said.asked) - 1 == looks
    (row,) = SubmissionBook(book, SLUG).rows()
    assert (row.state, row.error) == ("unsent", "the process ended before it was sent")


async def test_the_last_try_counts_and_not_the_first(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    row = journaled(book, tmp_path, moment=NOON - timedelta(days=1))
    SubmissionBook(book, SLUG).unanswered(row, "no answer", NOON - timedelta(seconds=80))
    said = Answers()
    await desk(book, said, clock).consider([])
    assert clock.slept == [5.0, 5.0]
    assert SubmissionBook(book, SLUG).rows()[0].error == "no answer"


async def test_a_list_out_of_reach_leaves_the_question_open(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    journaled(book, tmp_path)
    said = Answers(list_faults=[AWAY] * 1000)
    with pytest.raises(KaggleError, match="not known whether before was submitted: Kaggle is away") as raised:
        await desk(book, said, clock).consider([])
    assert raised.value.maybe_done and "comind-tui submissions tiny-comp" in raised.value.hint
    assert clock.slept == [5.0] * 120
    assert [row.state for row in SubmissionBook(book, SLUG).rows()] == ["intended"]


async def test_a_look_at_the_list_begins_the_time_out_of_reach_anew(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    journaled(book, tmp_path)
    said = Answers(list_faults=[None, *[AWAY] * 119])
    await desk(book, said, clock).consider([])
    assert [row.state for row in SubmissionBook(book, SLUG).rows()] == ["unsent"]
    assert len(clock.slept) == 120


async def test_scores_are_asked_for_ever_more_seldom_until_all_are_there(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    row = SubmissionBook(book, SLUG).confirm(journaled(book, tmp_path), 9)
    said = Answers(listed=[entry(9, row.message, "pending")])
    (pending,) = await desk(book, said, clock).follow_up(20.0)
    assert pending.state == "sent"
    assert clock.slept == [1.0, 1.5, 2.25, 3.375, 5.0, 5.0, 5.0]
    assert said.asked == [("one", 9)] * 8
    said.listed = [entry(9, row.message)]
    (scored,) = await desk(book, said, clock).follow_up(20.0)
    assert (scored.state, scored.public_score, len(clock.slept)) == ("scored", 0.5, 7)
    assert await desk(book, said, clock).follow_up(20.0) == [scored] and len(said.asked) == 9


async def test_scores_are_asked_for_once_where_there_is_no_time(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    row = SubmissionBook(book, SLUG).confirm(journaled(book, tmp_path), 9)
    said = Answers(listed=[entry(9, row.message, "pending")])
    await desk(book, said, clock, replace(PATIENCE, poll=0.5)).follow_up()
    assert (len(said.asked), clock.slept) == (1, [])
    await desk(book, said, clock, replace(PATIENCE, poll=0.5)).follow_up(1.5)
    assert clock.slept == [0.5, 0.75, 1.0]


async def test_being_cancelled_waits_for_what_is_on_its_way(
    book: AccountBook, clock: HandClock, tmp_path: Path
) -> None:
    said = Answers()
    sending = asyncio.ensure_future(desk(book, said, clock).send(write_candidate(tmp_path, "mine", 5.0)))
    while not said.sent:
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert [(row.state, row.ref) for row in SubmissionBook(book, SLUG).rows()] == [("sent", 9)]
