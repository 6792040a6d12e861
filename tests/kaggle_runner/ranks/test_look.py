"""Looks at a real MLE-Live: the rank that the server holds, kept in the account's book with its history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kaggle_runner.account import AccountBook, account_name
from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.transport import Retries
from kaggle_runner.ranks.board import rows_of
from kaggle_runner.ranks.book import RankBook
from kaggle_runner.ranks.look import assess, look_once, record
from tests.fakes.clocks import HandClock
from tests.kaggle_runner.ranks.boards import NOON, asked, table
from tests.tiny_kaggle import CANARY, NOW, SLUG, TOKEN, RunningServer, submission_text, wait_until_graded


@pytest.fixture
def client(server: RunningServer) -> KaggleClient:
    return KaggleClient(server.url, TOKEN, retries=Retries(tries=1))


@pytest.fixture
def book(tmp_path: Path) -> Iterator[AccountBook]:
    with AccountBook(tmp_path / "kaggle.sqlite", account_name("alice", "https://example.org")) as opened:
        yield opened


async def submit(client: KaggleClient, server: RunningServer, folder: Path, error: float) -> None:
    """A submission whose score is `error`."""
    file = folder / "submission.csv"
    file.write_text(submission_text([value + error for value in CANARY]))
    await client.submit(SLUG, file, "")
    wait_until_graded(server)


async def test_a_look_shows_the_rank_that_the_server_holds(
    client: KaggleClient, server: RunningServer, book: AccountBook, tmp_path: Path
) -> None:
    first = await look_once(client, book, SLUG, HandClock(NOW))
    assert (first.own, first.teams, first.board, first.since_last) == (None, 20, "synthetic", None)
    assert (first.submissions_today, first.submissions_left) == (0, 4)
    await submit(client, server, tmp_path, 45.0)
    second = await look_once(client, book, SLUG, HandClock(NOW + timedelta(minutes=1)))
    assert second.own is not None and second.own.score == 45.0
    assert (second.own.rank, second.teams) == ((await client.competition(SLUG)).rank, 21) == (5, 21)
    assert (second.medal, second.next_zone and second.next_zone.medal) == ("bronze", "silver")
    await submit(client, server, tmp_path, 25.0)
    third = await look_once(client, book, SLUG, HandClock(NOW + timedelta(minutes=2)))
    assert third.own is not None and (third.own.rank, third.submissions_left) == (3, 2)
    assert third.since_last is not None and (third.since_last.places, third.since_last.score_change) == (
        2,
        -20,
    )
    assert third.moves.passed_by_us.names == ("Team 3", "Team 4")
    assert third.higher_is_better is False and third.deadline == datetime(2027, 1, 1, tzinfo=UTC).timestamp()


async def test_another_team_can_be_watched_without_mixing_histories(
    client: KaggleClient, book: AccountBook
) -> None:
    await look_once(client, book, SLUG, HandClock(NOW))
    look = await look_once(client, book, SLUG, HandClock(NOW + timedelta(minutes=1)), team="team 3")
    assert look.own is not None and (look.own.rank, look.since_last) == (3, None)
    assert len(RankBook(book, SLUG).history()) == len(RankBook(book, SLUG, "Team 3").history()) == 1


async def test_an_unknown_competition_is_an_error_that_stores_nothing(
    client: KaggleClient, book: AccountBook
) -> None:
    with pytest.raises(KaggleError):
        await look_once(client, book, "no-such-competition", HandClock(NOW))
    assert RankBook(book, "no-such-competition").last() is None


def test_movement_since_a_day_uses_the_look_of_a_day_ago_or_the_first(book: AccountBook) -> None:
    others = {f"Team {n}": float(n) for n in range(1, 31)}
    for hours, score in ((0, 29.5), (1, 20.5), (30, 10.5), (31, 5.5)):
        at = NOON + timedelta(hours=hours)
        look = record(book, asked(table({**others, "Alice": score}), at))
        day, last = look.since_day, look.since_last
        told = day and (day.places, round((look.at - day.since) / 3600)), last and last.places
        assert told == {0: (None, None), 1: ((9, 1), 9), 30: ((10, 29), 10), 31: ((15, 30), 5)}[hours]


def test_the_newest_look_is_the_last_one_stored_also_where_the_machines_time_was_put_back(
    book: AccountBook,
) -> None:
    for at, score in ((NOON, 3.0), (NOON + timedelta(hours=1), 2.0), (NOON - timedelta(days=1), 1.0)):
        look = record(book, asked(table({"Alice": score, "Bob": 1.5}), at))
    ranks = RankBook(book, SLUG)
    assert ranks.last() == look
    assert ranks.newest_at() == (NOON - timedelta(days=1)).timestamp()
    assert look.since_last is not None and look.since_last.places == 1


def test_looks_older_than_two_days_are_thinned_to_one_an_hour(book: AccountBook) -> None:
    teams = table({"Alice": 1.0, "Bob": 2.0})
    start = NOON
    for minutes in range(0, 180, 20):
        record(book, asked(teams, start + timedelta(minutes=minutes)))
    ranks = RankBook(book, SLUG)
    assert len(ranks.history()) == 9
    record(book, asked(teams, start + timedelta(days=3)))
    kept = [datetime.fromtimestamp(point.at, UTC) for point in ranks.history()]
    assert [(moment.hour, moment.minute) for moment in kept] == [(12, 40), (13, 40), (14, 40), (12, 0)]


def test_a_look_comes_back_from_the_book_as_it_went_in(book: AccountBook) -> None:
    record(book, asked(table({"Alice": 2.0, "Bob": 1.0, "Carl": 3.0})))
    moved = record(book, asked(table({"Alice": 0.5, "Bob": 1.0, "Dora": 0.1}), NOON + timedelta(minutes=5)))
    assert RankBook(book, SLUG).last() == moved
    assert RankBook(book, SLUG).with_moves() == [moved]


def test_a_look_of_another_version_is_no_look_but_its_numbers_stay(book: AccountBook) -> None:
    record(book, asked(table({"Alice": 2.0, "Bob": 1.0})))
    with book.writing() as database:
        database.execute('UPDATE rank_looks SET document = \'{"of": "tomorrow"}\'')
    assert RankBook(book, SLUG).last() is None
    assert [point.rank for point in RankBook(book, SLUG).history()] == [2]
    look = record(book, asked(table({"Alice": 0.5, "Bob": 1.0}), NOON + timedelta(minutes=5)))
    assert look.since_last is not None and look.since_last.places == 1


def test_accounts_and_competitions_do_not_see_each_other(tmp_path: Path) -> None:
    teams = table({"Alice": 2.0, "Bob": 1.0})
    with (
        AccountBook(tmp_path / "k.sqlite", "alice@a") as one,
        AccountBook(tmp_path / "k.sqlite", "bob@a") as two,
    ):
        record(one, asked(teams))
        assert RankBook(two, SLUG).last() is None and RankBook(one, "another").last() is None
        assert RankBook(one, SLUG).last() == replace(assess(asked(teams), rows_of(teams)))
