"""Commands that read: runs, competitions, show, ideas, reports, leaderboard; each as a table or as JSON."""

from __future__ import annotations

import asyncio
import os
import textwrap
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comind.analysis.standings import standings
from comind.run.summary import summarize
from comind.state.grades import score_from
from comind.state.reader import Reader, reading
from comind.state.records import Agent, Evaluation, Idea, Report, Run
from comind.state.runs import RunFolder, find_run
from comind_tui.core.runs import RunRows
from comind_tui.text.boards import BEATS, RankedSolution, board_rows, metric_text
from comind_tui.text.invocation import from_here, program
from comind_tui.text.plain import (
    LABELS_READABLE,
    arrow,
    dollars,
    interval,
    labelled,
    labels_mark,
    listed_name,
    number,
    place,
    since,
    spent_dollars,
    spent_tokens,
    table,
    terminal_width,
    tokens,
)
from kaggle_runner.console import put, put_json, put_lines, say
from kaggle_runner.moments import SYSTEM_CLOCK, duration
from kaggle_runner.texts import one_line, plain, shortened
from mle_live.competitions.metric_choice import MetricChoice


@contextmanager
def open_run(state: Path, run_id: str | None) -> Iterator[tuple[Reader, RunFolder]]:
    """The run of that id or the newest, open for reading."""
    folder = find_run(state, run_id)
    with reading(folder.database) as reader:
        yield reader, folder


def runs(arguments: Namespace) -> int:
    rows = RunRows(arguments.state).read()
    if arguments.json:
        put_json(rows)
    elif not rows:
        say(f"There is no run in {arguments.state} yet: {program()} run COMPETITION --offline")
    else:
        now, width = SYSTEM_CLOCK.now(), terminal_width()
        lines = [
            (
                listed_name(row["run"]) if width else row["run"],
                row["status"],
                f"{duration(since(row['started_at'] or '', now))} ago" if row["started_at"] else "–",
                number(row["best_score"]) + labels_mark(row["labels_readable"]),
                place(row),
                f"{row['metric']} {arrow(row['higher_is_better'])}",
                row["competition"],
            )
            for row in rows
            if not row["fault"]
        ]
        headers = ("RUN", "STATUS", "STARTED", "BEST", "RANK", "METRIC", "COMPETITION")
        if lines:
            put(table(headers, lines, width=width, right=(3,)))
        for row in rows:
            if row["fault"]:
                line = one_line(f"{row['run']}  unreadable: {row['fault']}")
                put_lines(shortened(line, width) if width else line)
    return 0


def competitions(arguments: Namespace) -> int:
    """The shelf and every configured Kaggle; one that is away is a line on stderr."""
    from comind_tui.core import competitions as lists

    kaggles = lists.known_kaggles(os.environ)
    if arguments.offline:
        found = lists.kept_lists(kaggles, arguments.state, search=arguments.search)
    else:
        asked = lists.asked_lists(kaggles, arguments.state, SYSTEM_CLOCK, search=arguments.search)
        found = asyncio.run(asked)
    now = SYSTEM_CLOCK.now()
    rows = lists.joined(kaggles, found, search=arguments.search)
    for line in lists.troubles(kaggles, found):
        say(line)
    if arguments.json:
        put_json([row.document for row in rows])
        return 0
    cells = [
        (
            row.slug,
            row.source,
            row.metric,
            lists.deadline_text(row, now),
            lists.teams_text(row),
            lists.rank_text(row),
            row.about,
        )
        for row in rows
    ]
    headers = ("COMPETITION", "AT", "METRIC", "DEADLINE", "TEAMS", "OWN RANK", "ABOUT")
    return _print_or_say(cells, headers, "No competition matches.", right=(3, 4))


def show(arguments: Namespace) -> int:
    with open_run(arguments.state, arguments.run_id) as (reader, folder):
        document = summarize(reader, folder, SYSTEM_CLOCK)
    if arguments.json:
        put_json(document)
    else:
        put(summary_text(document, folder, width=terminal_width()))
    return 0


def summary_text(document: dict[str, Any], folder: RunFolder, *, width: int | None) -> str:
    """The `show` document as people read it; the headless printer ends with it too."""
    best, test, cost, counts = (document[key] for key in ("best", "test", "cost", "counts"))
    score = score_from(best, document["higher_is_better"]) if best else None
    lines = [
        ("run", f"{document['run']}  ({document['status']})"),
        *([("ended", document["status_detail"])] if document["status_detail"] else []),
        (
            "competition",
            f"{document['competition']}  {document['metric']} {arrow(document['higher_is_better'])}",
        ),
        *([("metric", _metric_origin(document))] if document["metric_source"] else []),
        (
            "best score",
            f"{interval(score)}  95 % interval on {best['rows']} selection rows" if best else "none",
        ),
        ("baseline", f"{number(document['baseline_score'])}  sample submission, same rows"),
        *([("beware", LABELS_READABLE)] if document["labels_readable"] else []),
    ]
    if best:
        lines += [
            ("found by", _finder(best)),
            ("submission", str(from_here(folder.path / best["submission"]))),
        ]
    if test:
        of_teams = f" of {test['teams']}" if test["teams"] else ""
        place = f"rank {test['rank']}{of_teams}" if test["rank"] else "no rank"
        place += f" on a {test['board']} board" if test["board"] else ""
        lines.append(("test score", f"{number(test['score'])}  {place}, medal: {test['medal'] or 'none'}"))
    lines += [
        ("cost", "$0.00, answered by recipes" if cost["offline"] else _cost_text(cost)),
        *([("at Kaggle", pushes_text(document["pushes"]))] if document["pushes"] else []),
        ("counts", ", ".join(f"{count} {_counted(name, cost['offline'])}" for name, count in counts.items())),
        ("started", document["started_at"] or "–"),
        ("finished", document["finished_at"] or "–"),
        ("folder", str(from_here(folder.path))),
    ]
    return "\n".join(labelled(name, value, indent=13, width=width) for name, value in lines)


