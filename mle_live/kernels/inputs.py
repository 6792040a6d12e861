"""The sources that a kernel declares, as folders to mount: competitions, datasets, other kernels' outputs.

A kernel sees of a competition exactly what a download gives, and only what its owner may read.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from kaggle_runner.files import link_or_copy
from kaggle_runner.input_names import competition_folders, newer_name
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.files import CompetitionFile, data_files, state_mark
from mle_live.kernels.files import VersionFiles, remove
from mle_live.stores.kernels import KernelSettings, KernelStore, KernelVersion, PushedKernel
from mle_live.stores.state import User

DatasetFolder = Callable[[User, str], Path | None]
"""The folder with the newest files of the dataset `owner/slug`, None where the user may not read it."""


class Sources(NamedTuple):
    """What was found, as folder by name under /kaggle/input, and the references that were not."""

    mounts: dict[str, Path]
    missing_competitions: tuple[str, ...]
    missing_datasets: tuple[str, ...]
    missing_kernels: tuple[str, ...]


@dataclass(slots=True)
class KernelInputs:
    """Finds sources for a user. Folders that must be put together are kept under `cache`."""

    competitions: Mapping[str, HostedCompetition]
    store: KernelStore
    files_of: Callable[[PushedKernel, KernelVersion], VersionFiles]
    cache: Path
    dataset_folder: DatasetFolder
    may_enter: Callable[[User, str], bool]
    """Whether the user has accepted the rules of the competition, where they must be."""
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def find(self, user: User, settings: KernelSettings) -> Sources:
        """Everything that `settings` names and `user` may read."""
        mounts: dict[str, Path] = {}
        entered = {c for c in settings.competitions if c in self.competitions and self.may_enter(user, c)}
        for slug in sorted(entered):
            mounts |= competition_folders(slug, self._competition_folder(self.competitions[slug]))
        datasets = {ref: self.dataset_folder(user, ref) for ref in settings.datasets}
        kernels = {ref: self._kernel_output(user, ref) for ref in settings.kernels}
        _add(mounts, "datasets", datasets)
        _add(mounts, "notebooks", kernels)
        return Sources(
            mounts,
            tuple(c for c in settings.competitions if c not in entered),
            tuple(ref for ref, folder in datasets.items() if folder is None),
            tuple(ref for ref, folder in kernels.items() if folder is None),
        )

    def _kernel_output(self, user: User, ref: str) -> Path | None:
        owner, _, slug = ref.partition("/")
        kernel = self.store.find(owner, slug)
        if kernel is None or (kernel.is_private and kernel.owner_id != user.id):
            return None
        version = self.store.latest_complete(kernel)
        if version is None:
            return None
        folder = self.files_of(kernel, version).output
        return folder if folder.is_dir() else None

    def _competition_folder(self, competition: HostedCompetition) -> Path:
        """Its data folder when that holds nothing else, or one of links to the served files alone."""
        served = data_files(competition)
        if _names_in(competition.data_dir.resolve()) == {file.name for file in served}:
            return competition.data_dir.resolve()
        target = self.cache / f"{competition.slug}-{state_mark(served)}"
        with self._lock:
            if not target.is_dir():
                _link_all(served, target)
        return target


def _add(
    mounts: dict[str, Path], kind: Literal["datasets", "notebooks"], found: Mapping[str, Path | None]
) -> None:
    for ref, folder in found.items():
        if folder is not None:
            owner, name = ref.split("/")[:2]
            # Kaggle's older layout has the short name only; the first one that declares it gets it.
            mounts[name if name not in mounts else f"{owner}-{name}"] = folder
            mounts[newer_name(kind, ref)] = folder


def _names_in(folder: Path) -> set[str]:
    """Names of all entries below that are no plain folders. A link makes an odd one: it is not data here."""
    names = set()
    for place, folders, files in os.walk(folder):
        prefix = "" if place == str(folder) else f"{Path(place).relative_to(folder).as_posix()}/"
        for name in (*files, *folders):
            linked = Path(place, name).is_symlink()
            if linked or name in files:
                names.add(f"{prefix}{name}" + ("\0link" if linked else ""))
    return names


def _link_all(served: list[CompetitionFile], target: Path) -> None:
    partial = target.with_name(f"{target.name}.partial")
    remove(partial)
    partial.mkdir(parents=True)
    for file in served:
        place = partial / file.name
        place.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(file.path, place)
    partial.replace(target)
