"""What a run comes to, as one JSON document: `comind-tui show --json`, the headless summary, the benchmark.

It only reads. Nothing here is computed twice elsewhere: scores come from stored evaluations and are
compared through `kaggle_runner.score`, costs from the stored calls.
"""

from __future__ import annotations

from typing import Any

from comind.analysis.forecast import dollar_limit, forecast
from comind.analysis.standings import Standing, standings
from comind.llm import ladder
from comind.run.attribution import attribute
from comind.state.grades import BASELINE
from comind.state.reader import Reader
from comind.state.records import (
    Agent,
    Cell,
    Discussion,
    Draft,
    Evaluation,
    Idea,
    Kernel,
    LlmCall,
    MonitorDecision,
    Push,
    Report,
    Run,
    RunStatus,
)
from comind.state.runs import RunFolder, engine_alive
from kaggle_runner.moments import Clock

_COUNTED: dict[str, type] = {
    "kernels": Kernel,
    "discussions": Discussion,
    "ideas": Idea,
    "reports": Report,
    "drafts": Draft,
    "cells": Cell,
    "monitor_decisions": MonitorDecision,
    "llm_calls": LlmCall,
}


def best_standing(run: Run | None, board: list[Standing]) -> Standing | None:
    """The one an ended run chose, else the leader of the board as it stands."""
    chosen = [one for one in board if run and run.finished_at and one.evaluation.id == run.best_evaluation]
    return next(iter(chosen or board), None)


def read_best(reader: Reader, run: Run) -> Standing | None:
    """The same, read for itself: of a run that has ended only the one that it chose."""
    if run.finished_at and (chosen := reader.get(Evaluation, run.best_evaluation)):
        return next(iter(standings([chosen])), None)
    return best_standing(run, standings(reader.all(Evaluation, "success = 1")))


def shown_status(run: Run | None, alive: bool) -> RunStatus:
    """The stored status, but `stopped` when it says running or paused and no engine is left to do so."""
    if run is None:
        return "preparing"
    unfinished = run.status in ("running", "paused") or (run.status == "preparing" and run.engine_pid > 0)
    return "stopped" if unfinished and not alive else run.status


def summarize(reader: Reader, folder: RunFolder, clock: Clock) -> dict[str, Any]:
    """The document of `show --json`; unknown things are null."""
    run = reader.run() or Run(id=folder.id, competition="")
    board = standings(reader.all(Evaluation, "success = 1"))
    alive = engine_alive(folder)
    return {
        "run": run.id,
        "competition": run.competition,
        "metric": run.metric,
        "metric_source": run.metric_source or None,
        "metric_sentence": run.metric_sentence or None,
        "higher_is_better": run.higher_is_better,
        "status": shown_status(run, alive),
        "status_detail": run.status_detail or None,
        "round": run.round,
        "rounds": run.rounds,
        "coders": [_coder(agent, board) for agent in reader.all(Agent, "round > 0", order='round, "index"')],
        "counts": {
            **{name: reader.count(record) for name, record in _COUNTED.items()},
            "evaluations": reader.count(Evaluation, "id != ?", (BASELINE,)),
        },
        "best": _best(best_standing(run, board), reader, folder, run),
        "baseline_score": run.baseline.get("score"),
        "test": {key: run.test.get(key) for key in ("score", "rank", "teams", "medal", "board")}
        if run.test
        else None,
        "cost": _cost(reader, run, alive, clock),
        "attribution": attribute(reader, folder).as_dict() if run.best_evaluation else None,
        "models": ladder.summarize(reader),
        "labels_readable": run.labels_readable,
        "pushes": _pushes(reader, run),
        "started_at": run.started_at or None,
        "finished_at": run.finished_at or None,
    }


def _pushes(reader: Reader, run: Run) -> list[dict[str, Any]]:
    """Notebooks that went to Kaggle, or were to go."""
    if run.settings.executor != "kaggle":
        return []
    names = ("agent", "state", "ref", "version", "url", "accelerator", "seconds", "fault")
    return [
        {"id": one.id, **{name: getattr(one, name) or None for name in names}}
        for one in reader.all(Push, order="started_at, id")
    ]


def _cost(reader: Reader, run: Run, alive: bool, clock: Clock) -> dict[str, Any]:
    """What was spent, the limits in force, and while an engine is at work what is foreseen."""
    totals = reader.totals()
    foreseen = forecast(reader, clock) if alive else None
    priced = totals["calls"] > 0 and totals["dollars"] is not None
    return {
        "offline": run.settings.offline,
        "tokens": totals["prompt_tokens"] + totals["completion_tokens"],
        "dollars": totals["dollars"],
        "max_tokens": run.settings.max_tokens,
        "max_dollars": dollar_limit(run.settings, priced=priced),
        "forecast": foreseen.as_dict() if foreseen else None,
    }


def _coder(agent: Agent, board: list[Standing]) -> dict[str, Any]:
    own = [one for one in board if one.evaluation.agent == agent.id]
    return {
        "id": agent.id,
        "status": agent.status,
        "steps": agent.step,
        "best_score": own[0].score.value if own else None,
    }


def _best(standing: Standing | None, reader: Reader, folder: RunFolder, run: Run) -> dict[str, Any] | None:
    if standing is None:
        return None
    evaluation = standing.evaluation
    agent = reader.get(Agent, evaluation.agent)
    final = folder.best / "submission.csv"
    is_final = evaluation.id == run.best_evaluation and final.is_file()
    return {
        **standing.score.as_dict(),
        "submission": folder.relative(final) if is_final else evaluation.submission,
        "agent": evaluation.agent,
        "title": agent.title if agent else "",
        "round": evaluation.round,
    }
