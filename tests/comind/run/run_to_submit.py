"""A run of the tiny competition on disk, with solutions that could be submitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from comind.config import RunConfig
from comind.state.grades import PartGrade
from comind.state.records import Agent, Evaluation, Run
from comind.state.runs import RunFolder, create_run
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK, stamp
from tests.tiny_kaggle import ROWS, SLUG, submission_text

RUN = "tiny-comp-20261122-060000"


def make_run(state: Path, *, kaggle_url: str = "", run_id: str = RUN) -> RunFolder:
    """A finished run of `kaggle_url` without solutions; `add_solution` adds them."""
    folder = create_run(state, run_id)
    folder.original.mkdir(parents=True)
    (folder.original / "sample_submission.csv").write_text(submission_text([0.0] * ROWS))
    config = replace(RunConfig(competition=SLUG), kaggle_url=kaggle_url)
    with Store(folder.database) as store:
        store.save(
            Run(
                id=run_id,
                competition=SLUG,
                metric="rmse",
                higher_is_better=False,
                status="finished",
                config={**config.as_dict(), "state": str(state)},
                started_at=stamp(SYSTEM_CLOCK.now()),
            )
        )
    return folder


def add_solution(
    folder: RunFolder, agent: str, score: float, *, noise: float = 1.0, round: int = 1, title: str = ""
) -> str:
    """One agent's evaluation with its file of test predictions, which all lie near `score`; its id."""
    evaluation = f"{agent}-s01"
    place = folder.evaluation(evaluation)
    place.mkdir(parents=True)
    (place / "submission.csv").write_text(submission_text([score + row for row in range(ROWS)]))
    part: PartGrade = {"score": score, "interval": (score - noise, score + noise), "rows": 100}
    with Store(folder.database) as store:
        store.save(
            Agent(id=agent, round=round, index=1, title=title or f"Title of {agent}"),
            Evaluation(
                id=evaluation,
                agent=agent,
                round=round,
                step=1,
                success=True,
                message="",
                feedback=part,
                selection=part,
                higher_is_better=False,
                submission=folder.relative(place / "submission.csv"),
                submission_name="submission.csv",
                at=stamp(SYSTEM_CLOCK.now()),
            ),
        )
    return evaluation
