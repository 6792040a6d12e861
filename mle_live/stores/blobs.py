"""Uploads that can be resumed: what a client sends before it makes a submission or a dataset of it.

The protocol is the one of Google Cloud Storage's resumable uploads, as far as the official client speaks it:
PUT of the whole file, PUT of the rest with `Content-Range: bytes A-B/N`, and the question `bytes */N`, which
is answered by 308 with the range that has arrived. Uploads outlive a restart of the server; unused ones are
removed after a week.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from weakref import WeakValueDictionary

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kaggle_runner.moments import Clock, stamp
from mle_live.stores.state import ServerState, User
from mle_live.wire import RpcError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blobs (
    token TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users(id),
    name TEXT NOT NULL, size INTEGER NOT NULL, started_at TEXT NOT NULL
)
"""
_KEPT = timedelta(days=7)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_QUESTION = re.compile(r"bytes \*/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Blob:
    """One announced upload. `path` holds what has arrived; the upload is complete at `size` bytes."""

    token: str
    user_id: int
    name: str
    size: int
    path: Path

    @property
    def arrived(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0


class BlobStore:
    """Announced uploads in the server's database, their bytes under `folder`. Any thread may call.

    `clock` is the machine's, not the competition's: what it decides is about the disk.
    """

    def __init__(self, state: ServerState, folder: Path, most_bytes: int, clock: Clock) -> None:
        self._state = state
        self._folder = folder
        self._most = most_bytes
        self._clock = clock
        self._receiving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        state.run(_SCHEMA, ())
        self._forget_old()

    def start(self, user: User, name: str, size: int) -> Blob:
        """Announce an upload of `size` bytes. RpcError 400 for names and sizes that are not accepted."""
        short = PurePosixPath(name.replace("\\", "/")).name
        if not short or short.startswith(".") or "\0" in short or len(short.encode()) > 200:
            raise RpcError(400, f"A file cannot be called {name[:200]!r}")
        row = self._state.run("SELECT coalesce(sum(size), 0) FROM blobs WHERE user_id = ?", (user.id,))[0]
        if not 0 <= size <= self._most - row[0]:
            raise RpcError(
                400, f"{size} bytes are too many: {row[0]} of {self._most} are taken by unfinished uploads"
            )
        token = secrets.token_hex(16)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._state.run(
            "INSERT INTO blobs VALUES (?, ?, ?, ?, ?)",
            (token, user.id, short, size, stamp(self._clock.now())),
        )
        return self._blob(token, user.id, short, size)

    def find(self, token: str) -> Blob | None:
        rows = self._state.run("SELECT * FROM blobs WHERE token = ?", (token,))
        return self._blob(token, rows[0]["user_id"], rows[0]["name"], rows[0]["size"]) if rows else None

    def complete(self, token: str, user: User) -> Blob:
        """The user's finished upload; RpcError 400 when there is none with this token."""
        blob = self.find(token)
        if blob is None or blob.user_id != user.id:
            raise RpcError(400, "Unknown upload token. Start the upload again.")
        if blob.arrived != blob.size:
            raise RpcError(400, f"The upload of {blob.name!r} is not complete.")
        if blob.size == 0:
            blob.path.touch()
        return blob

    def forget(self, blob: Blob) -> None:
        """The upload was used, or is not wanted any more."""
        self._state.run("DELETE FROM blobs WHERE token = ?", (blob.token,))
        blob.path.unlink(missing_ok=True)

    async def put(self, request: Request) -> Response:
        """The bytes of an upload, to the address that announced it (the address is the permission)."""
        token = request.path_params["token"]
        blob = await run_in_threadpool(self.find, token)
        if blob is None:
            raise RpcError(404, "Unknown upload")
        wanted = request.headers.get("content-range", "")
        if _QUESTION.fullmatch(wanted):
            return _progress(blob)
        async with self._receiving.setdefault(token, asyncio.Lock()):  # a client may send it twice at once
            start = self._start_of(blob, wanted)
            if start is None:
                return _progress(blob)
            try:
                with blob.path.open("r+b" if blob.path.exists() else "wb") as file:
                    await self._receive(request, blob, file, start)
            except ClientDisconnect:
                return Response(status_code=400)
            return _progress(blob)

    @staticmethod
    def _start_of(blob: Blob, wanted: str) -> int | None:
        """Where the sent bytes begin; None when bytes before them are missing."""
        if not wanted:
            return 0
        given = _RANGE.fullmatch(wanted)
        if given is None or int(given[3]) != blob.size or not int(given[1]) <= int(given[2]) < blob.size:
            raise RpcError(400, f"Content-Range {wanted[:100]!r} does not fit {blob.size} announced bytes")
        start = int(given[1])
        return start if start <= blob.arrived else None

    @staticmethod
    async def _receive(request: Request, blob: Blob, file: BinaryIO, start: int) -> None:
        file.truncate(start)
        file.seek(start)
        async for chunk in request.stream():
            if file.tell() + len(chunk) > blob.size:
                raise RpcError(413, f"More bytes came than the {blob.size} that were announced")
            file.write(chunk)

    def _blob(self, token: str, user_id: int, name: str, size: int) -> Blob:
        return Blob(token, user_id, name, size, self._folder / token)

    def _forget_old(self) -> None:
        before = stamp(self._clock.now() - _KEPT)
        for row in self._state.run("SELECT * FROM blobs WHERE started_at < ?", (before,)):
            self.forget(self._blob(row["token"], row["user_id"], row["name"], row["size"]))


def _progress(blob: Blob) -> Response:
    arrived = blob.arrived
    if arrived == blob.size:
        return Response(status_code=200)
    return Response(status_code=308, headers={"Range": f"bytes=0-{arrived - 1}"} if arrived else {})
