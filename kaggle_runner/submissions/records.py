"""What the submission governor speaks in: candidates, what was sent, how things stand, and verdicts.

Plain frozen records without behaviour that costs anything. Moments are aware UTC; a score travels with its
95 % interval and its direction.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from kaggle_runner.score import Score

SketchColumn = tuple[float | str, ...]
State = Literal["intended", "sent", "scored", "failed", "unsent"]
"""intended: journaled, its fate unknown yet. sent: the server has it. scored and failed: the server's word.
unsent: it never arrived, and does not count."""
Level = Literal["send", "hold", "refuse"]
"""send: worth a submission by itself. hold: only with a person's word. refuse: not even then."""

TOKEN_DIGITS = 10


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A submission file as the governor knows it (`submissions.file.inspect`)."""

    sha256: str
    """Of the file's bytes."""
    content: str
    """SHA-256 of what it says: rows and columns as in the sample, numbers to nine digits."""
    rows: int
    bytes: int
    sketch: tuple[SketchColumn, ...] = ()
    """A sample of the predictions, one tuple a target column; the same rows in each file of a competition."""
    problems: tuple[str, ...] = ()
    """Why it would not be scored; empty for a good file."""


@dataclass(frozen=True, slots=True)
class KernelFile:
    """An output file of one version of a kernel of ours at Kaggle: what a code competition takes."""

    ref: str
    version: int
    file_name: str = "submission.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that could be submitted: the predictions of one evaluation of one run."""

    run: str
    evaluation: str
    path: Path
    score: Score
    facts: FileFacts
    title: str = ""
    kernel: KernelFile | None = None
    """The version that wrote the file, where it ran at Kaggle."""
    upload: Path | None = None
    """The same in the host's own form, where that differs from the one that is judged."""

    @property
    def token(self) -> str:
        """A mark of the content, written into the description: it finds the submission in any list again,
        also from another machine or after the account's database was lost."""
        if self.kernel is not None:
            name = f"{self.kernel.ref}/{self.kernel.version}/{self.kernel.file_name}"
            return hashlib.sha256(name.encode()).hexdigest()[:TOKEN_DIGITS]
        return self.facts.content[:TOKEN_DIGITS]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentSubmission:
    """A row of the account's book: one submission that was meant to be sent, and what became of it."""

    token: str
    competition: str
    state: State
    run: str = ""
    evaluation: str = ""
    title: str = ""
    file: str = ""
    sha256: str = ""
    content: str = ""
    rows: int = 0
    """Rows that it predicts."""
    sketch: tuple[SketchColumn, ...] = ()
    score: Score | None = None
    """None for one that another state folder sent: only its description is known."""
    reason: str = ""
    message: str = ""
    ref: int | None = None
    public_score: float | None = None
    private_score: float | None = None
    error: str = ""
    created_at: str = ""
    """ISO 8601 UTC, by this machine's clock, when it was journaled."""
    tried_at: str = ""
    """When the last try ended without an answer."""
    settled_at: str = ""
    """When the server's word was first known."""

    @property
    def counts(self) -> bool:
        """Whether it was sent, or may have been."""
        return self.state != "unsent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How the competition stands right now, by the server's word and clock."""

    now: datetime
    deadline: datetime | None
    daily: int
    """Submissions allowed a UTC day; 0 when it is not told."""
    used_today: int
    used_total: int
    allowed_now: int
    """What is left now, submissions of unknown fate taken off already."""
    limited_by_total: bool = False
    """`allowed_now` is what is left of a limit on all submissions ever, not of today's."""
    kernels_only: bool = False
    closed: str = ""
    """Why nothing at all is taken; empty while submissions are open."""
    url: str = ""

    @property
    def late(self) -> bool:
        """Past the deadline: scored perhaps, but counted no more."""
        return self.deadline is not None and self.now >= self.deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the governor thinks of sending one candidate now, with its reasons in order of weight."""

    candidate: Candidate
    level: Level
    reasons: tuple[str, ...]
    probability: float | None = None
    """That it is truly better than the best that was sent; None when nothing comparable was sent."""
    expected_gain: float = math.inf
    """By how much it is expected to improve on the best sent, in the metric's units."""

    @property
    def reason(self) -> str:
        return "; ".join(self.reasons)
