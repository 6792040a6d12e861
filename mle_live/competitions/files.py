"""A competition's data files: listed, resolved by name, and packed into one zip.

Only regular files under the data folder exist here; hidden names, links that lead out and the
competition's own non-data files do not.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from kaggle_runner.files import pack_whole
from mle_live.competitions.competition import HostedCompetition
from mle_live.layout.folders import holds_data, is_tellable

_zip_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class CompetitionFile:
    """A data file: its name relative to the data folder with `/`, its size in bytes, when it changed."""

    name: str
    path: Path
    size: int
    modified: datetime


def data_files(competition: HostedCompetition) -> list[CompetitionFile]:
    """All data files, sorted by name."""
    return sorted(_walk(competition), key=lambda file: file.name)


def find_file(competition: HostedCompetition, name: str) -> CompetitionFile | None:
    """The data file called `name`; None when there is none, or when the name leads anywhere else."""
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or "\0" in name or name.startswith("/") or ".." in parts:
        return None
    if any(part.startswith(".") for part in parts):
        return None
    return _checked(competition, competition.data_dir.resolve().joinpath(*parts))


def archive(competition: HostedCompetition, cache: Path) -> Path:
    """A zip of all data files, made once for each state of the data and kept under `cache`."""
    files = data_files(competition)
    target = cache / f"{competition.slug}-{state_mark(files)}.zip"
    with _zip_lock:
        if target.is_file():
            return target
        cache.mkdir(parents=True, exist_ok=True)
        for stale in cache.glob(f"{competition.slug}-{'?' * 16}.zip"):
            stale.unlink(missing_ok=True)
        pack_whole(target, ((file.path, file.name) for file in files))
    return target


def state_mark(files: Iterable[CompetitionFile]) -> str:
    """16 hex digits that change with the files' names, sizes and times."""
    mark = hashlib.sha256()
    for file in files:
        mark.update(f"{file.name}\0{file.size}\0{file.modified.timestamp()}\n".encode())
    return mark.hexdigest()[:16]


def _walk(competition: HostedCompetition) -> Iterator[CompetitionFile]:
    base = competition.data_dir.resolve()
    hidden = {path.resolve() for path in competition.hidden}
    hidden_names = {str(path) for path in hidden}
    for folder, folders, names in os.walk(base):
        folders[:] = [name for name in folders if holds_data(Path(folder, name), hidden)]
        prefix = "" if folder == str(base) else f"{Path(folder).relative_to(base).as_posix()}/"
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 (text: a folder may hold 100,000 images)
            if name.startswith(".") or path in hidden_names or not is_tellable(name):
                continue
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode):
                yield _file(prefix + name, Path(path), status)
            elif stat.S_ISLNK(status.st_mode):
                # The walk follows no folder links, so only a link in the last place can lead elsewhere.
                linked = _checked(competition, Path(path))
                if linked is not None:
                    yield linked


def _checked(competition: HostedCompetition, path: Path) -> CompetitionFile | None:
    """The file at `path`, unless it really lies outside the data or is hidden."""
    base = competition.data_dir.resolve()
    try:
        real = path.resolve(strict=True)
    except OSError:
        return None
    if not real.is_relative_to(base):
        return None
    if any(real == hidden or hidden in real.parents for hidden in (p.resolve() for p in competition.hidden)):
        return None
    status = real.stat()
    return _file(path.relative_to(base).as_posix(), real, status) if real.is_file() else None


def _file(name: str, path: Path, status: os.stat_result) -> CompetitionFile:
    return CompetitionFile(name, path, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
