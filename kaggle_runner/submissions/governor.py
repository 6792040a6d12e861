"""The submission governor: looks at the competition, judges candidates, sends at most what is worth it, once.

Sending is journaled before it begins and done under the account's lock. Where an answer never came, the mark
in the description is looked for in the server's list before anything else is sent, so that nothing is ever
sent twice. Who may call `send` is not decided here: `--submit` or a person's yes is the caller's business.
The rules of what is worth a submission are in `policy.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import KaggleError, SubmissionRefused
from kaggle_runner.kaggle.records import Competition, Submission, SubmissionLimits
from kaggle_runner.moments import Clock, Sleep, parse_moment
from kaggle_runner.submissions.book import SubmissionBook, description
from kaggle_runner.submissions.policy import judge
from kaggle_runner.submissions.records import Candidate, SentSubmission, Situation, Verdict

if TYPE_CHECKING:
    from kaggle_runner.kaggle.client import KaggleClient

_LOCK_SECONDS = 300.0
"""Another process of this account may be waiting for a lost answer."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds of waiting when answers do not come."""

    settle: float = 90.0
    """After a try without an answer: what is not in the list by then never arrived."""
    poll: float = 5.0
    """Between two looks at the list."""
    away: float = 600.0
    """How long the list itself may be out of reach before the question is left open."""


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """How the competition stands: limits and deadline, our book brought up to date, and the server's list."""

    competition: Competition
    situation: Situation
    history: tuple[SentSubmission, ...]
    listed: tuple[Submission, ...]
    """All of the user's submissions at the server, newest first, whoever sent them."""


