"""Kaggle's calls for datasets and uploads. Another user's private dataset answers as if it were not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from kagglesdk.blobs.types import blob_api_service as blobs
from kagglesdk.datasets.types import dataset_api_service as messages
from kagglesdk.datasets.types.dataset_enums import (
    DatabundleVersionStatus,
    DatasetSelectionGroup,
    DatasetSortBy,
)
from kagglesdk.datasets.types.dataset_types import DatasetInfo, DatasetSettingsFile, SettingsLicense
from starlette.responses import RedirectResponse, Response

from kaggle_runner.kaggle.wire import message
from mle_live.api.folders import ListedFile, folder_page
from mle_live.service import Api, Call
from mle_live.stores.dataset_files import BadUpload, NewFile, checked_name
from mle_live.stores.datasets import (
    DatasetFile,
    DatasetSettings,
    DatasetVersion,
    StoredDataset,
    find_dataset_file,
)
from mle_live.wire import Rpc, RpcError, SignedFiles, denied, not_found
from mle_live.wire_types import page

DATASETS = "datasets.DatasetApiService"
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,48}[a-z0-9])")


class DatasetApi(Api):
    # -- reading -----------------------------------------------------------------------------------------

    @Rpc(f"{DATASETS}/ListDatasets", messages.ApiListDatasetsRequest)
    def list_datasets(self, call: Call, request: Any) -> Any:
        words = (request.search or "").lower().split()
        found = [
            dataset
            for dataset in self._service.datasets.visible(call.user)
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
        kind = messages.ApiListDatasetsResponse
        return page(kind, request, "datasets", found, lambda dataset: _dataset(dataset, votes))

    @Rpc(f"{DATASETS}/GetDataset", messages.ApiGetDatasetRequest)
    def get_dataset(self, call: Call, request: Any) -> Any:
        dataset = self._readable(call, request)
        votes = self._service.posts.votes("dataset", call.now)
        versions = [_version(dataset, version) for version in dataset.versions]
        files = [_file(dataset, dataset.newest, file) for file in dataset.newest.files]
        return _dataset(dataset, votes, files=files, versions=versions)

    @Rpc(f"{DATASETS}/GetDatasetStatus", messages.ApiGetDatasetStatusRequest)
    def get_status(self, call: Call, request: Any) -> Any:
        self._readable(call, request)
        # a version is there whole, or not at all
        return message(messages.ApiGetDatasetStatusResponse, status=DatabundleVersionStatus.READY)

    @Rpc(f"{DATASETS}/GetDatasetMetadata", messages.ApiGetDatasetMetadataRequest)
    def get_metadata(self, call: Call, request: Any) -> Any:
        dataset = self._readable(call, request)
        said, files = dataset.settings, dataset.newest.files
        described = [
            message(DatasetSettingsFile, name=f.name, description=f.description, total_bytes=f.size)
            for f in files
        ]
        info = message(
            DatasetInfo,
            dataset_id=dataset.id,
            dataset_slug=dataset.slug,
            owner_user=dataset.owner,
            title=said.title,
            subtitle=said.subtitle,
            description=said.description,
            is_private=dataset.is_private,
            keywords=said.keywords,
            licenses=[message(SettingsLicense, name=said.license)],
            total_downloads=dataset.downloads,
            total_votes=self._service.posts.votes("dataset", call.now).get(dataset.ref, 0),
            data=described,
        )
        return message(messages.ApiGetDatasetMetadataResponse, info=info)

    @Rpc(f"{DATASETS}/ListDatasetFiles", messages.ApiListDatasetFilesRequest)
    def list_files(self, call: Call, request: Any) -> Any:
        dataset = self._readable(call, request)
        version = self._version(dataset, request.dataset_version_number)
        kind, files = messages.ApiListDatasetFilesResponse, version.files
        return page(kind, request, "dataset_files", files, lambda file: _file(dataset, version, file))

    @Rpc(f"{DATASETS}/ListTreeDatasetFiles", messages.ApiListTreeDatasetFilesRequest)
    def list_tree(self, call: Call, request: Any) -> Any:
        version = self._version(self._readable(call, request), request.dataset_version_number)
        files = [ListedFile(file.name, file.size, version.created_at) for file in version.files]
        return folder_page(request, files)

    @Rpc(f"{DATASETS}/DownloadDataset", messages.ApiDownloadDatasetRequest)
    def download(self, call: Call, request: Any) -> Response:
        dataset = self._readable(call, request)
        version = self._version(dataset, request.dataset_version_number)
        name = request.file_name or f"{dataset.slug}.zip"
        kind = "file" if request.file_name else "all"
        if request.file_name and name not in {file.name for file in version.files}:
            raise not_found("File", name)
        self._service.datasets.count_download(dataset)
        path = f"{kind}/{dataset.id}/{version.number}/{name}"
        return RedirectResponse(self._service.signed_address(call, "_dataset", path), status_code=302)

    @Rpc(f"{DATASETS}/DownloadDatasetRaw", messages.ApiDownloadDatasetRawRequest)
    def download_raw(self, call: Call, request: Any) -> Response:
        return self.download(call, request)

    @SignedFiles("_dataset")
    def find_download(self, path: str) -> Path | None:
        """A file of a version, or the zip of all."""
        kind, number, version_number, name = path.split("/", 3)
        dataset = self._service.datasets.of_id(int(number))
        version = None if dataset is None else dataset.version(int(version_number))
        if dataset is None or version is None:
            return None
        if kind == "all":
            try:
                return self._service.datasets.archive(dataset, version)
            except FileNotFoundError:  # deleted meanwhile
                return None
        return find_dataset_file(self._service.datasets.folder(dataset, version), version, name)

    # -- writing -----------------------------------------------------------------------------------------

    @Rpc("blobs.BlobApiService/StartBlobUpload", blobs.ApiStartBlobUploadRequest)
    def start_upload(self, call: Call, request: Any) -> Any:
        blob = self._service.blobs.start(call.user, request.name, request.content_length)
        address = f"{call.address}/_blob/{blob.token}"
        return message(blobs.ApiStartBlobUploadResponse, token=blob.token, create_url=address)

    @Rpc(f"{DATASETS}/CreateDataset", messages.ApiCreateDatasetRequest)
    def create(self, call: Call, request: Any) -> Any:
        if (request.owner_slug or call.user.username).lower() != call.user.username.lower():
            raise denied("datasets.create")
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

        def make(files: list[NewFile]) -> StoredDataset | None:
            private = bool(request.is_private)
            return self._service.datasets.create(
                call.user, slug, settings, files, is_private=private, created_at=call.now
            )

        return self._written(call, request, make, f"The requested slug {slug!r} is already in use by you")

    @Rpc(f"{DATASETS}/CreateDatasetVersion", messages.ApiCreateDatasetVersionRequest)
    def create_version(self, call: Call, request: Any) -> Any:
        return self._next_version(call, self._own(call, request), request.body)

    @Rpc(f"{DATASETS}/CreateDatasetVersionById", messages.ApiCreateDatasetVersionByIdRequest)
    def create_version_by_id(self, call: Call, request: Any) -> Any:
        dataset = self._service.datasets.of_id(request.id)
        if dataset is None or dataset.owner_id != call.user.id:
            raise denied("datasets.get")
        return self._next_version(call, dataset, request.body)

    def _next_version(self, call: Call, dataset: StoredDataset, body: Any) -> Any:
        if body is None:
            raise RpcError(400, "The request has no `body` with the files of the version")

        def make(files: list[NewFile]) -> StoredDataset | None:
            notes, only = body.version_notes or "", bool(body.delete_old_versions)
            self._service.datasets.add_version(dataset, notes, files, created_at=call.now, only=only)
            return dataset

        return self._written(call, body, make, "The dataset is gone")

    def _written(
        self, call: Call, body: Any, make: Callable[[list[NewFile]], StoredDataset | None], taken: str
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
        return message(messages.ApiCreateDatasetResponse, status="ok", ref=dataset.ref, url=_url(dataset))

    @Rpc(f"{DATASETS}/UpdateDatasetMetadata", messages.ApiUpdateDatasetMetadataRequest)
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
        self._service.datasets.change(dataset, settings, is_private=bool(said.is_private))
        return message(messages.ApiUpdateDatasetMetadataResponse)

    @Rpc(f"{DATASETS}/DeleteDataset", messages.ApiDeleteDatasetRequest)
    def delete(self, call: Call, request: Any) -> Any:
        self._service.datasets.delete(self._own(call, request))
        return message(messages.ApiDeleteDatasetResponse)

    # -- whose -------------------------------------------------------------------------------------------

    def _readable(self, call: Call, request: Any) -> StoredDataset:
        found = self._service.datasets.readable(call.user, request.owner_slug, request.dataset_slug)
        if found is None:
            raise denied("datasets.get")
        return found

    def _own(self, call: Call, request: Any) -> StoredDataset:
        found = self._readable(call, request)
        if found.owner_id != call.user.id:
            raise denied("datasets.update")
        return found

    def _version(self, dataset: StoredDataset, number: int | None) -> DatasetVersion:
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


def _in_group(dataset: StoredDataset, request: Any, call: Call) -> bool:
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


def search_text(dataset: StoredDataset) -> str:
    """Where the words of a search are looked for, in lower case."""
    said = dataset.settings
    return " ".join((dataset.ref, said.title, said.subtitle, said.description, *said.keywords)).lower()


def _dataset(dataset: StoredDataset, votes: Mapping[str, int], **more: Any) -> Any:
    said, newest = dataset.settings, dataset.newest
    return message(
        messages.ApiDataset,
        id=dataset.id,
        ref=dataset.ref,
        url=_url(dataset),
        title=said.title,
        subtitle=said.subtitle,
        description=said.description,
        license_name=said.license,
        owner_name=dataset.owner,
        owner_ref=dataset.owner,
        creator_name=dataset.owner,
        total_bytes=newest.size,
        last_updated=newest.created_at,
        is_private=dataset.is_private,
        download_count=dataset.downloads,
        vote_count=votes.get(dataset.ref, 0),
        current_version_number=newest.number,
        **more,
    )


def _file(dataset: StoredDataset, version: DatasetVersion, file: DatasetFile) -> Any:
    return message(
        messages.ApiDatasetFile,
        ref=file.name,
        name=file.name,
        dataset_ref=dataset.ref,
        owner_ref=dataset.owner,
        description=file.description,
        total_bytes=file.size,
        creation_date=version.created_at,
        file_type=PurePosixPath(file.name).suffix,
    )


def _version(dataset: StoredDataset, version: DatasetVersion) -> Any:
    return message(
        messages.ApiDatasetVersion,
        version_number=version.number,
        version_notes=version.notes,
        creation_date=version.created_at,
        status="Ready",
        creator_name=dataset.owner,
        creator_ref=dataset.owner,
    )


def _refused(reason: str) -> Any:
    return message(messages.ApiCreateDatasetResponse, status="error", error=reason)


def _url(dataset: StoredDataset) -> str:
    return f"https://www.kaggle.com/datasets/{dataset.ref}"
