"""The Kaggle client's calls about the user's own kernels: push, state, log, output, and the week's quota.

Nothing is decided here: `jobs` waits and harvests, `sessions` keeps the limits.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kagglesdk.kernels.types import kernels_api_service as kernels

from kaggle_runner.errors import KaggleError, KernelRefused
from kaggle_runner.kaggle.calls import split_ref
from kaggle_runner.kaggle.faults import said
from kaggle_runner.kaggle.identity import AccountCalls
from kaggle_runner.kaggle.outputs import OutputFolder, read_log, read_stream
from kaggle_runner.kaggle.records import (
    WITHOUT_ACCELERATOR,
    AcceleratorQuota,
    KernelFacts,
    KernelOutput,
    KernelPush,
    KernelState,
    KernelStatus,
    LogLine,
    PushedVersion,
    Quota,
)
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.wire import message, utc
from kaggle_runner.texts import whole_characters

_STATES: dict[str, KernelState] = {
    "QUEUED": "queued",
    "NEW_SCRIPT": "queued",
    "RUNNING": "running",
    "CANCEL_REQUESTED": "running",
    "COMPLETE": "complete",
    "ERROR": "error",
    "CANCEL_ACKNOWLEDGED": "cancelled",
}
_LIST_OUTPUT = "kernels.list_kernel_session_output"
_FULL = re.compile(r"maximum .*session count|session limit|quota|too many .*session", re.IGNORECASE)


_NO_MACHINE = re.compile(r"\b(gpu|tpu)s?\b|accelerator|machine.?shape", re.IGNORECASE)


class KernelCalls(AccountCalls):
    async def push_kernel(self, push: KernelPush) -> PushedVersion:
        """Save a kernel of the user's and have it run, once.

        Raises KernelRefused when Kaggle says no (`full` when a later push may be taken), KaggleError with
        `maybe_done` when no answer came: look at `kernel_version` then.
        """
        owner = await self.username()
        what = f"push of {owner}/{push.slug}"
        try:
            saved = await self._ask(what, "kernels.save_kernel", _push_request(owner, push), write=True)
        except KaggleError as error:
            if error.maybe_done or error.status in (0, 401, 429):
                raise
            raise KernelRefused(
                error.message, hint=error.hint, status=error.status, full=bool(_FULL.search(error.message))
            ) from error
        if saved.error:
            raise _refusal(what, said(saved.error), push.accelerator)
        refused = [
            *(saved.invalid_dataset_sources or ()),
            *(saved.invalid_competition_sources or ()),
            *(saved.invalid_kernel_sources or ()),
            *(saved.invalid_model_sources or ()),
        ]
        return PushedVersion(
            ref=_ref_of(saved, f"{owner}/{push.slug}"),
            url="" if self._transport.is_loopback else saved.url or "",  # MLE-Live has no pages
            version=saved.version_number or 1,
            refused_sources=tuple(refused),
        )

    async def kernel_facts(self, ref: str) -> KernelFacts | None:
        """The kernel as Kaggle keeps it; None when there is none that the user may see."""
        try:
            request = _of_kernel(kernels.ApiGetKernelRequest, ref)
            found = await self._ask(f"kernel {ref}", "kernels.get_kernel", request)
        except KaggleError as error:
            if error.status in (403, 404):
                return None
            raise
        noted = found.metadata
        return KernelFacts(
            ref=noted.ref,
            version=noted.current_version_number or 0,
            accelerator=noted.machine_shape or "",
            gpu=bool(noted.enable_gpu),
            internet=bool(noted.enable_internet),
            private=noted.is_private is not False,
            docker_image=noted.docker_image or "",
        )

    async def kernel_version(self, ref: str) -> int | None:
        """The number of the newest version; None when there is no such kernel."""
        found = await self.kernel_facts(ref)
        return None if found is None else found.version

    async def kernel_status(self, ref: str, version: int) -> KernelStatus:
        """The state of this version's run; right after a push Kaggle may answer 404, or for an older one."""
        request = _of_kernel(kernels.ApiGetKernelSessionStatusRequest, ref, version_label=f"v{version}")
        found = await self._ask(f"state of {ref}", "kernels.get_kernel_session_status", request)
        return KernelStatus(_STATES[found.status.name], whole_characters(found.failure_message or ""))

    async def kernel_log(self, ref: str, version: int) -> list[LogLine]:
        """What the run printed so far: the kept log, or while there is none what the live stream replays."""
        found = await self._ask(f"log of {ref}", _LIST_OUTPUT, _output_request(ref, version, 1))
        log = await asyncio.to_thread(read_log, found.log or "")  # it may be of a hundred megabytes
        return log or await self.live_log(ref, version)

    async def live_log(
        self, ref: str, version: int, *, quiet: float = 3.0, longest: float = 10.0
    ) -> list[LogLine]:
        """What a running kernel printed so far, by the stream that replays it from the start.

        Reading ends when nothing came for `quiet` seconds, and after `longest` seconds. Empty where the
        server has no such stream.
        """
        owner, slug = split_ref(ref, "kernel")
        path = f"kernels/logs/stream/{quote(owner)}/{quote(slug)}?versionLabel=v{version}"
        try:
            return await self._read(f"log of {ref}", lambda wire: read_stream(wire, path, quiet, longest))
        except KaggleError as error:
            if error.status in (400, 403, 404, 501):
                return []
            raise

    async def kernel_output(
        self,
        ref: str,
        version: int,
        dest: Path,
        *,
        wanted: Callable[[str], bool] = lambda name: True,
        most_bytes: int,
    ) -> KernelOutput:
        """Save the wanted output files of a run under `dest`, `most_bytes` of them together at most.

        Names that lead out of `dest` are refused. A file that was saved before with the same size is kept, so
        that a harvest that was cut off goes on.
        """
        listed: list[Any] = []
        log = ""
        request = _output_request(ref, version, 200)
        async for page in self._pages(f"output of {ref}", _LIST_OUTPUT, request):
            listed += page.files or []
            log = log or page.log or ""
        folder = OutputFolder(dest, most_bytes)
        for file in listed:
            if wanted(file.file_name):
                await self._save_output(folder, ref, version, file)
        return KernelOutput(
            names=tuple(whole_characters(file.file_name or "") for file in listed),
            saved=folder.saved,
            left_out=folder.left_out,
            log=tuple(await asyncio.to_thread(read_log, log)),
        )

    async def _save_output(self, folder: OutputFolder, ref: str, version: int, file: Any) -> None:
        request = kernels.ApiDownloadKernelOutputRequest()
        request.owner_slug, request.kernel_slug = split_ref(ref, "kernel")
        request.version_number, request.file_path = version, file.file_name
        what = f"output {file.file_name!r} of {ref}"

        def fetch(wire: Wire) -> None:
            folder.fetch(wire, file.file_name, file.url)

        def fetch_anew(wire: Wire) -> None:
            with wire.kernels.download_kernel_output(request) as response:
                folder.save(file.file_name, response)

        try:
            await self._read(what, fetch)
        except KaggleError as error:
            if error.status not in (400, 403, 404, 410):
                raise
            await self._read(what, fetch_anew)  # the address that came with the list is not valid any more

    async def delete_kernel(self, ref: str) -> None:
        """Remove a kernel of the user's with all its versions; a running one ends. There is no way back."""
        request = _of_kernel(kernels.ApiDeleteKernelRequest, ref)
        await self._ask(f"removal of {ref}", "kernels.delete_kernel", request, write=True)

    async def quota(self) -> Quota | None:
        """The week's accelerator time; None where the server does not tell it."""
        try:
            request = message(kernels.ApiGetAcceleratorQuotaStatisticsRequest)
            found = await self._ask("quota", "kernels.get_accelerator_quota_statistics", request)
        except KaggleError as error:
            if error.status in (403, 404, 501):
                return None
            raise
        return Quota(_quota(found.gpu_quota), _quota(found.tpu_quota), utc(found.quota_refresh_time))


