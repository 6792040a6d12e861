"""The one way out of a sandbox: a proxy on a Unix socket that connects to package hosts and to nothing else.

It knows CONNECT only, and resolves only names that are on its list. What passes is TLS for the host that was
asked for, unread by us; how much may be sent, and for how long nothing, has bounds. It ends with its sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.packages.hello import read_hello, server_name
from kaggle_runner.packages.indexes import Host, PackageSource

_ASKED = re.compile(
    rb"CONNECT (?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253})):(\d{1,5}) HTTP/1\.[01]\r\n"
)
_PIECE = 1 << 16
_BROKEN = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError)


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """Of all connections of one sandbox together, but for times and the head, which are of each."""

    connections: int = 32
    head_bytes: int = 4096
    opening_seconds: float = 20.0
    """Until the request is there, until the host answers, and until TLS begins."""
    idle_seconds: float = 120.0
    sent_bytes: int = 64 << 20
    """From inside: requests are small, and nobody's data leave in them."""
    received_bytes: int = 20_000_000_000


@contextlib.asynccontextmanager
async def package_proxy(
    source: PackageSource, socket: Path, limits: ProxyLimits | None = None
) -> AsyncIterator[PackageProxy]:
    """Serves on `socket` while the block lasts; then no connection of it is left."""
    proxy = PackageProxy(source, limits or ProxyLimits())
    server = await asyncio.start_unix_server(proxy.serve, socket, limit=proxy.limits.head_bytes)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()


class PackageProxy:
    """The connections of one sandbox, and what passed through them."""

    def __init__(self, source: PackageSource, limits: ProxyLimits) -> None:
        self._hosts = source.hosts
        self._refusal = f"Only packages can be had from here, of {source.names}"
        self.limits = limits
        self.sent = self.received = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection from inside, or hang up where there are too many."""
        if len(self._tasks) >= self.limits.connections:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection to its end; whatever is wrong with it ends it and nothing else."""
        try:
            await self._connect(reader, writer)
        except _BROKEN:
            pass
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self.limits.opening_seconds):
            head = await reader.readuntil(b"\r\n\r\n")
        asked = _ASKED.match(head)
        if asked is None:
            return await _answer(writer, 403, self._refusal)
        host = Host((asked[1] or asked[2]).decode().lower(), int(asked[3]))
        if host not in self._hosts:
            return await _answer(writer, 403, self._refusal)
        try:
            async with asyncio.timeout(self.limits.opening_seconds):
                there = await asyncio.open_connection(host.name, host.port, limit=_PIECE)
        except OSError:  # a time-out is one too
            return await _answer(writer, 502, f"{host.name} cannot be reached from this machine")
        try:
            await _answer(writer, 200, "Connected")
            async with asyncio.timeout(self.limits.opening_seconds):
                hello = await read_hello(reader)
            if server_name(hello) != ("" if _is_numeric(host.name) else host.name):
                return None
            there[1].write(hello)
            await self._pass_on(reader, writer, *there)
        finally:
            there[1].close()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        to_there: asyncio.StreamWriter,
    ) -> None:
        """Both ways, until either side ends."""
        heard = asyncio.get_running_loop().time()

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, *, out: bool) -> None:
            nonlocal heard
            while piece := await source.read(_PIECE):
                heard = asyncio.get_running_loop().time()
                self.sent += len(piece) * out
                self.received += len(piece) * (not out)
                if self.sent > self.limits.sent_bytes or self.received > self.limits.received_bytes:
                    return
                target.write(piece)
                await target.drain()

        ways = {
            asyncio.create_task(copy(reader, to_there, out=True)),
            asyncio.create_task(copy(there, writer, out=False)),
        }
        try:
            ended: set[asyncio.Task[None]] = set()
            while not ended:
                left = heard + self.limits.idle_seconds - asyncio.get_running_loop().time()
                if left <= 0:
                    return
                ended, _ = await asyncio.wait(ways, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _answer(writer: asyncio.StreamWriter, code: int, told: str) -> None:
    """`told` is the status line's own text: pip and others repeat that, and nothing of the body."""
    more = "" if code == 200 else "Content-Length: 0\r\nConnection: close\r\n"
    writer.write(f"HTTP/1.1 {code} {told}\r\n{more}\r\n".encode("ascii", "replace"))
    await writer.drain()


def _is_numeric(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
