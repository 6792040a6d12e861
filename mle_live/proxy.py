"""The server as the HTTP proxy of an unmodified client: it answers what is meant for it and forwards nothing.

A client that was told `HTTP_PROXY=http://127.0.0.1:PORT` sends whole addresses ("POST http://localhost/api/…");
httptools reduces them to paths. What is left to do is to refuse everything that is meant for another host, so
that no credential can leave through here.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from mle_live.patience import PatientProtocol
from mle_live.wire import RpcError

_OWN_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


class HostGuard:
    """ASGI middleware that answers 421 when a request names a host other than the loopback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = Headers(scope=scope).get("host", "localhost")
            if re.sub(r":\d*$", "", host).lower() not in _OWN_HOSTS:
                await RpcError(421, _refusal(host)).response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


class RefusingProxyProtocol(PatientProtocol):
    """HTTP/1.1 that refuses CONNECT with a sentence in the status line, which clients show to people."""

    def data_received(self, data: bytes) -> None:
        between_requests = self.cycle is None or self.cycle.response_complete
        if not (between_requests and data.startswith(b"CONNECT ")):
            super().data_received(data)
            return
        target = data.split(b" ", 2)[1][:200].decode("latin-1")
        sentence = _refusal(target)
        self.transport.write(
            f"HTTP/1.1 403 {sentence}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(sentence) + 1}\r\nConnection: close\r\n\r\n{sentence}\n".encode()
        )
        self.transport.close()


def _refusal(target: str) -> str:
    shown = _UNPRINTABLE.sub("?", target)[:100]
    return f"This is MLE-Live on your own machine; it forwards nothing to {shown}"
