"""What an agent orders from `comind.at_kaggle.place`, what comes home, and how it is watched in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kaggle_runner.errors import LimitReached
from kaggle_runner.jobs.orders import Attempt, State
from kaggle_runner.notebook.cell import CellProgress


class Teller(Protocol):
    def __call__(self, sentence: str, *, ref: str = "", version: int = 0, url: str = "") -> None: ...


class RunStopped(LimitReached):
    """The run was stopped while a kernel ran at Kaggle; nothing is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelOrder:
    """One notebook that shall run at Kaggle."""

    slug: str
    title: str
    agent: str
    cells: Sequence[str]
    wanted: tuple[str, str]
    """The two prediction files."""
    resources: Mapping[str, Path]
    """Folders by the name of the dataset that they become at Kaggle."""
    accelerator: str
    expected: float
    """Seconds that the notebook is expected to take."""
    left: Callable[[], float]
    """Seconds from now until the agent has no use for it any more, the queue included."""
    earlier: Path | None
    """Where this agent's last kernel came home to."""
    home: Path
    resumable: Callable[[], bool] = lambda: False
    """Whether a stop now is one of the whole run, which finds the kernel again when it is resumed."""
    again: bool = False
    """Its first kernel died with the run's own server."""

    @property
    def mark(self) -> str:
        """What the kernel prints, to tell its output from that of another version."""
        return f"{self.slug} again" if self.again else self.slug


@dataclass(frozen=True, slots=True, kw_only=True)
class CameHome:
    """What became of an order; with `fault` there is nothing to grade."""

    state: State
    ref: str
    version: int
    url: str
    seconds: float
    names: tuple[str, ...]
    fault: str
    sentence: str
    told: str

    @classmethod
    def nothing(cls, fault: str, told: str = "") -> CameHome:
        """Nothing was pushed."""
        return cls(
            state="refused",
            ref="",
            version=0,
            url="",
            seconds=0.0,
            names=(),
            fault=fault,
            sentence="",
            told=told,
        )


class KernelWatch:
    """A kernel at Kaggle as `comind.agents.watch` wants it: a glance, and a way to stop waiting."""

    def __init__(self) -> None:
        self.seen: CellProgress = CellProgress(0.0, 0.0, "", 0)
        self.stopped = asyncio.Event()
        self.reason = ""
        self._tail = ""
        self._changed_at = 0.0

    def see(self, *, seconds: float, tail: str) -> None:
        """The kernel runs since `seconds`; without a log that grows, silence says nothing."""
        if tail != self._tail or not tail:
            self._tail, self._changed_at = tail, seconds
        self.seen = CellProgress(seconds, max(0.0, seconds - self._changed_at), tail, 0)

    def progress(self) -> CellProgress | None:
        return self.seen

    async def interrupt(self, reason: str) -> None:
        self.reason = reason
        self.stopped.set()


class States:
    """An attempt as the watcher's glances and, where its state changes, as a sentence for people."""

    def __init__(self, watch: KernelWatch, tell: Teller, monotonic: Callable[[], float]) -> None:
        self._watch, self._tell, self._monotonic = watch, tell, monotonic
        self._state: State | None = None
        self._began = 0.0

    def __call__(self, attempt: Attempt, words: str) -> None:
        if attempt.state != self._state:
            self._state, self._began = attempt.state, self._monotonic()
            where = f" on {attempt.accelerator}" if attempt.accelerator else ""
            line = {
                "pushing": f"Pushing the notebook{where}",
                "waiting": f"Waiting for a free session: {words}",
                "queued": f"Pushed: {attempt.url or attempt.ref} waits in Kaggle's queue",
                "running": f"Runs at Kaggle{where}: {attempt.url or attempt.ref}",
                "fetching": f"Fetching the output of {attempt.ref}",
            }[attempt.state]
            pushed = attempt.state not in ("pushing", "waiting")
            self._tell(line, ref=attempt.ref if pushed else "", url=attempt.url if pushed else "")
        if attempt.state == "running":
            self._watch.see(seconds=self._monotonic() - self._began, tail=words)