class Governor:
    """One account's submissions to one competition. Use it from the thread that opened the book."""

    def __init__(
        self,
        book: AccountBook,
        client: KaggleClient,
        slug: str,
        *,
        clock: Clock,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._book = book
        self._rows = SubmissionBook(book, slug)
        self._client = client
        self._slug = slug
        self._clock = clock
        self._patience = patience or Patience()
        self._sleep = sleep

    async def look(self) -> AccountStanding:
        """Read limits, deadline and submissions live, and write new scores into the book. Sends nothing."""
        competition = await self._client.competition(self._slug)
        limits = await self._client.submission_limits(self._slug)
        listed = await self._client.submissions(self._slug)
        now = self._clock.now() + timedelta(seconds=await self._client.clock_offset())
        history = self._rows.merge(listed, self._clock.now())
        open_questions = sum(row.state == "intended" for row in history)
        situation = _situation(competition, limits, now, open_questions)
        return AccountStanding(competition, situation, tuple(history), tuple(listed))

    async def consider(self, candidates: Sequence[Candidate]) -> tuple[AccountStanding, list[Verdict]]:
        """How things stand and what is thought of each candidate, best first. Sends nothing.

        A submission whose fate is open is asked about first, which may take a while.
        """
        if any(row.state == "intended" for row in self._rows.rows()):
            async with self._alone():
                await self._settle_all()
        standing = await self.look()
        candidates = [_taken_there(one, standing.situation) for one in candidates]
        return standing, judge(candidates, standing.history, standing.situation)

    async def send(
        self, candidate: Candidate, *, by_person: bool = False, message: str = ""
    ) -> SentSubmission:
        """Submit this candidate, after looking again; returns its row, state `sent` or later.

        Without a person's word it goes only where the policy says `send`; with it, where it is possible at
        all. Raises SubmissionRefused where it is not (nothing was sent then), and KaggleError where the
        answer did not come and the list could not be read either (`maybe_done`; the next look settles it).
        """
        async with self._alone():
            await self._settle_all()
            standing = await self.look()
            candidate = _taken_there(candidate, standing.situation)
            (verdict,) = judge([candidate], standing.history, standing.situation)
            if verdict.level == "refuse" or (verdict.level == "hold" and not by_person):
                raise SubmissionRefused(
                    f"{candidate.evaluation} is not submitted to {self._slug}: {verdict.reason}",
                    hint=_advice(verdict, standing.situation),
                )
            reason = f"a person's word; {verdict.reason}" if by_person else verdict.reason
            text = description(candidate, message)
            row = self._rows.intend(candidate, reason, text, self._clock.now())
            return await self._submit(candidate, row)

    async def follow_up(self, seconds: float = 0.0) -> list[SentSubmission]:
        """Ask for scores until all are there, for so many seconds at most; returns what is known then.

        A server that does not answer is asked again, and left alone when the time is up: what was sent is
        in the book, and the next look brings its score.
        """
        waited, pause = 0.0, min(1.0, self._patience.poll)
        while True:
            rows = self._rows.rows()
            pending = [row.ref for row in rows if row.state == "sent" and row.ref is not None]
            try:
                said = [await self._client.submission(ref) for ref in pending]
            except KaggleError:
                said = []
            rows = self._rows.merge(said, self._clock.now()) if said else rows
            if waited >= seconds or not any(row.state == "sent" for row in rows):
                return rows
            await self._sleep(pause)
            waited, pause = waited + pause, min(pause * 1.5, max(self._patience.poll, 1.0))

    async def _submit(self, candidate: Candidate, row: SentSubmission) -> SentSubmission:
        """The call itself. Being cancelled waits for it: the thread that sends cannot be called back."""
        call = asyncio.ensure_future(self._call(candidate, row.message))
        try:
            ref = await asyncio.shield(call)
        except asyncio.CancelledError:
            (answer,) = await asyncio.gather(call, return_exceptions=True)
            if isinstance(answer, int):
                self._rows.confirm(row, answer)
            raise
        except KaggleError as error:
            if not error.maybe_done:
                self._rows.abandon(row, error.message, self._clock.now())
                raise SubmissionRefused(
                    f"{candidate.evaluation} was not taken: {error.message}",
                    hint=error.hint,
                    status=error.status,
                ) from error
            return await self._after_silence(self._rows.unanswered(row, error.message, self._clock.now()))
        return self._rows.confirm(row, ref)

    async def _call(self, candidate: Candidate, text: str) -> int:
        kernel = candidate.kernel
        if kernel is None:
            return await self._client.submit(self._slug, candidate.upload or candidate.path, text)
        return await self._client.submit_kernel(
            self._slug, kernel.ref, kernel.version, kernel.file_name, text
        )

    async def _after_silence(self, row: SentSubmission) -> SentSubmission:
        """What became of a submission whose answer did not come."""
        settled = await self._settle(row)
        if settled.state == "unsent":
            raise SubmissionRefused(
                f"{row.evaluation} did not reach {self._slug}: {row.error}",
                hint="nothing was submitted, and no submission used; the same command may work later",
            )
        return settled

    async def _settle_all(self) -> None:
        """Find out about every submission whose fate is open; under the lock, so nobody is sending them."""
        for row in self._rows.rows():
            if row.state == "intended":
                await self._settle(row)

    async def _settle(self, row: SentSubmission) -> SentSubmission:
        """Look for the mark in the server's list until it is there, or cannot come any more."""
        since = (self._clock.now() - parse_moment(row.tried_at or row.created_at)).total_seconds()
        # The whole time where our clock has been put back since.
        until = self._clock.monotonic() + self._patience.settle - max(0.0, since)
        away = 0.0
        while True:
            is_last, asked = self._clock.monotonic() >= until, self._clock.now()
            try:
                listed = await self._client.submissions(self._slug)
            except KaggleError as error:
                if away >= self._patience.away:
                    raise KaggleError(
                        f"it is not known whether {row.evaluation} was submitted: {error.message}",
                        hint=f"comind-tui submissions {self._slug} finds out once Kaggle answers again; "
                        "until then nothing else is sent",
                        maybe_done=True,
                    ) from error
            else:
                away = 0.0
                found = next((one for one in self._rows.merge(listed, asked) if one.token == row.token), row)
                if found.state != "intended":
                    return found
                if is_last:
                    return self._rows.abandon(row, row.error or "the process ended before it was sent", asked)
            await self._sleep(self._patience.poll)
            away += self._patience.poll

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold the account's lock for submissions; waiting for it does not block the event loop."""
        lock = self._book.exclusively("submit", wait=_LOCK_SECONDS)
        await asyncio.to_thread(lock.__enter__)
        try:
            yield
        finally:
            lock.__exit__(None, None, None)


def _situation(
    competition: Competition, limits: SubmissionLimits, now: datetime, open_questions: int
) -> Situation:
    closed = ""
    if competition.submissions_disabled:
        closed = f"{competition.slug} takes no submissions any more"
    return Situation(
        now=now,
        deadline=competition.deadline,
        daily=competition.max_daily_submissions,
        used_today=limits.today,
        used_total=limits.total,
        allowed_now=max(0, limits.allowed_now - open_questions),
        limited_by_total=limits.limited_by_total,
        kernels_only=competition.kernels_only,
        closed=closed,
        url=competition.url,
    )


def _taken_there(candidate: Candidate, now: Situation) -> Candidate:
    """As this competition takes it: a kernel's version only where files are not taken."""
    return candidate if now.kernels_only else replace(candidate, kernel=None)


def _advice(verdict: Verdict, now: Situation) -> str:
    if verdict.level == "hold":
        return "a person may send it all the same: comind-tui submit RUN"
    if now.allowed_now <= 0 and not now.closed:
        return "limits are the team's: a team-mate's submissions count too"
    return "nothing was sent"
