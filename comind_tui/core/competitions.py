"""What can be entered: the shelf, and every configured Kaggle, for the home screen and for `competitions`.

The shelf needs no network. A Kaggle that is away is a line of trouble beside its last list, never an empty
table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kaggle_runner.errors import ConfigError
from kaggle_runner.kaggle.addresses import Kaggle, configured
from kaggle_runner.kaggle.catalogue import Listed, Listing, database_of, kept, matching, refreshed
from kaggle_runner.moments import Clock, duration, stamp
from kaggle_runner.texts import one_line
from mle_live.shelf.entry import ShelfEntry, list_shelf

SHELF = "shelf"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the list. `kaggle` is None for the shelf."""

    source: str
    slug: str
    metric: str
    about: str
    document: Mapping[str, Any]
    """As JSON has it."""
    kaggle: Kaggle | None = None
    deadline: float | None = None
    teams: int | None = None
    rank: int | None = None
    board: str = ""
    entered: bool = False


@dataclass(frozen=True, slots=True)
class Kaggles:
    """Those that are configured; `trouble` when the environment names one that cannot be meant."""

    all: tuple[Kaggle, ...]
    trouble: str = ""


def known_kaggles(environment: Mapping[str, str]) -> Kaggles:
    try:
        return Kaggles(tuple(configured(environment)))
    except ConfigError as error:
        return Kaggles((), error.message)


def kept_lists(kaggles: Kaggles, state: Path, *, search: str = "") -> list[Listing]:
    """What each Kaggle listed last, without asking."""
    return [matching(kept(kaggle, database_of(state)), search) for kaggle in kaggles.all]


async def asked_lists(kaggles: Kaggles, state: Path, clock: Clock, *, search: str = "") -> list[Listing]:
    """Every Kaggle's list, all asked at once; one that is away costs its time-out only."""
    found = (refreshed(kaggle, database_of(state), clock, search=search) for kaggle in kaggles.all)
    return list(await asyncio.gather(*found))


def joined(kaggles: Kaggles, lists: Sequence[Listing], *, search: str = "") -> list[Entry]:
    """Entered competitions first, then the shelf, then what else the Kaggles have."""
    by_name = {kaggle.name: kaggle for kaggle in kaggles.all}
    there = [_of_kaggle(row, by_name[row.source]) for listing in lists for row in listing.competitions]
    here = [_of_shelf(entry) for entry in found_on_shelf(search)]
    return [*(row for row in there if row.entered), *here, *(row for row in there if not row.entered)]


def found_on_shelf(search: str) -> list[ShelfEntry]:
    words = search.casefold()
    return [
        entry
        for entry in list_shelf()
        if words in f"{entry.slug} {entry.title} {entry.modality} {entry.description_line}".casefold()
    ]


def troubles(kaggles: Kaggles, lists: Iterable[Listing]) -> list[str]:
    """One line for each Kaggle that could not be asked, with the time of what is shown instead."""
    told = [one_line(kaggles.trouble)] if kaggles.trouble else []
    for listing in lists:
        if listing.trouble:
            told.append(
                one_line(f"{listing.source}: {listing.trouble}; {_time(listing) or 'no earlier list'}")
            )
    return told


def times(lists: Iterable[Listing]) -> list[str]:
    """`kaggle.com: list of 11-22 05:43` for each list that came, in local time."""
    return [f"{one.source}: {_time(one)}" for one in lists if not one.trouble and one.at is not None]


def _time(listing: Listing) -> str:
    if listing.at is None:
        return ""
    return f"list of {datetime.fromtimestamp(listing.at).astimezone():%m-%d %H:%M}"


def deadline_text(row: Entry, now: datetime) -> str:
    """`12d 04h`, `ended`, or a dash; far deadlines in years are no news."""
    if row.deadline is None:
        return "–"
    left = row.deadline - now.timestamp()
    return "ended" if left < 0 else duration(left)


def rank_text(row: Entry) -> str:
    """`812/14,203 (live)`, `entered`, or a dash; never a rank without the kind of its board."""
    if row.rank:
        of_teams = f"/{row.teams:,}" if row.teams else ""
        return f"{row.rank:,}{of_teams} ({one_line(row.board)})"
    return "entered" if row.entered else "–"


def teams_text(row: Entry) -> str:
    return "–" if row.teams is None else f"{row.teams:,}"


def _of_shelf(entry: ShelfEntry) -> Entry:
    about = f"{entry.modality}, {entry.rows:,} rows: {entry.description_line}"
    return Entry(SHELF, entry.slug, entry.metric, about, {"source": SHELF, **asdict(entry)})


def _of_kaggle(row: Listed, kaggle: Kaggle) -> Entry:
    about = "; ".join(part for part in (row.category, row.reward, row.title) if part)
    deadline = None if row.deadline is None else stamp(datetime.fromtimestamp(row.deadline, UTC))
    return Entry(
        source=row.source,
        slug=row.slug,
        metric=row.metric,
        about=about,
        document={**asdict(row), "deadline": deadline},
        kaggle=kaggle,
        deadline=row.deadline,
        teams=row.teams,
        rank=row.rank,
        board=row.board,
        entered=row.entered,
    )
