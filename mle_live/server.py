"""The HTTP server: Kaggle's protocol, uploads, downloads and MLE-Live's own reads on one loopback port.

Routing, authentication and bodies are here; what a call answers, and under which conditions, is in the api
modules.
"""

from __future__ import annotations

import base64
import binascii
import errno
import json
import logging
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaggle_runner.errors import MachineError
from kaggle_runner.moments import Clock
from mle_live.api.account import AccountApi
from mle_live.api.competitions import CompetitionApi
from mle_live.api.datasets import DatasetApi
from mle_live.api.discussions import DiscussionApi
from mle_live.api.extension import FactsApi
from mle_live.api.kernel_push import KernelPushApi
from mle_live.api.kernel_stream import follow_log
from mle_live.api.kernels import KernelApi
from mle_live.api.posts import PostApi
from mle_live.api.submissions import SubmissionApi
from mle_live.api.unserved import is_of_old_client, not_offered
from mle_live.proxy import HostGuard, RefusingProxyProtocol
from mle_live.service import NOBODY, Api, Call, Service
from mle_live.stores.state import User
from mle_live.wire import OwnAddress, Rpc, RpcError, SignedFiles, handlers, not_found
from mle_live.wire_types import read_message

logger = logging.getLogger("mle_live")

_NO_CREDENTIALS = "Unauthenticated: no valid API token or key came with the request"


def create_app(service: Service) -> Starlette:
    """The ASGI application over `service`, which it closes when it shuts down."""
    register_url_convertor("number", _Number())
    routes = _Routes(service)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.close)

    return Starlette(
        lifespan=lifespan,
        middleware=[Middleware(HostGuard), Middleware(_ClockDate, clock=service.clock)],
        routes=[
            Route("/healthz", _healthy),
            Route("/api/v1/{service}/{method}", routes.call, methods=["POST"]),
            Route("/v1/{service}/{method}", routes.call, methods=["POST"]),
            Route("/_blob/{token}", service.blobs.put, methods=["PUT"]),
            Route("/api/v1/kernels/logs/stream/{owner}/{slug}", routes.kernel_log),
            Route("/v1/kernels/logs/stream/{owner}/{slug}", routes.kernel_log),
            Route("/api/v1/{path:path}", _old_rest, methods=["GET", "POST", "PUT", "DELETE", "HEAD"]),
            *(routes.files(*declared) for declared in handlers(routes.apis, SignedFiles)),
            *(routes.own(*declared) for declared in handlers(routes.apis, OwnAddress)),
        ],
        exception_handlers={
            RpcError: _rpc_error,
            ClientDisconnect: _nobody_there,
            404: _unknown_address,
            405: _unknown_address,
            Exception: _internal_error,
        },
    )


def apis_of(service: Service) -> tuple[Api, ...]:
    """The parts of the protocol, whose methods are the handlers of all calls."""
    return (
        CompetitionApi(service),
        SubmissionApi(service),
        DiscussionApi(service),
        DatasetApi(service),
        AccountApi(service),
        KernelApi(service),
        KernelPushApi(service),
        PostApi(service),
        FactsApi(service),
    )


class _Number(IntegerConvertor):
    """Whole numbers in addresses that a database can hold; longer ones are addresses of nothing."""

    regex = "[0-9]{1,18}"


