"""`comind-tui submit RUN` and `comind-tui submissions COMPETITION`: to a leaderboard, with a person's word.

Nothing is sent without one: `y` on a terminal, or `--yes`, which sends only what the governor finds worth it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from comind.run.submission import open_governor, read_candidates
from comind.state.runs import RunFolder, engine_alive, find_run
from comind_tui.core.ranks import meant
from comind_tui.core.runs import RunRows
from comind_tui.core.submission import Target, after_score, governed, offered, outcome_line, target_of
from comind_tui.text.invocation import program
from comind_tui.text.plain import can_ask, terminal_width
from comind_tui.text.submissions import (
    ledger_document,
    offer_text,
    situation_document,
    standing_text,
    submission_document,
    verdict_document,
    verdict_table,
)
from kaggle_runner.console import put, put_json, put_lines, say
from kaggle_runner.errors import RunNotFound, SubmissionRefused, UsageError
from kaggle_runner.kaggle.addresses import Kaggle
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.submissions.book import by_others
from kaggle_runner.submissions.governor import AccountStanding, Governor
from kaggle_runner.submissions.ledger import read_ledger
from kaggle_runner.submissions.policy import chosen as worth_sending
from kaggle_runner.submissions.records import SentSubmission, Verdict


def submit(arguments: Namespace) -> int:
    """0 when it was sent, shown by --dry-run, or declined; 3 when nothing may or should be sent."""
    folder = _run_to_submit(arguments.state, arguments.run_id)
    target = target_of(folder, getattr(arguments, "kaggle_url", ""))
    if not (arguments.dry_run or arguments.yes or can_ask()):
        raise UsageError(
            "Submitting needs a person's yes, and there is no terminal to ask on.",
            hint="--dry-run shows what would be sent; --yes sends what is worth a submission.",
        )
    return asyncio.run(_submit(folder, target, arguments))


def _run_to_submit(state: Path, run_id: str | None) -> RunFolder:
    """The named run, else the newest that has ended and has a solution; what is passed over is said."""
    if run_id is not None:
        return find_run(state, run_id)
    for row in RunRows(state).read():
        folder = find_run(state, row["run"])
        if row["best_score"] is not None and not engine_alive(folder):
            return folder
        why = "is still running" if engine_alive(folder) else "has nothing to submit"
        say(f"Run {folder.id} {why}: not taken. To take it, name it.")
    raise RunNotFound(
        f"No run in {state} has ended with something to submit.",
        hint=f"`{program()} runs` lists the runs; `{program()} submit RUN` takes one that still goes on.",
    )


async def _submit(folder: RunFolder, target: Target, arguments: Namespace) -> int:
    say(f"Run {folder.id}: looking at {target.slug} at {target.kaggle.name} …")
    async with governed(folder, target, SYSTEM_CLOCK) as governor:
        standing, verdicts = await governor.consider(read_candidates(folder))
        document = {
            "run": folder.id,
            "competition": target.slug,
            "kaggle": target.kaggle.name,
            "dry_run": arguments.dry_run,
            "limits": situation_document(standing.situation),
            "candidates": [verdict_document(verdict) for verdict in verdicts],
        }
        if not arguments.json:
            put(_shown(standing, verdicts, target))
        row = None if arguments.dry_run else await _sent(governor, verdicts, arguments)
    if arguments.json:
        put_json({**document, "submission": submission_document(row) if row else None})
    elif row is not None:
        put_lines(outcome_line(row))
    return 0


def _shown(standing: AccountStanding, verdicts: list[Verdict], target: Target) -> str:
    if not verdicts:
        return "This run has no valid solution yet."
    width = terminal_width()
    first = offered(verdicts) or verdicts[0]
    offer = offer_text(first, standing.situation, kaggle=target.kaggle.name, slug=target.slug, width=width)
    return f"{verdict_table(verdicts, width=width)}\n\n{offer}"


async def _sent(governor: Governor, verdicts: list[Verdict], arguments: Namespace) -> SentSubmission | None:
    """Ask where there is someone to ask, send, and wait a little for the score; None when declined."""
    verdict = worth_sending(verdicts) if arguments.yes else offered(verdicts)
    if verdict is None:
        held = offered(verdicts)
        shown = held or next(iter(verdicts), None)
        why = (
            f"{shown.candidate.evaluation}: {shown.reason}" if shown else "the run has no valid solution yet"
        )
        raise SubmissionRefused(
            f"Nothing is submitted: {why}.",
            hint="A person may send it all the same: without --yes, on a terminal."
            if held
            else "Nothing was sent.",
        )
    if not arguments.yes and not _says_yes(f"Submit {verdict.candidate.evaluation}? [y/N] "):
        say("Nothing was sent.")
        return None
    row = await governor.send(verdict.candidate, by_person=not arguments.yes, message=arguments.message)
    say(f"Submitted as {row.ref}; waiting for its score …")
    return await after_score(governor, row)


def _says_yes(question: str) -> bool:
    put(question, sys.stderr, end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def submissions(arguments: Namespace) -> int:
    """A competition's submissions, what is left, the ledger and the picks: live, merged with the book."""
    url = getattr(arguments, "kaggle_url", "")
    kaggle, slug = meant(arguments.competition, arguments.state, url, os.environ)
    return asyncio.run(_submissions(kaggle, slug, arguments))


async def _submissions(kaggle: Kaggle, slug: str, arguments: Namespace) -> int:
    client = kaggle.client()
    async with open_governor(arguments.state, client, slug, SYSTEM_CLOCK) as governor:
        standing = await governor.look()
    facts = await client.extension_competition(slug) or {}
    rows = [*standing.history, *by_others(standing.history, standing.listed)]
    ledger = read_ledger(rows, higher_is_better=facts.get("higher_is_better"))
    if not arguments.json:
        put(standing_text(standing, rows, ledger, name=kaggle.name, width=terminal_width()))
        return 0
    document: dict[str, Any] = {
        "competition": slug,
        "kaggle": kaggle.name,
        "limits": situation_document(standing.situation),
        "submissions": [submission_document(row) for row in rows],
        "ledger": ledger_document(ledger),
    }
    put_json(document)
    return 0
