"""One loopback endpoint for two tools: the same waiting for each completion token, whoever asks.

Under `/comind/v1` the offline policy answers CoMind's prompts, under `/aide/v1` an `AideModel` answers
AIDE's. A reply is held back until a hosted model would have written it. Every call is noted with its
tokens, counted by the same estimate on both sides. It decides nothing about what is answered.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.aide_model import REVIEW, AideModel
from comind.llm.tokens import estimate_prompt_tokens, estimate_tokens
from comind.offline.transport import OFFLINE_MODEL, answer


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of a reply: `first` before its first token, then `token` for each one."""

    first: float = 4.0
    token: float = 0.02

    def seconds(self, tokens: int) -> float:
        return self.first + self.token * tokens


@dataclass(frozen=True, slots=True)
class Call:
    """One answered request. `side` is `comind` or `aide`; `seconds` is how long its reply was held back."""

    side: str
    kind: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float


class SlowEndpoint(ThreadingHTTPServer):
    """Answers as many requests at once as are sent, as hosted models do. `aide` is set before AIDE starts."""

    daemon_threads = True

    def __init__(self, latency: Latency) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.latency = latency
        self.aide: AideModel | None = None
        self.calls: list[Call] = []

    def url(self, side: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{side}/v1"

    def reply(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """(status, JSON document) after the wait that its tokens cost."""
        started = time.monotonic()
        side, _, rest = path.strip("/").partition("/")
        kind = ""
        if side == "aide" and method == "POST" and self.aide is not None:
            status, document, kind = _answer_aide(self.aide, body)
        else:
            status, document = answer(method, f"/{rest}", body)
        usage = document.get("usage")
        if status == 200 and usage:
            held = self.latency.seconds(usage["completion_tokens"])
            time.sleep(max(0.0, held - (time.monotonic() - started)))
            tokens = (usage["prompt_tokens"], usage["completion_tokens"])
            self.calls.append(Call(side, kind, *tokens, seconds=held))
        return status, document


@contextmanager
def serving(latency: Latency) -> Iterator[SlowEndpoint]:
    with SlowEndpoint(latency) as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.shutdown()
            thread.join()


def _answer_aide(model: AideModel, body: bytes) -> tuple[int, dict[str, Any], str]:
    request = json.loads(body)
    messages = [{"role": m["role"], "content": str(m.get("content") or "")} for m in request["messages"]]
    prompt = "\n".join(message["content"] for message in messages)
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if request.get("tools"):
        arguments = json.dumps(model.review(prompt))
        called = {"name": REVIEW, "arguments": arguments}
        message["tool_calls"] = [{"id": "call_0", "type": "function", "function": called}]
        kind, written, finish = "review", arguments, "tool_calls"
    else:
        kind, written = model.write(prompt)
        message["content"], finish = written, "stop"
    asked, replied = estimate_prompt_tokens(messages), estimate_tokens(written)
    document = {
        "id": "chatcmpl-aide",
        "object": "chat.completion",
        "created": 0,
        "model": str(request.get("model", OFFLINE_MODEL)),
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
        "usage": {"prompt_tokens": asked, "completion_tokens": replied, "total_tokens": asked + replied},
    }
    return 200, document, kind


class _Handler(BaseHTTPRequestHandler):
    server: SlowEndpoint
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send()

    def do_POST(self) -> None:
        self._send()

    def log_message(self, format: str, *args: object) -> None:
        """Silent: stdout is the result."""

    def _send(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, document = self.server.reply(self.command, self.path, body)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the tool was stopped while it waited
