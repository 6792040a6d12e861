"""The Kaggle client's calls about datasets: create, new version, state, download, removal."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from kagglesdk.blobs.types import blob_api_service as blobs
from kagglesdk.datasets.types import dataset_api_service as datasets

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.calls import Progress, split_ref
from kaggle_runner.kaggle.downloads import MOST_UNPACKED_BYTES, ArchiveCalls
from kaggle_runner.kaggle.faults import said
from kaggle_runner.kaggle.identity import AccountCalls
from kaggle_runner.kaggle.records import DatasetFacts, DatasetState
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.uploads import announced, put_file, upload_pieces
from kaggle_runner.kaggle.wire import message, utc

_STATES: dict[str, DatasetState] = {"READY": "ready", "FAILED": "failed", "DELETED": "missing"}


class DatasetCalls(AccountCalls, ArchiveCalls):
    async def create_dataset(
        self,
        slug: str,
        title: str,
        folder: Path,
        *,
        license: str = "CC0-1.0",
        progress: Progress | None = None,
    ) -> str:
        """Make a private dataset of everything in `folder`; returns its reference owner/slug.

        Uploads are resumed after a cut; the creation itself is made once (KaggleError says `maybe_done` where
        its answer did not come: look at `dataset_status`). Kaggle goes on working on it: wait until the
        status is `ready`. A slug has 6 to 50 letters, digits and hyphens, a title 6 to 50 characters.
        """
        request = datasets.ApiCreateDatasetRequest()
        request.owner_slug, request.slug, request.title = await self.username(), slug, title
        request.license_name, request.is_private = license, True
        ref = f"{request.owner_slug}/{slug}"
        if await self.dataset_status(ref) != "missing":
            raise KaggleError(
                f"there is a dataset {ref} already", hint="use it, or make a new version of it", status=409
            )
        request.files = await self._upload_folder(folder, progress)
        created = await self._ask(f"dataset {ref}", "datasets.create_dataset", request, write=True)
        _check(f"dataset {ref}", created)
        return "/".join((created.ref or ref).strip("/").split("/")[-2:])

    async def new_dataset_version(self, ref: str, folder: Path, notes: str) -> None:
        """Replace the files of the user's dataset by those of `folder`, as a new version."""
        files = await self._upload_folder(folder, None)
        body = message(datasets.ApiCreateDatasetVersionRequestBody, version_notes=notes, files=files)
        request = _of_dataset(datasets.ApiCreateDatasetVersionRequest, ref, body=body)
        what = f"new version of {ref}"
        _check(what, await self._ask(what, "datasets.create_dataset_version", request, write=True))

    async def dataset_status(self, ref: str) -> DatasetState:
        """Whether the dataset can be used. Others' private ones and those that do not exist are `missing`."""
        try:
            request = _of_dataset(datasets.ApiGetDatasetStatusRequest, ref)
            found = await self._ask(f"dataset {ref}", "datasets.get_dataset_status", request)
        except KaggleError as error:
            if error.status in (403, 404):
                return "missing"
            raise
        return _STATES.get(found.status.name, "processing")

    async def dataset(self, ref: str) -> DatasetFacts:
        """A dataset's title, licence and size."""
        request = _of_dataset(datasets.ApiGetDatasetRequest, ref)
        found = await self._ask(f"dataset {ref}", "datasets.get_dataset", request)
        return DatasetFacts(
            ref=found.ref or ref,
            title=found.title or "",
            license=found.license_name or "",
            size=found.total_bytes or 0,
            version=found.current_version_number or 0,
            updated_at=utc(found.last_updated),
            url=found.url or "",
        )

    async def download_dataset(
        self, ref: str, dest: Path, *, most_bytes: int = MOST_UNPACKED_BYTES, progress: Progress | None = None
    ) -> None:
        """Replace the folder `dest` by the dataset's newest files; it changes when all of them are there."""
        request = _of_dataset(datasets.ApiDownloadDatasetRequest, ref)
        await self._download(ref, "datasets.download_dataset", request, dest, progress, most_bytes)

    async def delete_dataset(self, ref: str) -> None:
        """Remove the user's dataset with all its versions. There is no way back."""
        request = _of_dataset(datasets.ApiDeleteDatasetRequest, ref)
        await self._ask(f"removal of {ref}", "datasets.delete_dataset", request, write=True)

    async def _upload_folder(self, folder: Path, progress: Progress | None) -> list[Any]:
        """Upload all of `folder`; the messages that name what was sent."""
        with tempfile.TemporaryDirectory(prefix="comind-dataset-") as packed:
            pieces = await asyncio.to_thread(upload_pieces, folder, Path(packed))
            total = sum(piece.stat().st_size for piece in pieces)
            done = 0
            files = []
            for piece in pieces:
                files.append(await self._upload(piece, done, total, progress))
                done += piece.stat().st_size
            return files

    async def _upload(self, file: Path, before: int, total: int, progress: Progress | None) -> Any:
        start = announced(blobs.ApiStartBlobUploadRequest, file)
        start.type, start.name = blobs.ApiBlobType.DATASET, file.name
        what = f"upload of {file.name}"
        begun = await self._ask(what, "blobs.start_blob_upload", start)
        tries = iter((False,))

        def send(wire: Wire) -> None:
            put_file(
                wire,
                begun.create_url,
                file,
                sent=lambda done: progress(before + done, total) if progress else None,
                resume=next(tries, True),  # all but the first try go on where the last one was cut
            )

        await self._read(what, send)
        return message(datasets.ApiDatasetNewFile, token=begun.token)


def _of_dataset(kind: Any, ref: str, **fields: Any) -> Any:
    owner, slug = split_ref(ref, "dataset")
    return message(kind, owner_slug=owner, dataset_slug=slug, **fields)


def _check(what: str, created: Any) -> None:
    """Refusals come with status 200 and a sentence in `error`."""
    if created.error or (created.status or "ok").lower() == "error":
        reason = said(created.error) or "refused without a reason"
        raise KaggleError(f"{what}: {reason}", hint="see the message")
