"""A run's knowledge without an engine: real store, real prompts, and a model that answers by function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd

from comind.briefing import Room
from comind.config import RunConfig
from comind.control import Control
from comind.evaluator.evaluator import Evaluator
from comind.knowledge import Knowledge
from comind.llm.client import CallKey, Reply
from comind.prompts import Prompts
from comind.records import Agent, Draft, Evaluation, LlmCall
from comind.roles.desk import Brief, Desk
from comind.runs import RunFolder
from comind.scores import Score
from comind.store import Store
from comind.working import Workshop
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.session import NotebookSession

Answer = Callable[[str, str], str]
"""(kind of call, the latest message) → reply."""


@dataclass
class Model:
    answer: Answer
    shown: list[tuple[str, str]] = field(default_factory=list)
    """(kind, latest message) of every call."""

    async def ask(self, role: str, key: CallKey, messages: Sequence[dict[str, str]]) -> Reply:
        self.shown.append((key.kind, messages[-1]["content"]))
        call = LlmCall(
            id=key.id, role=role, agent=key.agent, step=key.step, kind=key.kind, attempt=key.attempt,
            model="m", base_url="",
        )  # fmt: skip
        return Reply(self.answer(key.kind, messages[-1]["content"]), "stop", call, replayed=False)


def open_session(agent: str, resources: Mapping[str, Path]) -> NotebookSession:
    raise AssertionError("planning runs no code")


def workshop(store: Store, folder: RunFolder, model: Model) -> Workshop:
    return Workshop(
        folder=folder, store=store, desk=Desk(model, Prompts()),
        brief=Brief("c", "m", "2 CPU cores, 24 GiB memory, no GPU\npackages: numpy 2", "d"),
        evaluator=cast(Evaluator, SimpleNamespace(profile=SimpleNamespace(higher_is_better=True))),
        control=Control(time_limit=4000, seconds_used=0, clock=SYSTEM_CLOCK),
        clock=SYSTEM_CLOCK, open_session=open_session, slug="comp", context_tokens=32_000,
        cell_seconds=60, memory_bytes=None,
    )  # fmt: skip


def knowledge(store: Store, folder: RunFolder, model: Model, **settings: Any) -> Knowledge:
    config = RunConfig(competition="comp", **settings)
    baseline = Score(0.5, 0.5, 0.5, 100, True)
    return Knowledge(workshop(store, folder, model), config, Room.of(32_000), baseline)


def scored(
    store: Store, folder: RunFolder, agent: str, value: float, *, predictions: Sequence[float] = (),
    **draft: Any,
) -> None:  # fmt: skip
    """An agent that ended with this score on both parts, its draft, and its validation predictions."""
    round = int(agent[1]) if agent.startswith("r") else 0
    part = {"score": value, "interval": [value - 0.02, value + 0.02], "rows": 90}
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
