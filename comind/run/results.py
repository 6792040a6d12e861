"""What a finished run leaves: best/ with submission, notebook and script, the grade, a Markdown report."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comind.analysis.evidence import read_evidence
from comind.analysis.standings import best_of_each_agent, select_best, solution_titles, standings
from comind.community.upstream import Upstream
from comind.llm import ladder
from comind.run.attribution import attribute
from comind.run.solutions import solution_cells, solution_script, write_agent_notebook
from comind.state.grades import TestGrade
from comind.state.records import Agent, Draft, Evaluation, Event, Idea, MonitorDecision, Push, Report, Run
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import KaggleError
from kaggle_runner.files import write_whole
from kaggle_runner.score import better, better_beyond_noise, written

_UNRANKED_SHOWN = 60


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
    of_community = f" {draft.description}" if draft and draft.round == 0 else ""
    cells = solution_cells(store, best.agent, best.step)
    agent = store.get(Agent, best.agent)
    packages = agent.packages if agent else []
    needs = f"\n\nIts agent installed: {', '.join(packages)}" if packages else ""
    write_agent_notebook(folder.best / "solution.ipynb", cells, title=title + needs)
    title = title.replace('"', "'").replace("\\", "/")  # it stands in a docstring
    head = (
        f'"""{title}\n\nFrom {best.agent} of run {folder.id}, cells 1 to {best.step}.{of_community}{needs}'
        "\n\n"
        f"It reads that run's split under /kaggle/input. To run it there and compare the result:\n"
        f'    comind-tui reproduce {folder.id}\n"""\n\n'
    )
    script = solution_script(store, best.agent, best.step)
    write_whole(folder.best / "solution.py", head + script)
    folder.requirements.unlink(missing_ok=True)
    if packages:
        write_whole(folder.requirements, "".join(f"{package}\n" for package in packages))
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
    parts = [
        f"# {run.title or run.competition}: run {run.id}",
        _result(store, run),
        *_submissions(store),
        "## Round by round\n\n" + _rounds(store),
        "## What the solution is made of\n\n" + "\n".join(attribute(store, folder).lines()),
        "## Local leaderboard\n\n" + _leaderboard(store),
        "## Agents\n\n" + _agents(store),
        *_kernels(store),
        "## Ideas\n\n" + _ideas(store),
        "## What the ideas were worth\n\n" + _evidence(store),
        _asked(store),
        "## Stopped cells and faults\n\n" + _faults(store),
    ]
    text = "\n\n".join(parts) + "\n"
    write_whole(folder.report, text)
    return folder.report


def _asked(store: Store) -> str:
    """A section on how well what was asked kept to the formats, by model; recipes always do."""
    run = store.run()
    if run is not None and run.settings.offline:
        return f"## Recipes\n\n{store.totals()['calls']} questions were answered by recipes."
    return "## Model\n\n" + ("\n".join(ladder.report_lines(store)) or "No model was asked.")


def _spent(totals: Mapping[str, Any]) -> str:
    used = totals["prompt_tokens"] + totals["completion_tokens"]
    price = "price unknown" if totals["dollars"] is None else f"{totals['dollars']:.2f} $"
    return f"model calls: {totals['calls']}, {used:,} tokens, {price}"


def _result(store: Store, run: Run) -> str:
    best = store.get(Evaluation, run.best_evaluation)
    totals = store.totals()
    arrow = "higher is better" if run.higher_is_better else "lower is better"
    lines = [
        f"- Competition: {run.competition}, metric {run.metric} ({arrow})",
        f"- {'Answered by' if run.settings.offline else 'Model'}: {run.model}",
        f"- Time used: {run.seconds_used:.0f} s; rounds: {run.round}; "
        + (f"answers of recipes: {totals['calls']}" if run.settings.offline else _spent(totals)),
    ]
    if run.status_detail:
        lines.append(f"- Ended: {run.status_detail}")
    if best is not None:
        lines.append(
            f"- Best: {best.score('selection')} on {best.selection['rows']} selection rows, by {best.agent}"
            f" ({_title(store, best.agent)})"
        )
        lines.append("- Files: `best/submission.csv`, `best/solution.ipynb`, `best/solution.py`")
        agent = store.get(Agent, best.agent)
        if agent is not None and agent.packages:
            lines.append(f"- It installed: {', '.join(agent.packages)} (`best/requirements.txt`)")
    if run.labels_readable:
        lines.append(
            "- **Labels readable**: agents' code could read the validation labels. These scores cannot be "
            "compared with other runs'."
        )
    if run.baseline:
        lines.append(f"- Sample submission on the same rows: {written(run.baseline['score'])}")
    if run.test:
        lines.append(f"- Hidden test labels: {written(run.test['score'])}{_rank(run.test)}")
    return "\n".join(lines)


