"""HTTP/1.1 that does not wait for ever: clients that send a request byte by byte, or never, are let go.

A request must come whole within a time and a size: its head, and the pieces of its body one after another.
How long an answer takes is not bounded here: kernel logs are followed for hours.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class RequestBounds(NamedTuple):
    """Seconds for a request's head, seconds between two pieces of its body, and bytes of its head."""

    head_seconds: float = 30.0
    body_seconds: float = 60.0
    head_bytes: int = 65_536


class PatientProtocol(HttpToolsProtocol):
    """Closes the connection of a client whose request does not arrive."""

    patience = RequestBounds()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._waiting: asyncio.TimerHandle | None = None
        self._head = 0
        """Bytes of the head that is arriving; -1 while a body is, or an answer is made."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(self.patience.head_seconds)

    def data_received(self, data: bytes) -> None:
        if self._head >= 0:
            self._head += len(data)
        super().data_received(data)
        if self._head > self.patience.head_bytes:
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n")
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait(self.patience.head_seconds)

    def on_headers_complete(self) -> None:
        self._head = -1
        self._wait(self.patience.body_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._wait(self.patience.body_seconds)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stop_waiting()
        self._head = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(seconds, self._give_up, seconds)

    def _give_up(self, seconds: float) -> None:
        if self.flow is not None and self.flow.read_paused:
            self._wait(seconds)  # it is us who do not read
        else:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
