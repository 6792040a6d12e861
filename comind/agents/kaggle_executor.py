"""Notebooks at Kaggle: cells run here, on a sample, and what names predictions runs there, on all rows.

What is pushed is every cell that worked, from the top, after a rehearsal; predictions come home as the
kernel's output and are graded here. How a kernel gets there is `comind.at_kaggle.backend`.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from comind.agents.executor import Predicted
from comind.agents.workshop import Workbench
from comind.at_kaggle.backend import AgentNotebook, KaggleBackend
from comind.at_kaggle.rehearsal import Rehearsed, rehearse
from comind.at_kaggle.words import fault_of, line_of, sentence_of, told_of
from comind.control import while_wanted
from comind.run.ending import NO_MACHINE, goes_on_later
from comind.run.solutions import solution_cells
from comind.state.records import Cell, Push
from kaggle_runner.errors import KaggleError, KernelRefused, LimitReached
from kaggle_runner.jobs.orders import Attempt, Outcome
from kaggle_runner.jobs.states import ORDERED
from kaggle_runner.notebook.cell import CellProgress

REHEARSAL_SECONDS = 600.0
_REHEARSAL_SHARE = 0.3
"""Of the agent's time that is left."""
_LEAST_SESSION = 45.0
"""Seconds; a shorter session would end before a notebook has begun."""
_COMING_HOME = 20.0
"""Seconds kept for fetching the output and grading it."""
_FASTER = 10.0
"""How many times as fast as this machine one with an accelerator is taken to be."""
_DOUBT = 5.0
"""What is expected may be so many times too long, on a busy machine or where cost grows slower than the rows:
only what is longer still is not pushed."""
_NAMES_KEPT = 200
_ACCELERATED = re.compile(
    r"\b(torch|tensorflow|keras|jax|cuda|cupy|cudf|cuml|transformers|sentence_transformers|timm|lightning|fastai)"
    r"\b|\bgpu\b",
    re.I,
)


def can_use_accelerator(cells: Sequence[str]) -> bool:
    """Whether the code names a library or a setting that works on a GPU."""
    return any(_ACCELERATED.search(code) for code in cells)


class KaggleExecutor:
    """Each pair of prediction files is one rehearsal and one kernel."""

    def __init__(self, backend: KaggleBackend) -> None:
        self.backend = backend

    @property
    def data_name(self) -> str:
        return self.backend.split.name

    @property
    def data(self) -> Path:
        """The sample, where Kaggle has all rows."""
        return self.backend.folder.rehearsal

    def dataset_name(self, name: str) -> str:
        return self.backend.resource_name(name)

    def told(self, bench: Workbench) -> str:
        seconds = min(REHEARSAL_SECONDS, _REHEARSAL_SHARE * bench.seconds_left)
        return self.backend.told(bench.shop.desk.prompts, rehearsal_seconds=round(seconds))

    async def predictions(self, bench: Workbench, cell: Cell, names: tuple[str, str]) -> Predicted:
        if cell.status != "ok":
            return Predicted(None, "the cell did not end well, so the notebook was not pushed.")
        push = await _Errand(self.backend, bench, cell, names).run()
        return Predicted(None if push.fault else self.backend.home(push) / "output", push.fault, push.told)


