"""The HTTP server: Kaggle's protocol, uploads, downloads and MLE-Live's own reads on one loopback port.

Routing, authentication and bodies are here; what a call answers is in the api modules.
"""

from __future__ import annotations

import base64
import binascii
import errno
import json
import logging
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import uvicorn
from kagglesdk.security.types.oauth_service import IntrospectTokenResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kaggle_runner.errors import MachineError
from kaggle_runner.files import whole_file
from kaggle_runner.moments import Clock
from mle_live.api import extension, posts
from mle_live.api.account import AccountApi
from mle_live.api.competitions import CompetitionApi
from mle_live.api.datasets import DatasetApi
from mle_live.api.discussions import DiscussionApi
from mle_live.api.kernel_push import KernelPushApi
from mle_live.api.kernel_stream import KernelStream
from mle_live.api.kernels import KernelApi
from mle_live.api.submissions import SubmissionApi
from mle_live.competitions.files import archive, find_file
from mle_live.proxy import HostGuard, RefusingProxyProtocol
from mle_live.service import Service
from mle_live.stores.rules import ASKING
from mle_live.stores.state import User
from mle_live.wire import Call, Method, RpcError, reached_address
from mle_live.wire_types import read_message

logger = logging.getLogger("mle_live")

_COMPETITION = "/mle-live/v1/competitions/{slug}"
_TOPICS = f"{_COMPETITION}/topics"
_NO_CREDENTIALS = "Unauthenticated: no valid API token or key came with the request"


