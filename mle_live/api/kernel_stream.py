"""Kernel logs as they grow.

The client follows a log at `/v1/kernels/logs/stream/{owner}/{slug}`: server-sent events while the run goes
on, the whole log as a JSON array once it has ended.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mle_live.api.kernels import find_kernel
from mle_live.service import Call, Service
from mle_live.stores.kernels import ENDED, KernelStore
from mle_live.wire import denied

_LOOK_SECONDS = 0.2
_QUIET_SECONDS = 15.0
_PIECE = 1 << 20


async def follow_log(service: Service, call: Call, request: Request) -> Response:
    """The log of a run, replayed from its start; RpcError 403 for what the caller may not read."""
    parts, label = request.path_params, request.query_params.get("versionLabel")
    pushed = await run_in_threadpool(find_kernel, service, call, parts["owner"], parts["slug"], label)
    if pushed is None:
        raise denied("kernels.get")
    files = service.kernels.files(pushed.kernel.id, pushed.version)
    if pushed.version.status in ENDED:
        return Response(await run_in_threadpool(files.log_text), media_type="text/plain")
    events = _events(service.kernels.store, pushed.version.session, files.log)
    return StreamingResponse(events, media_type="text/event-stream")


async def _events(store: KernelStore, session: int, log: Path) -> AsyncIterator[bytes]:
    offset, told_at = 0, time.monotonic()
    while True:
        # The state first: what was written before an end is read after it was seen.
        version = await run_in_threadpool(store.session, session)
        piece = await run_in_threadpool(_lines_from, log, offset)
        if piece:
            offset, told_at = offset + len(piece), time.monotonic()
            yield b"".join(b"data: " + line + b"\n\n" for line in piece.splitlines())
        elif version is None or version.status in ENDED:
            yield b"data: END_OF_LOG\n\n"
            return
        else:
            if time.monotonic() - told_at > _QUIET_SECONDS:
                told_at = time.monotonic()
                yield b": still running\n\n"  # so that nobody on the way takes it for dead
            await asyncio.sleep(_LOOK_SECONDS)


def _lines_from(log: Path, offset: int) -> bytes:
    """Whole lines from `offset` on; at least one when there is one."""
    try:
        with log.open("rb") as file:
            file.seek(offset)
            piece = file.read(_PIECE)
            while piece and b"\n" not in piece and (more := file.read(_PIECE)):
                piece += more
    except FileNotFoundError:
        return b""
    return piece[: piece.rfind(b"\n") + 1]
