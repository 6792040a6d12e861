"""What a run publishes for its own later rounds: kernels, their outputs as datasets, and who uses what.

What is published here is seen by this run alone. What comes from upstream is `comind.community.snapshot`;
what a round reads of both is `comind.community.sample`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from comind.analysis.graph import is_blend, use_links
from comind.state.records import Agent, Dataset, Evaluation, Kernel, Link
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import ComindError
from kaggle_runner.files import safe_copy
from kaggle_runner.moments import Clock, stamp

PUBLISHED_FILE_BYTES = 200_000_000
PUBLISHED_BYTES = 500_000_000
_PUBLISHED_FILES = 50
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")
_PUBLISHED_SUFFIXES = (
    ".csv", ".json", ".npy", ".npz", ".parquet", ".txt", ".pt", ".pth", ".safetensors", ".joblib"
)  # fmt: skip
"""Tables, notes, predictions and checkpoints."""


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
    outputs: Path | None = None,
) -> tuple[Kernel, Dataset]:
    """Give an agent's best work back: its notebook as a kernel, its outputs as a dataset, and what it used.

    Predictions come from the graded copies, other outputs from the workspace by safe copy, within bounds.
    `outputs` is where they lie when that is not the workspace. `parent` is the kernel it started from; a
    solution that mostly reads others' outputs is linked as a blend.
    """
    dataset = await publish_outputs(store, folder, agent, evaluation, title=agent.title, outputs=outputs)
    slug = agent.id
    known = {one.id.rpartition("/")[2]: one.id for one in store.all(Dataset, "origin = 'upstream'")}
    read = [known.get(name, f"comind/{name}") for name in used]
    selection = evaluation.score("selection")
    kernel = Kernel(
        id=f"comind/{slug}",
        title=agent.title,
        author=agent.id,
        source=source,
        local_score=selection.value if selection else None,
        created_at=stamp(clock.now()),
        origin="run",
        round=agent.round,
        datasets=read,
    )
    links = [
        Link(id=f"{kernel.id} publishes {dataset.id}", source=kernel.id, target=dataset.id, kind="publishes")
    ]
    blends = is_blend(source, competition, used)
    links += use_links(kernel, read, blends=blends)
    if parent and parent != kernel.id:
        links.append(Link(id=f"{kernel.id} forks {parent}", source=kernel.id, target=parent, kind="forks"))
    store.save(kernel, *links)
    return kernel, dataset


async def publish_outputs(
    store: Store, folder: RunFolder, agent: Agent, evaluation: Evaluation, *, title: str,
    outputs: Path | None = None,
) -> Dataset:  # fmt: skip
    """An agent's graded predictions and other outputs as a dataset that later agents may mount."""
    target = folder.dataset(agent.id)
    workspace = outputs or folder.workspace(agent.id)
    for told in await asyncio.to_thread(_copy_outputs, folder, workspace, evaluation, target):
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


def _copy_outputs(folder: RunFolder, workspace: Path, evaluation: Evaluation, target: Path) -> list[str]:
    """Fill the dataset's folder; returns a sentence for each file that was left out."""
    target.mkdir(parents=True, exist_ok=True)
    for graded in (evaluation.submission, evaluation.validation_submission):
        if graded:
            shutil.copyfile(folder.path / graded, target / Path(graded).name)
    left_out: list[str] = []
    room = PUBLISHED_BYTES
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
