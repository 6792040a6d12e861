"""The book of submissions by itself: what is journaled, and what a server's list makes of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.kaggle.records import Submission
from kaggle_runner.moments import stamp
from kaggle_runner.score import Score
from kaggle_runner.submissions.book import SubmissionBook, by_others, description, mark_in
from kaggle_runner.submissions.records import Candidate
from tests.kaggle_runner.submissions.governors import imagined

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[AccountBook]:
    with AccountBook(tmp_path / "kaggle.sqlite", "alice@here") as opened:
        yield opened


@pytest.fixture
def book(account: AccountBook) -> SubmissionBook:
    return SubmissionBook(account, "titanic")


def listed(ref: int, message: str = "", **changes: Any) -> Submission:
    plain = Submission(ref, "complete", "submission.csv", message, NOON, 0.75, None, "")
    return replace(plain, **changes)


def candidate(name: str = "r1-a1-s01") -> Candidate:
    made = imagined(name, 0.8, 0.02)
    content = hashlib.sha256(name.encode()).hexdigest()
    return replace(made, title="Trees", facts=replace(made.facts, content=content))


def test_what_is_journaled_is_read_again_in_every_field(account: AccountBook, book: SubmissionBook) -> None:
    one = candidate()
    written = book.intend(one, "better beyond noise", "comind run-1 …", NOON)
    assert SubmissionBook(account, "titanic").rows() == [written]
    assert (written.state, written.token, written.ref) == ("intended", one.token, None)
    assert (written.score, written.title, written.rows) == (one.score, "Trees", 10)
    assert (written.reason, written.message) == ("better beyond noise", "comind run-1 …")
    assert written.created_at == stamp(NOON)
    assert book.get(one.token) == written and book.get("another") is None
    assert SubmissionBook(account, "iris").rows() == [], "each competition has its own rows"


@pytest.mark.parametrize(
    "score", [Score(0.0, 0.0, 0.0, 0, False, False), Score(0.5, 0.4, 0.7, 9, True, True)]
)
def test_a_score_keeps_its_interval_direction_and_trust(book: SubmissionBook, score: Score) -> None:
    book.intend(replace(candidate(), score=score), "", "", NOON)
    assert [row.score for row in book.rows()] == [score]


def test_rows_stand_in_the_order_they_were_journaled(book: SubmissionBook) -> None:
    for name, hours in (("late", 2), ("early", 0), ("between", 1)):
        book.intend(candidate(name), "", "", NOON + timedelta(hours=hours))
    assert [row.evaluation for row in book.rows()] == ["early", "between", "late"]


def test_each_fate_is_kept_with_its_moment(book: SubmissionBook) -> None:
    row = book.intend(candidate(), "", "", NOON)
    silent = book.unanswered(row, "no answer", LATER)
    assert (silent.state, silent.error, silent.tried_at) == ("intended", "no answer", stamp(LATER))
    lost = book.abandon(silent, "not in the list", LATER)
    assert (lost.state, lost.error, lost.settled_at) == ("unsent", "not in the list", stamp(LATER))
    sent = book.confirm(silent, 7)
    assert (sent.state, sent.ref, sent.error) == ("sent", 7, "")
    assert book.rows() == [sent], "a row is written over, not beside itself"


@pytest.mark.parametrize("message", ["", "with  more\nwords"])
def test_the_mark_of_a_description_is_found_again(message: str) -> None:
    text = description(candidate(), message)
    assert text.endswith(" with more words" if message else f"#{candidate().token}")
    assert mark_in(f"somebody said: {text}") == ("run-1", "r1-a1-s01", candidate().token)


@pytest.mark.parametrize(
    "text", ["", "comind", "by hand", "comind run-1 r1 #123", "comind run-1 r1 #0123456789abc"]
)
def test_other_descriptions_have_no_mark(text: str) -> None:
    assert mark_in(text) is None


@pytest.mark.parametrize(
    ("status", "state", "settled"),
    [("pending", "sent", ""), ("complete", "scored", stamp(LATER)), ("error", "failed", stamp(LATER))],
)
def test_the_servers_word_becomes_the_rows(
    book: SubmissionBook, status: str, state: str, settled: str
) -> None:
    row = book.intend(candidate(), "", description(candidate()), NOON)
    said = listed(7, row.message, status=status, public_score=0.75, private_score=0.5, error="why")
    (merged,) = book.merge([said], LATER)
    assert book.rows() == [merged]
    assert (merged.state, merged.ref, merged.settled_at) == (state, 7, settled)
    assert (merged.public_score, merged.private_score, merged.error) == (0.75, 0.5, "why")
    assert (merged.score, merged.created_at) == (row.score, row.created_at)


def test_the_first_moment_of_a_score_stays(book: SubmissionBook) -> None:
    row = book.intend(candidate(), "", description(candidate()), NOON)
    book.merge([listed(7, row.message)], LATER)
    (again,) = book.merge([listed(7, row.message, private_score=0.5)], LATER + timedelta(days=1))
    assert (again.settled_at, again.private_score) == (stamp(LATER), 0.5)
    (rerun,) = book.merge([listed(7, row.message, status="pending")], LATER + timedelta(days=2))
    assert (rerun.state, rerun.settled_at) == ("sent", "")


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_score_that_is_no_number_is_none(book: SubmissionBook, value: float | None) -> None:
    row = book.intend(candidate(), "", description(candidate()), NOON)
    (merged,) = book.merge([listed(7, row.message, public_score=value)], LATER)
    assert merged.public_score is None


def test_a_row_is_known_by_its_reference_whatever_its_description_became(book: SubmissionBook) -> None:
    row = book.confirm(book.intend(candidate(), "", description(candidate()), NOON), 7)
    (merged,) = book.merge([listed(7, "edited by hand")], LATER)
    assert (merged.token, merged.state, merged.message) == (row.token, "scored", row.message)


def test_of_two_submissions_with_one_mark_the_earlier_counts(book: SubmissionBook) -> None:
    row = book.intend(candidate(), "", description(candidate()), NOON)
    twice = [listed(9, row.message, public_score=0.9), listed(7, row.message, public_score=0.7)]
    (merged,) = book.merge(twice, LATER)
    assert (merged.ref, merged.public_score) == (7, 0.7)
    assert book.merge(twice, LATER) == [merged] == book.rows()


def test_what_others_sent_is_left_alone_and_a_strangers_mark_becomes_a_row(book: SubmissionBook) -> None:
    long = "x" * 150
    said = [
        listed(3, "by hand"),
        listed(4, f"comind {long} r2-a1-s01 #0123456789"),
        listed(5, "comind run-9 r1-a1-s02 #abcdef0123", submitted_at=None),
    ]
    first, second = book.merge(said, LATER)
    assert (first.run, first.evaluation, first.token) == ("x" * 100, "r2-a1-s01", "0123456789")
    assert (first.ref, first.state, first.created_at, first.score) == (4, "scored", stamp(NOON), None)
    assert (first.message, first.competition) == (said[1].message, "titanic")
    assert (second.token, second.created_at) == ("abcdef0123", "")
    assert {row.token: row for row in book.rows()} == {row.token: row for row in (first, second)}


def test_what_no_governor_sent_is_shown_and_not_kept(book: SubmissionBook) -> None:
    ours = book.confirm(book.intend(candidate(), "", description(candidate()), NOON), 7)
    said = [listed(7), listed(8, "by hand", file_name="mine.csv"), listed(9, submitted_at=None)]
    first, second = by_others([ours], said)
    assert (first.token, first.ref, first.message, first.file) == ("ref-8", 8, "by hand", "mine.csv")
    assert (first.state, first.public_score, first.created_at) == ("scored", 0.75, stamp(NOON))
    assert first.settled_at == stamp(NOON)
    assert (second.token, second.created_at) == ("ref-9", "")
    assert [row.ref for row in book.rows()] == [7]
