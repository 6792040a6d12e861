"""A chat completions server on a loopback port that answers from a script, as strictly as the hosted API.

Everything above the socket is the real client. What it says is scripted and nothing else: a request beyond
the script gets a 500 that no client retries, and `ScriptedModel.unscripted` counts it.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from comind.llm.tokens import estimate_prompt_tokens, estimate_tokens
from tests.fakes.loopback import Loopback

REASONING_MODEL = re.compile(r"(o\d|gpt-[5-9])")


@dataclass(frozen=True)
class Scripted:
    """One answer. `raw` replaces the whole body, `error` the completion, `choices` the choices."""

    text: str | None = ""
    finish: str = "stop"
    refusal: str | None = None
    reasoning_tokens: int = 0
    usage: dict[str, Any] | None = None
    """None: estimated from the texts; {}: the field is left out."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    choices: list[Any] | None = field(default_factory=lambda: ["text"])
    raw: bytes | None = None
    content_type: str = "application/json"
    delay: float = 0.0
    """Seconds before the answer; infinity hangs until the server closes."""
    drip: float = 0.0
    """Seconds between single bytes of the body: no read ever times out."""
    reset: bool = False
    """The connection is reset in place of an answer."""
    endless: bytes = b""
    """The body is this again and again, until the client goes away."""


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float

    @property
    def prompt(self) -> str:
        return "\n".join(str(message.get("content", "")) for message in self.body.get("messages", []))


Script = Sequence[Scripted | str] | Callable[[dict[str, Any], int], Scripted | str]


