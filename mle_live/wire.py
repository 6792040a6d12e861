"""Kaggle's RPC on the server's side: contracts of handlers, and errors with an int code.

A handler is a method of an api class. Everything that decides how a request reaches it is declared there by a
`Contract`; the server collects them with `handlers`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from starlette.responses import JSONResponse, Response

Handler = TypeVar("Handler", bound=Callable[..., Any])
Kind = TypeVar("Kind", bound="Contract")


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


class Contract:
    """What the server must know of a handler; a contract is the handler's decorator."""

    def __call__(self, handler: Handler) -> Handler:
        vars(handler)["contract"] = self
        return handler


@dataclass(frozen=True)
class Rpc(Contract):
    """A call of Kaggle's, answered with a message of kagglesdk or a response: `handler(call, request)`.

    `name` is service/method. With `rules` the caller must have accepted those of the request's
    `competition_name`. `anonymous` calls bear no credentials and count against no rate.
    """

    name: str
    request_type: Any
    rules: bool = False
    anonymous: bool = False


@dataclass(frozen=True)
class OwnAddress(Contract):
    """MLE-Live's own address `/mle-live/v1/{path}`, answered with plain values.

    The handler takes the call, the body unless `verb` is GET, and the path's parts.
    """

    verb: Literal["GET", "POST", "DELETE"]
    path: str


@dataclass(frozen=True)
class SignedFiles(Contract):
    """Files at a `Service.signed_address` of this kind: `handler(path)` finds one."""

    kind: str


def handlers(apis: Iterable[object], kind: type[Kind]) -> Iterator[tuple[Kind, Callable[..., Any]]]:
    """The contracts of one kind that methods of `apis` were declared under, each with its bound method."""
    for api in apis:
        for name, method in vars(type(api)).items():
            contract = getattr(method, "contract", None)
            if isinstance(contract, kind):
                yield contract, getattr(api, name)


def number_of(name: str) -> int:
    """The number of what has none of its own here: Kaggle's ids are numbers."""
    return zlib.crc32(name.encode())


def not_found(what: str, name: object) -> RpcError:
    shown = repr(name[:200]) if isinstance(name, str) else name
    return RpcError(404, f"{what} not found: {shown}")


def denied(permission: str) -> RpcError:
    """Kaggle's answer for what is missing and for what is private: one does not tell from the other."""
    return RpcError(403, f"Permission {permission!r} was denied")
