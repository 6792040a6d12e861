"""The community of one run: an immutable snapshot from upstream plus what the run itself publishes.

Kaggle's words only (kernels, discussions, datasets and who uses what); where they come from is the client's
business. What is published here is seen by this run alone.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from comind.clock import Clock, parse_stamp, stamp
from comind.records import Agent, Dataset, Discussion, Evaluation, Kernel, Link
from comind.runs import RunFolder
from comind.store import Store
from kaggle_runner.client import KaggleClient
from kaggle_runner.errors import ComindError, KaggleError
from kaggle_runner.safe_files import safe_copy

A = TypeVar("A", Kernel, Discussion)

PUBLISHED_FILE_BYTES = 200_000_000
PUBLISHED_BYTES = 500_000_000
_PUBLISHED_FILES = 50
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_PUBLISHED_SUFFIXES = (".csv", ".json", ".npy", ".parquet", ".txt", ".pt", ".joblib")
_RECENCY_DAYS = 90.0


async def take_snapshot(
    kaggle: KaggleClient,
    slug: str,
    store: Store,
    *,
    higher_is_better: bool,
    top_kernels: int,
    top_discussions: int,
) -> None:
    """Top kernels by votes **and** by public score, top discussions, and the links among them.

    Already stored artifacts are left alone, so a resumed run keeps the snapshot that it began with. One
    artifact that cannot be fetched is skipped with an event.
    """
    if store.count(Kernel, "origin = 'upstream'") or store.count(Discussion):
        return
    by_votes = await kaggle.kernels(slug, sort="votes", limit=top_kernels)
    by_score = await kaggle.kernels(slug, sort="score", limit=top_kernels, higher_is_better=higher_is_better)
    scores = await kaggle.extension_kernel_scores(slug)
    infos = {info.ref: info for pair in (by_votes, by_score) for info in pair}
    records: list[Kernel | Link | Discussion] = []
    for ref, info in infos.items():
        try:
            source = await kaggle.kernel_source(ref)
        except KaggleError as error:
            store.event("skipped", f"Kernel {ref} was not fetched: {error.message}")
            continue
        kernel = Kernel(
            id=ref,
            title=info.title,
            author=info.author,
            source=source.text,
            votes=info.votes,
            public_score=scores.get(ref),
            created_at=_stamp(info.last_run_at),
            datasets=list(source.datasets),
        )
        records.append(kernel)
        targets = [*source.datasets, *source.kernels]
        records += [Link(id=f"{ref} uses {target}", source=ref, target=target) for target in targets]
    records += await _discussions(kaggle, slug, top_discussions)
    store.save(*records)


async def _discussions(kaggle: KaggleClient, slug: str, limit: int) -> list[Discussion]:
    found: list[Discussion] = []
    for topic in (await kaggle.topics(slug, limit=limit))[:limit]:
        messages = await kaggle.topic_messages(slug, topic.id)
        parts = [message.text for message in messages[:1]]
        parts += [f"> {reply.author}: {reply.text}" for reply in messages[1:]]
        found.append(
            Discussion(
                id=f"topic-{topic.id}",
                title=topic.title,
                author=topic.author,
                body="\n\n".join(parts),
                votes=topic.votes,
                created_at=_stamp(topic.posted_at),
            )
        )
    return found


def sample_kernels(
    kernels: Sequence[Kernel], count: int, rng: random.Random, *, higher: bool
) -> list[Kernel]:
    """K' of the paper: half drawn by votes and half by score, without replacement.

    Weights fall with rank in the list, with age and with how often an artifact was already used.
    """
    by_votes = sorted(kernels, key=lambda kernel: (-kernel.votes, kernel.id))
    by_score = sorted(kernels, key=lambda kernel: (_score_rank(kernel, higher), kernel.id))
    newest = max((kernel.created_at for kernel in kernels), default="")
    chosen: list[Kernel] = []
    for place in range(min(count, len(kernels))):
        ranked = (by_score, by_votes)[place % 2]
        left = [kernel for kernel in ranked if kernel not in chosen]
        weights = [_weight(rank, kernel, newest) for rank, kernel in enumerate(left)]
        chosen += rng.choices(left, weights)
    return chosen


def sample_discussions(discussions: Sequence[Discussion], count: int, rng: random.Random) -> list[Discussion]:
    """D' of the paper: by votes, age and earlier use, without replacement."""
    left = sorted(discussions, key=lambda one: (-one.votes, one.id))
    newest = max((one.created_at for one in discussions), default="")
    chosen: list[Discussion] = []
    while left and len(chosen) < count:
        weights = [_weight(rank, one, newest) for rank, one in enumerate(left)]
        chosen += rng.choices(left, weights)
        left.remove(chosen[-1])
    return chosen


