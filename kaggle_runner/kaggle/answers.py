"""Kaggle's answers, read within bounds: the one place that says how much, how long and how many.

| what                          | most                                                                |
|-------------------------------|---------------------------------------------------------------------|
| an answer that is read whole  | 32 MiB unpacked (with a kernel's log 256 MiB), in `Timeouts.whole`  |
| an error's body               | its first MiB                                                       |
| a head                        | 6 MiB (http.client's), in `Timeouts.whole`                          |
| a file on its way             | what its caller has room for, at a kilobyte a second or more        |
| a list                        | 1,000 pages, 256 MiB, half an hour                                  |
| an archive                    | what the disk has room for, a million entries, 40 folders deep      |

JSON that is nested deeper than Python reads cannot be read at all; see `transport`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError, ReadTimeoutError, SSLError

from kaggle_runner.bodies import BadAnswer, Unpacker
from kaggle_runner.errors import KaggleError
from kaggle_runner.moments import Clock
from kaggle_runner.redaction import without_secrets
from kaggle_runner.sandbox.disk import free_bytes

MOST_PAGES = 1000
LONGEST_LIST = 1800.0
MOST_OF_A_LIST = 2**28
MOST_ENTRIES = 1_000_000
MOST_FOLDERS = 40
_MOST_BYTES = 2**25
_MOST_WITH_LOG = 2**28
_WITH_LOG = "/ListKernelSessionOutput"
_MOST_OF_AN_ERROR = 2**20
_LEAST_BYTES_A_SECOND = 1000.0
_SLOW_AFTER = 120.0
"""Seconds within which an answer may be slower than that."""
_ROOM_LEFT = 2**26
"""Of the disk: what a download leaves free."""
_CHUNK = 2**16


class BoundedAnswer(requests.Response):
    """An answer whose body is read within bounds, and without the credentials that were `sent` for it."""

    def __init__(
        self, clock: Clock, seconds: float, sent: tuple[str, ...], count: Callable[[int], None]
    ) -> None:
        """`seconds`: the longest that reading it whole may take; `count` is told the bytes of a whole one."""
        super().__init__()
        self._count = count
        self._clock = clock
        self._seconds = seconds
        self._sent = sent
        self._unpacker = Unpacker()
        self._whole: bytes | None = None

    def take(self, response: requests.Response) -> BoundedAnswer:
        """Everything of `response`, whose body nobody has begun to read. Raises BadAnswer."""
        vars(self).update(vars(response))
        self._unpacker = Unpacker(self.headers.get("Content-Encoding", ""))
        return self

    @property
    def content(self) -> bytes:
        """The whole body; of an error what fits. Raises BadAnswer, and requests' own errors."""
        if self._whole is None:
            self._whole = b"" if self.raw is None else self._read_whole()
            self._content_consumed = True
        return self._whole

    def json(self, **options: Any) -> Any:
        """The body as JSON; of an error that has none, its status and reason as Kaggle's errors say them."""
        try:
            return super().json(**options)
        except (ValueError, RecursionError):
            if self.status_code < 400:
                raise
            return {"code": self.status_code, "message": self.reason}

    def iter_content(self, chunk_size: int | None = _CHUNK, decode_unicode: bool = False) -> Iterator[Any]:
        """The body's bytes in pieces, unpacked. Raises requests.ConnectionError when it comes too slowly."""
        if self._whole is not None:
            yield self._whole
            return
        began, done = self._clock.monotonic(), 0
        for arrived in self._arriving(chunk_size or _CHUNK):
            for piece in self._unpacker.pieces(arrived):
                done += len(piece)
                yield piece
            seconds = self._clock.monotonic() - began
            if seconds > _SLOW_AFTER and done < seconds * _LEAST_BYTES_A_SECOND:
                raise requests.ConnectionError(f"only {done} bytes came in {seconds:.0f} s")
        self._unpacker.end()

    def _arriving(self, most: int) -> Iterator[bytes]:
        """What has come, packed as it is, as soon as anything has: requests would wait for `most` bytes."""
        try:
            while piece := self.raw.read1(most, decode_content=False):
                yield piece
        except ProtocolError as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        except ReadTimeoutError as error:
            raise requests.ConnectionError(error) from error
        except SSLError as error:
            raise requests.exceptions.SSLError(error) from error
        self._content_consumed = True

    def _read_whole(self) -> bytes:
        is_error = self.status_code >= 400
        most = _MOST_WITH_LOG if str(self.url).endswith(_WITH_LOG) else _MOST_BYTES
        most = _MOST_OF_AN_ERROR if is_error else most
        until = self._clock.monotonic() + self._seconds
        body = bytearray()
        for piece in self.iter_content():
            body += piece
            late = self._clock.monotonic() > until
            if len(body) > most or late:
                self.close()
                if is_error:
                    break
                if late:
                    raise BadAnswer(f"it was not whole after {self._seconds:.0f} s")
                raise BadAnswer(f"it has more than {most} bytes")
        self._count(len(body))
        return without_secrets(bytes(body[:most]), self._sent)


class _TimedHead:
    """Mixed into urllib3's connections, whose time-out counts from byte to byte."""

    sock: socket.socket
    longest: float

    def getresponse(self) -> Any:
        """The head of the answer. Raises ProtocolError when it is not whole after `longest` seconds."""
        late = threading.Event()

        def end() -> None:
            late.set()
            try:
                # a TLS socket's own would say good-bye first, and wait for an answer
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
            except OSError:
                pass  # it ended by itself

        timer = threading.Timer(self.longest, end)
        timer.daemon = True
        timer.start()
        try:
            return super().getresponse()  # type: ignore[misc]
        finally:
            timer.cancel()
            if late.is_set():
                raise ProtocolError(f"the head of the answer was not whole after {self.longest:.0f} s")


def time_heads(manager: PoolManager, seconds: float) -> None:
    """Have every connection that `manager` makes from now on wait no longer than `seconds` for a head."""
    manager.pool_classes_by_scheme = {
        "http": _pool(HTTPConnectionPool, HTTPConnection, seconds),
        "https": _pool(HTTPSConnectionPool, HTTPSConnection, seconds),
    }


def _pool(pool: type[Any], connection: type[Any], seconds: float) -> type[Any]:
    timed = type(f"Timed{connection.__name__}", (_TimedHead, connection), {"longest": seconds})
    return type(f"Timed{pool.__name__}", (pool,), {"ConnectionCls": timed})


def room_for(folder: Path, wanted: int) -> int:
    """Of `wanted` bytes, what the disk of `folder` may take."""
    return max(0, min(wanted, free_bytes(folder) - _ROOM_LEFT))


def too_large(what: str, most: int, folder: Path) -> KaggleError:
    """`what` has more than the `most` bytes that were allowed or that there is room for."""
    return KaggleError(
        f"{what} has more than {most} bytes",
        hint=f"raise the size limit, or make room: {free_bytes(folder)} bytes are free at {folder}",
    )
