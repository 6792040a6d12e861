"""What the Kaggle client returns: plain frozen records. Moments are aware UTC, scores are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

SubmissionStatus = Literal["pending", "complete", "error"]
KernelState = Literal["queued", "running", "complete", "error", "cancelled"]
DatasetState = Literal["ready", "processing", "failed", "missing"]
WITHOUT_ACCELERATOR = "push with --accelerator none; an MLE-Live takes such kernels with --gpu-kernels cpu"
"""What to do where kernels get no accelerator."""
KAGGLE_URL = "https://api.kaggle.com"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
Credentials = str | tuple[str, str]
"""An API token, or a user name with a legacy key."""
LIVE = "live"
"""The kind of kaggle.com's boards, on which people stand. MLE-Live names its own kind, mostly `synthetic`."""
UNKNOWN = "unknown"
"""The kind of a board elsewhere that does not name one."""


@dataclass(frozen=True, slots=True)
class Competition:
    """A competition's head. `metric` is Kaggle's name of it; its direction is not told by Kaggle."""

    slug: str
    title: str
    summary: str
    url: str
    category: str
    reward: str
    metric: str
    deadline: datetime | None
    enabled_date: datetime | None
    max_daily_submissions: int
    team_count: int
    kernels_only: bool
    """True when only kernels may be submitted, not files."""
    entered: bool
    rank: int | None
    tags: tuple[str, ...]
    max_team_size: int = 0
    """0 where Kaggle does not say."""
    submissions_disabled: bool = False
    new_entrant_deadline: datetime | None = None
    """Nobody can join after it."""
    license: str = ""
    """Of the data, where Kaggle says it."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A data file: its name with `/`, its size in bytes."""

    name: str
    size: int
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """A published kernel without its code; `ref` is author/name."""

    ref: str
    title: str
    author: str
    votes: int
    last_run_at: datetime | None
    language: str
    kernel_type: str
    url: str


@dataclass(frozen=True, slots=True)
class KernelSource:
    """A kernel's code. `text` has `# %%` cells when the kernel is a notebook; Markdown became comments."""

    info: KernelInfo
    text: str
    datasets: tuple[str, ...]
    kernels: tuple[str, ...]
    competitions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """A discussion's head."""

    id: int
    title: str
    author: str
    votes: int
    comments: int
    url: str
    posted_at: datetime | None


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """One post; the first of a discussion is its opening. `depth` 0 is top level."""

    id: int
    author: str
    text: str
    votes: int
    posted_at: datetime | None
    depth: int


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission. `public_score` is None until it is complete, and where nothing is scored."""

    ref: int
    status: SubmissionStatus
    file_name: str
    message: str
    submitted_at: datetime | None
    public_score: float | None
    private_score: float | None
    error: str


@dataclass(frozen=True, slots=True)
class SubmissionLimits:
    """The team's submissions of this UTC day and of all days, and how many are allowed now."""

    today: int
    total: int
    allowed_now: int
    limited_by_total: bool = False
    """`allowed_now` is what is left of a limit on all days together."""


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One team; equal scores share a rank."""

    rank: int
    team_id: int
    team: str
    score: float
    submitted_at: datetime | None


@dataclass(frozen=True, slots=True)
class BoardTeam:
    """One row of the downloaded leaderboard. `members` are user names; ranks are Kaggle's own."""

    rank: int
    team_id: int
    team: str
    members: tuple[str, ...]
    score: float
    """NaN where the team has no readable score."""
    submitted_at: datetime | None
    submissions: int | None
    """How many the team has made, where the board says it."""


def board_kind(facts: Mapping[str, Any] | None, *, is_kaggle_com: bool) -> str:
    """From what a server tells beside Kaggle's protocol, if anything."""
    return LIVE if is_kaggle_com else str((facts or {}).get("board") or UNKNOWN)


@dataclass(frozen=True, slots=True)
class AcceleratorQuota:
    """Seconds of one kind of accelerator in this week."""

    used: float
    reserved: float
    """Held by sessions that run now."""
    allowed: float

    @property
    def left(self) -> float:
        return max(0.0, self.allowed - self.used - self.reserved)


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of the week's accelerators, and when the week ends."""

    gpu: AcceleratorQuota
    tpu: AcceleratorQuota
    refresh_at: datetime | None


@dataclass(frozen=True, slots=True)
class KernelPush:
    """A kernel to be saved and run. Its slug must be what Kaggle makes of its title."""

    slug: str
    title: str
    """5 to 50 characters."""
    text: str
    """Python source, or the JSON text of a notebook."""
    kernel_type: Literal["notebook", "script"] = "notebook"
    datasets: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    competitions: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    accelerator: str = ""
    """A machine shape such as `NvidiaTeslaT4` or `TpuV5E8`; empty for the CPU."""
    internet: bool = False
    docker_image: str = ""
    seconds: int | None = None
    """The session's time-out; it can only be below Kaggle's own."""
    private: bool = True


@dataclass(frozen=True, slots=True)
class PushedVersion:
    """What became of a push. `ref` is what Kaggle called the kernel, which may differ from the wish."""

    ref: str
    url: str
    version: int
    refused_sources: tuple[str, ...]
    """Sources that do not exist or may not be read; the run goes without them."""


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """A kernel as Kaggle keeps it: its newest version and the machine that it asked for."""

    ref: str
    version: int
    accelerator: str
    """The machine shape Kaggle noted, which may be a substitute; empty for the CPU or when it is not told."""
    gpu: bool
    internet: bool
    private: bool
    docker_image: str


@dataclass(frozen=True, slots=True)
class KernelStatus:
    """The state of one version's run. `failure` is Kaggle's reason, for errors."""

    state: KernelState
    failure: str

    @property
    def ended(self) -> bool:
        return self.state in ("complete", "error", "cancelled")


@dataclass(frozen=True, slots=True)
class LogLine:
    """A piece of a run's output: `stdout` or `stderr`, seconds since the start, and the text."""

    stream: str
    time: float
    data: str


@dataclass(frozen=True, slots=True)
class KernelOutput:
    """What a run left: names of all its files, where the wanted ones lie now, and why some do not."""

    names: tuple[str, ...]
    saved: dict[str, Path]
    left_out: dict[str, str]
    """Wanted files that were not fetched, each with the reason."""
    log: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """A dataset's head; `ref` is owner/slug, `size` in bytes (0 when Kaggle does not say)."""

    ref: str
    title: str
    license: str
    size: int
    version: int
    updated_at: datetime | None
    url: str
