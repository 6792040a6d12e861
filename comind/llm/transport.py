"""The HTTP of one endpoint: to its own address and to no other, answers within bounds and without its key.

Importing it takes half a second: `lines` does so when the first endpoint is opened.
"""

from __future__ import annotations

from typing import Final

import httpx2
import openai

from comind.llm.endpoints import Endpoint
from comind.llm.faults import Elsewhere
from kaggle_runner.bodies import BadAnswer, Unpacker
from kaggle_runner.redaction import without_secrets

MOST_BYTES: Final = 2**24
"""Of one answer, unpacked. The longest reply with its reasoning has a few million."""


def open_http(
    endpoint: Endpoint, transport: httpx2.AsyncBaseTransport | None, timeout: httpx2.Timeout
) -> httpx2.AsyncClient:
    """A client for calls to `endpoint`. `transport` replaces the network."""
    if transport is None and endpoint.is_loopback:
        # A proxy from the environment cannot reach this machine's ports.
        transport = httpx2.AsyncHTTPTransport()

    base = httpx2.URL(endpoint.base_url)
    home = (base.scheme, base.host, base.port)

    async def check_address(request: httpx2.Request) -> None:
        """A redirect would carry the prompt with it."""
        url = request.url
        if (url.scheme, url.host, url.port) != home:
            raise Elsewhere(str(url.copy_with(userinfo=b"", query=None)))

    async def take(response: httpx2.Response) -> None:
        response.stream = httpx2.ByteStream(without_secrets(await _body(response), (endpoint.api_key,)))
        response.headers.pop("content-encoding", None)

    return openai.DefaultAsyncHttpx2Client(
        timeout=timeout,
        headers={"Accept-Encoding": "gzip, deflate"},
        event_hooks={"request": [check_address], "response": [take]},
        **({"transport": transport} if transport else {}),
    )


async def _body(response: httpx2.Response) -> bytes:
    """The whole body. Raises BadAnswer."""
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream), "an asynchronous client's"
    unpacker, body = Unpacker(response.headers.get("content-encoding", "")), bytearray()
    try:
        async for arrived in stream:
            for piece in unpacker.pieces(arrived):
                body += piece
                if len(body) > MOST_BYTES:
                    raise BadAnswer(f"it has more than {MOST_BYTES} bytes")
        unpacker.end()
    finally:
        await stream.aclose()
    return bytes(body)
