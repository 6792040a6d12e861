"""One queue over everything that runs notebooks: this machine's CPU and GPUs, Kaggle's CPU and GPU sessions.

Places are granted in order, across all processes of the state folder, and only for work that can end within
the week's quota and before the run's deadline. What is done in a place is the caller's business (for Kaggle's
see `kaggle_runner.jobs.runner`); nothing is pushed here.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from kaggle_runner.errors import KaggleError, KernelRefused, LimitReached
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.looks import KernelClient, find_again
from kaggle_runner.jobs.tickets import Ticket, TicketBook
from kaggle_runner.kaggle.records import WITHOUT_ACCELERATOR, AcceleratorQuota
from kaggle_runner.moments import Sleep

Place = Literal["local-cpu", "local-gpu", "kaggle-cpu", "kaggle-gpu"]
PLACES: tuple[Place, ...] = get_args(Place)
KAGGLE_LIMITS: dict[Place, int] = {"kaggle-cpu": 5, "kaggle-gpu": 2}
"""Kaggle's sessions at once for one account."""

_POLL_SECONDS = 2.0
_QUOTA_SECONDS = 60.0
_VERIFY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Needs:
    """What a piece of work asks for; `seconds` is the longest it may take."""

    gpu: bool
    seconds: float
    tpu: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """A granted place; `number` tells the slots of one place apart, so the local GPU of that index is its."""

    place: Place
    number: int
    waited: float


@dataclass(frozen=True, slots=True)
class _Free:
    """What stands against a ticket at a place now."""

    why: str = ""
    blocked: bool = False
    """It is the ticket's own size that stands against it."""


