"""One order for Kaggle: pushed once, waited for, and brought home, whatever happens on the way.

Every step is in the account book before it is taken, so an order that is run again after its engine died
finds its kernel instead of pushing another. Where a session is free is decided in `kaggle_runner.jobs.queue`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

from kaggle_runner.errors import KaggleError, KernelRefused
from kaggle_runner.inside_kaggle import CPU_SESSION_SECONDS
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.comind_data import NOT_MOUNTED
from kaggle_runner.jobs.comind_work import PROGRESS
from kaggle_runner.jobs.gathered import OURS, carried_from
from kaggle_runner.jobs.looks import KernelClient, noted
from kaggle_runner.jobs.orders import NO_KERNEL, Attempt, Order, Outcome
from kaggle_runner.jobs.states import NotebookState
from kaggle_runner.jobs.verdicts import substitute, told, verdict, words
from kaggle_runner.kaggle.records import KernelOutput, KernelStatus
from kaggle_runner.moments import Sleep

Answer = TypeVar("Answer")
Watch = Callable[[Attempt, str], None]
"""Is given the attempt with its state, and words: the log's end while it runs, why it waits for a session."""

_MOST_OUTPUT_BYTES = 2_000_000_000
_TAIL = 4000
_CAP_SLACK = 1800.0
_SESSIONS_FULL = re.compile(r"session (count|limit)|too many .*session", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks, and how long trouble is borne."""

    first: float = 5.0
    most: float = 60.0
    grace: float = 90.0
    """After a push Kaggle may not know the version yet, or tell the state of the one before."""
    patience: float = 1800.0
    """How long in one step the server may be away, or not know the kernel, before the order is given up."""


_LOOPBACK_PACE = Pace(first=0.2, most=2.0, grace=5.0, patience=300.0)


async def run_order(
    client: KernelClient,
    book: AttemptBook,
    order: Order,
    dest: Path,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    most_bytes: int = _MOST_OUTPUT_BYTES,
    deadline_seconds: float | None = None,
    watch: Watch = lambda attempt, words: None,
    pace: Pace | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Outcome:
    """Push the order unless that was done before, wait for its end, and save its wanted output under `dest`.

    `deadline_seconds`: when nobody waits any more; it is then abandoned. `watch` is called at each look.
    A cancelled call leaves the kernel running and in the book: call again to go on waiting, or have the book
    `abandon` it.
    Raises KernelRefused when Kaggle does not take the push, KaggleError when it is away beyond `pace`.
    """
    slug, now = order.push.slug, book.clock.monotonic
    runner = _Runner(
        client,
        book,
        order,
        watch,
        pace or (_LOOPBACK_PACE if client.is_loopback else Pace()),
        sleep,
        None if deadline_seconds is None else now() + deadline_seconds,
        now,
        Attempt(slug=slug, content=order.content, ref=slug, accelerator=order.push.accelerator),
    )
    return await runner.run(dest, wanted, most_bytes)


@dataclass
class _Runner:
    """One call of `run_order`."""

    client: KernelClient
    book: AttemptBook
    order: Order
    watch: Watch
    pace: Pace
    sleep: Sleep
    deadline: float | None
    now: Callable[[], float]
    attempt: Attempt
    notes: list[str] = field(default_factory=list)

    async def run(self, dest: Path, wanted: Callable[[str], bool], most_bytes: int) -> Outcome:
        await self.ensure_pushed()
        while True:
            status = await self.wait()
            if status == "abandoned":
                self.attempt = self.book.abandon(self.attempt.slug) or self.attempt
                return self.outcome(status, "The time to wait for it was over; Kaggle goes on with it.")
            if status == "lost":
                failure = "Kaggle does not know it any more: was it deleted?"
                self.attempt = self.book.change(
                    self.attempt, state=status, failure=failure, ended_at=self.book.clock.now()
                )
                return self.outcome(status, failure)
            self.tell("fetching")
            output = await self.harvest(dest, wanted, most_bytes)
            too_early = status.state == "error" and NOT_MOUNTED in words(output.log)
            if not (too_early and self.attempt.pushes < 2):
                return self.judged(status, output)
            self.notes.append("Its data was not mounted yet when it began, so it was pushed a second time.")
            for path in output.saved.values():  # the next harvest keeps files that have the right size
                path.unlink(missing_ok=True)
            await self.push()

    # -- pushing -------------------------------------------------------------------------------------------

    async def ensure_pushed(self) -> None:
        """Take up what an earlier call pushed; push only what was not."""
        known = self.book.find(self.order.push.slug)
        if (
            known is not None
            and known.content == self.order.content
            and known.state not in ("refused", "lost")
        ):
            self.attempt = known
            asked = known.requested_at or self.book.clock.now()
            since = (self.book.clock.now() - asked).total_seconds()
            if known.version or await self.was_taken(self.pace.grace - max(0.0, since)):
                self.notes.append("It had been pushed before, and was found again.")
                return
        await self.push()

    async def push(self) -> None:
        self.tell("pushing")
        ref = (
            self.attempt.ref
            if "/" in self.attempt.ref
            else f"{await self.patient(self.client.username)}/{self.order.push.slug}"
        )
        baseline = await self.patient(lambda: self.client.kernel_version(ref))
        self.attempt = self.book.write(self.intention(ref, NO_KERNEL if baseline is None else baseline))
        delay, given_up_at = self.pace.first, self.now() + self.pace.patience
        while True:
            try:
                pushed = await self.client.push_kernel(self.order.push)
            except KernelRefused as error:
                if not self.may_wait(error):
                    self.book.change(self.attempt, state="refused", failure=error.message)
                    raise await self.explained(error) from error
                given_up_at = self.now() + self.pace.patience
                self.tell("waiting", error.message)
            except KaggleError as error:
                if not _passes(error) or self.now() > given_up_at:
                    raise
                if error.maybe_done and await self.was_taken(self.pace.grace):
                    return
            else:
                if pushed.refused_sources:
                    self.notes.append(f"Kaggle left out these sources: {', '.join(pushed.refused_sources)}.")
                self.taken(pushed.ref, pushed.version, pushed.url)
                return
            try:
                await self.sleep(delay)
            except asyncio.CancelledError:  # between two tries: nothing of it is at Kaggle
                self.book.change(self.attempt, state="lost", failure="It was given up before it was pushed.")
                raise
            delay = min(1.5 * delay, self.pace.most)

    def intention(self, ref: str, baseline: int) -> Attempt:
        push = self.order.push
        return Attempt(
            slug=push.slug,
            content=self.order.content,
            ref=ref,
            baseline=baseline,
            pushes=self.attempt.pushes + 1,
            run=self.order.run,
            agent=self.order.agent,
            accelerator=push.accelerator,
            reserved_seconds=self.order.seconds,
            requested_at=self.book.clock.now(),
        )

    def taken(self, ref: str, version: int, url: str) -> None:
        if ref.rpartition("/")[2] != self.order.push.slug:
            self.notes.append(f"Kaggle named the kernel {ref} instead of {self.order.push.slug}.")
        self.attempt = self.book.change(
            self.attempt, ref=ref, version=version, url=url, state="queued", pushed_at=self.book.clock.now()
        )

    async def was_taken(self, seconds: float) -> bool:
        """Whether a push whose answer never came has made a version; it is then ours.

        Looks for `seconds`, since the server may still be busy with it: only then it may be sent again.
        """
        until = self.now() + seconds
        while True:
            version = await self.patient(lambda: self.client.kernel_version(self.attempt.ref))
            if version is not None and version > self.attempt.baseline:
                self.taken(self.attempt.ref, max(1, version), self.attempt.url)
                return True
            if self.now() >= until:
                return False
            await self.sleep(self.pace.first)

    def may_wait(self, error: KernelRefused) -> bool:
        """True for full sessions, which end; the week's quota does not come back while one waits."""
        return error.full and bool(_SESSIONS_FULL.search(error.message)) and not self.late()

    async def explained(self, error: KernelRefused) -> KernelRefused:
        """The refusal, with the moment at which the quota comes back."""
        if not error.full:
            return error
        try:
            quota = await self.client.quota()
        except KaggleError:
            quota = None
        if quota is None or quota.refresh_at is None:
            return error
        back = f"the quota comes back at {quota.refresh_at:%Y-%m-%d %H:%M} UTC"
        left = f"{quota.gpu.left / 3600:.1f} h of GPU are left"
        return KernelRefused(error.message, hint=f"{back}; {left}", status=error.status, full=True)

    # -- waiting -------------------------------------------------------------------------------------------

    async def wait(self) -> KernelStatus | Literal["abandoned", "lost"]:
        """The state in which the run ended. `abandoned`: the deadline came first; `lost`: it is gone."""
        pushed_at = heard_at = self.now()
        running_at: float | None = None
        delay = 0.0
        while True:
            if self.late():
                return "abandoned"
            await self.sleep(delay)
            delay = min(max(self.pace.first, 1.5 * delay), self.pace.most)
            try:
                status = await self.client.kernel_status(self.attempt.ref, self.attempt.version)
            except KaggleError as error:
                silent = self.now() - heard_at
                if error.status in (403, 404) and silent >= self.pace.patience:
                    return "lost"
                if error.status not in (403, 404) and not (_passes(error) and silent < self.pace.patience):
                    raise
                continue
            heard_at = self.now()
            fresh = self.attempt.started_at is None and heard_at - pushed_at < self.pace.grace
            if status.ended and fresh and self.attempt.version > 1 and running_at is None:
                continue  # it may be the state of the version before
            self.attempt = noted(self.book, self.attempt, status)
            if status.ended:
                return status
            if status.state == "running":
                running_at = running_at or heard_at
                if heard_at - running_at > min(self.order.seconds, CPU_SESSION_SECONDS) + _CAP_SLACK:
                    return KernelStatus("cancelled", "Kaggle told it as running long after its time-out.")
            self.tell("running" if status.state == "running" else "queued", await self.tail(status))

    async def tail(self, status: KernelStatus) -> str:
        """The log's end; empty where Kaggle does not tell it before the end."""
        if status.state != "running":
            return ""
        try:
            return words(await self.client.kernel_log(self.attempt.ref, self.attempt.version))[-_TAIL:]
        except KaggleError:
            return ""

    def late(self) -> bool:
        return self.deadline is not None and self.now() >= self.deadline

    # -- bringing home -------------------------------------------------------------------------------------

    async def harvest(self, dest: Path, wanted: Callable[[str], bool], most_bytes: int) -> KernelOutput:
        def is_wanted(name: str) -> bool:
            return name == PROGRESS or (not name.startswith(OURS) and wanted(name))

        try:
            return await self.patient(
                lambda: self.client.kernel_output(
                    self.attempt.ref, self.attempt.version, dest, wanted=is_wanted, most_bytes=most_bytes
                )
            )
        except KaggleError as error:
            if error.status not in (403, 404):
                raise
            self.notes.append(f"Kaggle gave no output of it: {error.message}")
            return KernelOutput((), {}, {}, ())

    def judged(self, status: KernelStatus, output: KernelOutput) -> Outcome:
        """What the end means: Kaggle's state, and what the notebook noted of itself."""
        progress = told(output)
        if progress is not None and self.order.mark and progress.mark != self.order.mark:
            self.notes.append("Its notes are those of another version, and are not used.")
            progress = None
        seconds = output.log[-1].time if output.log else self.attempt.charged_seconds
        state, failure = verdict(
            status,
            progress,
            output.log,
            ran=max(seconds, self.attempt.charged_seconds),
            allowed=min(self.order.seconds, CPU_SESSION_SECONDS),
        )
        if state in ("cancelled", "timed out") and not (progress and progress.finished):
            self.notes.append(
                "Kaggle cut the session: its log may lack the end, and nothing of it can be carried."
            )
        if other := substitute(self.order.push.accelerator, progress):
            self.notes.append(other)
        if progress is not None and progress.not_kept:
            self.notes.append(f"Its state was not kept: {progress.not_kept}")
        self.attempt = self.book.change(
            self.attempt,
            state=state,
            failure=failure,
            charged_seconds=max(seconds, self.attempt.charged_seconds),
        )
        carried = (
            carried_from(self.attempt.ref, progress) if progress and status.state == "complete" else None
        )
        return replace(
            self.outcome(state, failure),
            log=output.log,
            names=output.names,
            saved={name: path for name, path in output.saved.items() if name != PROGRESS},
            left_out=output.left_out,
            progress=progress,
            carried=carried,
            seconds=seconds,
        )

    # -- shared --------------------------------------------------------------------------------------------

    async def patient(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """A read that outlives a server that is away for a while."""
        delay, given_up_at = self.pace.first, self.now() + self.pace.patience
        while True:
            try:
                return await call()
            except KaggleError as error:
                if not _passes(error) or self.now() > given_up_at:
                    raise
            await self.sleep(delay)
            delay = min(1.5 * delay, self.pace.most)

    def outcome(self, state: NotebookState, failure: str) -> Outcome:
        return Outcome(attempt=self.attempt, state=state, failure=failure, notes=tuple(self.notes))

    def tell(self, state: NotebookState, words: str = "") -> None:
        self.watch(replace(self.attempt, state=state), words)


def _passes(error: KaggleError) -> bool:
    """True for trouble that passes by itself: no answer, too many calls, the server's own faults."""
    return error.status in (0, 408, 429) or error.status >= 500