def _submissions(store: Store) -> list[str]:
    """A section on what went to the leaderboard and what was held back, where that was allowed at all."""
    events = store.all(Event, "kind LIKE 'submission%' OR kind = 'submitted'", order="seq")
    lines = [f"- round {event.round}: {event.message.splitlines()[0]}" for event in events]
    return ["## Submissions\n\n" + "\n".join(lines)] if lines else []


def _rank(test: TestGrade) -> str:
    """Where the score stands on the board, if there is one; what kind of board is always said."""
    if not test.get("rank"):
        return ""
    medal = f", {test['medal']} medal" if test.get("medal") else ", no medal"
    of_teams = f" of {test['teams']}" if test.get("teams") else ""
    return f", rank {test['rank']}{of_teams} on a {test.get('board') or 'unknown'} board{medal}"


def _leaderboard(store: Store) -> str:
    rows = ["| place | agent | draft | round | selection score | interval |", "|---|---|---|---|---|---|"]
    titles = {agent.id: agent.title for agent in store.all(Agent)}
    board = best_of_each_agent(standings(store.all(Evaluation), "selection"))
    told = solution_titles(board, titles)
    for place, one in enumerate(board, start=1):
        entry, score = one.evaluation, one.score
        value, _, interval = str(score).partition(" ")
        who = f"{entry.agent} | {_cell(told[entry.id])} | {entry.round}"
        rows.append(f"| {place} | {who} | {value} | {interval} |")
    return "\n".join(rows) if len(rows) > 2 else "Nothing valid was scored."


def _rounds(store: Store) -> str:
    """What each round brought on the selection rows, and whether that is more than noise."""
    evaluations = store.all(Evaluation)
    lines = []
    as_it_is = select_best(one for one in evaluations if one.round == 0)
    if as_it_is is not None:
        told = f"best {as_it_is.score} by {_title(store, as_it_is.evaluation.agent)}"
        lines.append(f"- Community kernels, run as they are: {told}.")
    for round in sorted({one.round for one in evaluations if one.round}):
        now = select_best(one for one in evaluations if one.round == round)
        before = select_best(one for one in evaluations if one.round < round)
        if now is None:
            lines.append(f"- Round {round}: nothing valid was scored.")
            continue
        told = f"- Round {round}: best {now.score} by {now.evaluation.agent}"
        if before is not None:
            gain = (
                "a gain beyond noise"
                if better_beyond_noise(now.score, before.score)
                else ("better, within noise" if better(now.score, before.score) else "no gain")
            )
            told += f" ({gain} over {written(before.score.value)} so far)"
        lines.append(told + ".")
    return "\n".join(lines) or "Nothing was scored."


def _title(store: Store, agent: str) -> str:
    found = store.get(Agent, agent)
    return found.title if found else agent


def _agents(store: Store) -> str:
    """A line for each agent, with its own report folded away below it."""
    reports = {report.subject: report for report in store.all(Report, "kind = 'solution'")}
    best = {one.evaluation.agent: one for one in best_of_each_agent(standings(store.all(Evaluation)))}
    parts = []
    for agent in store.all(Agent, "round > 0", order='round, "index"'):
        score = f"selection score {best[agent.id].score}" if agent.id in best else "nothing valid"
        ended = agent.status + (f", {agent.stop_reason}" if agent.stop_reason else "")
        part = f"**{agent.id} {agent.title}**: {score}; {ended}; {agent.step} cells"
        report = reports.get(agent.id)
        if report is not None:
            body = f"{report.pipeline}\n\n{report.summary}"
            part += f"\n\n<details><summary>its report</summary>\n\n{body}\n\n</details>"
        parts.append(part)
    return "\n\n".join(parts) or "No agent was started."


