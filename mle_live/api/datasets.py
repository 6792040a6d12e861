"""Kaggle's calls for datasets and uploads. Another user's private dataset answers as if it were not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from kagglesdk.blobs.types import blob_api_service as blobs
from kagglesdk.datasets.types import dataset_api_service as messages
from kagglesdk.datasets.types.dataset_enums import (
    DatabundleVersionStatus,
    DatasetSelectionGroup,
    DatasetSortBy,
)
from kagglesdk.datasets.types.dataset_types import DatasetInfo, DatasetSettingsFile, SettingsLicense
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from mle_live.service import Service
from mle_live.stores.dataset_files import BadUpload, NewFile, checked_name
from mle_live.stores.datasets import Dataset, DatasetSettings, DatasetVersion, find_dataset_file
from mle_live.wire import Call, Method, RpcError, page_of, wire_time

SERVICE = "datasets.DatasetApiService"
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,48}[a-z0-9])")


class DatasetApi:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._store = service.datasets

    def methods(self) -> Mapping[str, Method]:
        calls: dict[str, tuple[Any, Callable[[Call, Any], Any]]] = {
            "ListDatasets": (messages.ApiListDatasetsRequest, self.list_datasets),
            "GetDataset": (messages.ApiGetDatasetRequest, self.get_dataset),
            "GetDatasetStatus": (messages.ApiGetDatasetStatusRequest, self.get_status),
            "GetDatasetMetadata": (messages.ApiGetDatasetMetadataRequest, self.get_metadata),
            "UpdateDatasetMetadata": (messages.ApiUpdateDatasetMetadataRequest, self.update_metadata),
            "ListDatasetFiles": (messages.ApiListDatasetFilesRequest, self.list_files),
            "DownloadDataset": (messages.ApiDownloadDatasetRequest, self.download),
            "DownloadDatasetRaw": (messages.ApiDownloadDatasetRawRequest, self.download),
            "CreateDataset": (messages.ApiCreateDatasetRequest, self.create),
            "CreateDatasetVersion": (messages.ApiCreateDatasetVersionRequest, self.create_version),
            "CreateDatasetVersionById": (
                messages.ApiCreateDatasetVersionByIdRequest,
                self.create_version_by_id,
            ),
            "DeleteDataset": (messages.ApiDeleteDatasetRequest, self.delete),
        }
        return {f"{SERVICE}/{name}": Method(*call) for name, call in calls.items()} | {
            "blobs.BlobApiService/StartBlobUpload": Method(blobs.ApiStartBlobUploadRequest, self.start_upload)
        }

    # -- reading -----------------------------------------------------------------------------------------

    def list_datasets(self, call: Call, request: Any) -> Any:
        words = (request.search or "").lower().split()
        found = [
            dataset
            for dataset in self._store.visible(call.user)
            if _in_group(dataset, request, call)
            and all(word in search_text(dataset) for word in words)
            and (request.min_size or 0) <= dataset.newest.size <= (request.max_size or dataset.newest.size)
        ]
        votes = self._service.posts.votes("dataset", call.now)
        key = {
            DatasetSortBy.DATASET_SORT_BY_UPDATED: lambda d: d.newest.created_at.timestamp(),
            DatasetSortBy.DATASET_SORT_BY_ACTIVE: lambda d: d.newest.created_at.timestamp(),
            DatasetSortBy.DATASET_SORT_BY_PUBLISHED: lambda d: d.versions[0].created_at.timestamp(),
            DatasetSortBy.DATASET_SORT_BY_DOWNLOAD_COUNT: lambda d: float(d.downloads),
        }.get(request.sort_by, lambda d: float(votes.get(d.ref, 0)))
        found.sort(key=key, reverse=True)
        rows, following = page_of(found, request.page_size, request.page_token, request.page)
        response = messages.ApiListDatasetsResponse()
        response.datasets = [_dataset(dataset, votes) for dataset in rows]
        response.next_page_token = following
        return response

    def get_dataset(self, call: Call, request: Any) -> Any:
        dataset = self._readable(call, request)
        message = _dataset(dataset, self._service.posts.votes("dataset", call.now))
        message.files = _files(dataset, dataset.newest)
        message.versions = [_version(dataset, version) for version in dataset.versions]
        return message

    def get_status(self, call: Call, request: Any) -> Any:
        self._readable(call, request)
        response = messages.ApiGetDatasetStatusResponse()
        response.status = DatabundleVersionStatus.READY  # a version is there whole, or not at all
        return response

    def get_metadata(self, call: Call, request: Any) -> Any:
        dataset = self._readable(call, request)
        info = DatasetInfo()
        info.dataset_id, info.dataset_slug, info.owner_user = dataset.id, dataset.slug, dataset.owner
        info.title, info.subtitle = dataset.settings.title, dataset.settings.subtitle
        info.description, info.is_private = dataset.settings.description, dataset.is_private
        info.keywords, info.licenses = list(dataset.settings.keywords), [_license(dataset)]
        info.total_downloads = dataset.downloads
        info.total_votes = self._service.posts.votes("dataset", call.now).get(dataset.ref, 0)
        info.data = [_described(file) for file in dataset.newest.files]
        response = messages.ApiGetDatasetMetadataResponse()
        response.info = info
        return response

    def list_files(self, call: Call, request: Any) -> Any:
        dataset = self._readable(call, request)
        version = self._version(dataset, request.dataset_version_number)
        rows, following = page_of(_files(dataset, version), request.page_size, request.page_token)
        response = messages.ApiListDatasetFilesResponse()
        response.dataset_files, response.next_page_token = rows, following
        return response

    def download(self, call: Call, request: Any) -> Response:
        dataset = self._readable(call, request)
        version = self._version(dataset, request.dataset_version_number)
        name = request.file_name or f"{dataset.slug}.zip"
        kind = "file" if request.file_name else "all"
        if request.file_name and name not in {file.name for file in version.files}:
            raise RpcError(404, f"File not found: {name[:200]!r}")
        self._store.count_download(dataset)
        path = f"{kind}/{dataset.id}/{version.number}/{name}"
        signature = self._service.signature(f"dataset/{path}")
        return RedirectResponse(f"{call.address}/_dataset/{signature}/{quote(path)}", status_code=302)

    async def send(self, request: Request) -> Response:
        """A file or the zip of all, by an address that authorises itself. Ranges are answered."""
        kind, number, version, name = (
            request.path_params[part] for part in ("kind", "id", "version", "name")
        )
        if not self._service.is_signed(
            f"dataset/{kind}/{number}/{version}/{name}", request.path_params["signature"]
        ):
            raise RpcError(403, "This download address is not valid any more; ask for a new one")
        found = await run_in_threadpool(self._found, kind, number, version, name)
        if found is None:
            raise RpcError(404, f"File not found: {name[:200]!r}")
        return FileResponse(
            found, media_type="application/zip" if kind == "all" else "application/octet-stream"
        )

    def _found(self, kind: str, number: int, version_number: int, name: str) -> Path | None:
        dataset = self._store.of_id(number)
        version = None if dataset is None else dataset.version(version_number)
        if dataset is None or version is None:
            return None
        if kind == "all":
            try:
                return self._store.archive(dataset, version)
            except FileNotFoundError:  # deleted meanwhile
                return None
        return find_dataset_file(self._store.folder(dataset, version), version, name)

    # -- writing -----------------------------------------------------------------------------------------

    def start_upload(self, call: Call, request: Any) -> Any:
        blob = self._service.blobs.start(call.user, request.name, request.content_length)
        response = blobs.ApiStartBlobUploadResponse()
        response.token, response.create_url = blob.token, f"{call.address}/_blob/{blob.token}"
        return response

    def create(self, call: Call, request: Any) -> Any:
        if (request.owner_slug or call.user.username).lower() != call.user.username.lower():
            raise RpcError(403, "Permission 'datasets.create' was denied")
        title, slug = request.title or "", request.slug or ""
        if not 6 <= len(title) <= 50:
            return _refused("The dataset title must be between 6 and 50 characters")
        if len(slug) < 6 or not _SLUG.fullmatch(slug):
            return _refused("The dataset slug must have 6 to 50 lower-case letters, digits and hyphens")
        settings = DatasetSettings(
            title,
            request.subtitle or "",
            request.description or "",
            request.license_name or "unknown",
            tuple(request.category_ids or ()),
        )

        def make(files: list[NewFile]) -> Dataset | None:
            return self._store.create(
                call.user, slug, settings, files,
                is_private=bool(request.is_private), created_at=call.now,
            )  # fmt: skip

        return self._written(call, request, make, f"The requested slug {slug!r} is already in use by you")

    def create_version(self, call: Call, request: Any) -> Any:
        return self._next_version(call, self._own(call, request), request.body)

    def create_version_by_id(self, call: Call, request: Any) -> Any:
        dataset = self._store.of_id(request.id)
        if dataset is None or dataset.owner_id != call.user.id:
            raise _denied()
        return self._next_version(call, dataset, request.body)

    def _next_version(self, call: Call, dataset: Dataset, body: Any) -> Any:
        if body is None:
            raise RpcError(400, "The request has no `body` with the files of the version")

        def make(files: list[NewFile]) -> Dataset | None:
            self._store.add_version(
                dataset, body.version_notes or "", files,
                created_at=call.now, only=bool(body.delete_old_versions),
            )  # fmt: skip
            return dataset

        return self._written(call, body, make, "The dataset is gone")

    def _written(
        self, call: Call, body: Any, make: Callable[[list[NewFile]], Dataset | None], taken: str
    ) -> Any:
        """What came of a creation, in Kaggle's way: refusals are answers with status `error`."""
        files = [
            NewFile(f"{folder}{blob.name}", blob, file.description or "")
            for folder, file in _new_files("", body)
            for blob in [self._service.blobs.complete(file.token or "", call.user)]
        ]
        if not files:
            return _refused("A dataset needs at least one file")
        try:
            dataset = make(files)
        except BadUpload as error:
            return _refused(f"The dataset was refused: {error}")
        if dataset is None:
            return _refused(taken)
        for file in files:
            self._service.blobs.forget(file.blob)
        response = messages.ApiCreateDatasetResponse()
        response.status, response.ref, response.url = "ok", dataset.ref, _url(dataset)
        return response

    def update_metadata(self, call: Call, request: Any) -> Any:
        dataset, said = self._own(call, request), request.settings
        if said is None:
            raise RpcError(400, "The request has no `settings`")
        settings = DatasetSettings(
            said.title or dataset.settings.title,
            said.subtitle or "",
            said.description or "",
            said.licenses[0].name if said.licenses else dataset.settings.license,
            tuple(said.keywords or ()),
        )
        self._store.change(dataset, settings, is_private=bool(said.is_private))
        return messages.ApiUpdateDatasetMetadataResponse()

    def delete(self, call: Call, request: Any) -> Any:
        self._store.delete(self._own(call, request))
        return messages.ApiDeleteDatasetResponse()

    # -- whose -------------------------------------------------------------------------------------------

    def _readable(self, call: Call, request: Any) -> Dataset:
        found = self._store.readable(call.user, request.owner_slug, request.dataset_slug)
        if found is None:
            raise _denied()
        return found

    def _own(self, call: Call, request: Any) -> Dataset:
        found = self._readable(call, request)
        if found.owner_id != call.user.id:
            raise RpcError(403, "Permission 'datasets.update' was denied")
        return found

    def _version(self, dataset: Dataset, number: int | None) -> DatasetVersion:
        found = dataset.version(number)
        if found is None:
            raise RpcError(404, f"{dataset.ref} has no version {number}")
        return found


