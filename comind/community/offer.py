"""Which public files agents may mount: those that cannot tell them the validation labels.

The validation rows come out of the competition's own training rows, so that anything made by people who had
those rows may know them: a table that holds them, an output that was joined with the target, a model that was
fitted to them. What can be looked through is looked through, against the labels; what cannot (archives,
weights) is offered only when it is older than the competition.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from comind.community.downloads import CommunityDownload
from comind.evaluator.evaluator import Evaluator
from comind.state.records import Dataset
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.files import link_or_copy
from kaggle_runner.moments import parse_moment

_LOOKED_THROUGH = frozenset({".csv", ".tsv", ".json", ".jsonl", ".txt", ".md", ".yaml", ".yml", ".xml"})
_SHOWN_BYTES = 64_000_000
"""Larger texts and tables are not looked through whole."""
_LONGEST_NAME = 200
_MEDIA = frozenset({".png", ".jpg", ".jpeg", ".webp", ".wav", ".flac", ".mp3", ".ogg"})
"""They can tell labels by their folders' names only, which is looked at."""


async def offer_downloads(
    downloads: Sequence[CommunityDownload],
    folder: RunFolder,
    store: Store,
    evaluator: Evaluator,
    *,
    began: datetime | None,
) -> None:
    """Put what may be used into the run's folder, as datasets of upstream; `began`: the competition's start.

    What is left out is told in an event, with the reason. A resumed run does it once.
    """
    there = {dataset.id for dataset in store.all(Dataset)}
    for download in downloads:
        if download.ref in there:
            continue
        target = folder.offered(download.ref.replace("/", "~")) / download.ref.rpartition("/")[2]
        files, told = await asyncio.to_thread(_offer, download, target, evaluator, began)
        for sentence in told:
            store.event("not_offered", f"{download.ref}: {sentence}")
        if not files:
            continue
        store.save(
            Dataset(
                id=download.ref,
                title=download.title,
                path=folder.relative(target),
                origin="upstream",
                files=files,
                license=download.license,
                url=download.url,
            )
        )
        store.event("offered", f"{download.ref} can be mounted ({len(files)} files, {download.license})")


def _offer(
    download: CommunityDownload, target: Path, evaluator: Evaluator, began: datetime | None
) -> tuple[list[str], list[str]]:
    """Link the files that pass to `target`; their names, and a sentence for what does not pass."""
    shutil.rmtree(target.parent, ignore_errors=True)  # of a run that ended in the middle of this
    older = download.kind == "dataset" and _is_older(download.updated_at, began)
    taken, unread = [], []
    for name in download.files:
        if not name.isprintable() or len(name) > _LONGEST_NAME:
            continue  # names stand in prompts
        source = Path(download.folder) / name
        if older or _can_be_read(source):
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(source, place)  # the run keeps it when the cache is read anew
            taken.append(name)
        else:
            unread.append(name)
    told = []
    if unread:
        told.append(
            f"{len(unread)} files are not offered, such as {unread[0]}: what is in them cannot be looked "
            "through, and they are younger than the competition"
        )
    leaks = evaluator.leaks_in(target.parent) if taken and not older else []
    if leaks:
        shutil.rmtree(target.parent, ignore_errors=True)
        return [], [*told, f"it is not offered: {'; '.join(leaks[:3])}"]
    return taken, told


def _is_older(updated_at: str, began: datetime | None) -> bool:
    return bool(updated_at) and began is not None and parse_moment(updated_at) < began


def _can_be_read(path: Path) -> bool:
    suffix = path.suffix.lower()
    return suffix in _MEDIA or (suffix in _LOOKED_THROUGH and path.stat().st_size <= _SHOWN_BYTES)
