"""Kernel logs as they grow, and output files by addresses that authorise themselves: the plain GET routes.

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
from starlette.responses import FileResponse, Response, StreamingResponse

from mle_live.api.kernels import KernelApi, denied
from mle_live.service import Service
from mle_live.stores.kernels import ENDED
from mle_live.wire import Call, RpcError

_LOOK_SECONDS = 0.2
_QUIET_SECONDS = 15.0
_PIECE = 1 << 20


class KernelStream:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._calls = KernelApi(service)

    async def follow_log(self, call: Call, request: Request) -> Response:
        """The log of a run, replayed from its start; RpcError 403 for what the caller may not read."""
        parts, label = request.path_params, request.query_params.get("versionLabel")
        pushed = await run_in_threadpool(self._calls.find, call, parts["owner"], parts["slug"], label)
        if pushed is None:
            raise denied()
        files = self._service.kernels.files(pushed.kernel.id, pushed.version)
        if pushed.version.status in ENDED:
            return Response(await run_in_threadpool(files.log_text), media_type="text/plain")
        events = self._events(pushed.version.session, files.log)
        return StreamingResponse(events, media_type="text/event-stream")

    async def _events(self, session: int, log: Path) -> AsyncIterator[bytes]:
        offset, told_at = 0, time.monotonic()
        while True:
            # The state first: what was written before an end is read after it was seen.
            version = await run_in_threadpool(self._service.kernels.store.session, session)
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

    async def output_file(self, request: Request) -> Response:
        """One output file; the signature in the address is the permission, as the client sends no other."""
        signature, session, name = (request.path_params[part] for part in ("signature", "session", "name"))
        if not self._service.is_signed(f"{session}/{name}", signature):
            raise RpcError(403, "This download address is not valid any more; ask for a new one")
        found = await run_in_threadpool(self._output, session, name)
        if found is None:
            raise RpcError(404, f"File not found: {name!r}")
        return FileResponse(found, media_type="application/octet-stream")

    def _output(self, session: int, name: str) -> Path | None:
        version = self._service.kernels.store.session(session)
        if version is None:
            return None
        found = self._service.kernels.files(version.kernel_id, version).find_output(name)
        return None if found is None else found.path


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
