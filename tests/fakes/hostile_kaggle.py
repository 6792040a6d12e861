"""A server in Kaggle's place whose answers have no measure: a test says what comes, for ever if it likes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import Loopback


@dataclass
class Said:
    """One answer: its head, and its body's pieces, in chunks where no Content-Length is told."""

    pieces: Iterable[bytes] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    pause: float = 0.0
    """Seconds between two pieces."""
    head_pause: float = 0.0
    """Seconds between two bytes of an endless head."""


class HostileKaggle(Loopback):
    """A context manager; `answer` is given the path and the number of the call, from 0."""

    def __init__(self, answer: Callable[[str, int], Said]) -> None:
        self.answer = answer
        self.calls = 0
        self.sent = 0
        """Bytes of bodies that were taken."""
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return self.address

    def let_go(self) -> None:
        self.closing.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: HostileKaggle

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        number, self.served.calls = self.served.calls, self.served.calls + 1
        said = self.served.answer(self.path, number)
        in_chunks = "Content-Length" not in said.headers
        try:
            self.send_response(said.status)
            if said.head_pause:
                self.flush_headers()
                self._drip(said.head_pause)
            for name, value in said.headers.items():
                self.send_header(name, value)
            if in_chunks:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in said.pieces:
                if self.served.closing.is_set():
                    break
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if in_chunks else piece)
                self.served.sent += len(piece)
                if said.pause:
                    self.served.closing.wait(said.pause)
            if in_chunks:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True  # the client went away first

    def _drip(self, pause: float) -> None:
        self.wfile.write(b"X-Drip: ")
        while not self.served.closing.wait(pause):
            self.wfile.write(b"x")

    do_GET = do_POST = do_PUT = _serve

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read the counts, not a log."""


HostileKaggle.handler = _Handler