def _new_files(folder: str, body: Any) -> list[tuple[str, Any]]:
    """(folder with a closing `/`, announced file) of a creation's body, folders in folders included."""
    found = [(folder, file) for file in body.files or ()]
    for below in body.directories or ():
        try:
            name = checked_name(below.name or "")
        except BadUpload as error:
            raise RpcError(400, str(error)) from error
        found += _new_files(f"{PurePosixPath(folder) / name}/", below)
    return found


def _in_group(dataset: Dataset, request: Any, call: Call) -> bool:
    mine = dataset.owner_id == call.user.id
    match request.group:
        case DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY:
            return mine
        case DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY_PRIVATE:
            return mine and dataset.is_private
        case DatasetSelectionGroup.DATASET_SELECTION_GROUP_MY_PUBLIC:
            return mine and not dataset.is_private
        case DatasetSelectionGroup.DATASET_SELECTION_GROUP_USER:
            return dataset.owner.lower() == (request.user or "").lower()
        case DatasetSelectionGroup.DATASET_SELECTION_GROUP_ALL:
            return True
        case _:
            return not dataset.is_private


def search_text(dataset: Dataset) -> str:
    """Where the words of a search are looked for, in lower case."""
    said = dataset.settings
    return " ".join((dataset.ref, said.title, said.subtitle, said.description, *said.keywords)).lower()


