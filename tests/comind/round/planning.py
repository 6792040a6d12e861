"""A run's knowledge without an engine: real store, real prompts, and a model that answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd

from comind.agents.workshop import Workshop
from comind.config import RunConfig
from comind.control import Control
from comind.roles.briefing import Room
from comind.roles.desk import Brief
from comind.round.knowledge import Knowledge
from comind.state.grades import PartGrade
from comind.state.records import Agent, Draft, Evaluation
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.score import Score
from tests.fakes.models import InstantModel
from tests.fakes.workshops import make_workshop


def workshop(store: Store, model: InstantModel) -> Workshop:
    return make_workshop(
        store, model,
        brief=Brief("c", "m", "2 CPU cores, 24 GiB memory, no GPU\npackages: numpy 2", "d"),
        evaluator=SimpleNamespace(profile=SimpleNamespace(higher_is_better=True)),
        control=Control(time_limit=4000, seconds_used=0, clock=SYSTEM_CLOCK),
        context_tokens=32_000,
    )  # fmt: skip


def knowledge(store: Store, model: InstantModel, **settings: Any) -> Knowledge:
    config = RunConfig(competition="comp", **settings)
    baseline = Score(0.5, 0.5, 0.5, 100, True)
    return Knowledge(workshop(store, model), config, Room.of(32_000), baseline)


def scored(
    store: Store, folder: RunFolder, agent: str, value: float, *, predictions: Sequence[float] = (),
    **draft: Any,
) -> None:  # fmt: skip
    """An agent that ended with this score on both parts, its draft, and its validation predictions."""
    round = int(agent[1]) if agent.startswith("r") else 0
    part: PartGrade = {"score": value, "interval": (value - 0.02, value + 0.02), "rows": 90}
    path = folder.evaluation(f"{agent}-s01") / "validation_submission.csv"
    if len(predictions):
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"id": range(len(predictions)), "p": predictions}).to_csv(path, index=False)
    title = f"Title of {agent}"
    store.save(
        Agent(id=agent, round=round, index=1, title=title, best_evaluation=f"{agent}-s01"),
        Draft(id=agent, round=round, title=title, description="d", **draft),
        Evaluation(
            id=f"{agent}-s01", agent=agent, round=round, step=1, success=True, message="",
            feedback=part, selection=part, at=f"2026-01-0{1 + round}T00:00:00Z",
            validation_submission=folder.relative(path) if len(predictions) else "",
        ),
    )  # fmt: skip