class _ClockDate:
    """Answers bear the date of the competitions' clock, so that a client's deadlines are the server's."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._clock.now().astimezone(UTC), usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        await self._app(scope, receive, send_dated)


class _Routes:
    def __init__(self, service: Service) -> None:
        self._service = service
        self.apis = apis_of(service)
        self._rpcs = {contract.name: (contract, handler) for contract, handler in handlers(self.apis, Rpc)}

    async def call(self, request: Request) -> Response:
        """One RPC: JSON in, JSON out, kagglesdk's classes as the schema."""
        if is_of_old_client(request.path_params["service"]):  # their bodies are forms
            return await _old_rest(request)
        body = await _json_body(request, self._service.limits.request_bytes)
        return await run_in_threadpool(self._answer, request, body)

    def _answer(self, request: Request, body: dict[str, Any]) -> Response:
        name = f"{request.path_params['service']}/{request.path_params['method']}"
        contract, handler = self._rpcs.get(name, (None, None))
        call = self._call(request, anonymous=contract is not None and contract.anonymous)
        if contract is None or handler is None:
            raise not_offered(name)
        try:
            asked = read_message(contract.request_type, body)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RpcError(400, f"{name}: a field of the request cannot be read ({error})") from error
        if contract.rules:
            competition = self._service.competition(asked.competition_name)
            if not self._service.rules.accepted(call.user, competition.slug):
                raise RpcError(403, "You must accept this competition's rules before you can take part in it")
        answer = handler(call, asked)
        return answer if isinstance(answer, Response) else JSONResponse(answer.to_dict())

    def _call(self, request: Request, *, anonymous: bool = False) -> Call:
        user = NOBODY if anonymous else self._user(request.headers.get("authorization", ""))
        if user is None:
            raise RpcError(401, _NO_CREDENTIALS)
        wait = 0 if anonymous else self._service.rates.wait_for(user.id)
        if wait:
            raise RpcError(429, f"Too many requests; try again in {wait} s", {"Retry-After": str(wait)})
        # In proxy mode the client's host is not the socket's, so it comes from the Host header.
        host = request.headers.get("host", request.url.netloc)
        return Call(user, self._service.clock.now(), f"{request.url.scheme}://{host}")

    def _user(self, authorization: str) -> User | None:
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._service.state.user_of_token(value.strip())
        if scheme.lower() != "basic":
            return None
        try:
            username, _, key = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        user = self._service.state.user_of_token(key)
        return user if user is not None and user.username == username else None

    async def kernel_log(self, request: Request) -> Response:
        call = await run_in_threadpool(self._call, request)
        return await follow_log(self._service, call, request)

    def files(self, contract: SignedFiles, find: Callable[[str], Path | None]) -> Route:
        """Files at addresses that authorise themselves; no other permission is sent. Ranges are answered."""

        async def answer(request: Request) -> Response:
            signature, path = request.path_params["signature"], request.path_params["path"]
            if not self._service.is_signed(contract.kind, path, signature):
                raise RpcError(403, "This download address is not valid any more; ask for a new one")
            found = await run_in_threadpool(find, path)
            if found is None:
                raise not_found("File", path)
            kind = "application/zip" if found.suffix == ".zip" else "application/octet-stream"
            return FileResponse(found, media_type=kind)

        return Route(f"/{contract.kind}/{{signature}}/{{path:path}}", answer)

    def own(self, contract: OwnAddress, handler: Callable[..., dict[str, Any]]) -> Route:
        """MLE-Live's own reads and posts: JSON out, and JSON in where something is posted."""
        limit = self._service.limits.request_bytes

        async def answer(request: Request) -> Response:
            body = [] if contract.verb == "GET" else [await _json_body(request, limit)]
            return await run_in_threadpool(
                lambda: JSONResponse(handler(self._call(request), *body, **request.path_params))
            )

        return Route(f"/mle-live/v1/{contract.path}", answer, methods=[contract.verb])


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _old_rest(request: Request) -> Response:
    path = request.url.path.partition("/v1/")[2]
    return not_offered(path).response() if is_of_old_client(path) else await _unknown_address(request, None)


async def _rpc_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RpcError)
    return error.response()


async def _unknown_address(request: Request, _: Exception | None) -> Response:
    return RpcError(404, f"Nothing here: {request.method} {request.url.path[:200]}").response()


async def _nobody_there(_: Request, error: Exception) -> Response:
    return Response(status_code=400)  # the client left in the middle of its request


async def _internal_error(_: Request, error: Exception) -> Response:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or (isinstance(error, sqlite3.OperationalError) and "disk is full" in str(error)):
        return RpcError(507, "MLE-Live's disk is full; make room, then try again").response()
    return RpcError(500, f"MLE-Live failed: {type(error).__name__}; see the server's log").response()


async def _json_body(request: Request, limit: int) -> dict[str, Any]:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise RpcError(413, f"The request is larger than {limit} bytes")
        chunks.append(chunk)
    try:
        body = json.loads(b"".join(chunks).decode() or "{}")
        json.dumps(body, ensure_ascii=False).encode()  # half a character in any text is refused here
    except (ValueError, RecursionError) as error:
        raise RpcError(400, "The request's body is not JSON in UTF-8, or nests too deeply") from error
    if not isinstance(body, dict):
        raise RpcError(400, "The request's body is not a JSON object")
    return body


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes any free one. Raises MachineError when it is taken."""
    # named as TCP, or asyncio does not switch Nagle's delay off, which costs each answer 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "ports go from 0 to 65535"
        raise MachineError(
            f"port {port} on 127.0.0.1 cannot be used: {reason}",
            hint="choose another one, or --port 0 for any free one",
        ) from error
    listener.listen(128)
    return listener


def build_server(service: Service) -> uvicorn.Server:
    """A uvicorn server for `service`; run it with `serve(sockets=[listen(port)])`.

    httptools is required: it accepts the absolute-form targets that clients send to a proxy.
    """
    config = uvicorn.Config(
        create_app(service),
        http=RefusingProxyProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,  # _ClockDate adds it
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