class ScriptedModel(Loopback):
    """A context manager; `url` is the base URL while it is open.

    `script` is a list, used up in order, or a function of the request's JSON and its number (from 0), which
    keeps parallel agents deterministic. `context` limits prompt and completion together as vLLM does.
    `documents` are served by path, for instance `/v1/models`; without them nothing is.
    """

    def __init__(
        self,
        script: Script,
        *,
        models: Sequence[str] = ("scripted",),
        api_key: str | None = None,
        context: int | None = None,
        completion_limit: int | None = None,
        documents: dict[str, Any] | None = None,
    ) -> None:
        self.documents = documents or {}
        self.models = tuple(models)
        self.api_key = api_key
        self.context = context
        self.completion_limit = completion_limit
        self.received: list[Received] = []
        self.unscripted = 0
        self.endless_bytes = 0
        """Sent of endless bodies."""
        self.peak_in_flight = 0
        self.closing = threading.Event()
        self._script = script
        self._used = 0
        self._in_flight = 0
        self._lock = threading.Lock()

    def let_go(self) -> None:
        self.closing.set()

    @property
    def url(self) -> str:
        return f"{self.address}/v1"

    @property
    def left(self) -> int:
        """Scripted answers that nobody has asked for; 0 for a function."""
        return 0 if callable(self._script) else len(self._script) - self._used

    def answer(self, request: Received) -> Scripted:
        with self._lock:
            self.received.append(request)
            self._in_flight += 1
            self.peak_in_flight = max(self.peak_in_flight, self._in_flight)
            refused = self._refused(request)
            if refused is not None:
                return refused
            number, self._used = self._used, self._used + 1
        if callable(self._script):
            given = self._script(request.body, number)
        elif number < len(self._script):
            given = self._script[number]
        else:
            self.unscripted += 1
            return http_error(500, "this request was not scripted", headers={"x-should-retry": "false"})
        return Scripted(given) if isinstance(given, str) else given

    def answered(self) -> None:
        with self._lock:
            self._in_flight -= 1

    def _refused(self, request: Received) -> Scripted | None:
        """What the hosted API refuses before any model runs."""
        body = request.body
        if self.api_key is not None and request.headers.get("authorization") != f"Bearer {self.api_key}":
            sent = request.headers.get("authorization", "").removeprefix("Bearer ")
            return http_error(401, f"Incorrect API key provided: {sent}.", code="invalid_api_key")
        if body.get("model") not in self.models:
            return http_error(404, f"The model {body.get('model')!r} does not exist", code="model_not_found")
        if REASONING_MODEL.match(str(body["model"])):
            for name in ("max_tokens", "temperature", "top_p", "stop"):
                if name in body:
                    return unsupported(name)
        cap = body.get("max_completion_tokens", body.get("max_tokens", 0))
        if self.completion_limit is not None and cap > self.completion_limit:
            name = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
            return http_error(
                400,
                f"{name} is too large: {cap}. "
                f"This model supports at most {self.completion_limit} completion tokens.",
                code="invalid_value",
                param=name,
            )
        prompt = estimate_prompt_tokens(body["messages"])
        if self.context is not None and prompt + cap > self.context:
            return http_error(
                400,
                f"This model's maximum context length is {self.context} tokens. However, you requested "
                f"{prompt + cap} tokens ({prompt} in the messages, {cap} in the completion).",
                code="context_length_exceeded",
            )
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: ScriptedModel

    def do_GET(self) -> None:
        """What servers tell of themselves: `documents` by path."""
        document = self.served.documents.get(self.path)
        if isinstance(document, Scripted):
            with contextlib.suppress(OSError):  # the client went away first
                self._send(document, _payload(document, {}))
        elif document is None:
            self._send(http_error(404, "nothing here"), b"{}")
        else:
            self._send(Scripted(), json.dumps(document).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.served.answer(Received(body, headers, time.monotonic()))
        try:
            if reply.delay:
                self.served.closing.wait(min(reply.delay, 60.0))
            if reply.reset:
                self._reset()
                return
            self._send(reply, _payload(reply, body))
        except OSError:
            self.close_connection = True  # the client went away first
        finally:
            self.served.answered()

    def _send(self, reply: Scripted, payload: bytes) -> None:
        self.send_response(reply.status)
        for name, value in {"content-type": reply.content_type, **reply.headers}.items():
            self.send_header(name, value)
        if reply.endless:
            self._send_endless(reply.endless)
            return
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        if not reply.drip:
            self.wfile.write(payload)
            return
        for byte in payload:
            self.wfile.write(bytes([byte]))
            if self.served.closing.wait(reply.drip):
                return

    def _send_endless(self, piece: bytes) -> None:
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        while not self.served.closing.is_set():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.served.endless_bytes += len(piece)

    def _reset(self) -> None:
        # Zero linger makes close() send RST.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Tests read `received`, not a log."""


def _payload(reply: Scripted, request: dict[str, Any]) -> bytes:
    if reply.raw is not None:
        return reply.raw
    if reply.error is not None:
        return json.dumps({"error": reply.error}).encode()
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish}
    completion: dict[str, Any] = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [choice] if reply.choices == ["text"] else reply.choices,
    }
    usage = _estimated_usage(reply, request) if reply.usage is None else reply.usage
    if usage:
        completion["usage"] = usage
    return json.dumps(completion).encode()


def _estimated_usage(reply: Scripted, request: dict[str, Any]) -> dict[str, Any]:
    prompt = estimate_prompt_tokens(request["messages"])
    written = estimate_tokens(reply.text or "") + reply.reasoning_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
    }


def http_error(
    status: int,
    message: str,
    *,
    code: str | None = None,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> Scripted:
    error = {"message": message, "type": "error", "param": param, "code": code}
    return Scripted(status=status, error=error, headers=headers or {})


def unsupported(parameter: str) -> Scripted:
    message = f"Unsupported parameter: '{parameter}' is not supported with this model."
    return http_error(400, message, code="unsupported_parameter", param=parameter)


def rate_limited(retry_after: str) -> Scripted:
    return http_error(
        429, "Rate limit reached", code="rate_limit_exceeded", headers={"retry-after": retry_after}
    )


def no_quota() -> Scripted:
    return http_error(429, "You exceeded your current quota", code="insufficient_quota")


def html_page() -> Scripted:
    return Scripted(raw=b"<html><body>Please log in</body></html>", content_type="text/html")


def hanging() -> Scripted:
    return Scripted(delay=float("inf"))


ScriptedModel.handler = _Handler
