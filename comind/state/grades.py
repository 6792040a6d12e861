"""Grades as a run's rows hold them: of a part of the validation rows, and of the hidden test labels."""

from __future__ import annotations

from typing import TypedDict

from kaggle_runner.score import Score

BASELINE = "baseline"
"""Id of the evaluation of the sample submission; it is nobody's entry."""


class PartGrade(TypedDict, total=False):
    """A grade on one part of the validation rows; empty where the files were not valid."""

    score: float
    interval: tuple[float, float]
    rows: int


class TestGrade(TypedDict, total=False):
    """What a Kaggle says of the final submission; empty where it says nothing."""

    score: float
    rank: int | None
    teams: int | None
    medal: str | None
    board: str | None


def score_from(part: PartGrade, higher_is_better: bool) -> Score | None:
    """A stored grade as a Score; None when it is empty."""
    if not part.keys() >= PartGrade.__annotations__.keys():
        return None
    low, high = part["interval"]
    return Score(part["score"], low, high, part["rows"], higher_is_better)
