"""The split of a run: the ready one, one that the model wrote, and which of them passes the checks first."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Coroutine
from typing import NamedTuple

from comind.config import RunConfig
from comind.evaluator.evaluator import Evaluator
from comind.evaluator.profile import CompetitionProfile
from comind.evaluator.split import standard_split_source, validation_fraction
from comind.llm.client import CallKey
from comind.llm.faults import ContextOverflow
from comind.llm.formats import MalformedReply
from comind.llm.tokens import estimate_tokens
from comind.roles import evaluator as evaluator_role
from comind.roles.desk import Brief, Desk
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import EvaluatorRejected

ATTEMPTS = 3
_FILES_NAMED = 60
_USUAL_FRACTION = 0.2
"""Held out where nobody knows how many rows there are to learn from."""


async def split_and_check(
    evaluator: Evaluator,
    profile: CompetitionProfile,
    brief: Brief,
    store: Store,
    desk: Desk,
    config: RunConfig,
) -> None:
    """The evaluator's model writes the split; a version that fails its checks goes back with the reason.

    The standard split is what most models choose, so it is made and checked while the first one thinks. It is
    also what is used where the model's reply cannot be read, and tried last of all. Raises EvaluatorRejected
    when no version passed.
    """
    if not profile.has_ready_split:
        await _write_whole_split(evaluator, brief, store, desk, config)
        return
    fraction = config.validation_fraction or validation_fraction(profile.train_rows)
    reference = source = standard_split_source(profile.facts)
    standard: asyncio.Task[_Tried] | None = asyncio.create_task(_try_ahead(evaluator, reference, fraction))
    fault = ""
    try:
        for attempt in range(1, ATTEMPTS + 1):
            key = CallKey("evaluator", attempt, "split")
            asked = evaluator_role.write_split(
                desk, brief, key, reference=reference, fraction=fraction, seed=config.seed, fault=fault
            )
            source = await _read_or_standard(asked, reference, config, store)
            ahead = await standard if standard else None  # it writes where the model's own version goes
            standard = None
            usable = ahead if source == reference else None
            tried = usable or await _try_split(evaluator, source, fraction)
            fault = tried.fault
            if not fault:
                store.event("evaluator", f"The split and the metric passed {tried.checks} checks")
                return
            store.event("evaluator_rejected", f"Split version {attempt} was rejected: {fault}")
    finally:
        if standard:
            standard.cancel()
            await asyncio.gather(standard, return_exceptions=True)
    if source != reference:
        tried = await _try_split(evaluator, reference, fraction)
        if not tried.fault:
            store.event("evaluator", f"The split and the metric passed {tried.checks} checks")
            return
    raise EvaluatorRejected(
        f"No version of the split passed its checks in {ATTEMPTS} tries: {fault}",
        hint="Each version's fault is among the run's events. Unusual data may need Kaggle's ordinary shape; "
        "where a model wrote the split, another may do better: --role-model evaluator=MODEL."
        + (f" What is said of scores is about {config.metric_file}." if config.metric_file else ""),
    )


async def _read_or_standard(
    asked: Coroutine[None, None, str], reference: str, config: RunConfig, store: Store
) -> str:
    """The file that the model wrote; the standard one where a reply cannot hold a file or cannot be read."""
    if estimate_tokens(reference) > config.reply_tokens:
        asked.close()
        why = f"replies of {config.reply_tokens} tokens cannot hold the script that makes one"
    else:
        try:
            return await asked
        except (MalformedReply, ContextOverflow) as error:
            why = error.message
    store.event("skipped", f"The standard split is used: {why}")
    return reference


async def _write_whole_split(
    evaluator: Evaluator, brief: Brief, store: Store, desk: Desk, config: RunConfig
) -> None:
    """No ready split fits these files: what the model writes is all there is."""
    fraction, fault = config.validation_fraction or _USUAL_FRACTION, ""
    for attempt in range(1, ATTEMPTS + 1):
        key = CallKey("evaluator", attempt, "layout")
        source = await evaluator_role.write_split(
            desk, brief, key, fraction=fraction, seed=config.seed, fault=fault
        )
        tried = await _try_split(evaluator, source, fraction)
        if not tried.fault:
            store.event("evaluator", f"The written split and the metric passed {tried.checks} checks")
            return
        fault = tried.fault
        store.event("evaluator_rejected", f"Split version {attempt} was rejected: {fault}")
    raise EvaluatorRejected(
        f"No version of the split passed its checks in {ATTEMPTS} tries: {fault}",
        hint="Each version's fault is among the run's events. Another model may do better: "
        "--role-model evaluator=MODEL; or bring the files into the shape of train.csv and test.csv.",
    )


def written_layout(folder: RunFolder) -> str:
    """What a written split says of its files, and which there are: for agents, since no profile tells."""
    source = (folder.private / "split_dataset.py").read_text(encoding="utf-8")
    told = ast.get_docstring(ast.parse(source)) or ""
    names = sorted(
        path.relative_to(folder.public).as_posix() for path in folder.public.rglob("*") if path.is_file()
    )
    more = [f"and {len(names) - _FILES_NAMED} more"] if len(names) > _FILES_NAMED else []
    return "\n".join(["The competition folder as it was split:", told, *names[:_FILES_NAMED], *more])


class _Tried(NamedTuple):
    """Why a version of the split is rejected; empty when it was made and passed so many checks."""

    fault: str
    checks: int = 0


async def _try_split(evaluator: Evaluator, source: str, fraction: float) -> _Tried:
    try:
        await evaluator.split(source, fraction=fraction)
        return _Tried("", len(await evaluator.check()))
    except EvaluatorRejected as error:
        return _Tried(error.message)


async def _try_ahead(evaluator: Evaluator, source: str, fraction: float) -> _Tried:
    """The same, and the sample submission's grade, which the evaluator remembers."""
    tried = await _try_split(evaluator, source, fraction)
    if not tried.fault:
        await evaluator.baseline()
    return tried
