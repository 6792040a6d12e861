"""Kaggle's kernel calls that read, stop and delete: lists, sources, states, logs, outputs.

Other people's private kernels answer as if they did not exist. Pushing is in `api_kernel_push.py`.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from kagglesdk.kernels.types import kernels_api_service as messages
from kagglesdk.kernels.types.kernels_enums import (
    KernelsListSortType,
    KernelsListViewType,
    KernelWorkerStatus,
)
from starlette.responses import RedirectResponse, Response

from kaggle_runner.moments import stamp
from kaggle_runner.notebook.text import text_to_notebook
from mle_live.competitions.community import KernelOrder, PublishedKernel, sorted_kernels
from mle_live.service import Service
from mle_live.stores.kernels import KernelVersion, PushedKernel
from mle_live.wire import Call, Method, RpcError, page_of, wire_time

SERVICE = "kernels.KernelsApiService"

_ORDERS: dict[Any, KernelOrder] = {
    KernelsListSortType.DATE_CREATED: "date",
    KernelsListSortType.DATE_RUN: "date",
    KernelsListSortType.SCORE_ASCENDING: "score_ascending",
    KernelsListSortType.SCORE_DESCENDING: "score_descending",
}


class KernelAtVersion(NamedTuple):
    kernel: PushedKernel
    version: KernelVersion


class KernelApi:
    def __init__(self, service: Service) -> None:
        self._service = service

    def methods(self) -> Mapping[str, Method]:
        return {
            f"{SERVICE}/{name}": method
            for name, method in {
                "ListKernels": Method(messages.ApiListKernelsRequest, self.list_kernels),
                "GetKernel": Method(messages.ApiGetKernelRequest, self.get_kernel),
                "GetKernelSessionStatus": Method(messages.ApiGetKernelSessionStatusRequest, self.get_status),
                "ListKernelSessionOutput": Method(
                    messages.ApiListKernelSessionOutputRequest, self.list_session_output
                ),
                "ListKernelFiles": Method(messages.ApiListKernelFilesRequest, self.list_files),
                "DownloadKernelOutput": Method(messages.ApiDownloadKernelOutputRequest, self.download_output),
                "CancelKernelSession": Method(messages.ApiCancelKernelSessionRequest, self.cancel),
                "DeleteKernel": Method(messages.ApiDeleteKernelRequest, self.delete),
            }.items()
        }

    # -- lists and sources -------------------------------------------------------------------------------

    def list_kernels(self, call: Call, request: Any) -> Any:
        served = self._service.competitions
        if request.competition:
            served = [self._service.competition(request.competition)]
        published = [_Row(k) for c in served for k in self._service.community(c, call).kernels]
        rows = [*published, *self._pushed_rows(call, request)]
        wanted = {row.kernel.ref: row for row in rows if _is_wanted(row, request, call)}
        order = _ORDERS.get(request.sort_by, "votes")
        page, following = page_of(
            sorted_kernels(tuple(row.kernel for row in wanted.values()), order),
            request.page_size,
            request.page_token,
            request.page,
        )
        response = messages.ApiListKernelsResponse()
        response.kernels = [_metadata(wanted[kernel.ref]) for kernel in page]
        response.next_page_token = following
        return response

    def _pushed_rows(self, call: Call, request: Any) -> list[_Row]:
        store = self._service.kernels.store
        found = [(kernel, store.version(kernel)) for kernel in store.visible(call.user)]
        votes = self._service.posts.votes("kernel", call.now)
        rows = [
            self._pushed_row(kernel, version, votes.get(kernel.ref, 0))
            for kernel, version in found
            if version is not None
        ]
        competition = request.competition
        return [row for row in rows if not competition or competition in row.kernel.competitions]

    def _pushed_row(self, kernel: PushedKernel, version: KernelVersion, votes: int) -> _Row:
        settings = version.settings
        record = PublishedKernel(
            ref=kernel.ref,
            title=kernel.title,
            author=kernel.owner,
            author_tier="novice",
            created_at=version.created_at,
            votes=votes,
            public_score=self._best_score(kernel, settings.competitions),
            language=settings.language,
            kernel_type=settings.kernel_type,
            code_path=self._service.kernels.files(kernel.id, version).source,
            datasets=settings.datasets,
            kernels=settings.kernels,
            competitions=settings.competitions,
        )
        return _Row(record, KernelAtVersion(kernel, version))

    def _best_score(self, kernel: PushedKernel, competitions: tuple[str, ...]) -> float | None:
        """Its best public score, in the first of its competitions to which an output was submitted."""
        for competition in self._service.competitions:
            if competition.slug in competitions:
                scores = self._service.kernels.store.public_scores(kernel, competition.slug)
                if scores:
                    return max(scores) if competition.higher_is_better else min(scores)
        return None

    def get_kernel(self, call: Call, request: Any) -> Any:
        pushed = self.find(call, request.user_name, request.kernel_slug, request.version_label)
        if pushed is None:
            row = self._published(call, request)
        else:
            votes = self._service.posts.votes("kernel", call.now)
            row = self._pushed_row(*pushed, votes.get(pushed.kernel.ref, 0))
        response = messages.ApiGetKernelResponse()
        response.metadata = _metadata(row)
        response.blob = messages.ApiKernelBlob()
        response.blob.source = _source(row.kernel)
        response.blob.language, response.blob.kernel_type = row.kernel.language, row.kernel.kernel_type
        response.blob.slug = row.kernel.ref.split("/")[1]
        return response

    # -- runs --------------------------------------------------------------------------------------------

    def get_status(self, call: Call, request: Any) -> Any:
        response = messages.ApiGetKernelSessionStatusResponse()
        pushed = self.find(call, request.user_name, request.kernel_slug, request.version_label)
        if pushed is None:
            self._published(call, request)
            response.status = KernelWorkerStatus.COMPLETE
            return response
        response.status = KernelWorkerStatus[pushed.version.status]
        if pushed.version.failure:
            response.failure_message = pushed.version.failure
        return response

    def list_session_output(self, call: Call, request: Any) -> Any:
        response = messages.ApiListKernelSessionOutputResponse()
        pushed = self.find(call, request.user_name, request.kernel_slug, request.version_label)
        if pushed is None:
            self._published(call, request)
            return response
        files = self._service.kernels.files(pushed.kernel.id, pushed.version)
        page, response.next_page_token = page_of(files.outputs(), request.page_size, request.page_token)
        for file in page:
            told = messages.ApiKernelSessionOutputFile()
            told.file_name, told.url = file.name, self._output_address(call, pushed, file.name)
            response.files = [*response.files, told]
        response.log = files.log_text()
        return response

    def list_files(self, call: Call, request: Any) -> Any:
        response = messages.ApiListKernelFilesResponse()
        pushed = self.find(call, request.user_name, request.kernel_slug, request.version_label)
        if pushed is None:
            self._published(call, request)
            return response
        files = self._service.kernels.files(pushed.kernel.id, pushed.version)
        page, response.next_page_token = page_of(files.outputs(), request.page_size, request.page_token)
        for file in page:
            told = messages.ApiListKernelFilesItem()
            told.name, told.size, told.creation_date = file.name, file.size, stamp(file.written)
            response.files = [*response.files, told]
        return response

    def download_output(self, call: Call, request: Any) -> Response:
        label = str(request.version_number) if request.version_number else None
        pushed = self.find(call, request.owner_slug, request.kernel_slug, label)
        name = request.file_path or ""
        if pushed is None:
            raise denied()
        if self._service.kernels.files(pushed.kernel.id, pushed.version).find_output(name) is None:
            raise RpcError(404, f"File not found: {name!r}")
        return RedirectResponse(self._output_address(call, pushed, name), status_code=302)

    def cancel(self, call: Call, request: Any) -> Any:
        """Stop a run by its session, which the first line of its log tells."""
        store = self._service.kernels.store
        version = store.session(request.kernel_session_id)
        kernel = None if version is None else store.kernel(version.kernel_id)
        if kernel is None or kernel.owner_id != call.user.id:
            raise denied()
        response = messages.ApiCancelKernelSessionResponse()
        if self._service.kernels.cancel(request.kernel_session_id) is None:
            response.error_message = "The session has ended already."
        return response

    def delete(self, call: Call, request: Any) -> Any:
        pushed = self.find(call, request.user_name, request.kernel_slug, None)
        if pushed is None or pushed.kernel.owner_id != call.user.id:
            raise RpcError(403, "Permission 'kernels.delete' was denied")
        self._service.kernels.delete(pushed.kernel)
        return messages.ApiDeleteKernelResponse()

    # -- finding -----------------------------------------------------------------------------------------

    def find(self, call: Call, owner: str, slug: str, label: str | None) -> KernelAtVersion | None:
        """A pushed kernel that the caller may read, at the version that was asked for or the latest.

        None when there is no such kernel for the caller; RpcError 404 when it has no such version.
        """
        slug, _, glued = slug.partition("/")  # client 2.2.4 glues the version on: "slug/3"
        store = self._service.kernels.store
        kernel = store.find(owner, slug)
        if kernel is None or (kernel.is_private and kernel.owner_id != call.user.id):
            return None
        asked = (label or glued).removeprefix("v")
        number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else None
        version = store.version(kernel, number) if number is not None or not asked else None
        if version is None:
            raise RpcError(404, f"{kernel.ref} has no version {asked!r}")
        return KernelAtVersion(kernel, version)

    def _published(self, call: Call, request: Any) -> _Row:
        """A kernel of the recorded community; RpcError 403, Kaggle's own answer, for all that is not."""
        wanted = f"{request.user_name}/{request.kernel_slug.split('/')[0]}".lower()
        for competition in self._service.competitions:
            for kernel in self._service.community(competition, call).kernels:
                if kernel.ref.lower() == wanted:
                    return _Row(kernel)
        raise denied()

    def _output_address(self, call: Call, pushed: KernelAtVersion, name: str) -> str:
        path = f"{pushed.version.session}/{name}"
        return f"{call.address}/_kernel/{self._service.signature(path)}/{quote(path)}"


