"""A Kaggle that runs kernels by a script and on a clock of its own: for what MLE-Live never does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kaggle_runner.errors import KaggleError
from kaggle_runner.jobs.comind_work import PROGRESS
from kaggle_runner.kaggle.records import (
    AcceleratorQuota,
    KernelOutput,
    KernelPush,
    KernelState,
    KernelStatus,
    LogLine,
    PushedVersion,
    Quota,
)
from tests.fakes.clocks import HandClock

BEGIN = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Run:
    """How a pushed version goes: queued and running for so many seconds, then `end`."""

    queued: float = 10.0
    running: float = 300.0
    end: KernelState = "complete"
    failure: str = ""
    note: dict[str, Any] | None = None
    """What comind_progress.json holds; None: there is no such file."""
    log: str = "done\n"


@dataclass
class ScriptedKaggle:
    """One user's Kaggle. `faults[method]` are raised by its next calls, in order; None lets one pass."""

    runs: list[Run] = field(default_factory=list)
    faults: dict[str, list[KaggleError | None]] = field(default_factory=dict)
    renamed: str = ""
    lose_answer: bool = False
    """The next push is taken, but its answer never comes."""
    quota_seconds: float | None = None
    clock: HandClock = field(default_factory=lambda: HandClock(BEGIN))
    calls: Counter[str] = field(default_factory=Counter)
    pushed: list[tuple[str, float, Run]] = field(default_factory=list)
    """(slug, when, how it goes); versions of a slug count from 1."""
    stale_for: float = 0.0
    """After a push, the state of the version before is told for so many seconds."""
    is_loopback: bool = False
    used: float = 0.0

    def _called(self, method: str) -> None:
        self.calls[method] += 1
        waiting = self.faults.get(method, [])
        fault = waiting.pop(0) if waiting else None
        if fault is not None:
            raise fault

    def _versions(self, ref: str) -> list[tuple[str, float, Run]]:
        return [entry for entry in self.pushed if entry[0] == ref.rpartition("/")[2]]

    async def username(self) -> str:
        return "ann"

    async def push_kernel(self, push: KernelPush) -> PushedVersion:
        self._called("push_kernel")
        slug = self.renamed or push.slug
        self.pushed.append((slug, self.clock.seconds, self.runs.pop(0) if self.runs else Run()))
        if self.lose_answer:
            self.lose_answer = False
            raise KaggleError("push: no answer in time", maybe_done=True)
        return PushedVersion(f"ann/{slug}", f"https://k/{slug}", len(self._versions(slug)), ())

    async def kernel_version(self, ref: str) -> int | None:
        self._called("kernel_version")
        return len(self._versions(ref)) or None

    async def kernel_status(self, ref: str, version: int) -> KernelStatus:
        self._called("kernel_status")
        _, pushed_at, run = self._versions(ref)[version - 1]
        age = self.clock.seconds - pushed_at
        if version > 1 and age < self.stale_for:
            return KernelStatus(self._versions(ref)[version - 2][2].end, "")
        if age < run.queued:
            return KernelStatus("queued", "")
        if age < run.queued + run.running:
            return KernelStatus("running", "")
        return KernelStatus(run.end, run.failure)

    async def kernel_log(self, ref: str, version: int) -> list[LogLine]:
        self._called("kernel_log")
        return [LogLine("stdout", 1.0, "half way\n")]

    async def kernel_output(
        self, ref: str, version: int, dest: Path, *, wanted: Callable[[str], bool], most_bytes: int
    ) -> KernelOutput:
        self._called("kernel_output")
        _, _, run = self._versions(ref)[version - 1]
        saved = {}
        if run.note is not None:
            dest.mkdir(parents=True, exist_ok=True)
            (dest / PROGRESS).write_text(json.dumps(run.note))
            saved[PROGRESS] = dest / PROGRESS
        return KernelOutput(tuple(saved), saved, {}, (LogLine("stdout", run.running, run.log),))

    async def quota(self) -> Quota | None:
        self._called("quota")
        if self.quota_seconds is None:
            return None
        gpu = AcceleratorQuota(self.used, 0.0, self.quota_seconds)
        return Quota(gpu, AcceleratorQuota(0.0, 0.0, 0.0), BEGIN + timedelta(days=3))


def note(mark: str = "", *, gpus: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """The notes of a session whose only cell ran."""
    machine = {"gpus": list(gpus), "tpu": "", "cpus": 4}
    return {
        "mark": mark, "machine": machine, "cells": [{"state": "ok", "seconds": 1.0}], "failed": None,
        "out_of_time": False, "finished": True, "kept": None, "not_kept": "", **changes,
    }  # fmt: skip
