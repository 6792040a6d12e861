"""Bytes that leave for Kaggle: whole files to signed addresses, in one go or resumed after a cut.

The resumable protocol is the one of Google Cloud Storage, which Kaggle's uploads lie on: PUT of everything,
the question `Content-Range: bytes */N`, answered by 308 with what has arrived, and PUT of the rest.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.wire import http_error, message

_CHUNK = 2**18
_ARRIVED = re.compile(r"bytes=0-(\d+)")
_DAWN = (1980, 1, 1, 0, 0, 0)


def put_file(
    wire: Wire, url: str, file: Path, *, sent: Callable[[int], None] | None = None, resume: bool = False
) -> None:
    """PUT `file` to a signed address, without credentials. `resume`: ask first what has arrived already.

    `sent` is told the bytes that are there so far. Raises requests' errors, so that the caller may repeat.
    """
    size = file.stat().st_size
    start = _arrived(wire, url, size) if resume else 0
    if start == size and resume and size:
        return
    headers = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
    with file.open("rb") as source:
        source.seek(start)
        body = _Body(source, size - start, lambda done: sent(start + done) if sent else None)
        # requests would send an empty body in chunks, which signed addresses do not take
        answer = _send(wire, url, body if size > start else b"", headers)
    if answer.status_code not in (200, 201):
        raise http_error(answer)


def announced(kind: Any, file: Path) -> Any:
    """A message of kagglesdk's class `kind` that announces the file's size and age."""
    status = file.stat()
    return message(kind, content_length=status.st_size, last_modified_epoch_seconds=int(status.st_mtime))


def _arrived(wire: Wire, url: str, size: int) -> int:
    """Bytes of an interrupted upload that the server has; all of them when it is complete."""
    answer = _send(wire, url, b"", {"Content-Range": f"bytes */{size}"})
    if answer.status_code in (200, 201):
        return size
    if answer.status_code != 308:
        raise http_error(answer)
    found = _ARRIVED.match(answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found else 0


def _send(wire: Wire, url: str, body: Any, headers: dict[str, str]) -> requests.Response:
    # Prepared without the session: the address is its own permission, credentials stay at home.
    request = requests.Request("PUT", url, data=body, headers=headers).prepare()
    settings = wire.session.merge_environment_settings(url, {}, None, None, None)
    return wire.session.send(request, allow_redirects=False, **settings)


class _Body:
    """A file's rest as a request's body, which counts what was read of it."""

    def __init__(self, source: Any, size: int, told: Callable[[int], None]) -> None:
        self._source = source
        self._size = size
        self._told = told
        self._done = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.read(_CHUNK):
            yield chunk

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self._source.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        self._done += len(chunk)
        self._told(self._done)
        return chunk


def upload_pieces(folder: Path, packed: Path) -> list[Path]:
    """The files of `folder` as a dataset's upload takes them: its folders become archives in `packed`.

    Kaggle unpacks `images.zip` to `images/`. Archives are stored, not compressed, and the same content gives
    the same bytes. Raises KaggleError for an empty folder, links, and names that Kaggle would change.
    """
    pieces = []
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink():
            raise KaggleError(f"{entry} is a link", hint="a dataset holds files and folders only")
        if entry.is_dir():
            archive = packed / f"{entry.name}.zip"
            if (folder / archive.name).exists():
                raise KaggleError(
                    f"{folder} holds {entry.name}/ and {archive.name}",
                    hint="rename one: Kaggle unpacks the latter",
                )
            _pack(entry, archive)
            pieces.append(archive)
        else:
            pieces.append(entry)
    if not pieces:
        raise KaggleError(f"{folder} is empty", hint="a dataset needs at least one file")
    return pieces


def _pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                raise KaggleError(f"{path} is a link", hint="a dataset holds files and folders only")
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _DAWN)
                entry.external_attr = 0o644 << 16
                with path.open("rb") as source, target.open(entry, "w", force_zip64=True) as place:
                    while chunk := source.read(_CHUNK):
                        place.write(chunk)
