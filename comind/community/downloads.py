"""What public kernels left and what they read, fetched within bounds: their output files and their datasets.

It only fetches, into the community's cache; what agents may see of it is decided in `comind.community.offer`.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from comind.community.cache import CommunityCache, plain_name
from comind.state.records import Kernel
from kaggle_runner.errors import KaggleError, Unusable
from kaggle_runner.files import write_whole
from kaggle_runner.moments import stamp
from kaggle_runner.rows import from_json, to_json

OUTPUT_BYTES = 100_000_000
"""Of one kernel."""
_KERNEL_LICENSE = "Apache 2.0 (Kaggle's terms for public notebooks)"
_DATASET_SHARE = 0.5
"""Of the room, the most that one dataset may take."""
_MANIFEST = "download.json"


@dataclass(frozen=True, slots=True)
class CommunityDownload:
    """Files of one kernel or dataset in the cache. `ref` is owner/slug; `folder` holds the files."""

    kind: Literal["output", "dataset"]
    ref: str
    title: str
    license: str
    url: str
    version: int
    updated_at: str
    folder: str
    files: tuple[str, ...]


class Downloads:
    """Fetches into `cache`, at most `most_bytes` in all. What was fetched before is not fetched again."""

    def __init__(self, cache: CommunityCache, most_bytes: int, tell: Callable[[str], object]) -> None:
        assert cache.folder is not None, "downloads need a place on disk"
        self._folder = cache.folder
        self._cache = cache
        self._room = most_bytes
        self._most = most_bytes
        self._tell = tell

    async def fetch(self, kernels: Sequence[Kernel]) -> list[CommunityDownload]:
        """Outputs of these kernels and the datasets that they read, the most used first."""
        found: list[CommunityDownload] = []
        if self._most <= 0:
            return found
        for kernel in kernels:
            found += await self._tried(f"output of {kernel.id}", self._output(kernel))
        uses = Counter(ref for kernel in kernels for ref in kernel.datasets)
        for ref, _ in uses.most_common():
            found += await self._tried(f"dataset {ref}", self._dataset(ref))
        return found

    async def _tried(
        self, what: str, fetching: Awaitable[CommunityDownload | None]
    ) -> list[CommunityDownload]:
        try:
            made = await fetching
        except (KaggleError, OSError) as error:
            self._tell(f"The {what} was not fetched: {getattr(error, 'message', error)}")
            return []
        return [made] if made is not None else []

    async def _output(self, kernel: Kernel) -> CommunityDownload | None:
        client = self._cache.client
        facts = await client.kernel_facts(kernel.id)
        if facts is None:
            return None
        place = self._folder / "outputs" / plain_name(kernel.id) / f"v{facts.version}"
        kept = _kept(place)
        if kept is None:
            most = min(OUTPUT_BYTES, self._room)
            output = await client.kernel_output(
                kernel.id, facts.version, place / "files", wanted=_is_data, most_bytes=most
            )
            for name, why in output.left_out.items():
                self._tell(f"{name} of {kernel.id} was not fetched: {why}")
            if not output.saved:
                shutil.rmtree(place, ignore_errors=True)
                return None
            kept = CommunityDownload(
                kind="output",
                ref=kernel.id,
                title=f"Output of {kernel.title}",
                license=kernel.license or ("not stated" if client.is_loopback else _KERNEL_LICENSE),
                url="" if client.is_loopback else f"https://www.kaggle.com/code/{kernel.id}/output",
                version=facts.version,
                updated_at=kernel.created_at,
                folder=str(place / "files"),
                files=tuple(sorted(output.saved)),
            )
            _keep(place, kept)
        self._room -= _size(Path(kept.folder))
        return kept

    async def _dataset(self, ref: str) -> CommunityDownload | None:
        client = self._cache.client
        facts = await self._cache.dataset(ref)
        place = self._folder / "datasets" / plain_name(ref) / f"v{facts.version}"
        kept = _kept(place)
        if kept is None:
            most = int(min(self._room, self._most * _DATASET_SHARE))
            if facts.size > most:
                self._tell(
                    f"The dataset {ref} was not fetched: {facts.size / 1e6:.0f} MB are more than the"
                    f" {most / 1e6:.0f} MB that are left for it (community_limit)"
                )
                return None
            await client.download_dataset(ref, place / "files", most_bytes=most)
            names = sorted(
                path.relative_to(place / "files").as_posix()
                for path in (place / "files").rglob("*")
                if path.is_file()
            )
            kept = CommunityDownload(
                kind="dataset",
                ref=ref,
                title=facts.title or ref,
                license=facts.license or "not stated",
                url="" if client.is_loopback else f"https://www.kaggle.com/datasets/{ref}",
                version=facts.version,
                updated_at=stamp(facts.updated_at) if facts.updated_at else "",
                folder=str(place / "files"),
                files=tuple(names),
            )
            _keep(place, kept)
        self._room -= _size(Path(kept.folder))
        return kept


def _is_data(name: str) -> bool:
    """Tables and notes: what says something, and can be looked through for labels."""
    return name.lower().endswith((".csv", ".tsv", ".json", ".txt", ".md"))


def _kept(place: Path) -> CommunityDownload | None:
    try:
        noted = from_json(CommunityDownload, (place / _MANIFEST).read_bytes(), place / _MANIFEST)
    except (OSError, Unusable):
        return None
    download = replace(noted, folder=str(place / "files"))
    return download if all((place / "files" / name).is_file() for name in download.files) else None


def _keep(place: Path, download: CommunityDownload) -> None:
    """The note that says a download is whole; written last."""
    write_whole(place / _MANIFEST, to_json(download))
    for other in place.parent.iterdir():  # runs have links of their own to what they use of older versions
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