class _Errand:
    """The notebook up to one cell: rehearsed, pushed, brought home, and recorded at each stage."""

    def __init__(self, backend: KaggleBackend, bench: Workbench, cell: Cell, wanted: tuple[str, str]) -> None:
        self.backend, self.bench, self.cell = backend, bench, cell
        self.store = bench.shop.store
        self.push = self.store.get(Push, cell.id) or Push(
            id=cell.id, agent=cell.agent, round=bench.agent.round, step=cell.step, started_at=bench.now()
        )
        self.notebook = AgentNotebook(
            title=bench.agent.title,
            cells=[one.code for one in solution_cells(self.store, cell.agent, cell.step)],
            wanted=wanted,
            datasets=bench.datasets,
        )

    async def run(self) -> Push:
        """The recorded end of the push, or one that is reached now."""
        if self.push.state == "rehearsing":
            self.save()
            self.judge(await self.rehearse())
        if self.push.state in ORDERED:
            await self.run_there()
        return self.push

    # --- here

    async def rehearse(self) -> Rehearsed:
        """Run the notebook from the top on the sample. LimitReached when the agent must stop meanwhile."""
        bench, data = self.bench, self.backend.folder.rehearsal
        bench.update(status="running", goal=f"rehearsal: {self.cell.goal}")
        workspace = self.backend.home(self.push) / "rehearsal"
        shutil.rmtree(workspace, ignore_errors=True)
        workspace.mkdir(parents=True)
        samples = (data / "sample_validation_submission.csv", data / "sample_submission.csv")
        session = bench.open_notebook(f"{bench.agent.id}-rehearsal", workspace)
        rehearsing = rehearse(
            session,
            self.backend.plain_cells(self.notebook),
            log=workspace.with_name("rehearsal.log"),
            seconds=min(REHEARSAL_SECONDS, max(10.0, _REHEARSAL_SHARE * bench.seconds_left)),
            memory_bytes=bench.shop.memory_bytes,
            workspace=workspace,
            predictions=tuple(zip(self.notebook.wanted, samples, strict=True)),
            form_of=self.backend.forms(),
        )
        try:
            return await while_wanted(rehearsing, bench.must_stop)
        finally:
            await session.close()
            shutil.rmtree(workspace, ignore_errors=True)

    def judge(self, rehearsed: Rehearsed) -> None:
        """Whether what was rehearsed may be pushed: it went well, and can end in the time there is."""
        cells = self.notebook.cells
        self.save(rehearsal_seconds=round(rehearsed.seconds, 3))
        if rehearsed.fault:
            self.refuse(f"{rehearsed.fault}. Nothing was pushed.", rehearsed.output)
            return
        shape = self.backend.shape_for(accelerated=can_use_accelerator(cells))
        carried = self.backend.carried(self.push, cells)
        spared = len(rehearsed.cell_seconds) - len(cells) + (carried.cells if carried else 0)
        expected = rehearsed.expected_seconds(self.backend.sizes.ratio, carried=spared)
        expected = expected / _FASTER if shape else expected
        self.push = replace(self.push, accelerator=shape, expected_seconds=round(expected, 1))
        seconds = self.session_seconds()
        if expected > _DOUBT * seconds:
            self.refuse(
                f"on all rows the notebook would take about {expected:.0f} s, and a session may last "
                f"{max(0.0, seconds):.0f} s. Nothing was pushed: make it cheaper."
            )
            return
        self.save(state="waiting")
        told = f"The rehearsal took {rehearsed.seconds:.0f} s; about {expected:.0f} s are expected at Kaggle"
        self.bench.event("rehearsed", told)

    def session_seconds(self) -> float:
        """How long a session may last: Kaggle's limit, the person's, and this agent's time that is left."""
        return min(self.backend.most_seconds(self.push.accelerator), self.seconds_left())

    def seconds_left(self) -> float:
        return self.bench.seconds_left - _COMING_HOME

    # --- there

    async def run_there(self) -> None:
        """Push, wait, and bring the output home; whatever happened there is told, never raised.

        LimitReached when the whole run is stopped: the push stays as it is, and a resumed run finds it.
        """
        bench, seconds = self.bench, self.session_seconds()
        if seconds < _LEAST_SESSION and not self.push.ref:
            self.refuse(f"only {max(0.0, seconds):.0f} s are left, too few for a session at Kaggle.")
            return
        bench.update(status="waiting", goal=f"at Kaggle: {self.cell.goal}")
        watch = _KernelWatch(self.note, bench.shop.clock.monotonic)
        try:
            async with bench.watching(watch, self.cell, seconds, where="k"):
                running = self.backend.run(self.push, self.notebook, left=self.seconds_left, watch=watch.see)
                outcome = await while_wanted(running, lambda: watch.stopped)
        except (KernelRefused, LimitReached) as error:
            if isinstance(error, KernelRefused) and error.no_machine and not watch.stopped:
                self.end_run(error)
            elif not watch.stopped:
                self.refuse(error.message, error.hint)
            elif goes_on_later(bench.shop.control.stop_reason()):
                raise LimitReached(watch.stopped) from error
            else:
                await self.give_up(watch.stopped)
        except KaggleError as error:
            await self.give_up(error.message)
        else:
            await self.bring_home(outcome)

    def note(self, attempt: Attempt, line: str) -> None:
        """Kept at once, so that screens and a report can say where it is."""
        there = attempt.state not in ("waiting", "pushing")
        named = {"ref": attempt.ref, "version": attempt.version, "url": attempt.url} if there else {}
        self.save(state=attempt.state, accelerator=attempt.accelerator, **named)
        self.bench.event("kernel", line)

    async def give_up(self, reason: str) -> None:
        attempt = self.backend.abandon(self.push)
        if attempt is None:
            self.refuse(f"not pushed: {reason}")
        else:
            await self.bring_home(Outcome(attempt=attempt, state="abandoned", failure=reason))

    async def bring_home(self, outcome: Outcome) -> None:
        attempt, fault = outcome.attempt, fault_of(outcome, self.notebook.wanted)
        self.save(
            state="failed" if fault and outcome.state == "complete" else outcome.state,
            ref=attempt.ref,
            version=attempt.version,
            url=attempt.url,
            seconds=round(outcome.seconds, 1),
            files=list(outcome.names[:_NAMES_KEPT]),
            fault=fault,
            told=told_of(outcome, await self.backend.quota()),
            finished_at=self.bench.now(),
        )
        self.bench.event("kernel", f"{attempt.url or attempt.ref}: {fault or sentence_of(outcome)}")

    def refuse(self, fault: str, told: str = "") -> None:
        self.save(state="refused", fault=fault, told=told, finished_at=self.bench.now())
        self.bench.event("push_refused", fault)

    def end_run(self, refusal: KernelRefused) -> NoReturn:
        """No code of any agent mends what the machines lack: told once, and the run ends where it can go on.

        Raises LimitReached; the push stays as it is.
        """
        control = self.bench.shop.control
        if not control.stopped:
            advice = f"{refusal.hint[0].upper()}{refusal.hint[1:]}" if refusal.hint else ""
            self.store.event("push_refused", f"{refusal.message} {advice}".strip())
            control.stop(NO_MACHINE)
        raise LimitReached(NO_MACHINE) from refusal

    def save(self, **changes: object) -> None:
        self.push = replace(self.push, **changes)  # type: ignore[arg-type]
        self.store.save(self.push)


class _KernelWatch:
    """A kernel at Kaggle as `comind.agents.watch` wants it: a glance, and a way to stop waiting."""

    def __init__(self, tell: Callable[[Attempt, str], None], monotonic: Callable[[], float]) -> None:
        self.stopped = ""
        """Why nobody waits any more."""
        self._tell, self._monotonic = tell, monotonic
        self._line = self._tail = ""
        self._began = self._changed_at = 0.0
        self._seen = CellProgress(0.0, 0.0, "", 0)

    def see(self, attempt: Attempt, words: str) -> None:
        """Without a log that grows, silence says nothing."""
        now = self._monotonic()
        if (line := line_of(attempt, words)) != self._line:
            self._line, self._began = line, now
            self._tell(attempt, line)
        if attempt.state == "running":
            if words != self._tail or not words:
                self._tail, self._changed_at = words, now
            self._seen = CellProgress(now - self._began, max(0.0, now - self._changed_at), words, 0)

    def progress(self) -> CellProgress | None:
        return self._seen

    async def interrupt(self, reason: str) -> None:
        self.stopped = reason
