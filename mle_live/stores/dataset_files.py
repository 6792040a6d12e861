"""Uploaded files become the files of a dataset's version: names checked, archives unpacked within bounds.

As on Kaggle an archive `images.zip` becomes the folder `images/`. Nothing of an archive is trusted: names
that lead elsewhere, links, devices, encrypted entries, and more bytes or files than are allowed are refused.
"""

from __future__ import annotations

import errno
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from mle_live.stores.blobs import Blob

_CHUNK = 2**20
_ARCHIVES = (".zip", ".tar")
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,  # names in no encoding, sizes below zero
    RuntimeError,  # zipfile's word for encrypted entries
    NotImplementedError,  # and for exotic compression
)
"""What reading a damaged or hostile archive raises."""


class BadUpload(Exception):
    """An uploaded file that cannot be part of a dataset; the text is for the uploader."""


class NewFile(NamedTuple):
    """A finished upload and the place it shall have in the dataset (`folder/name`)."""

    name: str
    blob: Blob
    description: str


class StoredFile(NamedTuple):
    """A file of a version: its name relative to the version's folder with `/`, its size in bytes."""

    name: str
    size: int


@dataclass(slots=True)
class _Allowance:
    """What may still be written into a version."""

    files: int
    bytes: int

    def take(self, files: int = 0, size: int = 0) -> None:
        self.files -= files
        self.bytes -= size
        if self.files < 0:
            raise BadUpload("the dataset has too many files")
        if self.bytes < 0:
            raise BadUpload("the dataset is too large once its archives are unpacked")


def place_files(files: list[NewFile], folder: Path, most_files: int, most_bytes: int) -> list[StoredFile]:
    """Fill the new folder of a version with `files`; what it then holds, sorted by name.

    Uploads are left where they are. Raises BadUpload and leaves no folder behind when one is refused.
    """
    room = _Allowance(most_files, most_bytes)
    folder.mkdir(parents=True)
    try:
        for file in files:
            path, suffix = file.blob.path, PurePosixPath(file.name).suffix.lower()
            if suffix in _ARCHIVES and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path)):
                _unpack(file, folder, room)
            else:
                room.take(files=1, size=file.blob.size)
                with path.open("rb") as source:
                    _write(source, _place(folder, file.name), None)
    except (BadUpload, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return sorted(stored_files(folder))


def stored_files(folder: Path) -> Iterator[StoredFile]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            yield StoredFile(path.relative_to(folder).as_posix(), path.stat().st_size)


def checked_name(name: str) -> PurePosixPath:
    """A relative path of ordinary names. Raises BadUpload."""
    path = PurePosixPath(name.replace("\\", "/"))
    ordinary = path.parts and not path.is_absolute() and "\0" not in name and len(name.encode()) <= 500
    if not ordinary or any(part in ("..", ".") or len(part.encode()) > 200 for part in path.parts):
        raise BadUpload(f"a file cannot be called {name[:200]!r}")
    return path


def _place(folder: Path, name: str) -> Path:
    target = folder.joinpath(*checked_name(name).parts)
    if target.exists():
        raise BadUpload(f"two files are called {name[:200]!r}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadUpload(f"{name[:200]!r} is both a file and a folder") from error
    return target


def _write(source: IO[bytes], target: Path, room: _Allowance | None) -> None:
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            if room is not None:
                room.take(size=len(chunk))
            file.write(chunk)


def _unpack(file: NewFile, folder: Path, room: _Allowance) -> None:
    below = PurePosixPath(file.name).with_suffix("")
    try:
        if zipfile.is_zipfile(file.blob.path):
            _unpack_zip(file.blob.path, folder, below, room)
        else:
            _unpack_tar(file.blob.path, folder, below, room)
    except _DAMAGE as error:
        raise BadUpload(f"{file.name!r} cannot be unpacked: {error}") from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # the disk's own; those two come of damaged bytes
            raise
        raise BadUpload(f"{file.name!r} cannot be unpacked: {error}") from error


def _unpack_zip(path: Path, folder: Path, below: PurePosixPath, room: _Allowance) -> None:
    with zipfile.ZipFile(path) as packed:
        for entry in packed.infolist():
            if entry.is_dir():
                continue
            kind = stat.S_IFMT(entry.external_attr >> 16)
            if kind not in (0, stat.S_IFREG):
                raise BadUpload(f"{entry.filename[:200]!r} in an archive is not a file")
            room.take(files=1)
            checked_name(entry.filename)
            with packed.open(entry) as source:
                _write(source, _place(folder, f"{below}/{entry.filename}"), room)


def _unpack_tar(path: Path, folder: Path, below: PurePosixPath, room: _Allowance) -> None:
    with tarfile.open(path, "r:") as packed:
        for entry in packed:
            if entry.isdir():
                continue
            source = packed.extractfile(entry) if entry.isreg() else None
            if source is None:
                raise BadUpload(f"{entry.name[:200]!r} in an archive is not a file")
            room.take(files=1)
            checked_name(entry.name)
            _write(source, _place(folder, f"{below}/{entry.name}"), room)
