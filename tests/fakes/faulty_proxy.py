"""A proxy on a loopback port that spoils some of the answers that pass it: a bad line to a good server.

Which request is spoiled, and how, is drawn by a seeded generator; everything else goes through unchanged. It
counts what it did, so that a test can tell that there were faults at all.
"""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.fakes.loopback import Loopback

FAULTS = (
    "500", "429", "reset", "html", "cut body", "error with 200", "no choices", "empty", "declined", "babble",
    "half a reply", "not UTF-8", "hang up",
)  # fmt: skip


class FaultyProxy(Loopback):
    """A context manager; `url` is the base URL to use in place of `upstream`'s."""

    def __init__(
        self, upstream: str, *, share: float, seed: int = 0, faults: Sequence[str] = FAULTS, spare: int = 1
    ) -> None:
        """Spoils this `share` of completions after the first `spare` ones (the check before a run)."""
        self.upstream = upstream.rstrip("/")
        self.spoiled: Counter[str] = Counter()
        self.passed = 0
        self._share = share
        self._faults = tuple(faults)
        self._rng = random.Random(seed)
        self._spare = spare
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    def draw(self) -> str:
        """The next completion's fault, or an empty string."""
        with self._lock:
            fault = self._rng.choice(self._faults) if self._rng.random() < self._share else ""
            if self.passed < self._spare or not fault:
                self.passed += 1
                return ""
            self.spoiled[fault] += 1
            return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: FaultyProxy

    def do_GET(self) -> None:
        self._send(*self._forward(None))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        fault = self.served.draw()
        try:
            if fault in ("500", "429"):
                error = {"error": {"message": f"spoiled: {fault}", "type": "error"}}
                self._send(int(fault), json.dumps(error).encode(), retry_after="0")
            elif fault == "reset":
                linger = struct.pack("ii", 1, 0)  # close() then sends RST
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
                self.close_connection = True
            elif fault == "hang up":
                self.close_connection = True
            else:
                status, answer = self._forward(body)
                self._send(status, spoil(fault, answer) if status == 200 else answer)
        except OSError:
            self.close_connection = True  # the client went away first

    def _forward(self, body: bytes | None) -> tuple[int, bytes]:
        path = self.path.removeprefix("/v1")
        request = urllib.request.Request(self.served.upstream + path, data=body)
        request.add_header("content-type", "application/json")
        request.add_header("authorization", self.headers.get("authorization", ""))
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def _send(self, status: int, payload: bytes, *, retry_after: str = "") -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        if retry_after:
            self.send_header("retry-after", retry_after)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read the counts, not a log."""


def spoil(fault: str, answer: bytes) -> bytes:
    """The answer with the fault in it."""
    match fault:
        case "html":
            return b"<html><body>Please log in</body></html>"
        case "cut body":
            return answer[: len(answer) // 2]
        case "not UTF-8":
            return b"\xff\xfe" + answer
        case "error with 200":
            return json.dumps({"error": {"message": "spoiled", "code": 502}}).encode()
    completion = json.loads(answer)
    if fault == "no choices":
        completion["choices"] = []
    if fault in ("empty", "declined", "babble", "half a reply"):
        message = completion["choices"][0]["message"]
        said = str(message["content"])
        message["content"] = {
            "empty": "",
            "declined": None,
            "babble": "Certainly! I would be happy to help.",
            "half a reply": said[: len(said) // 2],
        }[fault]
        if fault == "declined":
            message["refusal"] = "I cannot help with that."
        if fault == "half a reply":
            completion["choices"][0]["finish_reason"] = "length"
    return json.dumps(completion).encode()


FaultyProxy.handler = _Handler
