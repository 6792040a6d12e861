"""The files of a competition's folder, archives looked into, under the names that they have there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from kaggle_runner.errors import BadCompetition
from mle_live.layout.folders import holds_data, is_tellable
from mle_live.layout.unpacking import MOST_BYTES, bare_name, is_archive, unpack


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A data file. `name` is its path in the folder, as if archives were folders; `path` is where it lies."""

    name: str
    path: Path
    archive: str = ""
    """The name of the archive that it came out of; empty for a file that lies as it is."""
    is_single: bool = False
    """The only file of its archive."""

    @property
    def shown(self) -> str:
        """Its name for people: that of a file which they can see."""
        return self.archive if self.is_single else self.name

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """The file's name up to its first ending."""
        base = PurePosixPath(self.name).name
        while (cut := PurePosixPath(base).suffix) and len(cut) <= 8 and not cut[1:].isdigit():
            base = base.removesuffix(cut)
        return base

    @property
    def folder(self) -> str:
        """The folder's name relative to the data; empty at the top."""
        return self.name.rpartition("/")[0]


class FoundFiles(NamedTuple):
    files: tuple[FoundFile, ...]
    packed: tuple[str, ...]
    """What could not be taken, with the reason: archives that stay files which nobody can read, and links."""


def list_data(folder: Path, unpacked: Path, *, hidden: Collection[Path] = ()) -> FoundFiles:
    """All data files below `folder`, sorted by name. Archives are unpacked under `unpacked`.

    An archive of one file stands for that file, another for a folder of its name (whose only folder of the
    same name is not doubled). All of them together unpack to at most `MOST_BYTES`.
    """
    left, packed = MOST_BYTES, []
    found: list[FoundFile] = []
    base = folder.resolve()
    for number, entry in enumerate(_walk(folder, "", {path.resolve() for path in hidden})):
        if entry.path.is_symlink() and not entry.path.resolve().is_relative_to(base):
            packed.append(f"{entry.name} is a link that leads out of the folder; put the file itself there")
            continue
        if not is_archive(entry.name):
            found.append(entry)
            continue
        place = unpacked / str(number)
        try:
            left = unpack(entry.path, place, most_bytes=left)
        except BadCompetition as error:
            shutil.rmtree(place, ignore_errors=True)
            packed.append(error.message.replace(str(entry.path), entry.name))
            found.append(entry)
            continue
        found += _from_archive(entry.name, place)
    return FoundFiles(tuple(sorted(found, key=lambda entry: entry.name)), tuple(packed))


def _walk(folder: Path, prefix: str, hidden: set[Path]) -> Iterator[FoundFile]:
    with os.scandir(folder) as items:
        here = sorted(items, key=lambda item: item.name)
    for item in here:
        path = Path(item.path)
        if item.name.startswith(".") or not is_tellable(item.name) or path.resolve() in hidden:
            continue
        if item.is_dir(follow_symlinks=False):
            if holds_data(path, hidden):
                yield from _walk(path, f"{prefix}{item.name}/", hidden)
        elif item.is_file() and not item.name.endswith(":Zone.Identifier"):
            yield FoundFile(prefix + item.name, path)


def _from_archive(name: str, place: Path) -> list[FoundFile]:
    inside = list(_walk(place, "", set()))
    bare = bare_name(name)
    parent = str(PurePosixPath(name).parent)
    before = "" if parent == "." else f"{parent}/"
    if len(inside) == 1:
        return [FoundFile(before + PurePosixPath(inside[0].name).name, inside[0].path, name, True)]
    doubled = f"{PurePosixPath(bare).name}/"
    inner = all(entry.name.startswith(doubled) for entry in inside)
    top = before if inner else f"{bare}/"
    return [FoundFile(top + entry.name, entry.path, name) for entry in inside]