def create_app(service: Service) -> Starlette:
    """The ASGI application over `service`, which it closes when it shuts down."""
    routes = _Routes(service)
    register_url_convertor("number", _Number())

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
            Route("/_upload/{token}", routes.upload, methods=["PUT"]),
            Route("/_download/{signature}/{path:path}", routes.download, methods=["GET", "HEAD"]),
            Route("/_blob/{token}", service.blobs.put, methods=["PUT"]),
            Route(
                "/_dataset/{signature}/{kind}/{id:number}/{version:number}/{name:path}", routes.datasets.send
            ),
            Route("/_kernel/{signature}/{session:number}/{name:path}", routes.kernels.output_file),
            Route("/api/v1/kernels/logs/stream/{owner}/{slug}", routes.kernel_log),
            Route("/v1/kernels/logs/stream/{owner}/{slug}", routes.kernel_log),
            Route("/mle-live/v1/competitions/{slug}", routes.extension(_competition_facts)),
            Route("/mle-live/v1/competitions/{slug}/kernel-scores", routes.extension(_kernel_scores)),
            Route("/mle-live/v1/submissions/{ref:number}/result", routes.extension(_submission_result)),
            Route(_TOPICS, routes.posting(_post_topic), methods=["POST"]),
            Route(_TOPICS + "/{topic:number}/messages", routes.posting(_post_message), methods=["POST"]),
            Route(f"{_COMPETITION}/rules", routes.posting(_accept_rules), methods=["POST"]),
            Route("/mle-live/v1/votes", routes.posting(_vote), methods=["POST", "DELETE"]),
        ],
        exception_handlers={
            RpcError: _rpc_error,
            ClientDisconnect: _nobody_there,
            404: _unknown_address,
            405: _unknown_address,
            Exception: _internal_error,
        },
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
        self.kernels = KernelStream(service)
        self.datasets = DatasetApi(service)
        self._methods: Mapping[str, Method] = {
            **CompetitionApi(service).methods(),
            **SubmissionApi(service).methods(),
            **DiscussionApi(service).methods(),
            **self.datasets.methods(),
            **AccountApi(service).methods(),
            **KernelApi(service).methods(),
            **KernelPushApi(service).methods(),
        }

    async def call(self, request: Request) -> Response:
        """One RPC: JSON in, JSON out, kagglesdk's classes as the schema."""
        name = f"{request.path_params['service']}/{request.path_params['method']}"
        body = await _json_body(request, self._service.limits.request_bytes)
        if name == "security.OAuthService/IntrospectToken":
            return await run_in_threadpool(self._introspect, body)
        caller = await run_in_threadpool(self._caller, request)
        method = self._methods.get(name)
        if method is None:
            raise RpcError(501, f"MLE-Live does not offer {name}")
        try:
            message = read_message(method.request_type, body)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise RpcError(400, f"{name}: a field of the request cannot be read ({error})") from error
        if name in ASKING:
            await run_in_threadpool(self._check_rules, caller, message.competition_name or "")
        answer = await run_in_threadpool(method.answer, caller, message)
        return answer if isinstance(answer, Response) else JSONResponse(answer.to_dict())

    def _check_rules(self, caller: Call, slug: str) -> None:
        if not self._service.rules.accepted(caller.user, self._service.competition(slug).slug):
            raise RpcError(403, "You must accept this competition's rules before you can take part in it")

    def _introspect(self, body: dict[str, Any]) -> Response:
        # The client has no handler for a 401 here: a bad token is "not active", with status 200.
        message = IntrospectTokenResponse()
        user = self._service.state.user_of_token(str(body.get("token", "")))
        if user is not None:
            message.active, message.username, message.user_id = True, user.username, user.id
        return JSONResponse(message.to_dict())

    def _caller(self, request: Request) -> Call:
        user = self._user(request.headers.get("authorization", ""))
        if user is None:
            raise RpcError(401, _NO_CREDENTIALS)
        wait = self._service.rates.wait_for(user.id)
        if wait:
            raise RpcError(429, f"Too many requests; try again in {wait} s", {"Retry-After": str(wait)})
        return Call(user, self._service.clock.now(), reached_address(request))

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

    async def upload(self, request: Request) -> Response:
        """The bytes of a submission, to the address that StartSubmissionUpload gave (the permission)."""
        token = request.path_params["token"]
        upload = self._service.uploads.get(token)
        if upload is None:
            raise RpcError(404, "Unknown upload")
        target = self._service.upload_path(token)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with whole_file(target) as file:  # a client may send the same upload twice at once
            async for chunk in request.stream():
                size += len(chunk)
                if size > upload.size:
                    raise RpcError(413, f"More bytes came than the {upload.size} that were announced")
                file.write(chunk)
            if size != upload.size:
                raise RpcError(400, f"{size} bytes came, {upload.size} were announced")
            if self._service.uploads.get(token) is not upload:
                raise RpcError(404, "Unknown upload")  # submitted or given up meanwhile
        return Response(status_code=201)

    async def kernel_log(self, request: Request) -> Response:
        caller = await run_in_threadpool(self._caller, request)
        return await self.kernels.follow_log(caller, request)

    async def download(self, request: Request) -> Response:
        """A data file or the zip of all, by an address that authorises itself. Ranges are answered."""
        signature, path = request.path_params["signature"], request.path_params["path"]
        if not self._service.is_signed(path, signature):
            raise RpcError(403, "This download address is not valid any more; ask for a new one")
        slug, _, name = path.partition("/")
        found = await run_in_threadpool(self._downloaded, slug, name)
        if found is None:
            raise RpcError(404, f"File not found: {name!r}")
        kind = "application/zip" if found.suffix == ".zip" else "application/octet-stream"
        return FileResponse(found, media_type=kind)

    def _downloaded(self, slug: str, name: str) -> Path | None:
        competition = self._service.competition(slug)
        if name == f"{slug}.zip":
            return archive(competition, self._service.state_dir / "downloads")
        file = find_file(competition, name.removeprefix("data/"))
        return None if file is None else file.path

    def extension(self, read: Callable[[Service, Call, Request], dict[str, Any]]) -> Any:
        async def answer(request: Request) -> Response:
            caller = await run_in_threadpool(self._caller, request)
            return JSONResponse(await run_in_threadpool(read, self._service, caller, request))

        return answer

    def posting(self, write: Callable[[Service, Call, Request, dict[str, Any]], dict[str, Any]]) -> Any:
        async def answer(request: Request) -> Response:
            caller = await run_in_threadpool(self._caller, request)
            body = await _json_body(request, self._service.limits.request_bytes)
            return JSONResponse(await run_in_threadpool(write, self._service, caller, request, body))

        return answer


def _post_topic(service: Service, call: Call, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    return posts.post_topic(service, call, request.path_params["slug"], body)


def _post_message(service: Service, call: Call, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    slug, topic = request.path_params["slug"], request.path_params["topic"]
    return posts.post_message(service, call, slug, topic, body)


def _accept_rules(service: Service, call: Call, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    return posts.accept_rules(service, call, request.path_params["slug"])


def _vote(service: Service, call: Call, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    return posts.vote(service, call, body, taken_back=request.method == "DELETE")


def _competition_facts(service: Service, call: Call, request: Request) -> dict[str, Any]:
    return extension.competition_facts(service, call, request.path_params["slug"])


def _kernel_scores(service: Service, call: Call, request: Request) -> dict[str, Any]:
    return extension.kernel_scores(service, call, request.path_params["slug"])


def _submission_result(service: Service, call: Call, request: Request) -> dict[str, Any]:
    return extension.submission_result(service, call, request.path_params["ref"])


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _rpc_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RpcError)
    return error.response()


async def _unknown_address(request: Request, _: Exception) -> Response:
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
