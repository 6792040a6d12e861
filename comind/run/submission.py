"""What a run has to submit, and its submissions after each round when the person allowed them (`--submit`).

What is worth one is the governor's business (`kaggle_runner.submissions.governor`). Whatever happens at
Kaggle is told in an event and never ends the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comind.analysis.standings import best_of_each_agent, standings
from comind.run.arrangement import as_the_host_wants
from comind.state.reader import Reader, reading
from comind.state.records import Agent, Evaluation, Event, Push
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.account import AccountBook, account_name
from kaggle_runner.entry.kinds import IS_CODE
from kaggle_runner.entry.preflight import insist, preflight
from kaggle_runner.errors import ComindError, UsageError
from kaggle_runner.findings import Finding
from kaggle_runner.kaggle.catalogue import database_of
from kaggle_runner.moments import Clock
from kaggle_runner.score import written
from kaggle_runner.submissions.file import Sample, as_spelt
from kaggle_runner.submissions.governor import Governor, Patience
from kaggle_runner.submissions.policy import chosen
from kaggle_runner.submissions.records import Candidate, FileFacts, KernelFile, SentSubmission, Verdict

if TYPE_CHECKING:
    from comind.community.upstream import Upstream
    from comind.config import RunConfig
    from kaggle_runner.kaggle.client import KaggleClient

MOST_CANDIDATES = 6
"""Of one run, the best of each agent first."""
_SCORE_SECONDS = 5.0
"""How long a round waits for the score of what it sent; later rounds ask again."""
_LAST_SECONDS = 90.0
"""The same at the end of the run."""


def candidates_of(
    reader: Reader, folder: RunFolder, *, looked: dict[Path, FileFacts] | None = None
) -> list[Candidate]:
    """The best solution of each agent by the selection rows, best first, with their files looked at.

    A file of a million rows takes seconds; `looked` keeps what was seen, as graded files do not change.
    """
    looked = {} if looked is None else looked
    trusted = not labels_were_readable(reader)
    board = best_of_each_agent(standings(reader.all(Evaluation, "success = 1")))
    agents = {agent.id: agent for agent in reader.all(Agent)}
    pushes = {push.id: push for push in reader.all(Push, "state = 'complete'")}
    sample = None
    found = []
    for one in board[:MOST_CANDIDATES]:
        evaluation, push = one.evaluation, pushes.get(one.evaluation.id)
        path = folder.path / evaluation.submission
        agent = agents.get(evaluation.agent)
        if path not in looked:
            sample = sample or _sample(reader, folder)
            looked[path] = sample.inspect(path)
            if not looked[path].problems:
                sample.respell(path)
        found.append(
            Candidate(
                run=folder.id,
                evaluation=evaluation.id,
                path=path,
                upload=as_the_host_wants(folder, as_spelt(path)),
                score=replace(one.score, trusted=trusted),
                facts=looked[path],
                title=agent.title if agent else "",
                kernel=KernelFile(push.ref, push.version, evaluation.submission_name) if push else None,
            )
        )
    return found


def _sample(reader: Reader, folder: RunFolder) -> Sample:
    from mle_live.metrics import reads_texts

    sample, run = folder.original / "sample_submission.csv", reader.run()
    if run is None:
        return Sample(sample, folder.labels)
    return Sample(sample, folder.labels, id_column=run.id_column, texts=reads_texts(run.metric))


def labels_were_readable(reader: Reader) -> bool:
    """Whether agents' code could read the validation labels: attached at Kaggle, or in a weak sandbox."""
    run = reader.run()
    attached = run is not None and run.settings.attach_competition
    events = reader.all(Event, "kind = 'sandbox'")
    return attached or any(event.data.get("labels_readable") for event in events)


@asynccontextmanager
async def open_governor(
    state: Path, client: KaggleClient, slug: str, clock: Clock, *, patience: Patience | None = None
) -> AsyncIterator[Governor]:
    """The governor of the client's account in this state folder."""
    account = account_name(await client.username(), client.base_url)
    with AccountBook(database_of(state), account) as book:
        yield Governor(book, client, slug, clock=clock, patience=patience)


async def insist_on_entry(client: KaggleClient, slug: str, *, still_open: bool) -> list[Finding]:
    """Raise KaggleError, with the way out, where no submission of this user could be taken.

    The user is known, the competition exists and takes predictions, its rules are accepted and, with
    `still_open`, it goes on. Returns all that was found.
    """
    needed = {"kaggle", "competition", "kind", "rules"} | ({"deadline"} if still_open else set())
    findings = await preflight(client, slug, purpose="submit")
    insist([one for one in findings if one.name in needed])
    return findings


