"""What a Kaggle job is, what is asked of Kaggle for it, and what comes home: records of `jobs.py`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from kaggle_runner.jobs.gathered import CarriedWork, NotebookProgress
from kaggle_runner.kaggle.records import KernelOutput, KernelPush, KernelStatus, LogLine, PushedVersion, Quota

JobState = Literal["complete", "error", "cancelled", "timed out", "abandoned", "lost"]
Phase = Literal["pushing", "waiting for a session", "queued", "running", "harvesting"]

LONGEST_SECONDS = 12 * 3600.0
"""Kaggle's own limit of a batch session."""


class KernelClient(Protocol):
    """What a job asks of Kaggle; `KaggleClient` is one."""

    @property
    def is_loopback(self) -> bool: ...
    async def username(self) -> str: ...
    async def push_kernel(self, push: KernelPush) -> PushedVersion: ...
    async def kernel_version(self, ref: str) -> int | None: ...
    async def kernel_status(self, ref: str, version: int) -> KernelStatus: ...
    async def kernel_log(self, ref: str, version: int) -> list[LogLine]: ...
    async def kernel_output(
        self, ref: str, version: int, dest: Path, *, wanted: Callable[[str], bool], most_bytes: int
    ) -> KernelOutput: ...
    async def quota(self) -> Quota | None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between looks, and how long trouble is borne."""

    first: float = 5.0
    most: float = 60.0
    grace: float = 90.0
    """After a push Kaggle may not know the version yet, or tell the state of the one before."""
    patience: float = 1800.0
    """How long in one step the server may be away, or not know the kernel, before the job is given up."""


LOOPBACK_PACE = Pace(first=0.2, most=2.0, grace=5.0, patience=300.0)


@dataclass(frozen=True, slots=True)
class Job:
    """What to run, and for whom. The push's slug is the job's name: the same slug is the same job."""

    push: KernelPush
    run: str = ""
    agent: str = ""
    purpose: str = ""
    mark: str = ""
    """What the gathered notebook prints; an output with another mark is that of another version."""

    @property
    def seconds(self) -> float:
        return float(self.push.seconds or LONGEST_SECONDS)

    @property
    def content(self) -> str:
        return hashlib.sha256(repr(sorted(asdict(self.push).items())).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class JobProgress:
    """A glance at a job that is not done. `tail` is the log's end, as far as Kaggle tells it."""

    phase: Phase
    ref: str
    url: str
    seconds: float
    tail: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What came home. `complete` only when every cell of the author has run."""

    ref: str
    version: int
    url: str
    state: JobState
    failure: str
    log: tuple[LogLine, ...] = ()
    names: tuple[str, ...] = ()
    """All output files, fetched or not."""
    saved: dict[str, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    progress: NotebookProgress | None = None
    carried: CarriedWork | None = None
    """What the next push may carry from this one."""
    notes: tuple[str, ...] = ()
    """For people and agents: a substituted accelerator, a second push, a truncated log, …"""
    seconds: float = 0.0
    """How long the session ran, as far as it is known."""
