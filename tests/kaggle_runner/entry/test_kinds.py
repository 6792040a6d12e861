"""Kinds of competitions, from what the protocol tells: served with a sentence, or declined with one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kaggle_runner.entry.kinds import kind_of
from kaggle_runner.kaggle.records import Competition

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PAGES = {
    "Description": "Predict tomorrow's rain from today's clouds.",
    "Evaluation": "Scored by RMSE. The leaderboard shows a third of the test rows.",
    "rules": "Winners send a report to the judges of the prize. Teams of up to five.",
}


def competition(**changes: Any) -> Competition:
    plain: dict[str, Any] = {
        "slug": "some-comp", "title": "Some", "summary": "", "url": "", "category": "Playground",
        "reward": "", "metric": "RMSE", "deadline": NOW + timedelta(days=30), "enabled_date": None,
        "max_daily_submissions": 5, "team_count": 3, "kernels_only": False, "entered": False, "rank": None,
        "tags": ("tabular",),
    }  # fmt: skip
    return Competition(**{**plain, **changes})


@pytest.mark.parametrize(
    ("changes", "pages", "name", "served"),
    [
        ({}, {}, "ordinary", True),
        ({"metric": ""}, {}, "ordinary", True),
        ({"tags": ("physics", "simulations")}, {}, "ordinary", True),
        ({"category": "Community"}, {"data": "Rows of a simulation of engines."}, "ordinary", True),
        ({"deadline": NOW - timedelta(days=9), "submissions_disabled": True}, {}, "ordinary", True),
        ({"tags": ("business analytics",)}, {}, "ordinary", True),
        ({"kernels_only": True}, {}, "code", True),
        ({"kernels_only": True}, {"Data": "The test.csv here is swapped out."}, "code", True),
        ({"metric": "", "tags": ("simulations", "games")}, {}, "simulation", False),
        ({"category": "Simulation"}, {}, "simulation", False),
        ({"metric": "Skill Rating"}, {}, "simulation", False),
        ({"metric": ""}, {"Evaluation": "Your agent plays against others."}, "simulation", False),
        ({"metric": ""}, {"Start": "pip install kaggle-environments, and write a bot."}, "simulation", False),
        ({"category": "Hackathon", "metric": ""}, {}, "hackathon", False),
        ({"metric": "", "title": "The Rain Hackathon"}, {}, "hackathon", False),
        ({"metric": ""}, {"Evaluation": "A jury reads your writeup, by this rubric."}, "hackathon", False),
        ({"metric": ""}, {"Evaluation": "A jury reads reports. Predict y for each id."}, "ordinary", True),
        ({"category": "Analytics", "metric": ""}, {}, "analytics", False),
        ({"submissions_disabled": True}, {}, "host-only", True),
        ({"category": "Masters"}, {}, "host-only", True),
        ({"category": "Masters", "entered": True}, {}, "ordinary", True),
        ({}, {"Description": "This contest is by invitation."}, "host-only", True),
    ],
)  # fmt: skip
def test_kinds_are_told_apart(
    changes: dict[str, Any], pages: dict[str, str], name: str, served: bool
) -> None:
    kind = kind_of(competition(**changes), {**PAGES, **pages}, NOW)
    assert (kind.name, kind.served) == (name, served), kind.sentence
    assert name == "ordinary" or ("some-comp" in kind.sentence and kind.hint)


def test_what_one_knows_it_by_is_quoted() -> None:
    pages = {"Data": "A test.csv lies here. The file test.csv holds placeholder rows only."}
    kind = kind_of(competition(kernels_only=True), pages, NOW)
    assert "“The file test.csv holds placeholder rows only.”" in kind.sentence
    assert "its category is Hackathon" in kind_of(competition(category="Hackathon"), {}, NOW).sentence
