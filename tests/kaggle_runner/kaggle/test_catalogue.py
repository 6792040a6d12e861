"""Lists of competitions: asked of a real MLE-Live, kept in the book, and shown again when it is away."""

from __future__ import annotations

from pathlib import Path

import pytest

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.addresses import Kaggle
from kaggle_runner.kaggle.catalogue import account_of, fingerprint, kept, matching, refreshed
from tests.fakes.clocks import HandClock
from tests.tiny_kaggle import (
    CANARY,
    DEADLINE,
    NOW,
    SLUG,
    TOKEN,
    RunningServer,
    submission_text,
    tiny_server,
    wait_until_graded,
)


def kaggle_at(url: str, token: str = TOKEN) -> Kaggle:
    return Kaggle(url.removeprefix("http://"), url, token, "the test")


AWAY = kaggle_at("http://127.0.0.1:1")


async def test_a_list_is_kept_and_shown_again_when_its_kaggle_is_away(tmp_path: Path) -> None:
    database = tmp_path / "kaggle.sqlite"
    with tiny_server(tmp_path) as running:
        kaggle = kaggle_at(running.url)
        assert kept(kaggle, database).at is None
        listing = await refreshed(kaggle, database, HandClock(NOW))
    assert [(row.source, row.slug, row.metric, row.teams) for row in listing.competitions] == [
        (kaggle.name, SLUG, "rmse", 20)
    ]
    assert listing.competitions[0].deadline == DEADLINE.timestamp()
    assert not listing.trouble and kept(kaggle, database) == listing
    later = await refreshed(kaggle, database, HandClock(NOW))
    assert later.competitions == listing.competitions and later.trouble
    assert kept(kaggle_at(kaggle.url, "another"), database).at is None, "a list is its token's alone"


async def test_an_entered_competition_has_its_rank_and_the_kind_of_its_board(
    server: RunningServer, tmp_path: Path
) -> None:
    kaggle = kaggle_at(server.url)
    file = tmp_path / "submission.csv"
    file.write_text(submission_text([value + 25.0 for value in CANARY]))
    await kaggle.client().submit(SLUG, file, "")
    wait_until_graded(server)
    row = (await refreshed(kaggle, tmp_path / "kaggle.sqlite", HandClock(NOW))).competitions[0]
    assert (row.entered, row.rank, row.teams, row.board) == (True, 3, 21, "synthetic")


async def test_a_kaggle_that_is_away_is_trouble_and_no_error(tmp_path: Path) -> None:
    listing = await refreshed(AWAY, tmp_path / "kaggle.sqlite", HandClock(NOW))
    assert listing.competitions == () and listing.at is None and "no connection" in listing.trouble


async def test_a_kaggle_that_does_not_answer_is_given_up(server: RunningServer, tmp_path: Path) -> None:
    listing = await refreshed(kaggle_at(server.url), tmp_path / "k.sqlite", HandClock(NOW), seconds=0.0)
    assert "no answer within 0 s" in listing.trouble


async def test_a_database_that_cannot_be_used_hides_no_list(server: RunningServer, tmp_path: Path) -> None:
    database, kaggle = tmp_path / "kaggle.sqlite", kaggle_at(server.url)
    database.write_bytes(b"this is no database " * 100)
    assert "cannot be read" in kept(kaggle, database).trouble
    listing = await refreshed(kaggle, database, HandClock(NOW))
    assert [row.slug for row in listing.competitions] == [SLUG] and "cannot be kept" in listing.trouble


async def test_a_search_is_asked_and_not_kept(server: RunningServer, tmp_path: Path) -> None:
    database, kaggle = tmp_path / "kaggle.sqlite", kaggle_at(server.url)
    assert (await refreshed(kaggle, database, HandClock(NOW), search="nothing-like-it")).competitions == ()
    assert kept(kaggle, database).at is None
    whole = await refreshed(kaggle, database, HandClock(NOW))
    assert matching(whole, "TINY").competitions == whole.competitions
    assert matching(whole, "titanic").competitions == ()


async def test_whose_token_it_is_is_asked_once(server: RunningServer, tmp_path: Path) -> None:
    database, kaggle = tmp_path / "kaggle.sqlite", kaggle_at(server.url)
    assert await account_of(kaggle, database, kaggle.client()) == f"alice@{kaggle.name}"
    assert await account_of(kaggle, database, AWAY.client()) == f"alice@{kaggle.name}"
    with pytest.raises(KaggleError):
        await account_of(AWAY, database, AWAY.client())
    legacy = Kaggle("kaggle.com", "https://api.kaggle.com", ("bob", "key"), "the test")
    assert await account_of(legacy, database, AWAY.client()) == "bob@api.kaggle.com"


def test_a_token_is_nowhere_in_the_database(tmp_path: Path) -> None:
    assert TOKEN not in fingerprint(TOKEN) and fingerprint(TOKEN) != fingerprint(TOKEN + "x")
    assert fingerprint(("bob", "key")) == "bob"
