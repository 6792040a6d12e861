"""A bad line to a good Kaggle: a proxy on loopback that spoils chosen calls and passes on all others.

`line.spoil("CreateSubmission", "answer lost")` concerns the next call whose path contains that word; several
wait in order. It counts what passed, so that a test can tell what really reached the server.
"""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading
from collections import Counter, defaultdict, deque
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal
from urllib.parse import urlsplit

from tests.fakes.loopback import Loopback

Fault = Literal[
    "500", "429", "refused", "html", "never arrived", "answer lost", "down after it", "cut half-way",
    "half passed on", "body cut", "held", "hung", "down before it",
]  # fmt: skip
"""never arrived: hung up before it is passed on. answer lost: passed on, then hung up. down after it:
the same, and the line stays down. cut half-way: half of the body is read, nothing is passed on. half passed
on: the server gets that half, then is hung up on as the client is. body cut: the answer ends in its middle.
held: passed on once `release` is set. hung: passed on, and no answer until the client has given up. down
before it: never arrived, and the line stays down."""


class KaggleLine(Loopback):
    """A context manager; `url` stands in for the server's."""

    def __init__(self, upstream: str, *, skew: timedelta = timedelta(0)) -> None:
        """`skew` is added to the Date of every answer: the server's clock as this machine sees it."""
        self.upstream = upstream
        self.skew = skew
        self.passed: Counter[str] = Counter()
        """Calls that reached the server, by the last word of their path."""
        self.down = False
        """While True every connection is hung up on."""
        self.arrived = threading.Event()
        """Set when a held call is here."""
        self.release = threading.Event()
        self.edits: dict[str, dict[str, Any]] = {}
        """Fields to put over those of a call's answer, by the last word of its path."""
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._lock = threading.Lock()

    def spoil(self, path: str, *faults: Fault) -> None:
        self._faults[path].extend(faults)

    def draw(self, path: str) -> Fault | None:
        with self._lock:
            for word, waiting in self._faults.items():
                if word in path and waiting:
                    return waiting.popleft()
        return None

    def count(self, path: str) -> None:
        with self._lock:
            self.passed[path.rsplit("/", 1)[-1]] += 1

    @property
    def url(self) -> str:
        return self.address

    def let_go(self) -> None:
        self.release.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: KaggleLine

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        fault = self.served.draw(self.path)
        self.served.down = self.served.down or fault == "down before it"
        if self.served.down or fault in ("never arrived", "cut half-way"):
            self.rfile.read(size // 2)
            self._hang_up()
            return
        body = self.rfile.read(size)
        if fault in ("500", "429", "refused"):
            status = 400 if fault == "refused" else int(fault)
            answer = json.dumps({"code": status, "message": f"spoiled: {fault}"}).encode()
            self._answer(status, [("Content-Type", "application/json"), ("Retry-After", "0")], answer)
            return
        if fault == "html":
            self._answer(200, [("Content-Type", "text/html")], b"<html><body>Please log in</body></html>")
            return
        if fault == "half passed on":
            self._forward_half(body)
            self._hang_up()
            return
        if fault == "held":
            self.served.arrived.set()
            self.served.release.wait(60)
        try:
            status, headers, answer = self._forward(body)
        except OSError:
            self._hang_up()
            return
        if fault == "hung":
            self.connection.settimeout(30)
            self.connection.recv(1)  # nothing comes but the end
        self.served.down = self.served.down or fault == "down after it"
        if fault in ("answer lost", "down after it", "hung"):
            self._hang_up()
        else:
            self._answer(status, headers, answer, cut=fault == "body cut")

    def _forward(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(urlsplit(self.served.upstream).netloc, timeout=60)
        try:
            connection.request(self.command, self.path, body=body or None, headers=dict(self.headers.items()))
            answer = connection.getresponse()
            data = answer.read()
            self.served.count(self.path)
            edits = self.served.edits.get(self.path.rsplit("/", 1)[-1])
            if edits and answer.status == 200:
                data = json.dumps({**json.loads(data), **edits}).encode()
            return answer.status, answer.getheaders(), data
        finally:
            connection.close()

    def _forward_half(self, body: bytes) -> None:
        connection = http.client.HTTPConnection(urlsplit(self.served.upstream).netloc, timeout=60)
        connection.putrequest(self.command, self.path)
        for name, value in self.headers.items():
            if name.lower() not in ("host", "accept-encoding"):
                connection.putheader(name, value)
        connection.endheaders(body[: len(body) // 2])
        connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: bool = False) -> None:
        try:
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() == "date":
                    value = format_datetime(parsedate_to_datetime(value) + self.served.skew, usegmt=True)
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = self.close_connection or cut
        except OSError:
            self.close_connection = True  # the client went away first

    def _hang_up(self) -> None:
        linger = struct.pack("ii", 1, 0)  # close() then sends RST
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read the counts, not a log."""


KaggleLine.handler = _Handler
