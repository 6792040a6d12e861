"""A notebook at Kaggle: its order, the attempt to have it run there, and its outcome."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from kaggle_runner.inside_kaggle import CPU_SESSION_SECONDS
from kaggle_runner.jobs.gathered import CarriedWork, NotebookProgress
from kaggle_runner.jobs.states import UNFINISHED, NotebookState
from kaggle_runner.kaggle.records import KernelPush, LogLine

NO_KERNEL = -1


@dataclass(frozen=True, slots=True)
class Order:
    """What is to run, and for whom. The push's slug is the order's name: the same slug is the same order."""

    push: KernelPush
    mark: str = ""
    """What the gathered notebook prints; an output with another mark is that of another version."""
    run: str = ""
    agent: str = ""

    @property
    def seconds(self) -> float:
        return float(self.push.seconds or CPU_SESSION_SECONDS)

    @property
    def content(self) -> str:
        return hashlib.sha256(repr(sorted(asdict(self.push).items())).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An order on its way: a row of the account's book. Moments are aware UTC, None until they come."""

    slug: str
    content: str
    """The hash of everything that was pushed: the same content is never pushed twice."""
    ref: str
    """owner/slug as Kaggle named it; as it should be named until then."""
    version: int = 0
    """0 until Kaggle confirmed the push."""
    baseline: int = NO_KERNEL
    """The version that stood there before the push. A kernel that runs first may be told as version 0."""
    pushes: int = 0
    """How often this content was sent."""
    url: str = ""
    run: str = ""
    agent: str = ""
    accelerator: str = ""
    """The machine shape that was asked for; empty for the CPU."""
    reserved_seconds: float = 0.0
    charged_seconds: float = 0.0
    state: NotebookState = "pushing"
    failure: str = ""
    abandoned: bool = False
    """Nobody waits for it any more; what it writes is ignored, what it uses is counted."""
    requested_at: datetime | None = None
    pushed_at: datetime | None = None
    started_at: datetime | None = None
    """When it was first seen running."""
    ended_at: datetime | None = None

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came home. `complete` only when every cell of the author has run."""

    attempt: Attempt
    state: NotebookState
    failure: str = ""
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
