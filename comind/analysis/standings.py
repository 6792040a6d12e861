"""The local leaderboard: feedback rows rank what agents may see, selection rows decide the final pick."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from comind.state.grades import BASELINE
from comind.state.records import Evaluation
from kaggle_runner.score import Score, sort_key

Part = Literal["feedback", "selection"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One valid evaluation of an agent with its score on one part of the validation rows."""

    evaluation: Evaluation
    score: Score


def standings(evaluations: Iterable[Evaluation], part: Part = "selection") -> list[Standing]:
    """Agents' valid evaluations, best first; of equals, the earlier first."""
    valid = [
        Standing(evaluation, score)
        for evaluation in evaluations
        if evaluation.success and evaluation.id != BASELINE and (score := evaluation.score(part)) is not None
    ]
    return sorted(valid, key=lambda one: (sort_key(one.score), one.evaluation.at))


def best_of_each_agent(board: Sequence[Standing]) -> list[Standing]:
    """Only the first entry of every agent, in the board's order."""
    first: dict[str, Standing] = {}
    for one in board:
        first.setdefault(one.evaluation.agent, one)
    return list(first.values())


def solution_titles(board: Iterable[Standing], titles: Mapping[str, str]) -> dict[str, str]:
    """A title for each evaluation: its agent's, or where the same files were handed in before, those files'.

    `titles` are the agents' by their ids.
    """
    first: dict[str, Evaluation] = {}
    found = {}
    for one in sorted((one.evaluation for one in board), key=lambda one: (one.round, one.at, one.agent)):
        before = first.setdefault(one.sha256, one) if one.sha256 else one
        title = titles.get(before.agent, "")
        found[one.id] = title if before.agent == one.agent else f"{title} (the same files as {before.agent})"
    return found


def select_best(evaluations: Iterable[Evaluation]) -> Standing | None:
    """The best by selection rows, which no agent was told about."""
    return next(iter(standings(evaluations, "selection")), None)