class _Row(NamedTuple):
    """A kernel in a list: of the recorded community, or pushed here."""

    kernel: PublishedKernel
    pushed: KernelAtVersion | None = None


def denied() -> RpcError:
    """Kaggle's answer for what is missing or private."""
    return RpcError(403, "Permission 'kernels.get' was denied")


def _is_wanted(row: _Row, request: Any, call: Call) -> bool:
    kernel = row.kernel

    def fits(asked: str | None, value: str) -> bool:
        return asked in (None, "", "all") or str(asked).lower() == value.lower()

    if request.group == KernelsListViewType.PROFILE and kernel.author != call.user.username:
        return False
    if row.pushed is not None and row.pushed.kernel.is_private and not _asks_for_private(request, call):
        return False
    if request.dataset and request.dataset not in kernel.datasets:
        return False
    if request.parent_kernel and request.parent_kernel not in kernel.kernels:
        return False
    if (request.search or "").lower() not in f"{kernel.title} {kernel.ref}".lower():
        return False
    return (
        fits(request.user, kernel.ref.split("/")[0])
        and fits(request.language, kernel.language)
        and fits(request.kernel_type, kernel.kernel_type)
    )


def _asks_for_private(request: Any, call: Call) -> bool:
    """A list of everyone's kernels has no private ones, not even the caller's."""
    own_lists = (KernelsListViewType.PROFILE, KernelsListViewType.PUBLIC_AND_USERS_PRIVATE)
    return request.group in own_lists or (request.user or "").lower() == call.user.username.lower()


