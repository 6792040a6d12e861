"""A coding agent whose notebook is rehearsed here, on a sample, and runs with all data as a kernel at Kaggle.

It thinks in cells like any coding agent. What is pushed is every cell that worked, from the top; predictions
come home as the kernel's output and are graded here. How a kernel gets there is `comind.at_kaggle.place`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from comind.agents.coder import CodingAgent, Graded
from comind.agents.watch import CellUnderWatch, Watcher
from comind.agents.work import Workshop
from comind.at_kaggle.orders import CameHome, KernelOrder, KernelWatch, RunStopped
from comind.at_kaggle.place import KagglePlace
from comind.at_kaggle.rehearsal import Rehearsed, rehearse
from comind.roles.coder import Turn
from comind.run.ending import goes_on_later
from comind.run.solutions import solution_cells
from comind.state.records import Agent, Cell, Draft, Push
from kaggle_runner.errors import KaggleError, KernelRefused, LimitReached
from kaggle_runner.jobs.orders import ORDERED
from kaggle_runner.notebook.session import NotebookSession

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
_ACCELERATED = re.compile(
    r"\b(torch|tensorflow|keras|jax|cuda|cupy|cudf|cuml|transformers|sentence_transformers|timm|lightning|fastai)"
    r"\b|\bgpu\b",
    re.I,
)


def can_use_accelerator(cells: Sequence[str]) -> bool:
    """Whether the code names a library or a setting that works on a GPU."""
    return any(_ACCELERATED.search(code) for code in cells)


class PushedAgent(CodingAgent):
    """Implements one draft; each pair of prediction files that it names is one rehearsal and one kernel."""

    def __init__(
        self, shop: Workshop, agent: Agent, draft: Draft, *, seconds: float, resources: Mapping[str, Path],
        place: KagglePlace,
    ) -> None:  # fmt: skip
        """`resources` are datasets of this run by name; at Kaggle and here they get one name for both."""
        self._place = place
        named = {place.resource_name(name): folder for name, folder in resources.items()}
        super().__init__(shop, agent, draft, seconds=seconds, resources=named)

    @property
    def _data_name(self) -> str:
        return self._place.data_name

    def _kaggle_text(self) -> str:
        seconds = min(REHEARSAL_SECONDS, _REHEARSAL_SHARE * self.seconds_left)
        return self._place.told(self._shop.desk.prompts, rehearsal_seconds=round(seconds))

    def _new_session(self) -> NotebookSession:
        return self._opened_here(self._agent.id, self._shop.folder.workspace(self._agent.id))

    def _opened_here(self, name: str, workspace: Path) -> NotebookSession:
        """A notebook on this machine that sees the sample where Kaggle has all rows."""
        inputs = {self._data_name: self._shop.folder.rehearsal, **self._resources}
        return self._place.open_session(name, inputs, workspace)

    async def _grade(self, turn: Turn, cell: Cell) -> Graded:
        if not turn.submits:
            return Graded()
        if cell.status != "ok":
            return Graded(fault="the cell did not end well, so the notebook was not pushed.")
        push = await self._pushed(turn, cell)
        if push.fault:
            return Graded(fault=push.fault, kernel=push.told)
        evaluation = await self._evaluate(
            cell,
            workspace=self._folder(cell.step) / "output",
            validation_name=turn.validation_submission,
            submission_name=turn.submission,
        )
        return Graded(evaluation, kernel=push.told)

    async def _pushed(self, turn: Turn, cell: Cell) -> Push:
        """The recorded push of this cell, or one made now; each stage is recorded before the next begins."""
        push = self._shop.store.get(Push, cell.id) or Push(
            id=cell.id, agent=cell.agent, round=self._agent.round, step=cell.step, started_at=self._now()
        )
        cells = [one.code for one in solution_cells(self._shop.store, self._agent.id, cell.step)]
        if push.state == "rehearsing":
            self._shop.store.save(push)
            push = await self._rehearse(push, turn, cells)
        if push.state in ORDERED:
            push = await self._at_kaggle(push, turn, cell, cells)
        return push

    # --- here

    async def _rehearse(self, push: Push, turn: Turn, cells: Sequence[str]) -> Push:
        """Run the notebook from the top on the sample. The push goes on as `queued`, or ends as `refused`."""
        from mle_live.metrics import reads_texts

        self._update(status="running", goal=f"rehearsal: {turn.goal}")
        place = self._folder(push.step) / "rehearsal"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        session = self._opened_here(f"{self._agent.id}-rehearsal", place)
        folder, run = self._shop.folder, self._shop.store.run()
        rehearsing = rehearse(
            session,
            self._place.plain_notebook(cells, self._resources),
            log=self._folder(push.step) / "rehearsal.log",
            seconds=min(REHEARSAL_SECONDS, max(10.0, _REHEARSAL_SHARE * self.seconds_left)),
            memory_bytes=self._shop.memory_bytes,
            workspace=place,
            predictions=(
                (turn.validation_submission, folder.rehearsal / "sample_validation_submission.csv"),
                (turn.submission, folder.rehearsal / "sample_submission.csv"),
            ),
            labels=folder.labels,
            id_column=self._place.id_column,
            texts=run is not None and reads_texts(run.metric),
        )
        try:
            rehearsed = await self._until_stopped(rehearsing)
        finally:
            await session.close()
            shutil.rmtree(place, ignore_errors=True)
        return self._judged(push, rehearsed, cells)

    def _judged(self, push: Push, rehearsed: Rehearsed, cells: Sequence[str]) -> Push:
        """Whether what was rehearsed may be pushed: it went well, and can end in the time there is."""
        push = replace(push, rehearsal_seconds=round(rehearsed.seconds, 3))
        if rehearsed.fault:
            return self._refused(push, f"{rehearsed.fault}. Nothing was pushed.", rehearsed.output)
        shape = self._place.shape_for(accelerated=can_use_accelerator(cells))
        done = self._place.carried_cells(self._earlier(push.step), cells)
        ours = len(rehearsed.cell_seconds) - len(cells)
        expected = rehearsed.expected_seconds(self._place.sizes.ratio, carried=ours + done)
        expected = expected / _FASTER if shape else expected
        push = replace(push, accelerator=shape, expected_seconds=round(expected, 1))
        seconds = self._session_seconds(shape)
        if expected > _DOUBT * seconds:
            return self._refused(
                push,
                f"on all rows the notebook would take about {expected:.0f} s, and a session may last "
                f"{max(0.0, seconds):.0f} s. Nothing was pushed: make it cheaper.",
                "",
            )
        push = replace(push, state="waiting")
        self._shop.store.save(push)
        told = f"The rehearsal took {rehearsed.seconds:.0f} s; about {expected:.0f} s are expected at Kaggle"
        self._event("rehearsed", told)
        return push

    async def _until_stopped(self, work: Coroutine[Any, Any, Rehearsed]) -> Rehearsed:
        """The rehearsal's outcome; LimitReached when the agent or the run is stopped meanwhile."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=1.0)
                if not task.done() and (reason := self._must_stop()):
                    raise LimitReached(reason)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return task.result()

    def _session_seconds(self, shape: str) -> float:
        """How long a session may last: Kaggle's limit, the person's, and this agent's time that is left."""
        return min(self._place.most_seconds(shape), self.seconds_left - _COMING_HOME)

    # --- there

    async def _at_kaggle(self, push: Push, turn: Turn, cell: Cell, cells: Sequence[str]) -> Push:
        """Push, wait, and bring the output home; whatever happened there is told, never raised."""
        seconds = self._session_seconds(push.accelerator)
        if seconds < _LEAST_SESSION and not push.ref:
            told = f"only {max(0.0, seconds):.0f} s are left, too few for a session at Kaggle."
            return self._refused(push, told, "")
        order = KernelOrder(
            slug=self._place.kernel_slug(push.id),
            title=self._agent.title,
            agent=self._agent.id,
            cells=cells,
            wanted=(turn.validation_submission, turn.submission),
            resources=self._resources,
            accelerator=push.accelerator,
            expected=push.expected_seconds,
            left=lambda: self.seconds_left - _COMING_HOME,
            earlier=self._earlier(push.step),
            home=self._folder(push.step),
            resumable=lambda: goes_on_later(self._shop.control.stop_reason()),
        )
        self._update(status="waiting", goal=f"at Kaggle: {turn.goal}")
        watch = KernelWatch()
        watcher = Watcher(
            watch,
            CellUnderWatch(cell.agent, cell.step, cell.goal, cell.code, seconds, where="k"),
            desk=self._shop.desk if self.model_watches else None,
            store=self._shop.store,
            control=self._shop.control,
            clock=self._shop.clock,
            deadline=lambda: self.seconds_left,
        )
        watching = asyncio.create_task(watcher.run())
        try:
            came = await self._place.run_kernel(order, watch, tell=self._tell_kernel(push))
        except RunStopped:
            raise  # the push stays as it is, and a resumed run finds it
        except (KernelRefused, LimitReached) as error:
            return self._refused(push, error.message, error.hint)
        except KaggleError as error:
            came = self._place.give_up(order, error.message)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        return self._home(push, came)

    def _home(self, push: Push, came: CameHome) -> Push:
        push = replace(
            self._shop.store.get(Push, push.id) or push,
            state=came.state,
            ref=came.ref,
            version=came.version,
            url=came.url,
            seconds=round(came.seconds, 1),
            files=list(came.names),
            fault=came.fault,
            told=came.told,
            finished_at=self._now(),
        )
        self._shop.store.save(push)
        self._event("kernel", f"{came.url or came.ref or push.id}: {came.fault or came.sentence}")
        return push

    def _tell_kernel(self, push: Push) -> KernelTeller:
        return KernelTeller(self, push)

    def _noted(self, push: Push, *, ref: str, version: int, url: str, sentence: str) -> None:
        """The kernel has a name now: kept at once, so that a report can say where it runs."""
        known = self._shop.store.get(Push, push.id) or push
        if ref and ref != known.ref:
            self._shop.store.save(replace(known, ref=ref, version=version, url=url))
        self._event("kernel", sentence)

    def _refused(self, push: Push, fault: str, told: str) -> Push:
        push = replace(push, state="refused", fault=fault, told=told, finished_at=self._now())
        self._shop.store.save(push)
        self._event("push_refused", fault)
        return push

    # --- folders and earlier kernels

    def _folder(self, step: int) -> Path:
        return self._shop.folder.pushed(self._agent.id, step)

    def _earlier(self, step: int) -> Path | None:
        """Where the newest kernel of this agent before `step` came home to, whose work can be carried."""
        done = self._shop.store.all(
            Push, "agent = ? AND step < ? AND ref != ''", (self._agent.id, step), order="step"
        )
        return self._folder(done[-1].step) if done else None


class KernelTeller:
    """Given to the place: what happens to one kernel becomes the agent's events."""

    def __init__(self, agent: PushedAgent, push: Push) -> None:
        self._agent = agent
        self._push = push

    def __call__(self, sentence: str, *, ref: str = "", version: int = 0, url: str = "") -> None:
        self._agent._noted(self._push, ref=ref, version=version, url=url, sentence=sentence)
