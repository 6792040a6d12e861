"""Clients that do not finish what they began: let go, while the others are served."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from mle_live.patience import RequestBounds
from mle_live.proxy import RefusingProxyProtocol
from tests.tiny_kaggle import RunningServer, tiny_server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    monkeypatch.setattr(RefusingProxyProtocol, "patience", RequestBounds(1.0, 1.0, 10_000))
    with tiny_server(tmp_path) as running:
        yield running


def talk(server: RunningServer, *pieces: bytes) -> bytes:
    """Everything that the server says after `pieces`, until it closes the connection."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        said = b""
        try:
            while chunk := connection.recv(65_536):
                said += chunk
        except ConnectionResetError:
            pass  # closed while bytes of ours were on their way
        return said


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /api/v1/x/y HTTP/1.1\r\nHost: loc",
        b"POST /api/v1/x/y HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHo",
    ],
    ids=["nothing", "half a head", "half a body", "a second request that never comes"],
)
def test_who_stops_in_the_middle_is_let_go(server: RunningServer, begun: bytes) -> None:
    said = talk(server, begun)
    assert said.count(b"ok\n") == begun.count(b"\r\n\r\nGET")
    assert requests.get(f"{server.url}/healthz", timeout=30).text == "ok\n"


def test_a_head_without_end_is_refused(server: RunningServer) -> None:
    endless = b"X-Filler: " + b"a" * 30_000 + b"\r\n"
    said = talk(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + endless)
    assert said.startswith(b"HTTP/1.1 431")
    assert requests.get(f"{server.url}/healthz", timeout=30).text == "ok\n"