def _push_request(owner: str, push: KernelPush) -> Any:
    """Everything is said, also what is the default: Kaggle's defaults differ from its documentation."""
    request = kernels.ApiSaveKernelRequest()
    request.slug, request.new_title = f"{owner}/{push.slug}", push.title
    request.text, request.language, request.kernel_type = push.text, "python", push.kernel_type
    request.dataset_data_sources = list(push.datasets)
    request.kernel_data_sources = list(push.kernels)
    request.competition_data_sources = list(push.competitions)
    request.model_data_sources = list(push.models)
    shape = push.accelerator
    request.enable_tpu = shape.lower().startswith("tpu")
    request.enable_gpu = bool(shape) and not request.enable_tpu
    request.machine_shape = shape or None
    request.enable_internet, request.is_private = push.internet, push.private
    if push.docker_image:
        request.docker_image, request.docker_image_pinning_type = push.docker_image, "original"
    request.session_timeout_seconds = push.seconds
    return request


def _refusal(what: str, text: str, accelerator: str) -> KernelRefused:
    full = bool(_FULL.search(text))
    no_machine = bool(accelerator and not full and _NO_MACHINE.search(text))
    words = text.lower()
    if full:
        advice = "a session must end first, or the week's quota come back; doctor --competition shows both"
    elif "phone" in words or "verif" in words:
        advice = "Kaggle wants the account verified by phone first: https://www.kaggle.com/settings"
    elif no_machine:
        advice = WITHOUT_ACCELERATOR
    else:
        advice = "Kaggle did not take the push; nothing runs"
    return KernelRefused(f"{what}: {text}", hint=advice, full=full, no_machine=no_machine)


def _ref_of(saved: Any, wished: str) -> str:
    """owner/slug as Kaggle named the kernel: `ref` is `/code/owner/slug` or `owner/slug`."""
    for name in (saved.ref, saved.url):
        parts = [part for part in (name or "").split("?")[0].split("/") if part]
        if len(parts) >= 2:
            return "/".join(parts[-2:])
    return wished


def _of_kernel(kind: Any, ref: str, **fields: Any) -> Any:
    owner, slug = split_ref(ref, "kernel")
    return message(kind, user_name=owner, kernel_slug=slug, **fields)


def _output_request(ref: str, version: int, page_size: int) -> Any:
    kind = kernels.ApiListKernelSessionOutputRequest
    return _of_kernel(kind, ref, version_label=f"v{version}", page_size=page_size)


def _quota(told: Any) -> AcceleratorQuota:
    def seconds(value: timedelta | None) -> float:
        return value.total_seconds() if value else 0.0

    if told is None:
        return AcceleratorQuota(0.0, 0.0, 0.0)
    return AcceleratorQuota(
        seconds(told.time_used), seconds(told.time_reserved), seconds(told.total_time_allowed)
    )
