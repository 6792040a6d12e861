"""Archives inside a competition's data: zip, 7z and tar, one in another too, unpacked without trust.

No entry leads out of its folder, links are left out, and no more is written than limit and disk allow.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from kaggle_runner.errors import BadCompetition

MOST_BYTES = 200 << 30
"""Of everything that a competition's archives unpack to."""
_DEEPEST = 3
"""Archives in archives."""
_MOST_ENTRIES = 2_000_000
_CHUNK = 1 << 20
_DISK_LEFT = 1 << 30
_ENDS = (".zip", ".7z", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, NotImplementedError)


def is_archive(name: str) -> bool:
    low = name.lower()
    return low.endswith(_ENDS)


def bare_name(name: str) -> str:
    """The name without the archive's ending: `train` for `train.zip`."""
    low = name.lower()
    return name[: -max(len(end) for end in _ENDS if low.endswith(end))]


def unpack(archive: Path, target: Path, *, most_bytes: int = MOST_BYTES, depth: int = 0) -> int:
    """All regular files of the archive under `target`, those of archives inside it in folders of their names.

    Returns how many of `most_bytes` are left. Raises BadCompetition for an archive that is damaged, leads
    out, or unpacks to too much.
    """
    target.mkdir(parents=True, exist_ok=True)
    room = min(most_bytes, shutil.disk_usage(target).free - _DISK_LEFT)
    folder = _Folder(archive, target, room)
    try:
        if archive.name.lower().endswith(".7z"):
            _unpack_7z(archive, folder)
        elif archive.name.lower().endswith(".zip"):
            _unpack_zip(archive, folder)
        else:
            _unpack_tar(archive, folder)
    except _BROKEN as error:
        raise BadCompetition(f"{archive} cannot be unpacked ({error})", hint="download it again") from error
    if depth < _DEEPEST:
        for inner in [path for path in target.rglob("*") if path.is_file() and is_archive(path.name)]:
            place = inner.with_name(bare_name(inner.name))
            folder.left = unpack(inner, place, most_bytes=folder.left, depth=depth + 1)
            inner.unlink()
            _flatten(place)
    return folder.left


def _flatten(folder: Path) -> None:
    """A folder that an archive of one file became: the file stands in its place."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if len(files) != 1 or (files[0].name != folder.name and folder.with_name(files[0].name).exists()):
        return
    waiting = folder.with_name(f".{folder.name}.one")
    files[0].rename(waiting)
    shutil.rmtree(folder)
    waiting.rename(folder.with_name(files[0].name))


class _Folder:
    """Where entries go, counted as they are written: sizes in an archive are only what it claims."""

    def __init__(self, archive: Path, target: Path, room: int) -> None:
        self._archive, self._target = archive, target
        self.left, self._entries = room, 0

    def open(self, name: str) -> _Counted:
        parts = PurePosixPath(name).parts
        self._entries += 1
        if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise BadCompetition(f"{self._archive} holds an entry that leads out of it: {name!r}")
        if self._entries > _MOST_ENTRIES:
            raise BadCompetition(f"{self._archive} holds more than {_MOST_ENTRIES:,} files")
        path = self._target.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _Counted(path.open("wb"), self)
        except OSError as error:
            raise BadCompetition(f"{self._archive} holds {name!r}, which cannot be written") from error

    def expect(self, size: int) -> None:
        """Refuse at once what says itself that there is no room for it."""
        if size > self.left:
            self.spend(size)

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise BadCompetition(
                f"{self._archive} unpacks to more than there is room for",
                hint="make room on the disk, or leave that file out",
            )


class _Counted:
    """A file to write that tells its folder how much it took."""

    def __init__(self, file: IO[bytes], folder: _Folder) -> None:
        self.file, self._folder = file, folder

    def write(self, data: bytes) -> int:
        self._folder.spend(len(data))
        return self.file.write(data)

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()


def _unpack_zip(archive: Path, folder: _Folder) -> None:
    with zipfile.ZipFile(archive) as packed:
        folder.expect(sum(entry.file_size for entry in packed.infolist()))
        for entry in packed.infolist():
            if (
                not entry.is_dir()
                and not stat.S_ISLNK(entry.external_attr >> 16)
                and _is_data(entry.filename)
            ):
                with packed.open(entry) as source, folder.open(entry.filename) as target:
                    shutil.copyfileobj(source, target, _CHUNK)


def _unpack_tar(archive: Path, folder: _Folder) -> None:
    with tarfile.open(archive) as packed:
        for entry in packed:
            source = packed.extractfile(entry) if entry.isfile() and _is_data(entry.name) else None
            if source is not None:
                with folder.open(entry.name.removeprefix("./")) as target:
                    shutil.copyfileobj(source, target, _CHUNK)


def _unpack_7z(archive: Path, folder: _Folder) -> None:
    import py7zr
    from py7zr.io import Py7zIO, WriterFactory

    class PackedFile(Py7zIO):
        def __init__(self, target: _Counted) -> None:
            self._target = target

        def write(self, s: bytes | bytearray) -> int:
            return self._target.write(bytes(s))

        def read(self, size: int | None = None) -> bytes:
            return b""

        def seek(self, offset: int, whence: int = 0) -> int:
            return 0

        def flush(self) -> None:
            self._target.file.flush()

        def size(self) -> int:
            return self._target.file.tell()

        def close(self) -> None:
            self._target.file.close()

    class Entries(WriterFactory):
        def create(self, filename: str) -> Py7zIO:
            return PackedFile(folder.open(filename))

    try:
        with py7zr.SevenZipFile(archive) as packed:
            files = [one.filename for one in packed.list() if one.is_file and _is_data(one.filename)]
            packed.extract(targets=files, factory=Entries())
    except py7zr.exceptions.ArchiveError as error:
        raise EOFError(str(error)) from error


def _is_data(name: str) -> bool:
    """False for what other systems leave in archives."""
    parts = PurePosixPath(name).parts
    return bool(parts) and "__MACOSX" not in parts and not parts[-1].startswith("._")
