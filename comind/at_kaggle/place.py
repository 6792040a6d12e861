"""Where pushed notebooks run: the user's account at a Kaggle, its sessions, and the run's data there.

`KagglePlace.run_kernel` takes one notebook there and brings its output home. What must be ready before is
`comind.at_kaggle.setup`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from comind.at_kaggle.attachment import setup_cells
from comind.at_kaggle.orders import CameHome, KernelOrder, KernelWatch, RunStopped, States, Teller
from comind.at_kaggle.rehearsal import code_cells
from comind.at_kaggle.sample import SampleSizes
from comind.at_kaggle.split_dataset import SplitDataset, ensure_dataset, resource_name, run_mark, run_tail
from comind.at_kaggle.words import fault_of, sentence_of, told_of
from comind.config import ACCELERATORS, RunConfig
from comind.roles.prompts import Prompts
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import KaggleError, KernelRefused, LimitReached
from kaggle_runner.files import write_whole
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.gathered import CarriedWork, gather, longest
from kaggle_runner.jobs.orders import Order, Outcome
from kaggle_runner.jobs.queue import Needs, Place, SessionQueue
from kaggle_runner.jobs.runner import run_order
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KernelPush, Quota
from kaggle_runner.notebook.session import NotebookSession
from kaggle_runner.rows import from_json, to_json
from mle_live.stores.kernels import RESTARTED

GPU_SESSION_SECONDS = 9 * 3600.0
"""Kaggle's limit where there is an accelerator; without one it is 12 hours."""
CPU_SESSION_SECONDS = 12 * 3600.0
_SMALL_SUFFIXES = frozenset({".csv", ".json", ".txt", ".md", ".npy", ".npz", ".parquet"})
"""Of output files that come home beside the predictions: tables and notes, not checkpoints."""
_LEAST_SESSION = 3600.0
_SESSIONS = 5.0
"""A session's time-out in multiples of what a rehearsal lets expect, but not below _LEAST_SESSION seconds."""
_HOPE = 0.5
"""Of what is expected: the least time for which a place is still worth taking, for expectations are high."""
_MOST_BYTES = 500_000_000
"""Of one kernel's output."""
_NAMES_KEPT = 200
_NOTEBOOK, _PUSH, _CARRIED = "notebook.ipynb", "push.json", "carried.json"
NO_CANCEL = (
    "Kaggle has no way to cancel a kernel: one that is stopped from here is abandoned. It runs on until its "
    "own end, its session and accelerator hours are counted until then, and what it writes is ignored"
)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A push as it was written down before it was made."""

    push: KernelPush
    mark: str


class OpenNotebook(Protocol):
    """A sandboxed notebook session of one agent; the engine knows how code is confined."""

    def __call__(self, name: str, inputs: Mapping[str, Path], workspace: Path) -> NotebookSession: ...


class KagglePlace:
    """One run's place at a Kaggle. `comind.at_kaggle.setup.open_place` makes it."""

    def __init__(
        self,
        *,
        client: KaggleClient,
        attempts: AttemptBook,
        queue: SessionQueue,
        folder: RunFolder,
        store: Store,
        config: RunConfig,
        owner: str,
        competition: str,
        split: SplitDataset,
        id_column: str,
        sizes: SampleSizes,
        open_session: OpenNotebook,
        simulated: bool,
    ) -> None:
        self.data_name = split.name
        """The folder under /kaggle/input that holds the competition's files, here and there."""
        self.id_column = id_column
        self.sizes = sizes
        self.open_session = open_session
        self._client = client
        self._attempts = attempts
        self._queue = queue
        self._folder = folder
        self._store = store
        self._config = config
        self._owner = owner
        self._simulated = simulated
        self._split = split
        self._competition = competition
        self._uploads: dict[str, asyncio.Lock] = {}
        self._without_gpu = False

    # --- names, and what may be asked for

    def resource_name(self, name: str) -> str:
        """The dataset that this run's `name` becomes at Kaggle, and its folder under /kaggle/input."""
        return resource_name(self._folder.id, name)

    def kernel_slug(self, push: str) -> str:
        """The kernel's name there; the same for the same push of the same run."""
        return (
            f"comind-{run_tail(self._folder.id)}-{run_mark(self._folder.id)}-{push}"[:50].rstrip("-").lower()
        )

    def shape_for(self, *, accelerated: bool) -> str:
        """The machine shape of a kernel; `auto` asks for a GPU where code can use one and Kaggle has one."""
        if self._config.accelerator != "auto":
            return self._config.machine_shape
        return ACCELERATORS["T4"] if accelerated and not self._without_gpu else ""

    def most_seconds(self, shape: str) -> float:
        """How long a session on this machine may last, by Kaggle and by the person's own limit."""
        kaggle = GPU_SESSION_SECONDS if shape else CPU_SESSION_SECONDS
        return min(kaggle, self._config.kernel_time_limit or kaggle)

    def told(self, prompts: Prompts, *, rehearsal_seconds: int) -> str:
        """How notebooks come to run at Kaggle, for a coder's opening."""
        config = self._config
        shape = config.accelerator if config.accelerator != "auto" else "a GPU (T4 x2) where it can use one"
        values = {
            "sizes": self.sizes.sentence(),
            "rehearsal_seconds": rehearsal_seconds,
            "accelerator": "a CPU machine" if shape == "none" else shape,
            "session": f"{self.most_seconds(self.shape_for(accelerated=True)) / 3600:.3g} hours",
            "internet": "Kernels may use the internet." if config.internet else "Kernels have no internet.",
        }
        return prompts.render("coder", "kaggle", values).strip()

    def plain_notebook(self, cells: Sequence[str], resources: Mapping[str, Path]) -> list[str]:
        """The code cells of the whole notebook, as it is submitted or published: nothing is carried."""
        return code_cells(gather(cells, slug=self.data_name, title="", inputs=tuple(resources), keep=False))

    def carried_cells(self, earlier: Path | None, cells: Sequence[str]) -> int:
        """How many of `cells` an earlier kernel of the agent spares a new one."""
        work = self._carried(earlier, cells)
        return work.cells if work else 0

    def _carried(self, earlier: Path | None, cells: Sequence[str]) -> CarriedWork | None:
        kept = earlier / _CARRIED if earlier else None
        if kept is None or not kept.is_file():
            return None
        work = from_json(CarriedWork, kept.read_bytes(), kept)
        return longest([work], cells, self._split.slug)

    # --- one kernel

    async def run_kernel(self, order: KernelOrder, watch: KernelWatch, tell: Teller) -> CameHome:
        """Push the order's notebook once, wait for its end, bring home what is needed, and put it in words.

        Called again for the same order (after the engine was killed) it goes on with the kernel there.
        Raises KernelRefused where Kaggle does not take it and LimitReached where it could not end in time.
        """
        try:
            return await self._ordered(order, watch, tell)
        except (KernelRefused, LimitReached) as error:
            if not order.accelerator or self._config.accelerator != "auto":
                raise
            self._without_gpu = True
            if isinstance(error, LimitReached) or error.full:
                told = f"{error.message} Later notebooks of this run go to machines without accelerator."
                raise LimitReached(told, hint=error.hint) from error
            tell(f"No accelerator is to be had ({error.message}): on a machine without")
            (order.home / _PUSH).unlink(missing_ok=True)
            return await self._ordered(replace(order, accelerator=""), watch, tell)

    def give_up(self, order: KernelOrder, reason: str) -> CameHome:
        """Nobody waits for the order's kernel any more."""
        row = self._attempts.abandon(order.slug)
        if row is None or not row.version:
            return CameHome.nothing(f"not pushed: {reason}")
        return CameHome(
            state="abandoned",
            ref=row.ref,
            version=row.version,
            url=row.url,
            seconds=0.0,
            names=(),
            fault=f"the kernel was abandoned: {reason}",
            sentence="",
            told=f"{NO_CANCEL}.",
        )

    async def _ordered(self, order: KernelOrder, watch: KernelWatch, tell: Teller) -> CameHome:
        running = asyncio.create_task(self._in_a_session(order, watch, tell))
        stopping = asyncio.create_task(watch.stopped.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                if order.resumable():
                    raise RunStopped(watch.reason)
                return self.give_up(order, watch.reason)
        finally:
            stopping.cancel()
            if not running.done():
                running.cancel()
            await asyncio.gather(stopping, running, return_exceptions=True)
        result = running.result()
        if self._simulated and RESTARTED in result.failure and not order.again:
            # the run's own server died with its engine, and the kernel with the server
            for path in result.saved.values():  # the next harvest keeps files that have the right size
                path.unlink(missing_ok=True)
            (order.home / _PUSH).unlink(missing_ok=True)
            return await self._ordered(replace(order, again=True), watch, tell)
        return await self._home(order, result)

    async def _in_a_session(self, order: KernelOrder, watch: KernelWatch, tell: Teller) -> Outcome:
        """Wait for a place among the account's sessions, then push and wait for the end."""
        shape = order.accelerator
        needs = Needs(
            gpu=bool(shape) and not _is_tpu(shape),
            tpu=_is_tpu(shape),
            seconds=_HOPE * min(order.expected, order.left()),
        )
        place: Place = "kaggle-gpu" if shape else "kaggle-cpu"
        async with self._queue.place(
            needs,
            deadline_seconds=order.left(),
            prefer=(place,),
            slug=order.slug,
            watch=lambda why: tell(f"Waiting for a session: {why}"),
        ):
            push, mark = await self._prepared(order)
            sent = Order(push, mark, run=self._folder.id, agent=order.agent, purpose="predictions")
            return await run_order(
                self._client,
                self._attempts,
                sent,
                dest=order.home / "output",
                wanted=lambda name: name in order.wanted or _is_small(name),
                most_bytes=_MOST_BYTES,
                deadline_seconds=max(0.0, order.left()),
                watch=States(watch, tell, self._attempts.clock.monotonic),
            )

    async def _home(self, order: KernelOrder, result: Outcome) -> CameHome:
        if result.carried is not None:
            write_whole(order.home / _CARRIED, to_json(result.carried))
        fault = fault_of(result, order.wanted)
        write_whole(order.home / "log.txt", "".join(line.data for line in result.log))
        return CameHome(
            state="failed" if fault and result.state == "complete" else result.state,
            ref=result.attempt.ref,
            version=result.attempt.version,
            url=result.attempt.url,
            seconds=result.seconds,
            names=result.names[:_NAMES_KEPT],
            fault=fault,
            sentence=sentence_of(result),
            told=told_of(result, await self._quota()),
        )

    async def _quota(self) -> Quota | None:
        try:
            return await self._client.quota()
        except KaggleError:
            return None  # a figure that is only shown

    async def _prepared(self, order: KernelOrder) -> tuple[KernelPush, str]:
        """The push and its mark, written down before it is made: a resumed run sends the very same."""
        kept = order.home / _PUSH
        if kept.is_file():
            known = from_json(_Prepared, kept.read_bytes(), kept)
            return known.push, known.mark
        datasets = [f"{self._owner}/{self._split.slug}"]
        attached = (self._competition,) if self._config.attach_competition else ()
        for name, folder in order.resources.items():
            datasets.append(await self._uploaded(name, folder))
        carried = self._carried(order.earlier, order.cells)
        seconds = await self._session_seconds(order)
        text = gather(
            order.cells, slug=self._split.slug, carried=carried, title=order.title,
            inputs=(*attached, *order.resources), mark=order.mark, seconds=seconds,
            setup=setup_cells(*attached, self._split.slug, self.data_name) if attached else (),
        )  # fmt: skip
        push = KernelPush(
            slug=order.slug,
            title=order.slug.replace("-", " "),
            text=text,
            datasets=tuple(datasets),
            kernels=(carried.ref,) if carried else (),
            competitions=attached,
            accelerator=order.accelerator,
            internet=self._config.internet,
            docker_image=self._config.docker_image,
            seconds=seconds,
        )
        order.home.mkdir(parents=True, exist_ok=True)
        write_whole(kept, to_json(_Prepared(push, order.mark)))
        write_whole(order.home / _NOTEBOOK, text)
        return push, order.mark

    async def _session_seconds(self, order: KernelOrder) -> int:
        """The session's time-out: several times what is expected, so that quota is not held for nothing.

        Never longer than Kaggle, the person, the agent's time and the week's quota allow.
        """
        enough = max(_LEAST_SESSION, _SESSIONS * order.expected)
        limits = [self.most_seconds(order.accelerator), order.left(), enough]
        quota = await self._quota() if order.accelerator else None
        if quota is not None:
            limits.append((quota.tpu if _is_tpu(order.accelerator) else quota.gpu).left)
        return max(1, int(min(limits)))

    async def _uploaded(self, name: str, folder: Path) -> str:
        """What an earlier agent published, as a private dataset; uploaded when first needed."""
        async with self._uploads.setdefault(name, asyncio.Lock()):
            return await ensure_dataset(self._client, name, folder, self._store)


def _is_tpu(shape: str) -> bool:
    return shape.lower().startswith("tpu")


def _is_small(name: str) -> bool:
    """Files that come home beside the predictions, as far as there is room."""
    return not name.startswith("__") and Path(name).suffix in _SMALL_SUFFIXES
