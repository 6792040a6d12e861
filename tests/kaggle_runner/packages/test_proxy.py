"""The way out of a sandbox leads to package hosts and nowhere else, whatever is asked of it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.packages.hello import server_name
from kaggle_runner.packages.indexes import Host, PackageSource
from kaggle_runner.packages.proxy import PackageProxy, ProxyLimits, package_proxy


@functools.cache
def hello_for(name: str) -> bytes:
    """What a real client says first."""
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(heard, said, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return said.read()


@dataclass
class World:
    """A package host at a port, which says back what it hears, and the proxy's socket."""

    proxy: PackageProxy
    socket: Path
    port: int
    reached: list[bytes]

    async def ask(self, *said: bytes) -> bytes:
        """All that comes back until the connection ends."""
        reader, writer = await asyncio.open_unix_connection(self.socket)
        heard = b""
        for part in said:
            writer.write(part)
            if part is not said[-1]:
                heard += await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):  # hung up on before all was read
            writer.write_eof()
            heard += await reader.read()
        writer.close()
        return heard

    @property
    def connect(self) -> bytes:
        return f"CONNECT LocalHost:{self.port} HTTP/1.1\r\nUser-Agent: pip\r\n\r\n".encode()


@asynccontextmanager
async def world(folder: Path, **limits: float) -> AsyncIterator[World]:
    reached: list[bytes] = []

    async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1 << 16):
            reached.append(piece)
            writer.write(b"heard " + str(len(piece)).encode())
        writer.close()

    server = await asyncio.start_server(host, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    source = PackageSource(frozenset({Host("localhost", port), Host("127.0.0.2", 1)}))
    bounds = ProxyLimits(**limits)  # type: ignore[arg-type]
    async with server, package_proxy(source, folder / "s", bounds) as proxy:
        yield World(proxy, folder / "s", port, reached)


async def test_tls_for_a_host_of_the_list_passes(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        hello = hello_for("localhost")
        answer = await here.ask(here.connect, hello)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"".join(here.reached) == hello
        assert here.proxy.sent == 0  # only what follows the first message is counted as sent


@pytest.mark.parametrize(
    "asked",
    [
        "CONNECT elsewhere.example:443 HTTP/1.1\r\n\r\n",
        "CONNECT localhost:{other} HTTP/1.1\r\n\r\n",
        "CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n",
        "CONNECT [::1]:{port} HTTP/1.1\r\n\r\n",
        "CONNECT localhost.:{port} HTTP/1.1\r\n\r\n",
        "CONNECT localhost:{port}@elsewhere.example:443 HTTP/1.1\r\n\r\n",
        "CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n",
        "CONNECT localhost:{port} \r\n\r\n",
        "CONNECT localhost:99999999 HTTP/1.1\r\n\r\n",
        "GET http://localhost:{port}/simple/ HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        "\r\n\r\n",
        "\x16\x03\x01\x00\x05hello\r\n\r\n",
    ],
)
async def test_everything_else_is_refused_with_a_sentence(tmp_path: Path, asked: str) -> None:
    async with world(tmp_path) as here:
        answer = await here.ask(asked.format(port=here.port, other=here.port + 1).encode("latin-1"))
        assert answer.startswith(b"HTTP/1.1 403 Only packages can be had from here, of 127.0.0.2, localhost")
        assert here.reached == []


@pytest.mark.parametrize(
    "said",
    [
        hello_for("elsewhere.example"),  # another name at a machine that serves many
        hello_for("127.0.0.1"),  # names none
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        hello_for("localhost")[:40],
        b"\x16\x03\x01\xff\xff" + bytes(70_000),
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x09",
        b"",
    ],
    ids=["another name", "no name", "no TLS", "half", "too long", "a lie", "nothing"],
)
async def test_what_is_no_tls_for_that_host_does_not_reach_it(tmp_path: Path, said: bytes) -> None:
    async with world(tmp_path) as here:
        answer = await here.ask(here.connect, said)
        assert answer == b"HTTP/1.1 200 Connected\r\n\r\n"
        assert here.reached == []


async def test_a_host_that_is_away_is_told(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        answer = await here.ask(b"CONNECT 127.0.0.2:1 HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 502 127.0.0.2 cannot be reached from this machine\r\n")


async def test_bounds_hold(tmp_path: Path) -> None:
    async with world(tmp_path, sent_bytes=1000, head_bytes=500) as here:
        assert await here.ask(b"CONNECT localhost:1 HTTP/1.1\r\nX: " + b"x" * 5000) == b""
        assert await here.ask(here.connect, hello_for("localhost") + bytes(4000)) != b""
        assert here.proxy.sent > 1000 and sum(map(len, here.reached)) < 4000
    async with world(tmp_path, opening_seconds=0.5, connections=2) as here:
        slow = [await asyncio.open_unix_connection(here.socket) for _ in range(2)]
        assert await here.ask(b"CONNECT localhost:1 HTTP/1.1\r\n\r\n") == b""
        for reader, writer in slow:
            assert await reader.read() == b""  # nothing came in time
            writer.close()


async def test_nothing_is_left_when_the_sandbox_ends(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        reader, writer = await asyncio.open_unix_connection(here.socket)
        writer.write(here.connect)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(hello_for("localhost"))
        await reader.readexactly(5)
        await here.proxy.close()
        assert await reader.read() is not None
        writer.close()
    with pytest.raises(OSError):
        await asyncio.open_unix_connection(here.socket)


def test_the_name_in_a_real_hello_is_read() -> None:
    assert server_name(hello_for("Index.Example")) == "index.example"
    assert server_name(hello_for("10.1.2.3")) == ""


@given(place=st.integers(0, 600), value=st.integers(0, 255), cut=st.integers(0, 600))
def test_a_damaged_hello_is_read_or_refused_and_nothing_else(place: int, value: int, cut: int) -> None:
    damaged = bytearray(hello_for("index.example"))
    damaged[place % len(damaged)] = value
    for record in (bytes(damaged), bytes(damaged[: cut % len(damaged)])):
        try:
            assert isinstance(server_name(record), str)
        except ValueError:
            pass
