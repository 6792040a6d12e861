"""What a leaderboard says: direction, own place, medal lines, and who moved since an earlier board.

Pure functions over rows in the board's order, best first. Kaggle does not tell a metric's direction: the
order of the scores does.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence

from kaggle_runner.kaggle.records import BoardTeam
from kaggle_runner.ranks.medals import MEDALS, medal_positions
from kaggle_runner.ranks.records import Climb, Group, Movement, Moves, Point, Row, Zone
from kaggle_runner.score import best_first

NEIGHBOURS = 4
"""Teams shown above and below the own place."""
MOST_CLIMBS = 12
MOST_NAMES = 12
"""Names kept of a look; after a long gap half the board has passed the other half."""


def rows_of(table: Sequence[BoardTeam]) -> list[Row]:
    """The board's rows in its order. A team without an id is known by its name."""
    return [
        Row(
            team.rank,
            team.team_id or zlib.crc32(team.team.encode()),
            team.team,
            team.score if math.isfinite(team.score) else None,
        )
        for team in table
    ]


def own_place(table: Sequence[BoardTeam], username: str, team: str = "") -> int | None:
    """Index of the team of that name when one is named, else of the one with the user among its members."""
    if team:
        wanted = team.casefold()
        return next((i for i, row in enumerate(table) if row.team.casefold() == wanted), None)
    wanted = username.casefold()
    return next((i for i, row in enumerate(table) if wanted in map(str.casefold, row.members)), None)


def direction(rows: Sequence[Row]) -> bool | None:
    """True when higher scores stand first, False when lower ones do, None when all are equal."""
    scores = [row.score for row in rows if row.score is not None]
    if not scores or scores[0] == scores[-1]:
        return None
    return scores[0] > scores[-1]


def zones(rows: Sequence[Row], own_score: float | None, higher_is_better: bool | None) -> tuple[Zone, ...]:
    """Gold, silver and bronze for the present number of teams; empty for an empty board."""
    if not rows:
        return ()
    positions = medal_positions(len(rows))
    lines = {medal: rows[positions[medal] - 1].score for medal in MEDALS}
    return tuple(
        Zone(medal, positions[medal], lines[medal], _lead(own_score, lines[medal], higher_is_better))
        for medal in MEDALS
    )


def _lead(own: float | None, line: float | None, higher_is_better: bool | None) -> float | None:
    if own is None or line is None or higher_is_better is None:
        return None
    return own - line if higher_is_better else line - own


def neighbours(rows: Sequence[Row], place: int | None) -> tuple[Row, ...]:
    """The teams around the own place; the first ones when there is none."""
    wanted = 2 * NEIGHBOURS + 1
    start = 0 if place is None else max(0, min(place - NEIGHBOURS, len(rows) - wanted))
    return tuple(rows[start : start + wanted])


def movement(own: Row | None, teams: int, earlier: Point | None) -> Movement | None:
    """From an earlier look to now; None without one."""
    if earlier is None:
        return None
    rank, score = (own.rank, own.score) if own else (None, None)
    return Movement(
        since=earlier.at,
        places=None if rank is None or earlier.rank is None else earlier.rank - rank,
        score_change=None if score is None or earlier.score is None else score - earlier.score,
        teams=teams - earlier.teams,
    )


def moves(
    before: Sequence[Row], now: Sequence[Row], own_id: int | None, *, higher_is_better: bool | None
) -> Moves:
    """Who moved between two boards.

    "Above" is a strictly better rank. With the own team on both boards, the change of its rank is exactly
    those who passed us and came in above, less those whom we passed or who left.
    """
    old: Mapping[int, Row] = {row.team_id: row for row in before}
    climbs = _climbs(old, now, higher_is_better)
    new = {row.team_id: row for row in now}
    if own_id is None or own_id not in old or own_id not in new:
        return Moves(climbs=climbs)
    our_old, our_new = old[own_id].rank, new[own_id].rank
    were_above = [row for row in before if row.rank < our_old]
    are_above = [row for row in now if row.rank < our_new]
    return Moves(
        passed_us=_group([r for r in are_above if r.team_id in old and old[r.team_id].rank >= our_old]),
        passed_by_us=_group([r for r in were_above if r.team_id in new and new[r.team_id].rank >= our_new]),
        new_above=_group([row for row in are_above if row.team_id not in old]),
        gone_above=_group([row for row in were_above if row.team_id not in new]),
        climbs=climbs,
    )


def _group(rows: list[Row]) -> Group:
    return Group(len(rows), tuple(row.team for row in rows[:MOST_NAMES]))


def _climbs(old: Mapping[int, Row], now: Sequence[Row], higher_is_better: bool | None) -> tuple[Climb, ...]:
    """The best-placed teams that have a better score or are new; nothing for the first board."""
    if not old:
        return ()
    found: list[Climb] = []
    for row in now:
        before = old.get(row.team_id)
        if before is None or (row.rank < before.rank and _better(row.score, before.score, higher_is_better)):
            found.append(Climb(row.team, before.rank if before else None, row.rank))
            if len(found) == MOST_CLIMBS:
                break
    return tuple(found)


def _better(now: float | None, before: float | None, higher_is_better: bool | None) -> bool:
    if now is None or before is None or higher_is_better is None:
        return now != before
    return best_first(now, higher_is_better) < best_first(before, higher_is_better)
