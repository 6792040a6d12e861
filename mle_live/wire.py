"""Kaggle's RPC on the server's side: one call with its user, errors with an int code, pages.

Messages are kagglesdk's own classes; what a method does is in the api modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mle_live.stores.state import User

Item = TypeVar("Item")

MAX_PAGE = 200
_LONGEST_TOKEN = 20


class RpcError(Exception):
    """An answer with an HTTP status and Kaggle's error body."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    def response(self) -> Response:
        body = {"code": self.status, "message": self.message}
        return JSONResponse(body, status_code=self.status, headers=dict(self.headers))


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls, when, and under which address (scheme and host) the caller reached the server."""

    user: User
    now: datetime
    address: str


class Method(NamedTuple):
    """One RPC: its request class of kagglesdk and the function that answers with a message or a response."""

    request_type: Any
    answer: Callable[[Call, Any], Any]


def wire_time(moment: datetime) -> datetime:
    """The naive UTC date-time that kagglesdk writes with a `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def reached_address(request: Request) -> str:
    """Scheme and host as the client wrote them; redirects and upload addresses start with it.

    In proxy mode the client's host is not the socket's, so it comes from the Host header.
    """
    return f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}"


def page_of(
    items: Sequence[Item], size: int | None, token: str | None, page: int | None = None
) -> tuple[list[Item], str]:
    """The asked page of `items` and the token of the next page, empty after the last one.

    `size` -1 means everything. Raises RpcError 400 for a token that is not one of ours.
    """
    if size == -1:
        return list(items), ""
    length = min(size or 20, MAX_PAGE)
    if token and not (token.isdecimal() and len(token) < _LONGEST_TOKEN):
        raise RpcError(400, f"Invalid page token {token[:_LONGEST_TOKEN]!r}")
    if length < 1:
        raise RpcError(400, f"Invalid page size {size!r}")
    start = int(token) if token else (max(page or 1, 1) - 1) * length
    following = start + length
    return list(items[start:following]), str(following) if following < len(items) else ""
