"""Boards for the tests of ranks: tables as the client downloads them, and the server's other answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kaggle_runner.kaggle.records import BoardTeam, Competition, SubmissionLimits
from kaggle_runner.ranks.look import Asked, Head

SLUG = "tiny-comp"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEADLINE = datetime(2026, 7, 1, tzinfo=UTC)


def competition(**changes: Any) -> Competition:
    values: dict[str, object] = {
        "slug": SLUG, "title": "Tiny", "summary": "", "url": "", "category": "Featured", "reward": "",
        "metric": "rmse", "deadline": DEADLINE, "enabled_date": None, "max_daily_submissions": 4,
        "team_count": 20, "kernels_only": False, "entered": True, "rank": None, "tags": (),
    }  # fmt: skip
    return Competition(**{**values, **changes})


def table(scores: Mapping[str, float], *, lower_is_better: bool = True) -> list[BoardTeam]:
    """The board of these teams, each with one member of its own name; equal scores share a rank."""
    ordered = sorted(scores.items(), key=lambda item: item[1] if lower_is_better else -item[1])
    teams: list[BoardTeam] = []
    for place, (name, score) in enumerate(ordered, start=1):
        rank = teams[-1].rank if teams and teams[-1].score == score else place
        teams.append(BoardTeam(rank, team_id(name), name, (name.lower(),), score, None, None))
    return teams


def team_id(name: str) -> int:
    return int.from_bytes(name.encode(), "big")


def asked(
    teams: Sequence[BoardTeam],
    at: datetime = NOON,
    *,
    username: str = "alice",
    limits: SubmissionLimits | None = None,
    **changes: Any,
) -> Asked:
    head = Head(SLUG, username, competition(**changes), "synthetic", None)
    return Asked(head, list(teams), limits, at)