def _kernels(store: Store) -> list[str]:
    """What was pushed to Kaggle, if anything was: one line a kernel, with its address."""
    pushes = store.all(Push, order="started_at, id")
    if not pushes:
        return []
    rows = ["| cell | kernel | state | at Kaggle | machine | rehearsal | what came of it |",
            "|---|---|---|---|---|---|---|"]  # fmt: skip
    for one in pushes:
        kernel = f"[{one.ref}]({one.url}) v{one.version}" if one.url else one.ref or "none"
        evaluation = store.get(Evaluation, one.id)
        score = evaluation.score("feedback") if evaluation else None
        came = one.fault or (f"feedback score {score}" if score else "predictions that are not valid")
        machine = one.accelerator or "CPU"
        rows.append(
            f"| {one.id} | {kernel} | {one.state} | {one.seconds:.0f} s | {machine} "
            f"| {one.rehearsal_seconds:.0f} s | {_cell(' '.join(came.split()))} |"
        )
    told = [event.message for event in store.all(Event, "kind = 'dataset'", order="seq")]
    return [
        "## Kernels at Kaggle\n\n" + "\n".join(rows + [""] + [f"- {line}" for line in dict.fromkeys(told)])
    ]


def _ideas(store: Store) -> str:
    """People's ideas, then the ten that each round ranked highest; all where nothing ranks them."""
    lines = []
    for idea in store.all(Idea, "origin = 'person'"):
        fate = f"ranked {idea.rank}" if idea.rank else "kept, no round ranked it"
        lines.append(f"- from a person ({fate}): {idea.text}")
    for idea in store.all(Idea, "rank BETWEEN 1 AND 10 AND origin != 'person'", order="round, rank"):
        lines.append(f"- round {idea.round}, rank {idea.rank}: {idea.text}")
    if not store.count(Idea, "rank > 0"):
        tried = store.all(Idea, "origin != 'person'", order="round, id", limit=_UNRANKED_SHOWN)
        lines += [f"- round {idea.round}: {idea.text}" for idea in tried]
    return "\n".join(lines) or "None."


def _evidence(store: Store) -> str:
    """Each tried idea's effect on the feedback score, from all solutions that tried it."""
    effects = read_evidence(store).effects
    if not effects:
        return "No scored draft named the ideas that it tried."
    texts = {idea.id: idea.text for idea in store.all(Idea)}
    rows = []
    for one in effects:
        text = _cell(" ".join(texts.get(one.idea, one.idea).split())[:200])
        effect = f"{one.mean:+.{_places(one.sd)}f} ± {one.sd:.{_places(one.sd)}f}"
        rows.append(f"| {effect} | {one.trials} | {one.verdict} | {text} |")
    head = "Change of the feedback score, positive is better, ± one standard deviation.\n\n"
    return head + "\n".join(["| effect | trials | verdict | idea |", "|---|---|---|---|", *rows])


def _places(deviation: float) -> int:
    """Decimals that show two digits of an uncertainty."""
    return max(0, 1 - math.floor(math.log10(deviation))) if deviation > 0 else 5


def _faults(store: Store) -> str:
    stops = store.all(MonitorDecision, "action = 'STOP'")
    lines = [f"- {stop.agent}, cell {stop.step}, after {stop.elapsed:.0f} s: {stop.reason}" for stop in stops]
    kinds = (
        "model_switched",
        "model_slow",
        "cell_failed",
        "agent_failed",
        "skipped",
        "evaluator_rejected",
        "report_missing",
        "sandbox",
        "push_refused",
    )
    marks = ", ".join("?" for _ in kinds)
    for event in store.all(Event, f"kind IN ({marks})", kinds, order="seq"):
        lines.append(f"- {event.agent or 'run'}: {event.message.splitlines()[0]}")
    return "\n".join(lines) or "None."


def _cell(text: str) -> str:
    return text.replace("|", "/")
