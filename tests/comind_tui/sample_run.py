"""A realistic run on disk, written through the real Store: two rounds of four agents on digits-5k.

To look at it: python -m tests.comind_tui.sample_run STATE; comind-tui attach --state STATE
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from comind.config import RunConfig
from comind.state.grades import PartGrade
from comind.state.records import (
    Agent,
    AgentStatus,
    Cell,
    CellStatus,
    Discussion,
    Draft,
    Evaluation,
    Idea,
    Kernel,
    LlmCall,
    MonitorDecision,
    Report,
    Run,
    RunStatus,
)
from comind.state.runs import RunFolder, create_run
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK, stamp
from tests.fakes.clocks import HandClock

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
TITLES = (
    "Logistic regression on scaled pixels (baseline)",
    "Histogram gradient boosting on HOG features",
    "Small convolutional network with augmentation",
    "Nearest neighbours after a whitened projection, blended with a support vector machine",
)
TEST = {"score": 0.9688, "rank": 14, "teams": 212, "medal": "silver", "board": "synthetic"}
GOALS = (
    "Load the images and look at them",
    "Build features",
    "Fit and validate the model",
    "Write both files",
)
CODE = """import numpy as np
import pandas as pd

train = pd.read_csv("/kaggle/input/digits-5k/train.csv")
# one row an image; the label is a digit
print(train.shape)
for epoch in range(3):
    loss = 1.0 / (epoch + 1)
    print(f"epoch {epoch}: loss {loss:.3f}")
"""
HOSTILE = "[/red] [bold [(scratch)] \x1b[2J\x1b]0;owned\x07\x9b31m <b>&amp; \u202egnp.exe"
"""Broken markup, a cleared screen, a window title, a C1 colour and reversed text, as an agent might write."""


def build(
    state: Path,
    *,
    run_id: str = "digits-5k-20261121-090000",
    status: RunStatus = "running",
    rounds: int = 2,
    agents: int = 4,
    started: datetime = START,
    hostile: bool = False,
) -> RunFolder:
    """Make the run's folder, database and logs. `hostile` puts HOSTILE into every text an agent writes."""
    folder = create_run(state, run_id)
    text = HOSTILE if hostile else ""
    with Store(folder.database, clock=HandClock(started + timedelta(minutes=31))) as store:
        sample = Sample(folder, text, started)
        sample.community()
        for round in range(1, rounds + 1):
            last = round == rounds
            sample.round(round, agents, live=last and status in ("running", "paused"))
        store.save(*sample.records)
        _run_row(store, folder, run_id, status, rounds, started)
        for number in range(6):
            agent = f"r{rounds}-a{number % agents + 1}"
            store.event("cell", f"step {number + 1} of {agent} ran {text}", agent=agent, round=rounds)
    return folder


def build_empty(state: Path, run_id: str = "bike-demand-20261121-100000") -> RunFolder:
    """A run whose engine has opened the database and written nothing else."""
    folder = create_run(state, run_id)
    Store(folder.database).close()
    return folder


def _grade(value: float, low: float, high: float) -> PartGrade:
    return {"score": value, "interval": (low, high), "rows": 500}


