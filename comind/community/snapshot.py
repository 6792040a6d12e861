"""The community upstream as a run sees it: an immutable snapshot, taken once, before the first round.

Kaggle's words only (kernels, discussions, datasets and who uses what); where they come from and how old they
are is `comind.community.cache`'s business. What the run itself publishes is `comind.community.publication`.
"""

from __future__ import annotations

import re
from datetime import datetime

from comind.analysis.graph import is_blend, similarity_links, use_links
from comind.community.cache import CommunityCache
from comind.community.downloads import CommunityDownload, Downloads
from comind.state.records import Discussion, Kernel, Link
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import KaggleError
from kaggle_runner.files import write_whole
from kaggle_runner.kaggle.records import KernelInfo
from kaggle_runner.moments import stamp
from kaggle_runner.rows import from_json, to_json
from kaggle_runner.texts import one_line

_LONGEST_TITLE = 200
_LICENSE = re.compile(
    r"^\W*(?:SPDX-License-Identifier:|licen[sc]ed? (?:under|:)|licen[sc]e:)\s*(.{2,60})$", re.I | re.M
)


async def take_snapshot(
    cache: CommunityCache, store: Store, *, higher_is_better: bool, top_kernels: int, top_discussions: int
) -> None:
    """Top kernels by votes **and** by public score, top discussions, and the links among them.

    Already stored artifacts are left alone, so a resumed run keeps the snapshot that it began with. One
    artifact that cannot be fetched is skipped with an event.
    """
    if store.count(Kernel, "origin = 'upstream'") or store.count(Discussion):
        return
    by_votes = await cache.kernels("votes", top_kernels)
    by_score = await cache.kernels("score", top_kernels, higher_is_better=higher_is_better)
    scores = await cache.kernel_scores()
    records: list[Kernel | Link | Discussion] = []
    for info in {info.ref: info for info in (*by_votes, *by_score)}.values():
        try:
            records += await _kernel(cache, info, scores)
        except KaggleError as error:
            store.event("skipped", f"Kernel {info.ref} was not fetched: {error.message}")
    records += similarity_links([record for record in records if isinstance(record, Kernel)])
    records += await _discussions(cache, store, top_discussions)
    store.save(*records)


async def keep_pages(cache: CommunityCache, folder: RunFolder) -> None:
    """Write the competition's pages beside the data: rules may change, and the report quotes them."""
    if not folder.pages.exists():
        folder.pages.parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder.pages, to_json(await cache.pages()))


async def fetch_downloads(
    cache: CommunityCache, folder: RunFolder, store: Store, *, most_bytes: int
) -> list[CommunityDownload]:
    """Outputs and datasets of the snapshot's kernels, once a run."""
    if folder.downloads.exists():
        return read_downloads(folder)
    kernels = store.all(Kernel, "origin = 'upstream'", order="rowid")
    fetcher = Downloads(cache, most_bytes, lambda told: store.event("community", told))
    found = await fetcher.fetch(kernels)
    folder.downloads.parent.mkdir(parents=True, exist_ok=True)
    write_whole(folder.downloads, to_json(found))
    return found


def read_downloads(folder: RunFolder) -> list[CommunityDownload]:
    return from_json(list[CommunityDownload], folder.downloads.read_bytes(), folder.downloads)


async def _kernel(cache: CommunityCache, info: KernelInfo, scores: dict[str, float]) -> list[Kernel | Link]:
    source = await cache.kernel_source(info)
    named = _LICENSE.search(source.text)
    kernel = Kernel(
        id=info.ref,
        title=short_title(info.title),
        author=info.author,
        source=source.text,
        votes=info.votes,
        public_score=scores.get(info.ref),
        created_at=_stamp(info.last_run_at),
        datasets=list(source.datasets),
        license=short_title(named[1]) if named else "",
    )
    targets = [*source.datasets, *source.kernels]
    blends = is_blend(source.text, cache.slug, [ref.rpartition("/")[2] for ref in source.kernels])
    return [kernel, *use_links(kernel, targets, blends=blends)]


async def _discussions(cache: CommunityCache, store: Store, limit: int) -> list[Discussion]:
    found: list[Discussion] = []
    for topic in (await cache.topics(limit))[:limit]:
        try:
            messages = await cache.topic_messages(topic)
        except KaggleError as error:
            store.event("skipped", f"Discussion {topic.id} was not fetched: {error.message}")
            continue
        parts = [message.text for message in messages[:1]]
        parts += [f"> {reply.author}: {reply.text}" for reply in messages[1:]]
        found.append(
            Discussion(
                id=f"topic-{topic.id}",
                title=short_title(topic.title),
                author=topic.author,
                body="\n\n".join(parts),
                votes=topic.votes,
                created_at=_stamp(topic.posted_at),
            )
        )
    return found


def short_title(title: str) -> str:
    """Titles stand in prompts outside of quoted blocks, so that they must not begin lines of their own."""
    return one_line(title)[:_LONGEST_TITLE]


def _stamp(moment: datetime | None) -> str:
    return stamp(moment) if moment else ""
