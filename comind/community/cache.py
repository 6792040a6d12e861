"""A Kaggle's community as it was last read, kept on disk with its age and shared by a state folder's runs.

    state/community/<host>/<slug>/…     lists, sources, discussions: one JSON file an answer
                            outputs/    files of kernels; datasets/ of datasets (comind.community.downloads)

An answer is used again while it is younger than the limit, and when Kaggle cannot be reached. A source is
used again for as long as its kernel was not run anew. Nothing is sent from here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from kaggle_runner.errors import KaggleError, Unusable
from kaggle_runner.files import write_whole
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.community import KernelSort
from kaggle_runner.kaggle.records import DatasetFacts, KernelInfo, KernelSource, Topic, TopicMessage
from kaggle_runner.moments import Clock, duration
from kaggle_runner.rows import from_json, to_json

Answer = TypeVar("Answer")
_NEVER = timedelta.max
_CLOCK_TOLERANCE = timedelta(minutes=1)


class CommunityCache:
    """One competition's community at one Kaggle: the client's answers, from disk where they are young."""

    def __init__(
        self,
        client: KaggleClient,
        slug: str,
        state: Path | None,
        *,
        clock: Clock,
        hours: float,
        refresh: bool = False,
        tell: Callable[[str], object],
    ) -> None:
        """Without `state` nothing is kept. `refresh` reads lists and discussions anew whatever their age;
        `tell` is given what people should know."""
        self.client = client
        self.slug = slug
        self.folder: Path | None = None
        if state is not None:
            self.folder = (
                state / "community" / plain_name(urlsplit(client.base_url).netloc) / plain_name(slug)
            )
        self._clock = clock
        self._limit = timedelta(0) if refresh else timedelta(hours=hours)
        self._tell = tell

    async def kernels(
        self, sort: KernelSort, limit: int, *, higher_is_better: bool | None = None
    ) -> list[KernelInfo]:
        """Public kernels whose newest version is from before now, by the server's clock."""
        found: list[KernelInfo] = await self._kept(
            f"kernels-{sort}-{limit}-{higher_is_better}",
            list[KernelInfo],
            lambda: self.client.kernels(self.slug, sort, limit, higher_is_better=higher_is_better),
        )
        now = await self.server_now() + _CLOCK_TOLERANCE
        return [info for info in found if info.last_run_at is None or info.last_run_at <= now]

    async def kernel_source(self, info: KernelInfo) -> KernelSource:
        """The kernel's source at the version that was listed: read once for every run of the kernel."""
        version = f"{info.last_run_at:%Y%m%dT%H%M%S}" if info.last_run_at else "undated"
        return await self._kept(
            f"source-{info.ref}-{version}",
            KernelSource,
            lambda: self.client.kernel_source(info.ref),
            limit=_NEVER if info.last_run_at else None,
        )

    async def kernel_scores(self) -> dict[str, float]:
        return await self._kept(
            "kernel-scores", dict[str, float], lambda: self.client.extension_kernel_scores(self.slug)
        )

    async def topics(self, limit: int) -> list[Topic]:
        return await self._kept(
            f"topics-{limit}", list[Topic], lambda: self.client.topics(self.slug, limit=limit)
        )

    async def topic_messages(self, topic: Topic) -> list[TopicMessage]:
        return await self._kept(
            f"topic-{topic.id}-{topic.comments}",
            list[TopicMessage],
            lambda: self.client.topic_messages(self.slug, topic.id),
        )

    async def dataset(self, ref: str) -> DatasetFacts:
        return await self._kept(f"dataset-{ref}", DatasetFacts, lambda: self.client.dataset(ref))

    async def pages(self) -> dict[str, str]:
        """The competition's pages, the rules among them."""
        return await self._kept("pages", dict[str, str], lambda: self.client.pages(self.slug))

    async def server_now(self) -> datetime:
        try:
            offset = await self.client.clock_offset()
        except KaggleError:
            offset = 0.0  # away: what is kept was read when its clock was known
        return self._clock.now() + timedelta(seconds=offset)

    async def _kept(
        self, name: str, kind: Any, read: Callable[[], Awaitable[Answer]], *, limit: timedelta | None = None
    ) -> Answer:
        """The kept answer while it is young enough, else a new one; an old one where none can be had."""
        if self.folder is None:
            return await read()
        path = self.folder / f"{plain_name(name)}.json"
        kept: Answer | None
        kept, age = self._load(path, kind)
        if kept is not None and age < (self._limit if limit is None else limit):
            return kept
        try:
            fresh = await read()
        except KaggleError as error:
            if kept is None or error.status in (401, 403, 404):
                raise
            self._tell(f"{error.message}; what was read {duration(age.total_seconds())} ago is used ({name})")
            return kept
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, to_json((self._clock.now(), fresh)))
        return fresh

    def _load(self, path: Path, kind: Any) -> tuple[Any, timedelta]:
        """What is kept and how old it is (a moment to come counts as one gone by: our clock was put back).

        (None, …) for nothing, or for what another version wrote.
        """
        try:
            read_at, answer = from_json(tuple[datetime, kind], path.read_bytes(), path)
            return answer, abs(self._clock.now() - read_at)
        except (OSError, Unusable):
            return None, _NEVER


def plain_name(name: str) -> str:
    """A file's name for a reference; `/` becomes `~`."""
    return re.sub(r"[^\w.~-]", "_", name.replace("/", "~"))[:150]
