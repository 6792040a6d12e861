"""The competitions of one Kaggle as a person sees them, kept in the account's database.

Lists open from what was kept, at once and without network; asking again is one call for those entered and one
for the others. Also kept: whose token it is, so that an account's history can be read offline.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from kaggle_runner.account import AccountBook, account_name
from kaggle_runner.errors import KaggleError, Unusable
from kaggle_runner.kaggle.addresses import Kaggle
from kaggle_runner.kaggle.records import Competition, Credentials, board_kind
from kaggle_runner.moments import Clock
from kaggle_runner.rows import Field, from_json, to_json

if TYPE_CHECKING:
    from kaggle_runner.kaggle.client import KaggleClient

MOST = 60
"""Competitions asked of each list."""
LIST_SECONDS = 25.0
"""After which a list that has not come is given up."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A competition of a Kaggle. `rank` is the user's own; deadline in seconds since 1970."""

    source: str
    slug: str
    title: str
    metric: str
    category: str
    reward: str
    deadline: float | None
    teams: int
    entered: bool
    rank: int | None
    board: str
    """The kind of its board: `live`, or what MLE-Live names."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What one Kaggle listed at the moment `at`; None when it was never reached."""

    source: str
    competitions: tuple[Listed, ...] = ()
    at: float | None = None
    trouble: str = ""
    """Why it could not be asked this time; the competitions are older ones then."""


def database_of(state: Path) -> Path:
    return state / "kaggle.sqlite"


def kept(kaggle: Kaggle, database: Path) -> Listing:
    """The last list that came, without asking; empty when there is none, or when it cannot be read."""
    if not database.exists():
        return Listing(kaggle.name)
    try:
        with _book(kaggle, database) as book:
            found = book.rows("SELECT at, document FROM catalogue WHERE account = ?", (book.account,))
    except Unusable as error:
        return Listing(kaggle.name, trouble=f"its last list cannot be read: {error}")
    if not found:
        return Listing(kaggle.name)
    try:
        rows = from_json(tuple[Listed, ...], found[0]["document"], database)
    except Unusable:  # another version wrote it; the next list replaces it
        return Listing(kaggle.name)
    return Listing(kaggle.name, rows, found[0]["at"])


async def refreshed(
    kaggle: Kaggle, database: Path, clock: Clock, *, search: str = "", seconds: float = LIST_SECONDS
) -> Listing:
    """Ask for the list; entered competitions stand first. Never raises for a Kaggle that is away.

    Then the last list comes back with `trouble`. Results of a `search` are not kept.
    """
    from kaggle_runner.kaggle.transport import Retries, Timeouts

    client = kaggle.client(timeouts=Timeouts(connect=5.0, read=10.0), retries=Retries(tries=2))
    try:
        async with asyncio.timeout(seconds):
            entered = await client.competitions(search, entered=True, limit=MOST)
            others = await client.competitions(search, limit=MOST)
            rows = {one.slug: await _listed(kaggle, client, one) for one in (*entered, *others)}
    except KaggleError as error:
        return _older(kaggle, database, search, error.message)
    except TimeoutError:
        return _older(kaggle, database, search, f"no answer within {seconds:g} s")
    listing = Listing(kaggle.name, tuple(rows.values()), clock.now().timestamp())
    if not search:
        try:
            _keep(kaggle, database, listing)
        except Unusable as error:  # what came is shown all the same
            return replace(listing, trouble=f"this list cannot be kept: {error}")
    return listing


async def account_of(kaggle: Kaggle, database: Path, client: KaggleClient) -> str:
    """The key of the account's rows. Asks whose token it is once; later the database knows."""
    if not isinstance(kaggle.credentials, str):
        return account_name(kaggle.credentials[0], kaggle.url)
    with _book(kaggle, database) as book:
        found = book.rows("SELECT username FROM kaggle_users WHERE account = ?", (book.account,))
        if found:
            return account_name(found[0]["username"], kaggle.url)
        username = await client.username()
        book.save("kaggle_users", {"username": username}, ("account",))
    return account_name(username, kaggle.url)


def _older(kaggle: Kaggle, database: Path, search: str, trouble: str) -> Listing:
    return replace(matching(kept(kaggle, database), search), trouble=trouble)


def matching(listing: Listing, search: str) -> Listing:
    """The list's competitions whose slug or title holds the words."""
    words = search.casefold()
    rows = tuple(row for row in listing.competitions if words in f"{row.slug} {row.title}".casefold())
    return replace(listing, competitions=rows)


async def _listed(kaggle: Kaggle, client: KaggleClient, found: Competition) -> Listed:
    facts = None
    if found.rank and not kaggle.is_kaggle_com:  # a rank is shown with the kind of its board
        facts = await client.extension_competition(found.slug)
    return Listed(
        source=kaggle.name,
        slug=found.slug,
        title=found.title,
        metric=found.metric,
        category=found.category,
        reward=found.reward,
        deadline=found.deadline.timestamp() if found.deadline else None,
        teams=found.team_count,
        entered=found.entered,
        rank=found.rank,
        board=board_kind(facts, is_kaggle_com=kaggle.is_kaggle_com),
    )


def _keep(kaggle: Kaggle, database: Path, listing: Listing) -> None:
    with _book(kaggle, database) as book:
        book.save("catalogue", {"at": listing.at, "document": to_json(listing.competitions)}, ("account",))


def _book(kaggle: Kaggle, database: Path) -> AccountBook:
    """Keyed by the credentials, since a token does not tell its user without network."""
    book = AccountBook(database, account_name(fingerprint(kaggle.credentials), kaggle.url))
    book.require("catalogue", (Field("at", "REAL"), Field("document")), ("account",))
    book.require("kaggle_users", (Field("username"),), ("account",))
    return book


def fingerprint(credentials: Credentials) -> str:
    """What tells two tokens apart without telling either."""
    if not isinstance(credentials, str):
        return credentials[0]
    return "token-" + hashlib.sha256(credentials.encode()).hexdigest()[:16]
