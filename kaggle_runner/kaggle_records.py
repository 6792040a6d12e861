"""What the Kaggle client returns: plain frozen records. Moments are aware UTC, scores are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SubmissionStatus = Literal["pending", "complete", "error"]


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
    """Submissions of this UTC day, of all days, and how many are allowed now."""

    today: int
    total: int
    allowed_now: int


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One team; equal scores share a rank."""

    rank: int
    team_id: int
    team: str
    score: float
    submitted_at: datetime | None
