"""The submit flow of both front ends: where a run's solutions go, which one is offered, how it is sent."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from comind.run.submission import insist_on_entry, open_governor, scored_line
from comind.state.runs import RunFolder, read_run
from kaggle_runner.errors import UsageError
from kaggle_runner.kaggle.addresses import URL_VARIABLE, Kaggle, chosen
from kaggle_runner.moments import Clock
from kaggle_runner.score import written
from kaggle_runner.submissions.governor import Governor
from kaggle_runner.submissions.policy import chosen as worth_sending
from kaggle_runner.submissions.records import SentSubmission, Verdict

_SCORE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run's solutions would be submitted."""

    kaggle: Kaggle
    slug: str


def target_of(folder: RunFolder, url: str = "") -> Target:
    """The Kaggle that the run's solutions go to: `url`, else COMIND_KAGGLE_URL, else the run's own.

    Raises UsageError for a run on its own MLE-Live, which has graded it already.
    """
    from comind.community.upstream import upstream_kaggle

    run = read_run(folder)
    if url or os.environ.get(URL_VARIABLE, "").strip():
        return Target(chosen(os.environ, url), run.competition)
    kaggle = upstream_kaggle(run.settings, os.environ)
    if kaggle is None:
        grade = f" ({written(run.test['score'])} on the hidden labels)" if run.test else ""
        raise UsageError(
            f"Run {folder.id} competed offline: its own MLE-Live grades its final submission{grade}.",
            hint="To submit it to a Kaggle that has this competition, name that with --kaggle-url URL.",
        )
    return Target(kaggle, run.competition)


@asynccontextmanager
async def governed(folder: RunFolder, target: Target, clock: Clock) -> AsyncIterator[Governor]:
    """The governor of the target's submissions, once it is sure that the account has entered there."""
    client = target.kaggle.client()
    await insist_on_entry(client, target.slug, still_open=False)
    async with open_governor(folder.state, client, target.slug, clock) as governor:
        yield governor


def offered(verdicts: list[Verdict]) -> Verdict | None:
    """What a person is asked about: what is worth sending, else the best that is possible."""
    possible = [verdict for verdict in verdicts if verdict.level != "refuse"]
    return worth_sending(verdicts) or next(iter(possible), None)


async def after_score(governor: Governor, row: SentSubmission) -> SentSubmission:
    """What was sent, with its score if that comes within a minute."""
    history = await governor.follow_up(_SCORE_SECONDS)
    return next((one for one in history if one.token == row.token), row)


def outcome_line(row: SentSubmission) -> str:
    """What became of it, for people."""
    return f"Submission {row.ref} waits for its score." if row.state == "sent" else scored_line(row)
