"""Archives that come from Kaggle by signed addresses: resumed after a cut, and unpacked without trust.

No path of an archive leads out, no link is made, and no more is written than has room.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Any

import requests

from kaggle_runner.errors import KaggleError
from kaggle_runner.files import replace_folder
from kaggle_runner.kaggle.answers import MOST_ENTRIES, MOST_FOLDERS, room_for, too_large
from kaggle_runner.kaggle.calls import ClientBase, Progress
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.wire import http_error, save_body

_CHUNK = 2**20
MOST_UNPACKED_BYTES = 200 * 2**30
_LONGEST_PART = 255
_NOT_WHOLE = (
    zipfile.BadZipFile, zlib.error, EOFError,
    RuntimeError,  # zipfile's word for an encrypted archive, and with NotImplementedError for a strange one
)  # fmt: skip

_LEAST_RESUMED = 2**20
"""Less than this is fetched again: asking for the rest costs as much."""

Ask = Callable[[Wire], requests.Response]


class Download:
    """One archive on its way to `target`. `fetch` is called until it succeeds, and goes on where it was.

    What has arrived is only gone on with while the server says that the file is the same (its ETag or date).
    """

    def __init__(self, target: Path, told: Progress | None = None, *, most_bytes: int) -> None:
        self._target = target
        self._told = told
        self._most = most_bytes
        self._mark = ""
        """What tells that the file is still the same one."""

    def fetch(self, wire: Wire, ask: Ask) -> None:
        """Save what `ask` answers with. Raises requests' errors when the body ends early or is refused,
        KaggleError when it is larger than the limit."""
        with ask(wire) as response:
            _no_page(response)
            if not self._can_resume(response):
                self._save(response, 0)
                return
            url = str(response.url)
        with self._rest(wire, url) as response:
            _no_page(response)
            if response.status_code == 206 and self._mark_of(response) in ("", self._mark):
                self._save(response, self._arrived)
            elif response.status_code == 200:
                self._save(response, 0)
            elif response.status_code in (206, 416):  # another file by now, or nothing beyond what is here
                self._target.unlink(missing_ok=True)
                raise requests.ConnectionError("the file changed while it was fetched")
            else:
                raise http_error(response)

    @property
    def _arrived(self) -> int:
        return self._target.stat().st_size if self._target.is_file() else 0

    def _can_resume(self, response: requests.Response) -> bool:
        mark, self._mark = self._mark, self._mark_of(response)
        same = bool(mark) and mark == self._mark and response.headers.get("Accept-Ranges") == "bytes"
        return same and self._arrived >= _LEAST_RESUMED and response.history != []

    @staticmethod
    def _mark_of(response: requests.Response) -> str:
        headers = response.headers
        return headers.get("ETag", "") or headers.get("Last-Modified", "")

    def _rest(self, wire: Wire, url: str) -> requests.Response:
        # Prepared without the session: a signed address is its own permission.
        headers = {"Range": f"bytes={self._arrived}-", "If-Range": self._mark}
        request = requests.Request("GET", url, headers=headers).prepare()
        settings = wire.session.merge_environment_settings(url, {}, True, None, None)
        return wire.session.send(request, **settings)

    def _save(self, response: requests.Response, start: int) -> None:
        save_body(response, self._target, self._told, most_bytes=self._most, start=start)


class ArchiveCalls(ClientBase):
    async def _download(
        self,
        name: str,
        call: str,
        request: Any,
        dest: Path,
        progress: Progress | None,
        most_bytes: int,
        *,
        competition: str = "",
    ) -> None:
        """Replace the folder `dest` by what the archive holds that `call` leads to."""
        dest.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{dest.name}.download-", dir=dest.parent) as folder:
            archive = Path(folder) / "archive.zip"
            download = Download(archive, progress, most_bytes=room_for(dest.parent, most_bytes))
            await self._read(
                f"download of {name}",
                lambda wire: download.fetch(wire, lambda one: attrgetter(call)(one)(request)),
                competition=competition,
            )
            await asyncio.to_thread(unpack, archive, dest, most_bytes=most_bytes)


def _no_page(response: requests.Response) -> None:
    """A page in an archive's place comes from something in between, such as a login; it may pass."""
    if response.ok and response.headers.get("Content-Type", "").startswith("text/html"):
        raise requests.ConnectionError("a page came in the file's place")


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
