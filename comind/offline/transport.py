"""The responder behind the chat completions API: an in-process transport for the `openai` client."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from comind.llm.tokens import estimate_prompt_tokens, estimate_tokens
from comind.offline.responder import respond

if TYPE_CHECKING:
    import httpx2

OFFLINE_MODEL: Final = "recipes"
OFFLINE_LABEL: Final = "recipes, no language model"
OFFLINE_BASE_URL: Final = "http://offline.invalid/v1"


def offline_transport() -> httpx2.AsyncBaseTransport:
    """For `openai.AsyncOpenAI(http_client=httpx2.AsyncClient(transport=…))`; it opens no connection."""
    import httpx2

    def handle(request: httpx2.Request) -> httpx2.Response:
        status, document = answer(request.method, request.url.path, request.content)
        return httpx2.Response(status, json=document)

    return httpx2.MockTransport(handle)


def answer(method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """(status, JSON document) for `/models` and `/chat/completions`, whatever prefix stands before them."""
    if method == "GET" and path.rstrip("/").endswith("/models"):
        return 200, {"object": "list", "data": [_MODEL]}
    if method == "POST" and path.rstrip("/").endswith("/chat/completions"):
        try:
            request = json.loads(body)
            messages = [_plain(message) for message in request["messages"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            return 400, _error("the body holds no list of messages")
        if request.get("stream"):
            return 400, _error("streaming is not supported")
        return 200, completion(str(request.get("model", OFFLINE_MODEL)), messages)
    return 404, _error(f"{method} {path} is not served here")


def completion(model: str, messages: list[dict[str, str]]) -> dict[str, Any]:
    """A chat completion. Tokens are the project's own estimate, as no tokenizer took part.

    `created` is 0, so that the same messages give the same bytes.
    """
    text = respond(messages)
    prompt, reply = estimate_prompt_tokens(messages), estimate_tokens(text)
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()
    return {
        "id": f"chatcmpl-{digest[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": reply, "total_tokens": prompt + reply},
    }


def _plain(message: dict[str, Any]) -> dict[str, str]:
    """Content may be a string or a list of typed parts; only the text of them is read."""
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in content)
    return {"role": str(message.get("role", "user")), "content": str(content)}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


_MODEL = {"id": OFFLINE_MODEL, "object": "model", "created": 0, "owned_by": OFFLINE_LABEL}
