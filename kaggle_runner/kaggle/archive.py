"""Unpack a downloaded zip without trusting it: no paths that lead out, no links, no more than has room."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from kaggle_runner.errors import KaggleError
from kaggle_runner.files import replace_folder
from kaggle_runner.kaggle.answers import MOST_ENTRIES, MOST_FOLDERS, room_for, too_large

_CHUNK = 2**20
_LONGEST_PART = 255
_NOT_WHOLE = (
    zipfile.BadZipFile, zlib.error, EOFError,
    RuntimeError,  # zipfile's word for an encrypted archive, and with NotImplementedError for a strange one
)  # fmt: skip


def unpack(archive: Path, dest: Path, *, most_bytes: int) -> None:
    """Replace `dest` by the archive's files, in one step: it has the old content or all of the new.

    Raises KaggleError for a damaged archive, for names that lead out of `dest`, links, and for more than
    `most_bytes` unpacked or than the disk has room for.
    """
    dest.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{dest.name}.", dir=dest.parent))
    try:
        try:
            with zipfile.ZipFile(archive) as packed:
                _unpack_all(packed, staging, most_bytes)
        except _NOT_WHOLE as error:
            raise KaggleError(
                f"the download is not a whole zip file ({error})", hint="download again"
            ) from error
        staging.chmod(0o755)
        replace_folder(staging, dest)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack_all(packed: zipfile.ZipFile, folder: Path, most_bytes: int) -> None:
    entries = packed.infolist()
    if len(entries) > MOST_ENTRIES:
        raise KaggleError(f"the archive holds {len(entries)} entries", hint="do not trust this download")
    most = left = room_for(folder, most_bytes)
    for entry in entries:
        path = folder / _safe_name(entry)
        try:
            if entry.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            target = path.open("xb")
        except (FileExistsError, NotADirectoryError) as error:
            raise KaggleError(
                f"the archive holds {entry.filename!r} twice", hint="do not trust this download"
            ) from error
        with packed.open(entry) as source, target:
            # Counted while unpacking: the sizes in the archive's directory are only what it claims.
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise too_large("the archive unpacked", most, folder.parent)
                target.write(chunk)


def _safe_name(entry: zipfile.ZipInfo) -> str:
    name = entry.filename
    parts = PurePosixPath(name).parts
    leads_out = not parts or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]
    leads_out = leads_out or len(parts) > MOST_FOLDERS
    leads_out = leads_out or any(len(os.fsencode(part)) > _LONGEST_PART for part in parts)
    if leads_out or stat.S_ISLNK(entry.external_attr >> 16):
        raise KaggleError(f"the archive holds an unsafe entry {name!r}", hint="do not trust this download")
    return name
