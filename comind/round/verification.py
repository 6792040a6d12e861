"""Community kernels run as they are on our own split, for scores that can be compared.

Votes do not show what a kernel is worth, and public scores are of other rows. A kernel's run is recorded like
an agent's, in round 0: its cell, its evaluation, its place on the local leaderboard. What it predicts is a
dataset that agents may blend.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from comind.agents.scripter import AS_IT_IS, SUBMISSION, ScriptAtWork, prepare_view
from comind.agents.work import Assignment
from comind.agents.workshop import Workshop
from comind.community.publication import publish_outputs
from comind.state.records import Agent, Dataset, Draft, Evaluation, Kernel, Link
from kaggle_runner.errors import BadCompetition, ComindError

GOAL = "Run this kernel as it is."


class VerifiedRun(ScriptAtWork):
    """One kernel, one cell, no model."""

    async def _work(self) -> str:
        self._bench.update(step=1)
        cell, evaluation = await self._try(1, GOAL, self._draft.code)
        if evaluation is None and cell.status == "ok":
            return f"it left no {SUBMISSION} that can be read"
        if evaluation is None:
            return f"its script ended with {cell.status} {cell.error_name}".strip()
        return "" if evaluation.success else evaluation.message


async def verify_kernels(
    shop: Workshop, kernels: Sequence[Kernel], *, seconds: float, within: float = math.inf, at_once: int = 2
) -> list[Kernel]:
    """Run those kernels that were not run yet, in order, each at most `seconds`; the records say what came.

    None is begun more than `within` seconds from now; people are told of those left out, which a later round
    may run. A kernel that fails is marked so; only a stop of the run ends this early.
    """
    if not kernels:
        return []
    try:
        await prepare_view(shop)
    except BadCompetition as error:
        if not shop.store.count(Agent, "round = 0"):
            shop.store.event("skipped", f"No kernel was verified: {error.message}")
        return list(kernels)
    slots = asyncio.Semaphore(at_once)
    last_start = shop.control.seconds_used + within

    async def one(kernel: Kernel) -> Kernel:
        if kernel.verified:
            return kernel
        async with slots:
            late = shop.control.seconds_used > last_start
            return kernel if late else await _verify(shop, kernel, seconds)

    verified = list(await asyncio.gather(*(one(kernel) for kernel in kernels)))
    left_out = sum(not kernel.verified for kernel in verified)
    if left_out and not shop.control.stop_reason():
        told = f"Of the sampled kernels {left_out} cannot be run on our split in the time that is left"
        shop.store.event("not_verified", told)
    return verified


async def _verify(shop: Workshop, kernel: Kernel, seconds: float) -> Kernel:
    if shop.control.stop_reason():
        return kernel
    agent, draft = _records(shop, kernel)
    work = VerifiedRun(Assignment(shop, agent, draft, seconds, _read_by(shop, kernel)))
    try:
        agent = agent if agent.finished_at else await work.run()
    except ComindError as error:
        shop.store.save(replace(work.agent, status="failed", stop_reason=error.message))
        shop.store.event("skipped", f"{kernel.id} could not be run: {error.message}", agent=agent.id)
        return kernel
    if shop.control.stop_reason():
        return kernel  # it was cut off by the run's end: that says nothing about the kernel
    evaluation = shop.store.get(Evaluation, agent.best_evaluation)
    score = evaluation.score("feedback") if evaluation else None
    verified = replace(
        kernel,
        verified="ok" if score else "failed",
        verified_by=agent.id,
        local_score=score.value if score else None,
    )
    shop.store.save(verified)
    if evaluation is not None and score is not None:
        await publish_outputs(shop.store, shop.folder, agent, evaluation, title=kernel.title)
    told = f"feedback score {score}" if score else f"it does not run here: {agent.stop_reason}"
    shop.store.event("verified", f"{kernel.id}: {told}", agent=agent.id)
    return verified


def _read_by(shop: Workshop, kernel: Kernel) -> dict[str, Path]:
    """The public datasets and outputs that the kernel reads, as far as they are offered."""
    wanted = {link.target for link in shop.store.all(Link, "source = ?", (kernel.id,))}
    offered = [one for one in shop.store.all(Dataset, "origin = 'upstream'") if one.id in wanted]
    return {one.id.rpartition("/")[2]: shop.folder.path / one.path for one in offered}


def _records(shop: Workshop, kernel: Kernel) -> tuple[Agent, Draft]:
    """The kernel's run as an agent of round 0; found again by a resumed engine."""
    order = [one.id for one in shop.store.all(Kernel, "origin = 'upstream'", order="rowid")]
    index = order.index(kernel.id) + 1
    id = f"k{index:02d}"
    draft = Draft(id=id, round=0, title=kernel.title, description=f"The public kernel {kernel.id} as it is.",
                  code=kernel.source, parent=kernel.id)  # fmt: skip
    agent = shop.store.get(Agent, id) or Agent(
        id=id, round=0, index=index, style="script", title=f"{AS_IT_IS}{kernel.title}", max_steps=1
    )
    shop.store.save(agent, draft)
    return agent, draft


def most_promising(kernels: Sequence[Kernel], *, higher: bool) -> list[Kernel]:
    """By upstream's public score, best first, for where not all of them can be run; unscored ones last."""
    scored = [kernel for kernel in kernels if kernel.public_score is not None]
    scored.sort(key=lambda kernel: kernel.public_score or 0.0, reverse=higher)
    return [*scored, *(kernel for kernel in kernels if kernel.public_score is None)]


def verifying_seconds(seconds_left: float, cell_seconds: float) -> float:
    """What one kernel may take: a twentieth of the time left, between a minute and half an hour."""
    return min(cell_seconds, max(60.0, min(1800.0, seconds_left / 20)))
