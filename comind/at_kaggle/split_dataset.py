"""The public split as a private dataset of the user's at Kaggle, uploaded once however many runs use it.

Only what agents may see anyway leaves this machine: the files of the run's `public` folder. The dataset's
name holds a digest of their content, so a resumed run, or another with the same split, finds it there.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from comind.community.transfers import transfer_events
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import BadCompetition, ConfigError, KaggleError
from kaggle_runner.files import sha256_of, write_whole
from kaggle_runner.kaggle.calls import Progress
from kaggle_runner.moments import Sleep
from kaggle_runner.rows import from_json, to_json

GIGABYTE = 10**9
_READY_SECONDS = 3600.0
"""Kaggle unpacks and indexes a dataset before kernels can read it; for 20 GB that may take a while."""
_POLL_SECONDS = (1.0, 20.0)
_SLUG = 50
"""Characters that Kaggle allows."""


class DatasetKeeper(Protocol):
    """The part of the Kaggle client that keeps datasets."""

    async def username(self) -> str: ...
    async def create_dataset(
        self, slug: str, title: str, folder: Path, *, license: str = ..., progress: Progress | None = None
    ) -> str: ...
    async def dataset_status(self, ref: str) -> str: ...


@dataclass(frozen=True, slots=True)
class SplitDataset:
    """Which dataset holds the run's public files."""

    slug: str
    """Its name at Kaggle; the owner is whoever runs."""
    bytes: int
    files: int
    name: str
    """The folder under /kaggle/input that notebooks read the split from; mostly the dataset's own."""


def describe_split(
    folder: RunFolder, competition: str, *, limit_gigabytes: float, root: Path | None = None, name: str = ""
) -> SplitDataset:
    """Measure the public files, and name the dataset by their content. Blocking: it reads every file once.

    `root` is another folder that is uploaded instead, and `name` the one that notebooks then read.

    Raises ConfigError where they are larger than the limit, before any is read, and BadCompetition where
    something in the folder is no plain file (a link could lead out of it).
    """
    if known := known_split(folder):
        return known
    kept = _kept(folder)
    root = root or folder.public
    paths = _plain_files(root)
    size = sum(path.stat().st_size for path in paths)
    if size > limit_gigabytes * GIGABYTE:
        raise ConfigError(
            f"The split is {size / GIGABYTE:,.2f} GB; kaggle_dataset_limit allows {limit_gigabytes:g} GB.",
            hint="Allow more with --kaggle-dataset-limit GB, or run on this machine without --kaggle-push. "
            "Nothing was uploaded.",
        )
    slug = dataset_slug(competition, _digest(root, paths))
    split = SplitDataset(slug, size, len(paths), name or slug)
    write_whole(kept, to_json(split))
    return split


def known_split(folder: RunFolder) -> SplitDataset | None:
    """The run's dataset as it was named before; None for a run whose notebooks run on this machine."""
    try:
        return from_json(SplitDataset, _kept(folder).read_bytes(), _kept(folder))
    except FileNotFoundError:
        return None


def _kept(folder: RunFolder) -> Path:
    return folder.path / "data" / "kaggle_dataset.json"


def dataset_slug(name: str, mark: str) -> str:
    """`comind-<name>-<mark>` in Kaggle's letters and length."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    room = _SLUG - len("comind--") - len(mark)
    return f"comind-{plain[:room].strip('-')}-{mark}"


def resource_name(run: str, name: str) -> str:
    """The dataset that `name`, published in a run, becomes at Kaggle; its folder under /kaggle/input."""
    return dataset_slug(f"{run_tail(run)}-{name}", run_mark(run))


def run_tail(run: str) -> str:
    """The date and time at the end of a run's id."""
    return "-".join(run.split("-")[-2:])


def run_mark(run: str) -> str:
    """Four letters that tell runs of one second apart."""
    return hashlib.sha256(run.encode()).hexdigest()[:4]


async def ensure_dataset(
    keeper: DatasetKeeper,
    slug: str,
    folder: Path,
    store: Store,
    *,
    title: str = "",
    sleep: Sleep = asyncio.sleep,
) -> str:
    """`owner/slug` of a private dataset with the files of `folder`: found or uploaded, and ready.

    Raises KaggleError where Kaggle cannot make it ready.
    """
    ref = f"{await keeper.username()}/{slug}"
    status = await keeper.dataset_status(ref)
    if status == "missing":
        progress = transfer_events(store, "upload", f"Uploading {slug}:", asyncio.get_running_loop())
        ref = await _create(keeper, ref, title or slug, folder, progress)
        store.event("dataset", f"Uploaded the private dataset {ref}", data={"ref": ref})
    elif status == "ready":
        store.event("dataset", f"The private dataset {ref} is there already", data={"ref": ref})
    await _until_ready(keeper, ref, sleep)
    return ref


async def _create(keeper: DatasetKeeper, ref: str, title: str, folder: Path, progress: Progress) -> str:
    slug = ref.rpartition("/")[2]
    try:
        return await keeper.create_dataset(slug, title, folder, license="other", progress=progress)
    except KaggleError as error:
        if error.maybe_done and await keeper.dataset_status(ref) != "missing":
            return ref  # it was made, only its answer was lost
        raise


async def _until_ready(keeper: DatasetKeeper, ref: str, sleep: Sleep) -> None:
    waited, pause = 0.0, _POLL_SECONDS[0]
    while (status := await keeper.dataset_status(ref)) != "ready":
        if status == "failed":
            raise KaggleError(
                f"Kaggle could not process the dataset {ref}.",
                hint=f"Delete it (kaggle datasets delete {ref}), then resume the run: it is uploaded again.",
            )
        if waited > _READY_SECONDS:
            raise KaggleError(
                f"The dataset {ref} is not ready after {waited / 60:.0f} minutes ({status}).",
                hint="Resume the run later; nothing is uploaded twice.",
            )
        await sleep(pause)
        waited, pause = waited + pause, min(2 * pause, _POLL_SECONDS[1])


def _plain_files(root: Path) -> list[Path]:
    found = []
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            found.append(path)
        elif not stat.S_ISDIR(mode):
            raise BadCompetition(f"{path.name} in the public split is neither a file nor a folder.")
    return found


def _digest(root: Path, paths: list[Path]) -> str:
    """Ten letters that stand for names and content."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(f"{path.relative_to(root).as_posix()}\0{sha256_of(path)}\n".encode())
    return whole.hexdigest()[:10]