async def publish(
    store: Store,
    folder: RunFolder,
    agent: Agent,
    evaluation: Evaluation,
    *,
    source: str,
    used: Sequence[str],
    clock: Clock,
) -> tuple[Kernel, Dataset]:
    """Give an agent's best work back: its notebook as a kernel, its outputs as a dataset, and what it used.

    Predictions come from the graded copies, other outputs from the workspace by safe copy, within bounds.
    """
    target = folder.dataset(agent.id)
    for told in await asyncio.to_thread(_copy_outputs, folder, agent.id, evaluation, target):
        store.event("skipped", told, agent=agent.id)
    slug = agent.id
    selection = evaluation.score("selection")
    kernel = Kernel(
        id=f"comind/{slug}",
        title=agent.title,
        author=agent.id,
        source=source,
        local_score=selection.value if selection else None,
        created_at=stamp(clock()),
        origin="run",
        round=agent.round,
        datasets=[f"comind/{name}" for name in used],
    )
    dataset = Dataset(
        id=f"comind/{slug}",
        title=f"Outputs of {agent.id}: {agent.title}",
        path=folder.relative(target),
        round=agent.round,
        files=sorted(path.name for path in target.iterdir()),
    )
    links = [
        Link(id=f"{kernel.id} publishes {dataset.id}", source=kernel.id, target=dataset.id, kind="publishes")
    ]
    links += [
        Link(id=f"{kernel.id} uses comind/{name}", source=kernel.id, target=f"comind/{name}") for name in used
    ]
    store.save(kernel, dataset, *links)
    return kernel, dataset


def _copy_outputs(folder: RunFolder, agent: str, evaluation: Evaluation, target: Path) -> list[str]:
    """Fill the dataset's folder; returns a sentence for each file that was left out."""
    target.mkdir(parents=True, exist_ok=True)
    for graded in (evaluation.submission, evaluation.validation_submission):
        if graded:
            shutil.copyfile(folder.path / graded, target / Path(graded).name)
    left_out: list[str] = []
    room = PUBLISHED_BYTES
    workspace = folder.workspace(agent)
    for name in _output_names(workspace):
        if (target / name).exists():
            continue
        try:
            room -= safe_copy(workspace, name, target / name, min(room, PUBLISHED_FILE_BYTES))
        except (ComindError, OSError) as error:
            left_out.append(f"{name} was not published: {error}")
    return left_out


def _output_names(workspace: Path) -> list[str]:
    """Data files with plain names: a name is shown in prompts, so it must not hold lines or quotes."""
    try:
        names = sorted(path.name for path in workspace.iterdir())
    except OSError:
        return []  # an agent may take its own folder's permissions away
    plain = [name for name in names if _PLAIN_NAME.fullmatch(name) and name.endswith(_PUBLISHED_SUFFIXES)]
    return plain[:_PUBLISHED_FILES]


def _weight(rank: int, artifact: A, newest: str) -> float:
    age = 0.0
    if artifact.created_at and newest:
        age = (parse_stamp(newest) - parse_stamp(artifact.created_at)).total_seconds() / 86400
    halvings = artifact.times_sampled + age / _RECENCY_DAYS
    return math.exp(-0.35 * rank - math.log(2) * halvings) + 1e-9


def _score_rank(kernel: Kernel, higher: bool) -> float:
    """Upstream's public scores order upstream's kernels; this run's own come first, by round."""
    if kernel.origin == "run":
        return -1e12 - kernel.round
    if kernel.public_score is None:
        return 1e12
    return -kernel.public_score if higher else kernel.public_score


def _stamp(moment: datetime | None) -> str:
    return stamp(moment) if moment else ""
