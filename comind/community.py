"""The community of one run: an immutable snapshot from upstream plus what the run itself publishes.

Kaggle's words only (kernels, discussions, datasets and who uses what); where they come from is the client's
business. What is published here is seen by this run alone. What a round reads of it is `comind.sampling`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from comind.clock import Clock, stamp
from comind.graph import is_blend, similarity_links
from comind.records import Agent, Dataset, Discussion, Evaluation, Kernel, Link
from comind.runs import RunFolder
from comind.store import Store
from kaggle_runner.client import KaggleClient
from kaggle_runner.errors import ComindError, KaggleError
from kaggle_runner.safe_files import safe_copy

PUBLISHED_FILE_BYTES = 200_000_000
PUBLISHED_BYTES = 500_000_000
_PUBLISHED_FILES = 50
_LONGEST_TITLE = 200
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_PUBLISHED_SUFFIXES = (
    ".csv", ".json", ".npy", ".npz", ".parquet", ".txt", ".pt", ".pth", ".safetensors", ".joblib"
)  # fmt: skip
"""Tables, notes, predictions and checkpoints."""


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
            title=_one_line(info.title),
            author=info.author,
            source=source.text,
            votes=info.votes,
            public_score=scores.get(ref),
            created_at=_stamp(info.last_run_at),
            datasets=list(source.datasets),
        )
        records.append(kernel)
        targets = [*source.datasets, *source.kernels]
        records += _needs(kernel, targets, blends=is_blend(source.text, slug, _slugs(source.kernels)))
    records += similarity_links([record for record in records if isinstance(record, Kernel)])
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
                title=_one_line(topic.title),
                author=topic.author,
                body="\n\n".join(parts),
                votes=topic.votes,
                created_at=_stamp(topic.posted_at),
            )
        )
    return found


async def publish(
    store: Store,
    folder: RunFolder,
    agent: Agent,
    evaluation: Evaluation,
    *,
    source: str,
    used: Sequence[str],
    clock: Clock,
    competition: str = "",
    parent: str = "",
) -> tuple[Kernel, Dataset]:
    """Give an agent's best work back: its notebook as a kernel, its outputs as a dataset, and what it used.

    Predictions come from the graded copies, other outputs from the workspace by safe copy, within bounds.
    `parent` is the kernel it started from; a solution that mostly reads others' outputs is linked as a blend.
    """
    dataset = await publish_outputs(store, folder, agent, evaluation, title=agent.title)
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
    links = [
        Link(id=f"{kernel.id} publishes {dataset.id}", source=kernel.id, target=dataset.id, kind="publishes")
    ]
    links += _needs(kernel, [f"comind/{name}" for name in used], blends=is_blend(source, competition, used))
    if parent and parent != kernel.id:
        links.append(Link(id=f"{kernel.id} forks {parent}", source=kernel.id, target=parent, kind="forks"))
    store.save(kernel, *links)
    return kernel, dataset


async def publish_outputs(
    store: Store, folder: RunFolder, agent: Agent, evaluation: Evaluation, *, title: str
) -> Dataset:
    """An agent's graded predictions and other outputs as a dataset that later agents may mount."""
    target = folder.dataset(agent.id)
    for told in await asyncio.to_thread(_copy_outputs, folder, agent.id, evaluation, target):
        store.event("skipped", told, agent=agent.id)
    dataset = Dataset(
        id=f"comind/{agent.id}",
        title=f"Outputs of {agent.id}: {title}",
        path=folder.relative(target),
        round=agent.round,
        files=sorted(path.name for path in target.iterdir()),
    )
    store.save(dataset)
    return dataset


def _needs(kernel: Kernel, targets: Sequence[str], *, blends: bool) -> list[Link]:
    """What a kernel reads, as edges: `blends` where it mostly combines what it reads."""
    kind: Literal["uses", "blends"] = "blends" if blends else "uses"
    return [
        Link(id=f"{kernel.id} {kind} {target}", source=kernel.id, target=target, kind=kind)
        for target in targets
    ]


def _slugs(refs: Sequence[str]) -> list[str]:
    return [ref.rpartition("/")[2] for ref in refs]


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


def _one_line(title: str) -> str:
    """Titles stand in prompts outside of quoted blocks, so that they must not begin lines of their own."""
    return " ".join(title.split())[:_LONGEST_TITLE]


def _stamp(moment: datetime | None) -> str:
    return stamp(moment) if moment else ""
