"""Users' datasets: names, owners and versions in the database, files in folders.

A version never changes once it is there. Who may call what is decided by the API; who may read a dataset is
decided here, in one place (`readable`).
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from kaggle_runner.files import pack_whole
from kaggle_runner.moments import stamp
from kaggle_runner.rows import to_json
from mle_live.stores.dataset_files import NewFile, place_files
from mle_live.stores.state import ServerState, User

_SCHEMA = """
CREATE TABLE IF NOT EXISTS datasets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id INTEGER NOT NULL REFERENCES users(id),
    slug TEXT NOT NULL,
    settings TEXT NOT NULL,
    is_private INTEGER NOT NULL,
    downloads INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner_id, slug)
);
CREATE TABLE IF NOT EXISTS dataset_versions (
    dataset_id INTEGER NOT NULL REFERENCES datasets(id),
    number INTEGER NOT NULL,
    notes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    files TEXT NOT NULL,
    PRIMARY KEY (dataset_id, number)
)
"""


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """What an owner says about a dataset."""

    title: str
    subtitle: str = ""
    description: str = ""
    license: str = "unknown"
    keywords: tuple[str, ...] = ()


class DatasetFile(NamedTuple):
    """A file of a version; `size` in bytes."""

    name: str
    size: int
    description: str = ""


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    number: int
    notes: str
    created_at: datetime
    files: tuple[DatasetFile, ...]

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """A dataset with its versions, oldest first. There is always one at least."""

    id: int
    owner_id: int
    owner: str
    slug: str
    settings: DatasetSettings
    is_private: bool
    downloads: int
    versions: tuple[DatasetVersion, ...] = ()

    @property
    def ref(self) -> str:
        return f"{self.owner}/{self.slug}"

    @property
    def newest(self) -> DatasetVersion:
        return self.versions[-1]

    def version(self, number: int | None) -> DatasetVersion | None:
        """The version with that number, the newest for None."""
        if not number:
            return self.newest
        return next((version for version in self.versions if version.number == number), None)


@dataclass(frozen=True, slots=True)
class DatasetBounds:
    """How large one version may be."""

    files: int = 50_000
    bytes: int = 20 * 2**30


class _Staged(NamedTuple):
    folder: Path
    files: tuple[DatasetFile, ...]


class DatasetStore:
    """Datasets under `folder`. Safe to call from several threads."""

    def __init__(self, state: ServerState, folder: Path, bounds: DatasetBounds) -> None:
        self._state = state
        self._folder = folder
        self._bounds = bounds
        self._writing = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        for statement in _SCHEMA.split(";"):
            state.run(statement, ())
        for unfinished in folder.glob("new-*"):  # of a server that was killed
            shutil.rmtree(unfinished, ignore_errors=True)

    # -- reading -----------------------------------------------------------------------------------------

    def find(self, owner: str, slug: str) -> StoredDataset | None:
        """The dataset `owner/slug`, in any case of letters, whoever asks."""
        found = self._select("lower(username) = ? AND slug = ?", (owner.lower(), slug.lower()))
        return found[0] if found else None

    def readable(self, user: User, owner: str, slug: str) -> StoredDataset | None:
        """The dataset when `user` may read it: a private one is its owner's."""
        found = self.find(owner, slug)
        return found if found is not None and (not found.is_private or found.owner_id == user.id) else None

    def of_id(self, dataset_id: int) -> StoredDataset | None:
        found = self._select("datasets.id = ?", (dataset_id,))
        return found[0] if found else None

    def visible(self, user: User) -> list[StoredDataset]:
        """The user's own datasets and everybody's public ones, the oldest first."""
        return self._select("owner_id = ? OR NOT is_private", (user.id,))

    def folder(self, dataset: StoredDataset, version: DatasetVersion) -> Path:
        """Where the files of the version lie."""
        return self._folder / str(dataset.id) / str(version.number)

    def archive(self, dataset: StoredDataset, version: DatasetVersion) -> Path:
        """A zip of the version's files; packed once, since a version never changes."""
        target = self._folder / str(dataset.id) / f"{version.number}.zip"
        with self._writing:
            if not target.is_file():
                folder = self.folder(dataset, version)
                pack_whole(target, ((folder / file.name, file.name) for file in version.files))
        return target

    # -- writing -----------------------------------------------------------------------------------------

    def create(
        self,
        owner: User,
        slug: str,
        settings: DatasetSettings,
        files: list[NewFile],
        *,
        is_private: bool,
        created_at: datetime,
    ) -> StoredDataset | None:
        """A new dataset with its first version; None when the owner has one of that name.

        Raises BadUpload when a file is refused; nothing is kept then.
        """
        with self._staged(files) as staged, self._writing:
            if self.find(owner.username, slug) is not None:
                return None
            with self._state.transaction() as database:
                dataset_id = database.execute(
                    "INSERT INTO datasets (owner_id, slug, settings, is_private) VALUES (?, ?, ?, ?)",
                    (owner.id, slug, to_json(settings), is_private),
                ).lastrowid
                assert dataset_id is not None
                first = DatasetVersion(1, "Initial release", created_at, staged.files)
                self._add_version(database, dataset_id, first, staged.folder)
        return self.of_id(dataset_id)

    def add_version(
        self, dataset: StoredDataset, notes: str, files: list[NewFile], *, created_at: datetime, only: bool
    ) -> None:
        """A next version with these files; `only` deletes the earlier ones. Raises BadUpload."""
        with self._staged(files) as staged, self._writing, self._state.transaction() as database:
            row = database.execute(
                "SELECT max(number) FROM dataset_versions WHERE dataset_id = ?", (dataset.id,)
            ).fetchone()
            number = (row[0] or 0) + 1
            version = DatasetVersion(number, notes, created_at, staged.files)
            self._add_version(database, dataset.id, version, staged.folder)
            if only:
                database.execute(
                    "DELETE FROM dataset_versions WHERE dataset_id = ? AND number < ?", (dataset.id, number)
                )
        if only:
            for earlier in dataset.versions:
                shutil.rmtree(self.folder(dataset, earlier), ignore_errors=True)
                (self._folder / str(dataset.id) / f"{earlier.number}.zip").unlink(missing_ok=True)

    @contextmanager
    def _staged(self, files: list[NewFile]) -> Iterator[_Staged]:
        """The files put together in a folder of their own, before any lock is taken: that may take long."""
        folder = self._folder / f"new-{secrets.token_hex(8)}"
        stored = place_files(files, folder, self._bounds.files, self._bounds.bytes)
        said = {file.name: file.description for file in files}
        try:
            yield _Staged(
                folder, tuple(DatasetFile(file.name, file.size, said.get(file.name, "")) for file in stored)
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _add_version(
        self, database: sqlite3.Connection, dataset_id: int, version: DatasetVersion, staged: Path
    ) -> None:
        folder = self._folder / str(dataset_id) / str(version.number)
        shutil.rmtree(folder, ignore_errors=True)  # of a server that was killed before it could commit
        folder.parent.mkdir(exist_ok=True)
        staged.rename(folder)
        database.execute(
            "INSERT INTO dataset_versions VALUES (?, ?, ?, ?, ?)",
            (dataset_id, version.number, version.notes, stamp(version.created_at), to_json(version.files)),
        )

    def change(self, dataset: StoredDataset, settings: DatasetSettings, *, is_private: bool) -> None:
        self._state.run(
            "UPDATE datasets SET settings = ?, is_private = ? WHERE id = ?",
            (to_json(settings), is_private, dataset.id),
        )

    def count_download(self, dataset: StoredDataset) -> None:
        self._state.run("UPDATE datasets SET downloads = downloads + 1 WHERE id = ?", (dataset.id,))

    def delete(self, dataset: StoredDataset) -> None:
        with self._writing:
            with self._state.transaction() as database:
                database.execute("DELETE FROM dataset_versions WHERE dataset_id = ?", (dataset.id,))
                database.execute("DELETE FROM datasets WHERE id = ?", (dataset.id,))
            shutil.rmtree(self._folder / str(dataset.id), ignore_errors=True)

    # -- rows --------------------------------------------------------------------------------------------

    def _select(self, condition: str, values: tuple[Any, ...]) -> list[StoredDataset]:
        found = self._state.records(
            StoredDataset,
            "SELECT datasets.*, username AS owner FROM datasets JOIN users ON users.id = owner_id"
            f" WHERE {condition} ORDER BY datasets.id",
            values,
        )
        whole = [replace(dataset, versions=self._versions(dataset.id)) for dataset in found]
        return [dataset for dataset in whole if dataset.versions]  # else deleted between the two statements

    def _versions(self, dataset_id: int) -> tuple[DatasetVersion, ...]:
        query = "SELECT * FROM dataset_versions WHERE dataset_id = ? ORDER BY number"
        return tuple(self._state.records(DatasetVersion, query, (dataset_id,)))


def find_dataset_file(folder: Path, version: DatasetVersion, name: str) -> Path | None:
    """The version's file called `name`; only names that the version really has are looked for."""
    if name not in {file.name for file in version.files}:
        return None
    path = folder / name
    return path if os.path.isfile(path) else None  # noqa: PTH113 (a name with odd characters raises nothing)
