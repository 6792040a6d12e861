"""A competition's data files: listed, resolved by name, and packed into one zip.

Only regular files under the data folder exist here; hidden names, links that lead out and the
competition's own non-data files do not.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from mle_live.competition import Competition

_PACKED = (".png", ".jpg", ".jpeg", ".webp", ".zip", ".gz", ".parquet", ".npz", ".mp3", ".flac", ".ogg")
_zip_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file: its name relative to the data folder with `/`, its size in bytes, when it changed."""

    name: str
    path: Path
    size: int
    modified: datetime


def data_files(competition: Competition) -> list[DataFile]:
    """All data files, sorted by name."""
    return sorted(_walk(competition), key=lambda file: file.name)


def find_file(competition: Competition, name: str) -> DataFile | None:
    """The data file called `name`; None when there is none, or when the name leads anywhere else."""
    parts = PurePosixPath(name).parts
    if not parts or "\\" in name or "\0" in name or name.startswith("/") or ".." in parts:
        return None
    if any(part.startswith(".") for part in parts):
        return None
    return _data_file(competition, competition.data_dir.joinpath(*parts))


def archive(competition: Competition, cache: Path) -> Path:
    """A zip of all data files, made once for each state of the data and kept under `cache`."""
    files = data_files(competition)
    mark = hashlib.sha256()
    for file in files:
        mark.update(f"{file.name}\0{file.size}\0{file.modified.timestamp()}\n".encode())
    target = cache / f"{competition.slug}-{mark.hexdigest()[:16]}.zip"
    with _zip_lock:
        if target.is_file():
            return target
        cache.mkdir(parents=True, exist_ok=True)
        for stale in cache.glob(f"{competition.slug}-{'?' * 16}.zip"):
            stale.unlink(missing_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.partial")
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for file in files:
                stored = file.path.suffix.lower() in _PACKED
                packed.write(file.path, file.name, zipfile.ZIP_STORED if stored else None)
        partial.replace(target)
    return target


def _walk(competition: Competition) -> Iterator[DataFile]:
    hidden = {path.resolve() for path in competition.hidden}
    for folder, folders, names in os.walk(competition.data_dir):
        here = Path(folder)
        folders[:] = [name for name in folders if _holds_data(here / name, hidden)]
        for name in names:
            if not name.startswith("."):
                file = _data_file(competition, here / name)
                if file is not None:
                    yield file


def _holds_data(folder: Path, hidden: set[Path]) -> bool:
    if folder.name.startswith(".") or folder.name == "__pycache__" or folder.resolve() in hidden:
        return False
    return not (folder / "pyvenv.cfg").exists()  # a virtual environment in a user's own folder


def _data_file(competition: Competition, path: Path) -> DataFile | None:
    base = competition.data_dir.resolve()
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError:
        return None
    if not real.is_file() or not real.is_relative_to(base):
        return None
    if any(real == hidden or hidden in real.parents for hidden in (p.resolve() for p in competition.hidden)):
        return None
    name = path.relative_to(competition.data_dir).as_posix()
    return DataFile(name, real, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))