def _counted(name: str, offline: bool) -> str:
    return "answers of recipes" if offline and name == "llm_calls" else name.replace("_", " ")


def pushes_text(pushes: Sequence[Mapping[str, Any]]) -> str:
    """`5 kernels: 4 complete, 1 abandoned; 3m 10s of sessions; 2 notebooks were not pushed`."""
    pushed = [one for one in pushes if one["ref"]]
    states = Counter(one["state"] for one in pushed)
    parts = [
        f"{len(pushed)} {'kernel' if len(pushed) == 1 else 'kernels'}"
        + (f": {', '.join(f'{count} {state}' for state, count in states.items())}" if states else ""),
        f"{duration(sum(one['seconds'] or 0.0 for one in pushed))} of sessions",
    ]
    kept = len(pushes) - len(pushed)
    if kept:
        parts.append(f"{kept} {'notebook was' if kept == 1 else 'notebooks were'} not pushed")
    return f"{'; '.join(parts)} (report.md lists them)"


def _metric_origin(document: dict[str, Any]) -> str:
    """Where the metric comes from, with the host's words."""
    choice = MetricChoice.from_mapping(document)
    return choice.origin


def _finder(best: dict[str, Any]) -> str:
    """A public kernel's title says that it is one."""
    where = f" in round {best['round']}" if best["round"] else ""
    return f"{best['agent']}{where} ({best['title']})"


def _cost_text(cost: dict[str, Any]) -> str:
    """What was spent of which limit, and what is foreseen."""
    spent = spent_tokens(cost["tokens"], cost["max_tokens"])
    text = f"{spent}, {spent_dollars(cost['dollars'], cost['max_dollars'])}"
    seen = cost["forecast"]
    if seen is None:
        return text
    priced = seen["dollars"] is not None and seen["dollars"]["high"] > 0
    name, form = ("dollars", dollars) if priced else ("tokens", tokens)
    low, expected, high = (form(seen[name][end]) for end in ("low", "expected", "high"))
    kind = "" if name == "dollars" else " tokens"
    return f"{text}; forecast {expected}{kind} ({low}–{high}) at the end"


def ideas(arguments: Namespace) -> int:
    with open_run(arguments.state, arguments.run_id) as (reader, _):
        found = reader.search(Idea, arguments.search) if arguments.search else reader.newest(Idea)
    if arguments.json:
        put_json([asdict(idea) for idea in found])
        return 0
    rows = [
        (idea.id, str(idea.round), str(idea.rank) if idea.rank else "–", idea.origin, idea.text)
        for idea in found
    ]
    return _print_or_say(rows, ("IDEA", "ROUND", "RANK", "FROM", "TEXT"), "No idea matches.", right=(1, 2))


def reports(arguments: Namespace) -> int:
    with open_run(arguments.state, arguments.run_id) as (reader, _):
        found = reader.search(Report, arguments.search) if arguments.search else reader.newest(Report)
    if arguments.json:
        put_json([asdict(report) for report in found])
        return 0
    for report in found:
        scores = "  ".join(f"{name} {value:g}" for name, value in report.scores.items())
        put(one_line(f"[{report.id}] round {report.round}, {report.kind} {report.subject}: {report.title}"))
        put("    " + one_line(f"local score {number(report.local_score)}  {scores}"))
        put(textwrap.indent(plain(report.summary).strip(), "    "), end="\n\n")
    if not found:
        say("No report matches.")
    return 0


def leaderboard(arguments: Namespace) -> int:
    with open_run(arguments.state, arguments.run_id) as (reader, folder):
        run = reader.run() or Run(id=folder.id, competition="")
        board = standings(reader.all(Evaluation, "success = 1"))
        titles = {agent.id: agent.title for agent in reader.all(Agent)}
    rows = board_rows(board, run, titles)
    if arguments.json:
        put_json(list(map(_board_entry, rows)))
        return 0
    cells = [
        (
            str(row.place),
            interval(row.score),
            str(row.score.rows),
            row.evaluation.agent,
            str(row.evaluation.round),
            str(row.evaluation.step),
            BEATS[row.beats],
            row.title,
        )
        for row in rows
    ]
    metric = metric_text(run) + labels_mark(run.labels_readable)
    headers = ("#", metric, "ROWS", "AGENT", "ROUND", "STEP", "BASELINE", "TITLE")
    return _print_or_say(cells, headers, "Nothing has been scored yet.", right=(0, 2, 4, 5))


def _board_entry(row: RankedSolution) -> dict[str, Any]:
    """As JSON has it; a public kernel that was run as it is stands in round 0."""
    return {
        "place": row.place,
        "evaluation": row.evaluation.id,
        "agent": row.evaluation.agent,
        "title": row.title,
        "round": row.evaluation.round,
        "step": row.evaluation.step,
        **row.score.as_dict(),
        "beats_baseline": row.beats,
        "submission": row.evaluation.submission,
        "at": row.evaluation.at,
    }


def _print_or_say(
    rows: Sequence[Sequence[str]], headers: Sequence[str], nothing: str, *, right: tuple[int, ...] = ()
) -> int:
    if rows:
        put(table(headers, rows, width=terminal_width(), right=right))
    else:
        say(nothing)
    return 0
