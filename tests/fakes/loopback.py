"""A threaded HTTP server on a free loopback port, for as long as a `with` block lasts."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self


class Loopback:
    """Subclasses name their `handler`, whose instances find the server object as `served`."""

    handler: ClassVar[type[BaseHTTPRequestHandler]]

    def __enter__(self) -> Self:
        handler = type("Handler", (self.handler,), {"served": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def let_go(self) -> None:
        """Called before the end, for servers whose handlers hold requests back."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"
