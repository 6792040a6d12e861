"""One solution has one title, whoever handed it in."""

from __future__ import annotations

from comind.analysis.standings import Standing, solution_titles
from comind.state.records import Evaluation
from kaggle_runner.score import Score


def standing(agent: str, digest: str) -> Standing:
    evaluation = Evaluation(
        id=f"{agent}-s1", agent=agent, round=1, step=1, success=True, message="", sha256=digest, at=agent
    )
    return Standing(evaluation, Score(0.9, 0.8, 0.95, rows=10, higher_is_better=True))


def test_the_same_files_have_the_first_agents_title() -> None:
    board = [
        standing("r1-a2", "same"),
        standing("r1-a3", "other"),
        standing("r1-a1", "same"),
        standing("r1-a4", ""),
    ]
    titles = {"r1-a1": "Trees", "r1-a2": "Nets", "r1-a3": "Linear"}
    told = solution_titles(board, titles)
    assert told["r1-a2-s1"] == "Trees (the same files as r1-a1)"
    assert [told[f"r1-a{n}-s1"] for n in (1, 3, 4)] == ["Trees", "Linear", ""]
