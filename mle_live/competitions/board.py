"""The leaderboard of a competition as its snapshot has it, and the ranks of any rows.

Ranks are not on Kaggle's wire: the order carries them. Whether the private board may be shown is decided
by the caller.
"""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from kaggle_runner.errors import BadCompetition
from kaggle_runner.moments import parse_moment
from mle_live.competitions.competition import HostedCompetition

BoardPart = Literal["public", "private"]


@dataclass(frozen=True, slots=True)
class Team:
    """One row of a board. `private_score` must not leave the server before the deadline."""

    id: int
    name: str
    public_score: float
    private_score: float
    submitted_at: datetime

    def score(self, part: BoardPart) -> float:
        return self.public_score if part == "public" else self.private_score


def load_board(competition: HostedCompetition) -> tuple[Team, ...]:
    """The snapshot's teams (leaderboard.csv); empty when there is no snapshot. Raises BadCompetition."""
    path = competition.leaderboard_path
    if path is None:
        return ()
    with path.open(newline="", encoding="utf-8") as lines:
        return tuple(_team(row, path, competition) for row in csv.DictReader(lines))


def _team(row: dict[str, str], path: Path, competition: HostedCompetition) -> Team:
    try:
        return Team(
            id=zlib.crc32(row["team_name"].encode()),
            name=row["team_name"],
            public_score=float(row["public_score"]),
            private_score=float(row["private_score"]),
            submitted_at=parse_moment(row["submission_date"] or competition.enabled_date),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise BadCompetition(
            f"{path}: a row is not team_name, public_score, private_score, submission_date ({error})",
            hint="prepare the competition again",
        ) from error


def ranked(teams: Iterable[Team], part: BoardPart, higher_is_better: bool) -> list[tuple[int, Team]]:
    """(rank, team) best first; equal scores share a rank, earliest first. Unscored rows are left out."""
    sign = -1.0 if higher_is_better else 1.0
    scored = [team for team in teams if not math.isnan(team.score(part))]
    ordered = sorted(scored, key=lambda team: (sign * team.score(part), team.submitted_at, team.name))
    ranks: list[tuple[int, Team]] = []
    for position, team in enumerate(ordered, start=1):
        tied = bool(ranks) and ranks[-1][1].score(part) == team.score(part)
        ranks.append((ranks[-1][0] if tied else position, team))
    return ranks