def _run_row(
    store: Store, folder: RunFolder, run_id: str, status: RunStatus, rounds: int, started: datetime
) -> None:
    config = RunConfig(competition="digits-5k", rounds=rounds, time_limit=7200.0, offline=True)
    done = status in ("finished", "stopped", "failed")
    best = f"r{rounds}-a3-s02" if done and status != "failed" else ""
    store.save(
        Run(
            id=run_id,
            competition="digits-5k",
            title="Digits from 5,000 images",
            metric="accuracy",
            metric_source="description",
            metric_sentence="Submissions are evaluated on accuracy.",
            higher_is_better=True,
            status=status,
            status_detail="The grader refused every file." if status == "failed" else "",
            round=rounds,
            rounds=rounds,
            model="recipes, no language model",
            config=config.as_dict(),
            engine_pid=4242,
            started_at=stamp(started),
            finished_at=stamp(started + timedelta(minutes=42)) if done else "",
            seconds_used=2520.0 if done else 1860.0,
            baseline=_grade(0.1012, 0.079, 0.124),
            best_evaluation=best,
            test={"score": 0.9688, "rank": 14, "teams": 212, "medal": "silver", "board": "synthetic"}
            if best
            else {},
        )
    )
    if best:
        folder.best.mkdir()
        (folder.best / "submission.csv").write_text("id,label\n1,7\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Sample:
    """Writes the parts of a run; `text` is added to whatever an agent writes."""

    folder: RunFolder
    text: str
    started: datetime
    records: list[Any] = field(default_factory=list)
    """Saved in one transaction, since every transaction waits for the disk."""

    def add(self, *records: Any) -> None:
        self.records.extend(records)

    def at(self, minutes: float) -> str:
        return stamp(self.started + timedelta(minutes=minutes))

    def community(self) -> None:
        for number in range(6):
            self.add(
                Kernel(
                    id=f"ada/kernel-{number}",
                    title=f"Kernel {number}",
                    author="ada",
                    source=CODE,
                    votes=40 - number,
                ),
                Discussion(id=f"{number}", title=f"Which split? {self.text}", author="bo", body="By writer."),
            )

    def round(self, round: int, agents: int, *, live: bool) -> None:
        for rank, idea in enumerate(
            ("augment by small shifts", "blend two unlike models", "deskew the digits"), 1
        ):
            self.add(
                Idea(
                    id=f"r{round}-i{rank}",
                    round=round,
                    text=f"Try to {idea}; it should cut the confusion of 4 and 9 {self.text}",
                    path=f"path {rank}",
                    rank=rank,
                    created_at=self.at(40 * round),
                )
            )
        for index in range(1, agents + 1):
            self._agent(round, index, live=live)

    def _agent(self, round: int, index: int, *, live: bool) -> None:
        id, title = f"r{round}-a{index}", TITLES[(index - 1) % len(TITLES)] + self.text
        statuses: tuple[AgentStatus, ...] = ("running", "thinking", "grading", "running")
        steps = 2 + index % 3
        self.add(Draft(id=id, round=round, title=title, description="A plan.", baseline=index == 1))
        for step in range(1, steps + 1):
            last = step == steps
            self._cell(id, round, index, step, running=live and last and index % 2 == 1)
        self.add(
            Agent(
                id=id,
                round=round,
                index=index,
                status=statuses[(index - 1) % 4] if live else "finished",
                title=title,
                goal=GOALS[(steps - 1) % 4] + self.text,
                step=steps,
                max_steps=12,
                started_at=self.at(20 * round - 20),
                finished_at="" if live else self.at(20 * round),
                kernel_start_seconds=1.4,
            )
        )
        if not live:
            self._report(id, round, index, title)

    def _cell(self, agent: str, round: int, index: int, step: int, *, running: bool) -> None:
        log = self.folder.cell_log(agent, step)
        log.parent.mkdir(parents=True, exist_ok=True)
        bar = "".join(f"\rfit {done:3d}%" for done in range(0, 101, 20))
        lines = "".join(f"epoch {n}: loss {1 / n:.4f}  accuracy {1 - 0.4 / n:.4f}\n" for n in range(1, 41))
        warning = f"\x1b[31mwarning\x1b[0m: {self.text}slow path"
        log.write_text(f"(4500, 65)\n{bar}\n{warning}\n{lines}", encoding="utf-8")
        failed = step == 2 and index == 4
        status: CellStatus = "running" if running else "error" if failed else "ok"
        minutes = 20 * round - 20 + 3.0 * step
        self.add(
            Cell(
                id=f"{agent}-s{step:02d}",
                agent=agent,
                step=step,
                goal=GOALS[(step - 1) % 4] + self.text,
                code=CODE + (f"# {self.text!r}\n" if self.text else ""),
                status=status,
                output="(4500, 65)",
                error_name="ValueError" if failed else "",
                log_path=self.folder.relative(log),
                seconds=0.0 if running else 21.5 * step,
                started_at=self.at(minutes),
                finished_at="" if running else self.at(minutes + 0.5 * step),
            ),
            LlmCall(
                id=f"{agent}/{step}/turn/1",
                role="coder",
                agent=agent,
                step=step,
                kind="turn",
                attempt=1,
                model="recipes",
                base_url="",
                prompt_tokens=3200,
                completion_tokens=410,
                dollars=0.0,
                at=self.at(minutes),
            ),
        )
        self.add(
            MonitorDecision(
                id=f"{agent}-s{step:02d}-m1",
                agent=agent,
                step=step,
                action="STOP" if failed else "CONTINUE",
                reason=f"Loss is finite and falls {self.text}" if not failed else "The same error came twice",
                source="model" if index % 2 else "rule",
                elapsed=12.0,
                at=self.at(minutes + 0.2),
            )
        )
        if step >= 2 and not running and not failed:
            self._evaluation(agent, round, index, step, self.at(minutes + 0.4))

    def _evaluation(self, agent: str, round: int, index: int, step: int, when: str) -> None:
        value = 0.86 + 0.03 * (index - 1 if index < 4 else 1) + 0.012 * round + 0.006 * step
        cell = f"{agent}-s{step:02d}"
        files = self.folder.evaluation(cell)
        files.mkdir(parents=True)
        (files / "submission.csv").write_text("id,label\n1,7\n", encoding="utf-8")
        self.add(
            Evaluation(
                id=cell,
                agent=agent,
                round=round,
                step=step,
                success=True,
                message="ok",
                feedback=_grade(value + 0.004, value - 0.02, value + 0.02),
                selection=_grade(value, value - 0.018, value + 0.016),
                submission=self.folder.relative(files / "submission.csv"),
                at=when,
            )
        )

    def _report(self, agent: str, round: int, index: int, title: str) -> None:
        self.add(
            Report(
                id=f"{agent}-report",
                round=round,
                kind="solution",
                subject=agent,
                title=title,
                pipeline=f"Scale, fit, predict. {self.text}\n" + "A line of the pipeline.\n" * 30,
                summary=f"=== model ===\nnovelty: {index} - known\nWeakness: slow {self.text}",
                scores={"novelty": float(index), "feasibility": 8.0, "effectiveness": 7.0, "efficiency": 6.0},
                local_score=0.9 + 0.01 * index,
                created_at=self.at(20 * round),
            )
        )


if __name__ == "__main__":
    where = Path(sys.argv[1])
    build(
        where, run_id="digits-5k-finished", status="finished", started=SYSTEM_CLOCK.now() - timedelta(hours=5)
    )
    build_empty(where, "bike-demand-preparing")
    print(build(where, started=SYSTEM_CLOCK.now() - timedelta(minutes=31)).path)
