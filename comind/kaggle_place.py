"""Where pushed notebooks run: the user's account at a Kaggle, its sessions, and the run's data there.

`open_place` puts everything ready before the first round: the sample for rehearsals, the split as a private
dataset, the account book. `KagglePlace.run_kernel` takes one notebook there and brings its output home.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from comind.clock import Clock
from comind.config import ACCELERATORS, RunConfig
from comind.evaluator.split import Splittable
from comind.kernel_words import fault_of, sentence_of, told_of
from comind.prompts import Prompts
from comind.records import PushState
from comind.rehearsal import code_cells
from comind.runs import RunFolder
from comind.sampled import SampleSizes, sample_public
from comind.split_dataset import dataset_slug, describe_split, ensure_dataset
from comind.store import Store
from kaggle_runner.account import AccountBook, account_name
from kaggle_runner.cells import CellProgress
from kaggle_runner.client import KaggleClient
from kaggle_runner.errors import KaggleError
from kaggle_runner.gathering import CarriedWork, gather, longest
from kaggle_runner.jobs import Job, JobProgress, JobResult, abandon, run_job
from kaggle_runner.kaggle_records import KernelPush, Quota
from kaggle_runner.kernel_book import KernelBook
from kaggle_runner.session import NotebookSession

GPU_SESSION_SECONDS = 9 * 3600.0
"""Kaggle's limit where there is an accelerator; without one it is 12 hours."""
CPU_SESSION_SECONDS = 12 * 3600.0
_SMALL_SUFFIXES = frozenset({".csv", ".json", ".txt", ".md", ".npy", ".npz", ".parquet"})
"""Of output files that come home beside the predictions: tables and notes, not checkpoints."""
_MOST_BYTES = 500_000_000
"""Of one kernel's output."""
_NAMES_KEPT = 200
_NOTEBOOK, _PUSH, _CARRIED = "notebook.ipynb", "push.json", "carried.json"
NO_CANCEL = (
    "Kaggle has no way to cancel a kernel: one that is stopped from here is abandoned. It runs on until its "
    "own end, its session and accelerator hours are counted until then, and what it writes is ignored"
)


class OpenNotebook(Protocol):
    """A sandboxed notebook session of one agent; the engine knows how code is confined."""

    def __call__(self, name: str, inputs: Mapping[str, Path], workspace: Path) -> NotebookSession: ...


class Teller(Protocol):
    def __call__(self, sentence: str, *, ref: str = "", version: int = 0, url: str = "") -> None: ...


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
    seconds: float
    """How long the session may last."""
    deadline: float
    """Seconds from now at which the run has no use for it any more, the queue included."""
    earlier: Path | None
    """Where this agent's last kernel came home to."""
    home: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CameHome:
    """What became of an order; with `fault` there is nothing to grade."""

    state: PushState
    ref: str
    version: int
    url: str
    seconds: float
    names: tuple[str, ...]
    fault: str
    sentence: str
    told: str


class KernelWatch:
    """A kernel at Kaggle as `comind.watching` wants it: a glance, and a way to stop waiting."""

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


