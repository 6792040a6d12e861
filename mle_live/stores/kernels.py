"""Pushed kernels and their versions in the server's database: names, owners, settings, states of their runs.

Sources, logs and outputs are files (`mle_live/kernels/files.py`). Who may see a kernel is decided by the API.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from kaggle_runner.moments import stamp
from kaggle_runner.rows import to_json
from mle_live.stores.state import ServerState, User

WorkerStatus = Literal[
    "QUEUED", "RUNNING", "COMPLETE", "ERROR", "CANCEL_REQUESTED", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT"
]
"""Kaggle's names. NEW_SCRIPT is a version that was saved without a run."""

ENDED: frozenset[WorkerStatus] = frozenset({"COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED", "NEW_SCRIPT"})
RESTARTED = "The server was restarted while the kernel ran. Push it again."

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kernels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id INTEGER NOT NULL REFERENCES users(id),
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    is_private INTEGER NOT NULL,
    UNIQUE (owner_id, slug)
);
CREATE TABLE IF NOT EXISTS kernel_versions (
    session INTEGER PRIMARY KEY AUTOINCREMENT,
    kernel_id INTEGER NOT NULL REFERENCES kernels(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    status TEXT NOT NULL,
    failure TEXT NOT NULL DEFAULT '',
    settings TEXT NOT NULL,
    UNIQUE (kernel_id, number)
);
CREATE TABLE IF NOT EXISTS kernel_submissions (
    ref INTEGER PRIMARY KEY REFERENCES submissions(ref),
    kernel_id INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS kernel_versions_by_status ON kernel_versions (status, session);
"""


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """What a push asked for, in the words of kernel-metadata.json."""

    language: str
    kernel_type: Literal["script", "notebook"]
    seconds: int
    gpu: bool = False
    on_cpu: str = ""
    """The accelerator that was asked for where the kernel is given the CPU in its place."""
    internet: bool = False
    machine_shape: str = ""
    tags: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    competitions: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushedKernel:
    id: int
    owner_id: int
    owner: str
    slug: str
    title: str
    is_private: bool

    @property
    def ref(self) -> str:
        return f"{self.owner}/{self.slug}"


@dataclass(frozen=True, slots=True)
class KernelVersion:
    """One version and its only run; `session` is the run's number, unique in the server."""

    session: int
    kernel_id: int
    number: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    status: WorkerStatus
    failure: str
    settings: KernelSettings


class KernelStore:
    """Kernels and versions. Safe to call from several threads."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        with state.transaction() as database:
            for statement in _SCHEMA.split(";"):
                database.execute(statement)

    # -- kernels -----------------------------------------------------------------------------------------

    def find(self, owner: str, slug: str) -> PushedKernel | None:
        """The kernel `owner/slug`, in any case of letters."""
        found = self._kernels("lower(username) = ? AND slug = ?", (owner.lower(), slug.lower()))
        return found[0] if found else None

    def kernel(self, kernel_id: int) -> PushedKernel | None:
        found = self._kernels("kernels.id = ?", (kernel_id,))
        return found[0] if found else None

    def visible(self, user: User) -> list[PushedKernel]:
        """The user's own kernels and everybody's public ones."""
        return self._kernels("owner_id = ? OR NOT is_private", (user.id,))

    def save(
        self,
        kernel: PushedKernel,
        settings: KernelSettings,
        *,
        created_at: datetime,
        run: bool,
        before: Callable[[int, int], None],
    ) -> tuple[PushedKernel, KernelVersion] | None:
        """Add a version to `kernel` (id 0: a new one), with its slug, title and privacy as given.

        `before` is called with the kernel's id and the version's number before anybody can see them. None
        when another kernel of the owner has the slug.
        """
        values = (kernel.slug, kernel.title, kernel.is_private)
        status: WorkerStatus = "QUEUED" if run else "NEW_SCRIPT"
        try:
            with self._state.transaction() as database:
                if kernel.id:
                    database.execute(
                        "UPDATE kernels SET slug = ?, title = ?, is_private = ? WHERE id = ?",
                        (*values, kernel.id),
                    )
                    kernel_id = kernel.id
                else:
                    cursor = database.execute(
                        "INSERT INTO kernels (slug, title, is_private, owner_id) VALUES (?, ?, ?, ?)",
                        (*values, kernel.owner_id),
                    )
                    kernel_id = int(cursor.lastrowid or 0)
                cursor = database.execute(
                    "INSERT INTO kernel_versions (kernel_id, number, created_at, status, settings)"
                    " SELECT ?, ifnull(max(number), 0) + 1, ?, ?, ? FROM kernel_versions WHERE kernel_id = ?"
                    " RETURNING session, number",
                    (kernel_id, stamp(created_at), status, to_json(settings), kernel_id),
                )
                session, number = cursor.fetchone()
                before(kernel_id, number)
        except sqlite3.IntegrityError:
            return None
        saved, version = self.kernel(kernel_id), self.session(session)
        assert saved is not None and version is not None
        return saved, version

    def delete(self, kernel_id: int) -> None:
        with self._state.transaction() as database:
            database.execute("DELETE FROM kernel_versions WHERE kernel_id = ?", (kernel_id,))
            database.execute("DELETE FROM kernels WHERE id = ?", (kernel_id,))

    # -- versions ----------------------------------------------------------------------------------------

    def version(self, kernel: PushedKernel, number: int | None = None) -> KernelVersion | None:
        """That version of the kernel; the latest without a number."""
        if number is None:
            found = self._versions("kernel_id = ? ORDER BY number DESC LIMIT 1", (kernel.id,))
        else:
            found = self._versions("kernel_id = ? AND number = ?", (kernel.id, number))
        return found[0] if found else None

    def latest_complete(self, kernel: PushedKernel) -> KernelVersion | None:
        """The newest version whose run succeeded: what others see of it as a source."""
        found = self._versions(
            "kernel_id = ? AND status = 'COMPLETE' ORDER BY number DESC LIMIT 1", (kernel.id,)
        )
        return found[0] if found else None

    def session(self, session: int) -> KernelVersion | None:
        found = self._versions("session = ?", (session,))
        return found[0] if found else None

    def unfinished(self) -> list[KernelVersion]:
        """Versions that wait or run, in the order in which they came."""
        return self._versions("status IN ('QUEUED', 'RUNNING', 'CANCEL_REQUESTED') ORDER BY session", ())

    def count_unfinished(self, user: User) -> int:
        rows = self._state.run(
            "SELECT count(*) FROM kernel_versions JOIN kernels ON kernels.id = kernel_id"
            " WHERE owner_id = ? AND status IN ('QUEUED', 'RUNNING', 'CANCEL_REQUESTED')",
            (user.id,),
        )
        return int(rows[0][0])

    def started(self, session: int, moment: datetime) -> bool:
        """A queued run begins; False when it is not queued any more (cancelled, deleted)."""
        rows = self._state.run(
            "UPDATE kernel_versions SET status = 'RUNNING', started_at = ?"
            " WHERE session = ? AND status = 'QUEUED' RETURNING session",
            (stamp(moment), session),
        )
        return bool(rows)

    def ended(self, session: int, moment: datetime, status: WorkerStatus, failure: str = "") -> None:
        self._state.run(
            "UPDATE kernel_versions SET status = ?, failure = ?, ended_at = ? WHERE session = ?",
            (status, failure, stamp(moment), session),
        )

    def cancel(self, session: int, moment: datetime) -> WorkerStatus | None:
        """Ask a run to stop: a queued one is cancelled at once. Its new status; None when it has ended."""
        with self._state.transaction() as database:
            cancelled = database.execute(
                "UPDATE kernel_versions SET status = 'CANCEL_ACKNOWLEDGED', ended_at = ?"
                " WHERE session = ? AND status = 'QUEUED' RETURNING session",
                (stamp(moment), session),
            ).fetchall()
            if cancelled:
                return "CANCEL_ACKNOWLEDGED"
            asked = database.execute(
                "UPDATE kernel_versions SET status = 'CANCEL_REQUESTED'"
                " WHERE session = ? AND status IN ('RUNNING', 'CANCEL_REQUESTED') RETURNING session",
                (session,),
            ).fetchall()
            return "CANCEL_REQUESTED" if asked else None

    # -- submissions -------------------------------------------------------------------------------------

    def submitted(self, kernel: PushedKernel, ref: int) -> None:
        """Remember that the submission `ref` is an output of the kernel."""
        self._state.run("INSERT INTO kernel_submissions VALUES (?, ?)", (ref, kernel.id))

    def public_scores(self, kernel: PushedKernel, competition: str) -> list[float]:
        """What the kernel's outputs scored on the public board of the competition."""
        rows = self._state.run(
            "SELECT public_score FROM kernel_submissions JOIN submissions USING (ref)"
            " WHERE kernel_id = ? AND competition = ? AND public_score IS NOT NULL",
            (kernel.id, competition),
        )
        return [float(row[0]) for row in rows]

    def _kernels(self, condition: str, values: tuple[Any, ...]) -> list[PushedKernel]:
        return self._state.records(
            PushedKernel,
            "SELECT kernels.*, username AS owner FROM kernels JOIN users ON users.id = owner_id"
            f" WHERE {condition} ORDER BY kernels.id",
            values,
        )

    def _versions(self, condition: str, values: tuple[Any, ...]) -> list[KernelVersion]:
        return self._state.records(KernelVersion, f"SELECT * FROM kernel_versions WHERE {condition}", values)