async def check_leave(config: RunConfig, environment: Mapping[str, str]) -> None:
    """What `run --submit` needs, before anything is spent. Raises UsageError or KaggleError."""
    from comind.community.upstream import upstream_kaggle

    kaggle = upstream_kaggle(config, environment)
    if kaggle is None:
        raise UsageError(
            f"{config.competition} is served by the run itself, which grades its final submission anyway.",
            hint="Leave --submit away, or name a Kaggle that has this competition with --kaggle-url URL.",
        )
    findings = await insist_on_entry(kaggle.client(), config.competition, still_open=True)
    kind = next((one.detail for one in findings if one.name == "kind"), "")
    if IS_CODE in kind and config.executor != "kaggle":
        raise UsageError(
            f"{kind}.", hint="Have them pushed: comind-tui --kaggle-push; or leave --submit away."
        )


class Submitter:
    """Submits for one run. Made only where a person allowed it."""

    def __init__(
        self,
        store: Store,
        folder: RunFolder,
        upstream: Upstream,
        clock: Clock,
        *,
        patience: Patience | None = None,
    ) -> None:
        self._store = store
        self._folder = folder
        self._upstream = upstream
        self._clock = clock
        self._patience = patience
        self._looked: dict[Path, FileFacts] = {}

    async def after_round(self, round: int) -> None:
        """Consider what there is, send at most one. A resumed run does not consider a round again."""
        if self._upstream.simulated or self._store.count(
            Event, "kind IN ('submitted', 'submission_held') AND round = ?", (round,)
        ):
            return
        await self._guarded(self._consider(round, _SCORE_SECONDS), round)

    async def at_end(self, round: int) -> None:
        """The last word of a run: what the last round left, and the scores that are still missing."""
        if self._upstream.simulated:
            told = "Nothing was submitted: this run's own MLE-Live graded it; --submit is for a Kaggle"
            self._store.event("submission_held", told)
            return
        considered = "kind IN ('submitted', 'submission_held') AND round = ?"
        if self._store.count(Event, considered, (round,)):
            await self._guarded(self._scores(round, _LAST_SECONDS), round)
        else:
            await self._guarded(self._consider(round, _LAST_SECONDS), round)

    async def _guarded(self, work: Coroutine[Any, Any, None], round: int) -> None:
        try:
            await work
        except ComindError as error:
            self._store.event("submission_failed", f"Submission: {error}", round=round)

    async def _consider(self, round: int, seconds: float) -> None:
        candidates = await asyncio.to_thread(read_candidates, self._folder, self._looked)
        async with self._governor() as governor:
            _, verdicts = await governor.consider(candidates)
            verdict = chosen(verdicts)
            if verdict is None:
                self._store.event("submission_held", held(verdicts), round=round)
            else:
                row = await governor.send(verdict.candidate)
                self._store.event("submitted", sent_line(row), round=round, data={"ref": row.ref})
            self._tell_scores(await governor.follow_up(seconds), round)

    async def _scores(self, round: int, seconds: float) -> None:
        async with self._governor() as governor:
            self._tell_scores(await governor.follow_up(seconds), round)

    def _governor(self) -> AbstractAsyncContextManager[Governor]:
        state, client, slug = self._folder.state, self._upstream.client, self._upstream.slug
        return open_governor(state, client, slug, self._clock, patience=self._patience)

    def _tell_scores(self, history: Sequence[SentSubmission], round: int) -> None:
        """An event for every submission of this run whose word came since it was last looked at."""
        told = {event.data.get("ref") for event in self._store.all(Event, "kind = 'submission_scored'")}
        for row in history:
            if row.run == self._folder.id and row.state in ("scored", "failed") and row.ref not in told:
                facts: dict[str, object] = {"ref": row.ref, "public_score": row.public_score}
                self._store.event("submission_scored", scored_line(row), round=round, data=facts)


def read_candidates(folder: RunFolder, looked: dict[Path, FileFacts] | None = None) -> list[Candidate]:
    """The same with a connection of its own, for a thread of its own."""
    with reading(folder.database) as reader:
        return candidates_of(reader, folder, looked=looked)


def held(verdicts: Sequence[Verdict]) -> str:
    """Why nothing was sent: the best candidate's reason."""
    if not verdicts:
        return "Nothing was submitted: no valid solution yet"
    first = verdicts[0]
    return f"Nothing was submitted: {first.candidate.evaluation}: {first.reasons[0]}"


def sent_line(row: SentSubmission) -> str:
    return f"Submitted {row.evaluation} as submission {row.ref}: {row.reason}"


def scored_line(row: SentSubmission) -> str:
    """Public against local, or the refusal."""
    if row.state == "failed":
        return f"Submission {row.ref} ({row.evaluation}) was refused: {row.error}"
    public = "no public score" if row.public_score is None else f"public score {written(row.public_score)}"
    local = f", local {written(row.score.value)}" if row.score else ""
    return f"Submission {row.ref} ({row.evaluation}): {public}{local}"