class KagglePlace:
    """One run's place at a Kaggle. `open_place` makes it."""

    def __init__(
        self,
        *,
        client: KaggleClient,
        kernels: KernelBook,
        folder: RunFolder,
        store: Store,
        config: RunConfig,
        owner: str,
        data_name: str,
        sizes: SampleSizes,
        open_session: OpenNotebook,
    ) -> None:
        self.data_name = data_name
        """The folder under /kaggle/input that holds the competition's files, here and there."""
        self.sizes = sizes
        self.open_session = open_session
        self._client = client
        self._kernels = kernels
        self._folder = folder
        self._store = store
        self._config = config
        self._owner = owner
        self._uploads: dict[str, asyncio.Lock] = {}
        self._without_gpu = False

    # --- names, and what may be asked for

    def resource_name(self, name: str) -> str:
        """The dataset that this run's `name` becomes at Kaggle, and its folder under /kaggle/input."""
        return dataset_slug(f"{_run_tail(self._folder.id)}-{name}", _mark(self._folder.id))

    def kernel_slug(self, push: str) -> str:
        """The kernel's name there; the same for the same push of the same run."""
        return f"comind-{_run_tail(self._folder.id)}-{_mark(self._folder.id)}-{push}"[:50].rstrip("-").lower()

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
        values = json.loads(kept.read_text(encoding="utf-8"))
        work = CarriedWork(values["ref"], values["cells"], values["chain"], tuple(values["lost"]))
        return longest([work], cells, self.data_name)

    # --- one kernel

    async def run_kernel(self, order: KernelOrder, watch: KernelWatch, tell: Teller) -> CameHome:
        """Push the order's notebook once, wait for its end, bring home what is needed, and put it in words.

        Called again for the same order (after the engine was killed) it goes on with the kernel there.
        Raises KernelRefused where Kaggle does not take it and LimitReached where it could not end in time.
        """
        push = await self._prepared(order)
        job = Job(push=push, run=self._folder.id, agent=order.agent, purpose="predictions", mark=push.slug)
        told = _Phases(watch, tell, push.accelerator)
        running = asyncio.create_task(self._job(job, order, told))
        stopping = asyncio.create_task(watch.stopped.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                return await self._abandoned(job, running, watch.reason)
        finally:
            stopping.cancel()
            if not running.done():
                running.cancel()
            await asyncio.gather(stopping, running, return_exceptions=True)
        return await self._home(order, running.result())

    async def _job(self, job: Job, order: KernelOrder, told: Callable[[JobProgress], None]) -> JobResult:
        return await run_job(
            self._client,
            self._kernels,
            job,
            dest=order.home / "output",
            wanted=lambda name: name in order.wanted or _is_small(name),
            deadline_seconds=order.deadline,
            watch=told,
        )

    async def _abandoned(self, job: Job, running: asyncio.Task[JobResult], reason: str) -> CameHome:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        row = abandon(self._kernels, job.push.slug)
        return CameHome(
            state="abandoned",
            ref=row.ref if row else "",
            version=row.version if row else 0,
            url=row.url if row else "",
            seconds=0.0,
            names=(),
            fault=f"the kernel was abandoned: {reason}",
            sentence="abandoned",
            told=f"{NO_CANCEL}.",
        )

    async def _home(self, order: KernelOrder, result: JobResult) -> CameHome:
        if result.carried is not None:
            _write(order.home / _CARRIED, json.dumps(asdict(result.carried)))
        fault = fault_of(result, order.wanted)
        _write(order.home / "log.txt", "".join(line.data for line in result.log))
        return CameHome(
            state="abandoned" if result.state == "abandoned" else "failed" if fault else "complete",
            ref=result.ref,
            version=result.version,
            url=result.url,
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

    async def _prepared(self, order: KernelOrder) -> KernelPush:
        """The push, written down before it is made: a resumed run sends the very same, or finds it there."""
        kept = order.home / _PUSH
        if kept.is_file():
            values = json.loads(kept.read_text(encoding="utf-8"))
            return KernelPush(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        datasets = [f"{self._owner}/{self.data_name}"]
        for name, folder in order.resources.items():
            datasets.append(await self._uploaded(name, folder))
        carried = self._carried(order.earlier, order.cells)
        seconds = int(order.seconds)
        text = gather(
            order.cells, slug=self.data_name, carried=carried, title=order.title,
            inputs=tuple(order.resources), mark=order.slug, seconds=seconds,
        )  # fmt: skip
        push = KernelPush(
            slug=order.slug,
            title=order.slug.replace("-", " "),
            text=text,
            datasets=tuple(datasets),
            kernels=(carried.ref,) if carried else (),
            accelerator=order.accelerator,
            internet=self._config.internet,
            docker_image=self._config.docker_image,
            seconds=seconds,
        )
        _write(kept, json.dumps(asdict(push)))
        _write(order.home / _NOTEBOOK, text)
        return push

    async def _uploaded(self, name: str, folder: Path) -> str:
        """What an earlier agent published, as a private dataset; uploaded when first needed."""
        async with self._uploads.setdefault(name, asyncio.Lock()):
            return await ensure_dataset(self._client, name, folder, self._store)


class _Phases:
    """A job's progress as the watcher's glances and, where the phase changes, as a sentence for people."""

    def __init__(self, watch: KernelWatch, tell: Teller, accelerator: str) -> None:
        self._watch, self._tell, self._accelerator = watch, tell, accelerator
        self._phase = ""
        self._began = 0.0

    def __call__(self, progress: JobProgress) -> None:
        if progress.phase != self._phase:
            self._phase, self._began = progress.phase, progress.seconds
            where = f" on {self._accelerator}" if self._accelerator else ""
            line = {
                "pushing": f"Pushing the notebook{where}",
                "waiting for a session": f"Waiting for a free session: {progress.note}",
                "queued": f"Pushed: {progress.url or progress.ref} waits in Kaggle's queue",
                "running": f"Runs at Kaggle{where}: {progress.url or progress.ref}",
                "harvesting": f"Fetching the output of {progress.ref}",
            }[progress.phase]
            pushed = progress.phase not in ("pushing", "waiting for a session")
            self._tell(line, ref=progress.ref if pushed else "", url=progress.url if pushed else "")
        if progress.phase == "running":
            self._watch.see(seconds=progress.seconds - self._began, tail=progress.tail)


async def open_place(
    *,
    client: KaggleClient,
    simulated: bool,
    competition: str,
    facts: Splittable,
    folder: RunFolder,
    store: Store,
    config: RunConfig,
    open_session: OpenNotebook,
    clock: Clock,
) -> KagglePlace:
    """Draw the sample, have the split at Kaggle as a private dataset, and tell what stopping means there.

    Raises ConfigError where the split is larger than the limit, KaggleError where Kaggle cannot take it.
    """
    sizes = await asyncio.to_thread(sample_public, folder.public, folder.rehearsal, facts, seed=config.seed)
    store.event("rehearsal", f"Rehearsals use {sizes.sentence()}")
    split = await asyncio.to_thread(
        describe_split, folder, competition, limit_gigabytes=config.kaggle_dataset_limit
    )
    owner = await client.username()
    await ensure_dataset(client, split.slug, folder.public, store)
    store.event("kaggle", f"{NO_CANCEL}.")
    # the run's own server has another port each time, and its account is this run's alone
    account = f"{owner}@{folder.id}" if simulated else account_name(owner, client.base_url)
    book = AccountBook(folder.state / "kaggle.sqlite", account)
    return KagglePlace(
        client=client,
        kernels=KernelBook(book, clock),
        folder=folder,
        store=store,
        config=config,
        owner=owner,
        data_name=split.slug,
        sizes=sizes,
        open_session=open_session,
    )


def _is_small(name: str) -> bool:
    """Files that come home beside the predictions, as far as there is room."""
    return not name.startswith("__") and Path(name).suffix in _SMALL_SUFFIXES


def _run_tail(run: str) -> str:
    """The date and time at the end of a run's id."""
    return "-".join(run.split("-")[-2:])


def _mark(run: str) -> str:
    return hashlib.sha256(run.encode()).hexdigest()[:4]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8", errors="replace")
    partial.replace(path)
