"""The body of a server's answer, unpacked as it comes, in pieces of bounded size.

How much is read of which answer, and for how long, is its reader's business: `kaggle.answers` for Kaggle's,
`comind.llm.transport` for those of models.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_PIECE = 2**20
_PACKED = ("gzip", "x-gzip", "deflate")


class BadAnswer(Exception):
    """What came cannot be an answer: it is larger or slower than any, or not packed as it says. Says what."""


class Unpacker:
    """The bytes of one body as they were before its Content-Encoding.

    A few kilobytes may stand for gigabytes, so that no more than a piece is unpacked at a time. Raises
    BadAnswer for encodings that nobody asked for, and for what is not packed as it says.
    """

    def __init__(self, encoding: str = "") -> None:
        name = encoding.strip().lower()
        if name not in ("", "identity", *_PACKED):
            raise BadAnswer(f"it is packed as {name[:40]!r}, which was not asked for")
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if name in _PACKED else None

    def pieces(self, arrived: bytes) -> Iterator[bytes]:
        """What `arrived` holds, in pieces of at most a megabyte; as it is where nothing is packed."""
        if self._inflate is None:
            yield arrived
            return
        while arrived:
            try:
                piece = self._inflate.decompress(arrived, _PIECE)
            except zlib.error as error:
                raise BadAnswer(f"it is not packed as it says ({error})") from error
            if piece:
                yield piece
            arrived = self._inflate.unconsumed_tail

    def end(self) -> None:
        """Nothing more comes. Raises BadAnswer when the packed bytes end in their middle."""
        if self._inflate is not None and not self._inflate.eof:
            raise BadAnswer("its packed bytes end in their middle")
