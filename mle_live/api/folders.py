"""One level of a folder tree, as Kaggle lists the files of competitions and datasets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kagglesdk.datasets.databundles.types import databundle_api_types as tree

from kaggle_runner.kaggle.wire import message
from mle_live.wire import not_found
from mle_live.wire_types import page


class ListedFile(NamedTuple):
    """A file's whole name with `/`, its size in bytes, when it was written."""

    name: str
    size: int
    modified: datetime


def folder_page(request: Any, files: Sequence[ListedFile]) -> Any:
    """A page of what lies in the request's `path`; RpcError 404 for a folder that there is not."""
    prefix = (request.path or "").strip("/")
    start = f"{prefix}/" if prefix else ""
    below = [file for file in files if file.name.startswith(start)]
    if prefix and not below:
        raise not_found("Folder", prefix)
    names = [file.name.removeprefix(start) for file in below]
    folders = sorted({name.split("/")[0] for name in names if "/" in name})
    here = [file for file, name in zip(below, names, strict=True) if "/" not in name]

    def told(file: ListedFile) -> Any:
        own = file.name.removeprefix(start)
        return message(
            tree.ApiFile, name=own, total_bytes=file.size, creation_date=file.modified, relative_url=file.name
        )

    return page(
        tree.ApiDirectoryContent,
        request,
        "files",
        here,
        told,
        directories=[
            message(tree.ApiDirectory, name=name, relative_url=f"{start}{name}") for name in folders
        ],
        total_directories=len(folders),
        total_files=len(here),
        total_children=len(folders) + len(here),
    )
