"""What a finished run leaves: best/ with submission, notebook and script, the grade, a Markdown report."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from comind.ranking import best_of_each_agent, select_best, standings
from comind.records import Agent, Draft, Evaluation, Event, Idea, MonitorDecision, Report, Run
from comind.runs import RunFolder
from comind.solutions import clean_cells, recorded_cells, solution_script, write_agent_notebook
from comind.store import Store
from comind.upstream import Upstream
from kaggle_runner.errors import KaggleError


def write_best(store: Store, folder: RunFolder) -> Evaluation | None:
    """Fill best/ from the evaluation that the selection rows prefer; None when nothing valid was scored."""
    chosen = select_best(store.all(Evaluation))
    if chosen is None:
        return None
    best = chosen.evaluation
    folder.best.mkdir(exist_ok=True)
    shutil.copyfile(folder.path / best.submission, folder.best / "submission.csv")
    draft = store.get(Draft, best.agent)
    title = draft.title if draft else best.agent
    cells = clean_cells(recorded_cells(store, best.agent, best.step))
    write_agent_notebook(folder.best / "solution.ipynb", cells, title=title)
    (folder.best / "solution.py").write_text(
        f'"""{title}\n\nFrom agent {best.agent} of run {folder.id}, cells 1 to {best.step}.\n"""\n\n'
        + solution_script(store, best.agent, best.step),
        encoding="utf-8",
    )
    return best


async def grade_on_test(upstream: Upstream, folder: RunFolder, best: Evaluation) -> dict[str, object]:
    """Submit to this run's own MLE-Live and return score, rank, teams, medal; empty where there is no grade.

    Never called for kaggle.com: a submission there needs a person's word.
    """
    if not upstream.simulated:
        return {}
    message = f"{folder.id} {best.id}"
    ref = await upstream.client.submit(upstream.slug, folder.best / "submission.csv", message)
    submission = await upstream.client.wait_for_submission(ref, timeout=120)
    if submission.error:
        raise KaggleError(f"MLE-Live refused the final submission: {submission.error}")
    result = await upstream.client.extension_result(ref)
    if not result or result.get("private_score") is None:
        return {}
    place = result.get("private") or {}
    standing = {key: place.get(key) for key in ("rank", "teams", "medal")}
    return {"score": result["private_score"], **standing, "board": result["board"]}


def write_report(store: Store, folder: RunFolder) -> Path:
    """A page that tells the run: result, leaderboard, what helped, what each agent did."""
    run = store.run()
    assert run is not None, "a report is written for a run that exists"
    agents = {agent.id: agent for agent in store.all(Agent)}
    parts = [
        f"# {run.title or run.competition}: run {run.id}",
        _result(store, run),
        "## Local leaderboard\n\n" + _leaderboard(store),
        "## What was tried\n\n" + _solutions(store, agents),
        "## Ideas\n\n" + _ideas(store),
        "## Stopped cells and faults\n\n" + _faults(store),
    ]
    text = "\n\n".join(parts) + "\n"
    folder.report.write_text(text, encoding="utf-8")
    return folder.report


def _result(store: Store, run: Run) -> str:
    best = store.get(Evaluation, run.best_evaluation)
    totals = store.totals()
    arrow = "higher is better" if run.higher_is_better else "lower is better"
    lines = [
        f"- Competition: {run.competition}, metric {run.metric} ({arrow})",
        f"- Model: {run.model}",
        f"- Time used: {run.seconds_used:.0f} s; rounds: {run.round}; model calls: {totals['calls']}, "
        f"{totals['prompt_tokens'] + totals['completion_tokens']:,} tokens, "
        + ("price unknown" if totals["dollars"] is None else f"{totals['dollars']:.2f} $"),
    ]
    if best is not None:
        lines.append(
            f"- Best: {best.score('selection')} on {best.selection['rows']} selection rows, by {best.agent}"
        )
        lines.append("- Files: `best/submission.csv`, `best/solution.ipynb`, `best/solution.py`")
    if run.baseline:
        lines.append(f"- Sample submission on the same rows: {run.baseline['score']:.5g}")
    if run.test:
        lines.append(f"- Hidden test labels: {run.test['score']:.5g}{_rank(run.test)}")
    return "\n".join(lines)


def _rank(test: dict[str, Any]) -> str:
    """Where the score stands on the board, if there is one; what kind of board is always said."""
    if not test.get("rank"):
        return ""
    medal = f", {test['medal']} medal" if test.get("medal") else ", no medal"
    return f", rank {test['rank']} of {test['teams']} on a {test['board']} board{medal}"


def _leaderboard(store: Store) -> str:
    rows = ["| place | agent | draft | round | selection score | interval |", "|---|---|---|---|---|---|"]
    titles = {agent.id: agent.title for agent in store.all(Agent)}
    board = best_of_each_agent(standings(store.all(Evaluation), "selection"))
    for place, one in enumerate(board, start=1):
        entry, score = one.evaluation, one.score
        rows.append(
            f"| {place} | {entry.agent} | {_cell(titles[entry.agent])} | {entry.round} | {score.value:.5g} "
            f"| [{score.low:.5g}, {score.high:.5g}] |"
        )
    return "\n".join(rows) if len(rows) > 2 else "Nothing valid was scored."


def _solutions(store: Store, agents: dict[str, Agent]) -> str:
    parts = []
    for report in store.all(Report, "kind = 'solution'", order="round, id"):
        agent = agents.get(report.subject)
        ended = f", {agent.status}" + (f": {agent.stop_reason}" if agent.stop_reason else "") if agent else ""
        parts.append(f"### {report.subject}: {report.title}{ended}\n\n{report.pipeline}\n\n{report.summary}")
    return "\n\n".join(parts) or "No agent wrote a report."


def _ideas(store: Store) -> str:
    ideas = store.all(Idea, "rank > 0", order="round, rank")
    return "\n".join(f"- round {idea.round}, rank {idea.rank}: {idea.text}" for idea in ideas[:60]) or "None."


def _faults(store: Store) -> str:
    stops = store.all(MonitorDecision, "action = 'STOP'")
    lines = [f"- {stop.agent}, cell {stop.step}, after {stop.elapsed:.0f} s: {stop.reason}" for stop in stops]
    kinds = ("cell_failed", "agent_failed", "skipped", "evaluator_rejected", "report_missing")
    marks = ", ".join("?" for _ in kinds)
    for event in store.all(Event, f"kind IN ({marks})", kinds, order="seq"):
        lines.append(f"- {event.agent or 'run'}: {event.message.splitlines()[0]}")
    return "\n".join(lines) or "None."


def _cell(text: str) -> str:
    return text.replace("|", "/")
