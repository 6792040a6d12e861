"""`python -m comind.offline serve --port N`: the responder for other people's agents, on loopback only."""

from __future__ import annotations

import argparse
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from comind.offline.transport import OFFLINE_LABEL, OFFLINE_MODEL, answer


class Handler(BaseHTTPRequestHandler):
    """Hands each request to `answer`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send()

    def do_POST(self) -> None:
        self._send()

    def log_message(self, format: str, *args: object) -> None:
        """Silent: stdout is data, and a line a request is noise."""

    def _send(self) -> None:
        import json

        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, document = answer(self.command, self.path, body)
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m comind.offline", description=OFFLINE_LABEL)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer the chat completions API on 127.0.0.1")
    serve.add_argument("--port", type=int, default=0, help="0 takes a free one")
    chosen = parser.parse_args(arguments)
    with ThreadingHTTPServer(("127.0.0.1", chosen.port), Handler) as server:
        print(f"http://127.0.0.1:{server.server_port}/v1", flush=True)
        print(f"model {OFFLINE_MODEL}: {OFFLINE_LABEL}; stop with Ctrl-C", file=sys.stderr)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