def _dataset(dataset: Dataset, votes: Mapping[str, int]) -> Any:
    message = messages.ApiDataset()
    message.id, message.ref, message.url = dataset.id, dataset.ref, _url(dataset)
    message.title, message.subtitle = dataset.settings.title, dataset.settings.subtitle
    message.description, message.license_name = dataset.settings.description, dataset.settings.license
    message.owner_name = message.owner_ref = message.creator_name = dataset.owner
    message.total_bytes, message.last_updated = dataset.newest.size, wire_time(dataset.newest.created_at)
    message.is_private, message.download_count = dataset.is_private, dataset.downloads
    message.vote_count = votes.get(dataset.ref, 0)
    message.current_version_number = dataset.newest.number
    return message


def _files(dataset: Dataset, version: DatasetVersion) -> list[Any]:
    return [_file(dataset, version, file) for file in version.files]


def _file(dataset: Dataset, version: DatasetVersion, file: Any) -> Any:
    message = messages.ApiDatasetFile()
    message.ref = message.name = file.name
    message.dataset_ref, message.owner_ref = dataset.ref, dataset.owner
    message.description, message.total_bytes = file.description, file.size
    message.creation_date, message.file_type = wire_time(version.created_at), PurePosixPath(file.name).suffix
    return message


def _version(dataset: Dataset, version: DatasetVersion) -> Any:
    message = messages.ApiDatasetVersion()
    message.version_number, message.version_notes = version.number, version.notes
    message.creation_date, message.status = wire_time(version.created_at), "Ready"
    message.creator_name = message.creator_ref = dataset.owner
    return message


def _described(file: Any) -> Any:
    message = DatasetSettingsFile()
    message.name, message.description, message.total_bytes = file.name, file.description, file.size
    return message


def _license(dataset: Dataset) -> Any:
    message = SettingsLicense()
    message.name = dataset.settings.license
    return message


def _refused(reason: str) -> Any:
    response = messages.ApiCreateDatasetResponse()
    response.status, response.error = "error", reason
    return response


def _denied() -> RpcError:
    # Kaggle's answer for what is missing and for what is private: one does not tell from the other
    return RpcError(403, "Permission 'datasets.get' was denied")


def _url(dataset: Dataset) -> str:
    return f"https://www.kaggle.com/datasets/{dataset.ref}"