def _metadata(row: _Row) -> Any:
    kernel = row.kernel
    message = messages.ApiKernelMetadata()
    message.id, message.ref = zlib.crc32(kernel.ref.encode()), kernel.ref
    message.title, message.author = kernel.title, kernel.author
    message.slug = kernel.ref.split("/")[1]
    message.last_run_time, message.total_votes = wire_time(kernel.created_at), kernel.votes
    message.language, message.kernel_type = kernel.language, kernel.kernel_type
    message.is_private, message.enable_gpu, message.enable_internet = False, False, False
    message.dataset_data_sources = list(kernel.datasets)
    message.kernel_data_sources = list(kernel.kernels)
    message.competition_data_sources = list(kernel.competitions)
    message.current_version_number = 1
    if row.pushed is not None:
        pushed, version = row.pushed
        settings = version.settings
        message.id, message.is_private = pushed.id, pushed.is_private
        message.enable_gpu, message.enable_internet = settings.gpu, settings.internet
        message.machine_shape, message.category_ids = settings.machine_shape, list(settings.tags)
        message.current_version_number = version.number
        message.last_run_time = wire_time(version.started_at or version.created_at)
    return message


def _source(kernel: PublishedKernel) -> str:
    text = kernel.code_path.read_text(encoding="utf-8")
    if kernel.kernel_type == "notebook" and kernel.code_path.suffix != ".ipynb":
        return json.dumps(text_to_notebook(text, kernel.language))
    return text