class SessionQueue:
    """`async with queue.place(Needs(gpu=True, seconds=3600), slug=…) as slot: …`"""

    def __init__(
        self,
        attempts: AttemptBook,
        client: KernelClient | None,
        *,
        limits: Mapping[Place, int] = KAGGLE_LIMITS,
        run: str = "",
        poll_seconds: float = _POLL_SECONDS,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        """`limits`: slots by place, none where a place is not named. Without a client: this machine only."""
        self.attempts, self.client, self.limits, self.run = attempts, client, dict(limits), run
        self.tickets = TicketBook(attempts.book, attempts.clock)
        self._poll, self._sleep, self._now = poll_seconds, sleep, attempts.clock.monotonic
        self._quota: dict[bool, AcceleratorQuota] = {}
        self._refresh_at = ""
        self._asked_at = self._verified_at = float("-inf")

    @contextlib.asynccontextmanager
    async def place(
        self,
        needs: Needs,
        *,
        deadline_seconds: float | None = None,
        prefer: Sequence[Place] = (),
        priority: int = 0,
        slug: str = "",
        watch: Callable[[str], None] = lambda reason: None,
    ) -> AsyncIterator[Slot]:
        """Wait for a place and hold it. The highest priority first, then whoever came first.

        `prefer`: the only places to take, in this order; empty takes all that fit, this machine's first.
        `slug`: the Kaggle kernel that it is for; one that runs already has its place. `watch` is told why one
        waits, when that changes. Raises LimitReached when the work cannot end before the deadline, in
        `deadline_seconds` from now, or not within the week's quota, whose return it tells; KernelRefused
        where no week has any.
        """
        places = self._fitting(needs, prefer)
        self._check_deadline(needs, deadline_seconds)
        began = self._now()
        ticket = self.tickets.draw(places, priority=priority, seconds=needs.seconds, slug=slug, run=self.run)
        try:
            told = ""
            while True:
                granted = await self._try(ticket, needs, places, slug)
                if isinstance(granted, Slot):
                    break
                if granted.why != told:
                    told = granted.why
                    watch(told)
                await self._sleep(self._poll)
                if deadline_seconds is not None:
                    self._check_deadline(needs, deadline_seconds - (self._now() - began), told)
            yield Slot(granted.place, granted.number, self._now() - began)
        finally:
            self.tickets.give_back(ticket)

    # -- deciding ------------------------------------------------------------------------------------------

    def _fitting(self, needs: Needs, prefer: Sequence[Place]) -> list[Place]:
        kind = "gpu" if needs.gpu or needs.tpu else "cpu"
        fitting: list[Place] = [p for p in prefer or PLACES if prefer or p.endswith(kind)]
        fitting = [
            p
            for p in fitting
            if self.limits.get(p, 0) > 0 and (self.client is not None or p.startswith("local"))
        ]
        if not fitting:
            raise LimitReached(
                f"There is no place for work that needs a {kind.upper()}.",
                hint="Give one: a GPU in this machine, or sessions at Kaggle (kaggle_gpu_sessions).",
            )
        return fitting

    def _check_deadline(self, needs: Needs, left: float | None, waited_for: str = "") -> None:
        if left is not None and needs.seconds > left:
            waiting = f" It waited: {waited_for}." if waited_for else ""
            raise LimitReached(
                f"The work may take {needs.seconds:.0f} s, and {max(0.0, left):.0f} s are left.{waiting}",
                hint="Give it a shorter time-out, or the run more time.",
            )

    async def _try(self, ticket: int, needs: Needs, places: list[Place], slug: str) -> Slot | _Free:
        """One attempt; what stands against it when nothing was granted."""
        if any(place.startswith("kaggle") for place in places):
            await self._verify()
            places = await self._within_quota(needs, places)
        with self.tickets.deciding() as tickets:
            known = self.attempts.find(slug) if slug else None
            running = known is not None and known.unfinished and known.version > 0
            against = _Free("all places are taken")
            for place in places:
                against = _Free() if running else self._against(ticket, needs, place, tickets)
                if not against.why:
                    taken = {other.number for other in tickets if other.place == place}
                    number = next(n for n in range(len(taken) + 1) if n not in taken)
                    self.tickets.grant(ticket, place, number)
                    return Slot(place, number, 0.0)
            own = next((other for other in tickets if other.id == ticket), None)
            if own is not None:
                self.tickets.renew(own, blocked=against.blocked)
            return against

    def _against(self, ticket: int, needs: Needs, place: Place, tickets: list[Ticket]) -> _Free:
        if place == "kaggle-gpu" and (free := self._quota_left(needs, tickets)) < needs.seconds:
            return _Free(
                f"{needs.seconds / 3600:.1f} h of quota are needed, and running work may use all but"
                f" {max(0.0, free) / 3600:.1f} h",
                blocked=True,
            )
        taken = sum(other.place == place for other in tickets) + len(self._unattended(place, tickets))
        free_slots = self.limits[place] - taken
        if free_slots <= 0:
            return _Free(f"all {self.limits[place]} places of {place} are taken")
        before = itertools.takewhile(lambda other: other.id != ticket, tickets)
        ahead = sum(not t.place and not t.blocked and place in t.places for t in before)
        return _Free(f"{ahead} wait before it for {place}") if ahead >= free_slots else _Free()

    def _unattended(self, place: Place, tickets: list[Ticket]) -> list[str]:
        """Kernels of a Kaggle place that run although nobody holds a ticket for them: abandoned, or found
        again after a crash. They count until Kaggle says that they have ended."""
        attended = {other.slug for other in tickets if other.place}
        return [
            row.slug
            for row in self.attempts.unfinished()
            if place == ("kaggle-gpu" if row.accelerator else "kaggle-cpu") and row.slug not in attended
        ]

    # -- Kaggle's word -------------------------------------------------------------------------------------

    async def _verify(self) -> None:
        """Ask Kaggle, now and then, about kernels that the book believes to run and nobody waits for."""
        if self.client is None or self._now() - self._verified_at < _VERIFY_SECONDS:
            return
        held = {ticket.slug for ticket in self.tickets.held() if ticket.place}
        if any(row.slug not in held for row in self.attempts.unfinished()):
            self._verified_at = self._now()
            await find_again(self.client, self.attempts, but=held)

    async def _within_quota(self, needs: Needs, places: list[Place]) -> list[Place]:
        """`places`, without Kaggle's accelerators when the week cannot hold the work. Raises LimitReached
        when that leaves none."""
        if "kaggle-gpu" not in places or self.client is None:
            return places
        if self._now() - self._asked_at >= _QUOTA_SECONDS:
            self._asked_at = self._now()
            with contextlib.suppress(KaggleError):  # what was said before holds; a push would be refused
                quota = await self.client.quota()
                self._quota = {} if quota is None else {False: quota.gpu, True: quota.tpu}
                back = None if quota is None else quota.refresh_at
                self._refresh_at = f"{back:%Y-%m-%d %H:%M} UTC" if back else "the week's end"
        quota_of_kind = self._quota.get(needs.tpu)
        if quota_of_kind is None or needs.seconds <= quota_of_kind.allowed - quota_of_kind.used:
            return places
        if not quota_of_kind.allowed:
            kind = "TPU" if needs.tpu else "GPU"
            raise KernelRefused(
                f"There is no {kind} for kernels here: the week has no hours for it.",
                hint=WITHOUT_ACCELERATOR, no_machine=True,
            )  # fmt: skip
        others: list[Place] = [place for place in places if place != "kaggle-gpu"]
        if not others:
            needed, left = needs.seconds / 3600, max(0.0, quota_of_kind.allowed - quota_of_kind.used) / 3600
            raise LimitReached(
                f"The work may take {needed:.1f} h of accelerator; this week has {left:.1f} h left.",
                hint=f"The quota comes back at {self._refresh_at}. Or push with --accelerator none.",
            )
        return others

    def _quota_left(self, needs: Needs, tickets: list[Ticket]) -> float:
        """Seconds of the week that neither are used nor may be used by what runs or was granted."""
        quota = self._quota.get(needs.tpu)
        if quota is None:
            return float("inf")
        moment = self.attempts.clock.now()
        pushed = {row.slug: row for row in self.attempts.unfinished() if row.accelerator}
        ours = sum(
            max(0.0, row.reserved_seconds - max(0.0, (moment - row.started_at).total_seconds()))
            if row.started_at
            else row.reserved_seconds
            for row in pushed.values()
        )
        ours += sum(t.seconds for t in tickets if t.place == "kaggle-gpu" and t.slug not in pushed)
        return quota.allowed - quota.used - max(quota.reserved, ours)
