"""Kaggle's kernel calls that read, stop and delete: lists, sources, states, logs, outputs.

Other people's private kernels answer as if they did not exist. Pushing is in `kernel_push.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from kagglesdk.kernels.types import kernels_api_service as messages
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType, KernelsListViewType, KernelWorkerStatus
from starlette.responses import RedirectResponse, Response

from kaggle_runner.kaggle.wire import message
from kaggle_runner.moments import stamp
from kaggle_runner.notebook.text import text_to_notebook
from mle_live.competitions.community import KernelOrder, PublishedKernel, sorted_kernels
from mle_live.kernels.files import OutputFile, VersionFiles
from mle_live.kernels.runs import on_cpu_sentence
from mle_live.service import Api, Call, Service
from mle_live.stores.kernels import KernelVersion, PushedKernel
from mle_live.wire import Rpc, RpcError, SignedFiles, denied, not_found, number_of
from mle_live.wire_types import page

KERNELS = "kernels.KernelsApiService"

_ORDERS: dict[Any, KernelOrder] = {
    KernelsListSortType.DATE_CREATED: "date",
    KernelsListSortType.DATE_RUN: "date",
    KernelsListSortType.SCORE_ASCENDING: "score_ascending",
    KernelsListSortType.SCORE_DESCENDING: "score_descending",
}


class KernelAtVersion(NamedTuple):
    kernel: PushedKernel
    version: KernelVersion


class KernelApi(Api):
    # -- lists and sources -------------------------------------------------------------------------------

    @Rpc(f"{KERNELS}/ListKernels", messages.ApiListKernelsRequest)
    def list_kernels(self, call: Call, request: Any) -> Any:
        served = self._service.competitions
        if request.competition:
            served = [self._service.competition(request.competition)]
        published = [_ListedKernel(k) for c in served for k in self._service.community(c, call).kernels]
        rows = [*published, *self._pushed_rows(call, request)]
        wanted = {row.kernel.ref: row for row in rows if _is_wanted(row, request, call)}
        order = _ORDERS.get(request.sort_by, "votes")
        kernels = sorted_kernels(tuple(row.kernel for row in wanted.values()), order)
        kind = messages.ApiListKernelsResponse
        return page(kind, request, "kernels", kernels, lambda kernel: _metadata(wanted[kernel.ref]))

    def _pushed_rows(self, call: Call, request: Any) -> list[_ListedKernel]:
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

    def _pushed_row(self, kernel: PushedKernel, version: KernelVersion, votes: int) -> _ListedKernel:
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
        return _ListedKernel(record, KernelAtVersion(kernel, version))

    def _best_score(self, kernel: PushedKernel, competitions: tuple[str, ...]) -> float | None:
        """Its best public score, in the first of its competitions to which an output was submitted."""
        for competition in self._service.competitions:
            if competition.slug in competitions:
                scores = self._service.kernels.store.public_scores(kernel, competition.slug)
                if scores:
                    return max(scores) if competition.higher_is_better else min(scores)
        return None

    @Rpc(f"{KERNELS}/GetKernel", messages.ApiGetKernelRequest)
    def get_kernel(self, call: Call, request: Any) -> Any:
        found = self._asked_for(call, request)
        if isinstance(found, PublishedKernel):
            row = _ListedKernel(found)
        else:
            votes = self._service.posts.votes("kernel", call.now)
            row = self._pushed_row(*found, votes.get(found.kernel.ref, 0))
        kernel = row.kernel
        blob = message(
            messages.ApiKernelBlob,
            source=_source(kernel),
            language=kernel.language,
            kernel_type=kernel.kernel_type,
            slug=kernel.ref.split("/")[1],
        )
        return message(messages.ApiGetKernelResponse, metadata=_metadata(row), blob=blob)

    # -- runs --------------------------------------------------------------------------------------------

    @Rpc(f"{KERNELS}/GetKernelSessionStatus", messages.ApiGetKernelSessionStatusRequest)
    def get_status(self, call: Call, request: Any) -> Any:
        found = self._asked_for(call, request)
        if isinstance(found, PublishedKernel):
            return message(messages.ApiGetKernelSessionStatusResponse, status=KernelWorkerStatus.COMPLETE)
        return message(
            messages.ApiGetKernelSessionStatusResponse,
            status=KernelWorkerStatus[found.version.status],
            failure_message=_told_of(found.version) or None,
        )

    @Rpc(f"{KERNELS}/ListKernelSessionOutput", messages.ApiListKernelSessionOutputRequest)
    def list_session_output(self, call: Call, request: Any) -> Any:
        pushed = self._asked_for(call, request)
        if isinstance(pushed, PublishedKernel):
            return message(messages.ApiListKernelSessionOutputResponse)
        files = self._service.kernels.files(pushed.kernel.id, pushed.version)

        def told(file: OutputFile) -> Any:
            url = self._output_address(call, pushed, file.name)
            return message(messages.ApiKernelSessionOutputFile, file_name=file.name, url=url)

        kind = messages.ApiListKernelSessionOutputResponse
        return page(kind, request, "files", files.outputs(), told, log=files.log_text())

    @Rpc(f"{KERNELS}/ListKernelFiles", messages.ApiListKernelFilesRequest)
    def list_files(self, call: Call, request: Any) -> Any:
        pushed = self._asked_for(call, request)
        if isinstance(pushed, PublishedKernel):
            return message(messages.ApiListKernelFilesResponse)
        files = self._service.kernels.files(pushed.kernel.id, pushed.version)

        def told(file: OutputFile) -> Any:
            item, written = messages.ApiListKernelFilesItem, stamp(file.written)
            return message(item, name=file.name, size=file.size, creation_date=written)

        return page(messages.ApiListKernelFilesResponse, request, "files", files.outputs(), told)

    @Rpc(f"{KERNELS}/DownloadKernelOutput", messages.ApiDownloadKernelOutputRequest)
    def download_output(self, call: Call, request: Any) -> Response:
        """One output, or without a name the zip of all, which is empty for recorded kernels."""
        label = str(request.version_number) if request.version_number else None
        found = self._find(call, request.owner_slug, request.kernel_slug, label)
        name, pushed = request.file_path or "", None if isinstance(found, PublishedKernel) else found
        if not name:
            session = pushed.version.session if pushed else 0
            path = f"{session}/{request.kernel_slug.split('/')[0]}.zip"
            address = self._service.signed_address(call, "_kernel_all", path)
            return RedirectResponse(address, status_code=302)
        if (
            pushed is None
            or self._service.kernels.files(pushed.kernel.id, pushed.version).find_output(name) is None
        ):
            raise not_found("File", name)
        return RedirectResponse(self._output_address(call, pushed, name), status_code=302)

    def _output_address(self, call: Call, pushed: KernelAtVersion, name: str) -> str:
        return self._service.signed_address(call, "_kernel", f"{pushed.version.session}/{name}")

    @SignedFiles("_kernel")
    def find_output(self, path: str) -> Path | None:
        session, _, name = path.partition("/")
        version = self._service.kernels.store.session(int(session))
        if version is None:
            return None
        found = self._service.kernels.files(version.kernel_id, version).find_output(name)
        return None if found is None else found.path

    @SignedFiles("_kernel_all")
    def find_outputs(self, path: str) -> Path | None:
        """The zip of all outputs, made once for a run that has ended; session 0 is one that left nothing."""
        session = int(path.partition("/")[0])
        version = self._service.kernels.store.session(session)
        if session and version is None:
            return None
        target = self._service.state_dir / "downloads" / f"kernel-{session}.zip"
        if version is None or version.ended_at is None or not target.is_file():
            kernel_id = version.kernel_id if version else 0
            no_files = VersionFiles(target.parent / "nothing", "script")
            files = self._service.kernels.files(kernel_id, version) if version else no_files
            files.archive(target)
        return target

    @Rpc(f"{KERNELS}/CancelKernelSession", messages.ApiCancelKernelSessionRequest)
    def cancel(self, call: Call, request: Any) -> Any:
        """Stop a run by its session, which the first line of its log tells."""
        store = self._service.kernels.store
        version = store.session(request.kernel_session_id)
        kernel = None if version is None else store.kernel(version.kernel_id)
        if kernel is None or kernel.owner_id != call.user.id:
            raise denied("kernels.get")
        stopped = self._service.kernels.cancel(request.kernel_session_id) is not None
        told = None if stopped else "The session has ended already."
        return message(messages.ApiCancelKernelSessionResponse, error_message=told)

    @Rpc(f"{KERNELS}/DeleteKernel", messages.ApiDeleteKernelRequest)
    def delete(self, call: Call, request: Any) -> Any:
        pushed = find_kernel(self._service, call, request.user_name, request.kernel_slug, None)
        if pushed is None or pushed.kernel.owner_id != call.user.id:
            raise denied("kernels.delete")
        self._service.kernels.delete(pushed.kernel)
        return message(messages.ApiDeleteKernelResponse)

    def _asked_for(self, call: Call, request: Any) -> KernelAtVersion | PublishedKernel:
        """The pushed or else the published kernel that a request names; RpcError 403 for all others."""
        return self._find(call, request.user_name, request.kernel_slug, request.version_label)

    def _find(
        self, call: Call, owner: str, slug: str, label: str | None
    ) -> KernelAtVersion | PublishedKernel:
        pushed = find_kernel(self._service, call, owner, slug, label)
        if pushed is not None:
            return pushed
        wanted = f"{owner}/{slug.split('/')[0]}".lower()
        for _, community in self._service.communities(call):
            for kernel in community.kernels:
                if kernel.ref.lower() == wanted:
                    return kernel
        raise denied("kernels.get")


class _ListedKernel(NamedTuple):
    """A kernel in a list: of the recorded community, or pushed here."""

    kernel: PublishedKernel
    pushed: KernelAtVersion | None = None


def find_kernel(
    service: Service, call: Call, owner: str, slug: str, label: str | None
) -> KernelAtVersion | None:
    """A pushed kernel that the caller may read, at the version that was asked for or the latest.

    None when there is no such kernel for the caller; RpcError 404 when it has no such version.
    """
    slug, _, glued = slug.partition("/")  # client 2.2.4 glues the version on: "slug/3"
    store = service.kernels.store
    kernel = store.find(owner, slug)
    if kernel is None or (kernel.is_private and kernel.owner_id != call.user.id):
        return None
    asked = (label or glued).removeprefix("v")
    number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else None
    version = store.version(kernel, number) if number is not None or not asked else None
    if version is None:
        raise RpcError(404, f"{kernel.ref} has no version {asked!r}")
    return KernelAtVersion(kernel, version)


def _is_wanted(row: _ListedKernel, request: Any, call: Call) -> bool:
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


def _told_of(version: KernelVersion) -> str:
    """Why it failed, and that it did not get the machine that it asked for; Kaggle's protocol has no other
    place for that."""
    return " ".join(filter(None, (version.failure, on_cpu_sentence(version.settings))))


def _metadata(row: _ListedKernel) -> Any:
    kernel = row.kernel
    pushed, version = row.pushed or (None, None)
    settings = version.settings if version else None
    return message(
        messages.ApiKernelMetadata,
        id=pushed.id if pushed else number_of(kernel.ref),
        ref=kernel.ref,
        title=kernel.title,
        author=kernel.author,
        slug=kernel.ref.split("/")[1],
        last_run_time=(version.started_at or version.created_at) if version else kernel.created_at,
        total_votes=kernel.votes,
        language=kernel.language,
        kernel_type=kernel.kernel_type,
        is_private=pushed is not None and pushed.is_private,
        enable_gpu=settings is not None and settings.gpu,
        enable_internet=settings is not None and settings.internet,
        machine_shape=settings.machine_shape if settings else None,
        category_ids=settings.tags if settings else None,
        dataset_data_sources=kernel.datasets,
        kernel_data_sources=kernel.kernels,
        competition_data_sources=kernel.competitions,
        current_version_number=version.number if version else 1,
    )


def _source(kernel: PublishedKernel) -> str:
    text = kernel.code_path.read_text(encoding="utf-8")
    if kernel.kernel_type == "notebook" and kernel.code_path.suffix != ".ipynb":
        return json.dumps(text_to_notebook(text, kernel.language))
    return text
