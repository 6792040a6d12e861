"""What a run remembers: one frozen dataclass a table. The store writes them, everyone else reads them.

Every record has a text `id` that is a function of the run's own steps (never random), so a resumed engine
that does a step again writes the same row again. Times are UTC ISO 8601 strings ending in `Z`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from comind.config import Settings, kept_settings
from comind.state.grades import PartGrade, TestGrade, score_from
from kaggle_runner.jobs.states import NotebookState
from kaggle_runner.rows import Stamp
from kaggle_runner.score import Score

RunStatus = Literal["preparing", "running", "paused", "finished", "stopped", "failed"]
AgentStatus = Literal[
    "waiting", "thinking", "running", "grading", "reporting", "finished", "stopped", "failed"
]
CellStatus = Literal["running", "ok", "error", "stopped", "timeout", "died", "interrupted"]
Origin = Literal["upstream", "run"]


class Record(Protocol):
    """What can be stored: a dataclass with the name of its table."""

    TABLE: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The run itself; exactly one row."""

    TABLE: ClassVar[str] = "run"
    id: str
    competition: str
    title: str = ""
    metric: str = ""
    metric_source: str = ""  # of mle_live.competitions.metric_choice; empty in runs of 0.1 to 0.3
    metric_sentence: str = ""
    id_column: str = ""
    """Of the sample submission; empty before it is known, and in runs of 0.1 to 0.3: its first column."""
    higher_is_better: bool = True
    status: RunStatus = "preparing"
    status_detail: str = ""
    round: int = 0
    rounds: int = 0
    model: str = ""
    """As shown to people, for instance `gpt-5.4-mini` or `recipes, no language model`."""
    config: dict[str, Any] = field(default_factory=dict)
    """As it was asked for; `settings` reads it."""
    engine_pid: int = 0
    started_at: Stamp = ""
    finished_at: Stamp = ""
    seconds_used: float = 0.0
    """Wall time spent in all engine processes so far; the time limit counts this, pauses excluded."""
    used_at: Stamp = ""
    """When `seconds_used` was stored; the clock runs on from there while an engine lives, unless paused."""
    baseline: PartGrade = field(default_factory=PartGrade)
    """The sample submission's on the selection rows."""
    best_evaluation: str = ""
    """Id of the evaluation that the final submission comes from."""
    labels_readable: bool = False
    """Agents' code could read the validation labels: its scores cannot be compared with other runs'."""
    test: TestGrade = field(default_factory=TestGrade)

    @property
    def settings(self) -> Settings:
        return kept_settings(self.config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A notebook of the community: upstream's, or one that this run published."""

    TABLE: ClassVar[str] = "kernels"
    FULL_TEXT: ClassVar[tuple[str, ...]] = ("title", "source")
    id: str
    """The kernel's ref, `owner/slug`."""
    title: str
    author: str
    source: str
    """Plain Python: a notebook's code cells joined by `# %%` lines, its markdown as comments."""
    votes: int = 0
    public_score: float | None = None
    """Upstream's public leaderboard score; never mixed with local scores."""
    local_score: float | None = None
    """Our score on the selection rows, for kernels this run published or verified."""
    verified: Literal["", "ok", "failed"] = ""
    """Whether it was run on our own split (comind.round.verification); empty: not yet."""
    verified_by: str = ""
    """Id of the agent record (`k01`) that holds the run: its cell, its output and its evaluation."""
    created_at: str = ""
    origin: Origin = "upstream"
    round: int = 0
    times_sampled: int = 0
    datasets: list[str] = field(default_factory=list)
    license: str = ""
    """What its author says of it; empty where that is nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discussion:
    TABLE: ClassVar[str] = "discussions"
    FULL_TEXT: ClassVar[tuple[str, ...]] = ("title", "body")
    id: str
    title: str
    author: str
    body: str
    """First message and replies as Markdown, replies as `> author: text`."""
    votes: int = 0
    created_at: str = ""
    origin: Origin = "upstream"
    times_sampled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A folder of files that agents may mount under /kaggle/input."""

    TABLE: ClassVar[str] = "datasets"
    id: str
    """`owner/slug`; mounted as /kaggle/input/<slug>."""
    title: str
    path: str
    """Relative to the run's folder."""
    origin: Origin = "run"
    """`upstream`: a public dataset, or what a public kernel left; its id is their reference."""
    round: int = 0
    files: list[str] = field(default_factory=list)
    license: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An edge of the dependency graph: `source` uses `target` (both ids of kernels or datasets)."""

    TABLE: ClassVar[str] = "links"
    id: str
    source: str
    target: str
    kind: Literal["uses", "forks", "blends", "publishes"] = "uses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is known about one artifact, or what one coding agent did."""

    TABLE: ClassVar[str] = "reports"
    FULL_TEXT: ClassVar[tuple[str, ...]] = ("title", "pipeline", "summary")
    id: str
    round: int
    kind: Literal["kernel", "discussion", "solution"]
    subject: str
    """Id of the kernel, discussion or agent."""
    title: str
    pipeline: str
    """Full description with hyper-parameters and the code that matters (Markdown)."""
    summary: str
    """Components, each with its scored lines, weaknesses and suggestions (Markdown)."""
    scores: dict[str, float] = field(default_factory=dict)
    """novelty, feasibility, effectiveness, efficiency (and confidence for solutions), 0-10."""
    local_score: float | None = None
    created_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    TABLE: ClassVar[str] = "ideas"
    FULL_TEXT: ClassVar[tuple[str, ...]] = ("text", "path")
    id: str
    round: int
    text: str
    path: str = ""
    """The solution path it belongs to."""
    origin: Literal["proposer", "discussion", "person"] = "proposer"
    rank: int = 0
    """1 is best in its round; 0 was not kept by the filter (but stays in the memory)."""
    merged_into: str = ""
    """Id of the idea that the filter merged this one into."""
    created_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    TABLE: ClassVar[str] = "drafts"
    id: str  # the agent's: `r1-a2`
    round: int
    title: str
    description: str
    code: str = ""
    baseline: bool = False
    resources: list[str] = field(default_factory=list)
    """Datasets to mount besides the competition."""
    parent: str = ""
    """Report or kernel it starts from."""
    ideas: list[str] = field(default_factory=list)
    """Ids of the ideas that it tries."""
    retest: bool = False
    """It repeats a weak claim on purpose, to measure it better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One coding agent of one round; in round 0, the run of one community kernel on our split."""

    TABLE: ClassVar[str] = "agents"
    id: str
    round: int
    index: int
    """1-based place among the round's agents: its pane on the screen."""
    style: Literal["notebook", "script"] = "notebook"
    """`script`: every cell is a whole Kaggle script, run in a fresh kernel on comind.evaluator.view."""
    status: AgentStatus = "waiting"
    title: str = ""
    goal: str = ""
    step: int = 0
    max_steps: int = 30
    started_at: Stamp = ""
    finished_at: Stamp = ""
    kernel_start_seconds: float = 0.0
    best_evaluation: str = ""
    stop_reason: str = ""
    packages: list[str] = field(default_factory=list)  # that its code installed, as `name==version`


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    TABLE: ClassVar[str] = "cells"
    id: str
    """`r1-a2-s03`."""
    agent: str
    step: int
    goal: str
    code: str
    status: CellStatus = "running"
    output: str = ""
    """What the agent was shown: bounded, folded, without escape codes."""
    error_name: str = ""
    log_path: str = ""
    """Full log, relative to the run's folder."""
    images: int = 0
    seconds: float = 0.0
    kernel_generation: int = 1
    started_at: Stamp = ""
    finished_at: Stamp = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorDecision:
    TABLE: ClassVar[str] = "monitor_decisions"
    id: str
    agent: str
    step: int
    action: Literal["CONTINUE", "STOP"]
    reason: str
    source: Literal["rule", "model", "person", "limit"]
    rule: str = ""
    elapsed: float = 0.0
    at: Stamp = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One pair of prediction files, graded. Feedback rows are shown to agents; selection rows only select."""

    TABLE: ClassVar[str] = "evaluations"
    id: str
    """Same as its cell's id, or `baseline`."""
    agent: str
    round: int
    step: int
    success: bool
    message: str
    """Rebuilt from a fixed code and row ids; safe to show to an agent."""
    code: str = "ok"
    feedback: PartGrade = field(default_factory=PartGrade)
    selection: PartGrade = field(default_factory=PartGrade)
    higher_is_better: bool = True
    submission: str = ""
    """Test predictions, relative to the run's folder."""
    validation_submission: str = ""
    submission_name: str = ""
    """What the agent called its test predictions; the graded copy has a fixed name."""
    sha256: str = ""
    seconds: float = 0.0
    at: Stamp = ""

    def score(self, part: Literal["feedback", "selection"]) -> Score | None:
        """The part's score, or None when the files were not valid."""
        return score_from(self.feedback if part == "feedback" else self.selection, self.higher_is_better)


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One notebook that was rehearsed here and, where that went well, ran as a private kernel at Kaggle."""

    TABLE: ClassVar[str] = "pushes"
    id: str
    """Same as the id of the cell that named the prediction files."""
    agent: str
    round: int
    step: int
    state: NotebookState = "rehearsing"
    ref: str = ""
    """The kernel at Kaggle, `owner/slug`; empty while there is none."""
    version: int = 0
    url: str = ""
    accelerator: str = ""
    """The machine shape that was asked for; empty is a CPU."""
    rehearsal_seconds: float = 0.0
    expected_seconds: float = 0.0
    """What the rehearsal's cells would take on all rows."""
    seconds: float = 0.0
    """Of the session at Kaggle."""
    files: list[str] = field(default_factory=list)
    """Names of the kernel's output."""
    fault: str = ""
    """Why there is nothing to grade, in one sentence; empty where there is."""
    told: str = ""
    """What the agent was shown of it."""
    started_at: Stamp = ""
    finished_at: Stamp = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmCall:
    """One request and its reply, stored before the reply is used."""

    TABLE: ClassVar[str] = "llm_calls"
    id: str
    """`agent/step/kind/attempt`; a resumed run finds the paid reply here."""
    role: str
    agent: str
    step: int
    kind: str
    attempt: int
    model: str
    base_url: str
    messages: list[dict[str, str]] = field(default_factory=list)
    reply: str = ""
    finish_reason: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    dollars: float | None = None
    seconds: float = 0.0
    at: Stamp = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFault:
    """One reply that could not be read, and what was done about it: the ladder, measured per model."""

    TABLE: ClassVar[str] = "reply_faults"
    id: str
    """The call's id."""
    model: str
    role: str
    kind: str
    fault: str
    """As the model was told it."""
    step: Literal["asked again", "smaller question", "given up"]
    at: Stamp = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """What one `model@base_url` can do, as probed at the start and learned since (`comind.llm.probe`)."""

    TABLE: ClassVar[str] = "endpoints"
    id: str
    model: str
    base_url: str
    facts: dict[str, Any] = field(default_factory=dict)
    at: Stamp = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something a person watching would want to know, in order. `seq` is set by the store."""

    TABLE: ClassVar[str] = "events"
    kind: str
    message: str
    agent: str = ""
    round: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    at: Stamp = ""
    seq: int = 0


RECORDS: tuple[type[Record], ...] = (
    Run, Kernel, Discussion, Dataset, Link, Report, Idea, Draft, Agent, Cell,
    MonitorDecision, Evaluation, LlmCall, Event, ReplyFault, EndpointFacts, Push,
)  # fmt: skip
