"""Files: written whole or not at all, linked rather than copied, and read without being led elsewhere.

A `submission.csv` that agent code left may be a link to the labels, or a pipe that never ends. Nothing that
reads one here follows a link, waits for a pipe, or reads more than it was told to. What the bytes mean is for
others to check.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kaggle_runner.errors import ComindError
from kaggle_runner.texts import whole_characters

_OPENAT2 = 437  # the same number on every architecture of Linux
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_PACKED = (".png", ".jpg", ".jpeg", ".webp", ".zip", ".gz", ".parquet", ".npz", ".mp3", ".flac", ".ogg")
_PAGE = 4096  # holes are whole pages
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class UnsafeFile(ComindError):
    """An agent's file that must not be read: missing, a link, not a regular file, outside, or too large."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


# -- writing -----------------------------------------------------------------------------------------------


@contextmanager
def whole_file(path: Path, *, durable: bool = False, mode: int = 0o666) -> Iterator[BinaryIO]:
    """A new file to write, which takes the place of `path` when the block ends well, and else vanishes.

    `durable`: content and name survive a power cut. `mode` is cut by the umask. Raises OSError; the
    folder must be there.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:  # also when cancelled: nothing half written is left
        unfinished.unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def pack_whole(target: Path, files: Iterable[tuple[Path, str]]) -> None:
    """A zip of `files`, each under its name, written to `target`. Raises OSError."""
    # a date before 1980, which a zip cannot hold, becomes the first one that it can
    with (
        whole_file(target) as whole,
        zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False) as packed,
    ):
        for path, name in files:
            stored = path.suffix.lower() in _PACKED
            packed.write(path, name, zipfile.ZIP_STORED if stored else None)


def write_whole(path: Path, content: str | bytes, *, durable: bool = False, mode: int = 0o666) -> None:
    """`content` as the whole of `path`, or nothing of it (`whole_file`); text in UTF-8."""
    data = content if isinstance(content, bytes) else whole_characters(content).encode()
    with whole_file(path, durable=durable, mode=mode) as file:
        file.write(data)


def replace_folder(made: Path, place: Path) -> None:
    """Put the folder `made` where `place` is or will be. Both lie on one file system.

    What was there stands beside `made` until it is removed. A kill in between leaves no `place`, never a mix.
    """
    old = made.with_name(f"{made.name}.old")
    if place.exists():
        place.rename(old)
    made.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Of the file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """`source` once more as `target`: a hard link, so that nothing is stored twice, or else a copy.

    A folder is made anew, with links to its files. Another disk, and a file system without links, get copies.
    """
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link)
    else:
        _link(source, target)


def _link(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# -- reading what agent code wrote -------------------------------------------------------------------------


def safe_read_bytes(root: Path, name: str, max_bytes: int) -> bytes:
    """The content of `root/name`. Raises UnsafeFile."""
    descriptor = _open_regular(root, name, max_bytes)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:  # it grew after it was measured
        raise _too_large(name, max_bytes)
    return content


def safe_copy(root: Path, name: str, dest: Path, max_bytes: int) -> int:
    """Copy `root/name` to `dest`, which appears whole or not at all; its size in bytes. Raises UnsafeFile.

    Holes stay holes: a sparse file takes no more of the disk here than it did there.
    """
    descriptor = _open_regular(root, name, max_bytes)
    dest.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(descriptor, "rb") as source, whole_file(dest, durable=True, mode=0o600) as target:
        return _copy(source, target, name, max_bytes)


def _copy(source: BinaryIO, target: BinaryIO, name: str, max_bytes: int) -> int:
    status = os.fstat(source.fileno())
    has_holes = status.st_blocks * 512 < status.st_size
    piece = _PAGE if has_holes else 1 << 20
    copied = 0
    while chunk := source.read(min(piece, max_bytes + 1 - copied)):
        copied += len(chunk)
        if copied > max_bytes:
            raise _too_large(name, max_bytes)
        if has_holes and not chunk.strip(b"\0"):
            target.seek(len(chunk), os.SEEK_CUR)
        else:
            target.write(chunk)
    target.truncate(copied)
    return copied


def _open_regular(root: Path, name: str, max_bytes: int) -> int:
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\0" in name:
        raise UnsafeFile(
            f"{name!r} is not a file name inside the workspace", hint="name a file, such as submission.csv"
        )
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = _open_beneath(folder, parts)
        finally:
            os.close(folder)
    except OSError as error:
        raise _refused(name, error) from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_size <= max_bytes:
        return descriptor
    os.close(descriptor)
    if stat.S_ISREG(status.st_mode):
        raise _too_large(name, max_bytes)
    raise UnsafeFile(
        f"{name!r} is not a regular file", hint="write a plain file, not a folder, pipe or device"
    )


def _open_beneath(folder: int, parts: tuple[str, ...]) -> int:
    """Open without following any link: one system call where the kernel has it, else folder by folder."""
    try:
        return _openat2(folder, os.path.join(*parts))  # noqa: PTH118 (the kernel resolves it, not Path)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EINVAL):
            raise
    return _walk(folder, parts)


def _openat2(folder: int, name: str) -> int:
    how = _OpenHow(_FLAGS, 0, _BENEATH | _NO_SYMLINKS | _NO_MAGICLINKS)
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    descriptor = syscall(
        ctypes.c_long(_OPENAT2),
        ctypes.c_int(folder),
        os.fsencode(name),
        ctypes.byref(how),
        ctypes.c_size_t(24),
    )
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    return int(descriptor)


def _walk(folder: int, parts: tuple[str, ...]) -> int:
    here = os.dup(folder)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
            os.close(here)
            here = below
        return os.open(parts[-1], _FLAGS | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


def _refused(name: str, error: OSError) -> UnsafeFile:
    if error.errno == errno.ENOENT:
        return UnsafeFile(
            f"there is no file {name!r} in the workspace", hint="was it written to the working folder?"
        )
    if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EXDEV):
        return UnsafeFile(
            f"{name!r} is a link, or lies behind one", hint="write the file itself into the workspace"
        )
    return UnsafeFile(f"{name!r} cannot be read: {error.strerror}", hint="write it again as a plain file")


def _too_large(name: str, max_bytes: int) -> UnsafeFile:
    return UnsafeFile(
        f"{name!r} is larger than {max_bytes / 1e6:.0f} MB", hint="write fewer columns or digits"
    )
