"""The first message of a TLS connection (RFC 8446, 4.1.2), as far as it names the server that is meant.

Many hosts of the world share their machines: who may connect to one name could ask that machine for another.
"""

from __future__ import annotations

import asyncio

_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME = 22, 1, 0
_MOST_BYTES = 1 << 14


async def read_hello(reader: asyncio.StreamReader) -> bytes:
    """The first record as it came. Raises ValueError where it is none, IncompleteReadError where it ends."""
    head = await reader.readexactly(5)
    length = int.from_bytes(head[3:])
    if head[0] != _HANDSHAKE or head[1] != 3 or not 0 < length <= _MOST_BYTES:
        raise ValueError("no TLS")
    return head + await reader.readexactly(length)


def server_name(record: bytes) -> str:
    """The host that the client wants, in lower case; empty where it names none, as for numeric addresses.

    Raises ValueError for what is not exactly one whole message.
    """
    message = _Bytes(record[5:])
    if message.number(1) != _CLIENT_HELLO:
        raise ValueError("no ClientHello")
    hello = _Bytes(message.counted(3))
    message.end()
    hello.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session, ciphers, compression
        hello.counted(size)
    extensions = _Bytes(hello.counted(2))
    hello.end()
    named: list[str] = []
    while not extensions.ended:
        kind, content = extensions.number(2), extensions.counted(2)
        if kind == _SERVER_NAME:
            names = _Bytes(_Bytes(content).counted(2))
            while not names.ended:
                named += [str(names.number(1)), names.counted(2).decode("ascii").lower()]
    if not named:
        return ""
    if len(named) != 2 or named[0] != "0":
        raise ValueError("more than one name")
    return named[1]


class _Bytes:
    """Read from the front; ValueError where there is less than is asked for."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    @property
    def ended(self) -> bool:
        return self._at == len(self._content)

    def take(self, count: int) -> bytes:
        taken = self._content[self._at : self._at + count]
        if len(taken) < count:
            raise ValueError("it ends early")
        self._at += count
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def counted(self, size: int) -> bytes:
        """What follows its own length, a number of `size` bytes."""
        return self.take(self.number(size))

    def end(self) -> None:
        if not self.ended:
            raise ValueError("more follows")
