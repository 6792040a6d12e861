"""One run's account at a Kaggle, where orders are run: names, limits, data, and one kernel's way home.

What must be ready before is `comind.at_kaggle.setup`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from comind.at_kaggle.attachment import setup_cells
from comind.at_kaggle.rehearsal import code_cells
from comind.at_kaggle.sample import SampleSizes
from comind.at_kaggle.split_dataset import SplitDataset, ensure_dataset, resource_name, run_mark, run_tail
from comind.config import ACCELERATORS, RunConfig
from comind.roles.prompts import Prompts
from comind.state.records import Push
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import KaggleError, KernelRefused, LimitReached
from kaggle_runner.files import write_whole
from kaggle_runner.inside_kaggle import CPU_SESSION_SECONDS, GPU_SESSION_SECONDS
from kaggle_runner.jobs.gathered import CarriedWork, gather, longest
from kaggle_runner.jobs.orders import Attempt, Order, Outcome
from kaggle_runner.jobs.queue import Needs, Place, SessionQueue
from kaggle_runner.jobs.runner import Watch, run_order
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KernelPush, Quota
from kaggle_runner.predictions.judge import Form
from kaggle_runner.rows import from_json, to_json
from mle_live.stores.kernels import RESTARTED

_SMALL_SUFFIXES = frozenset({".csv", ".json", ".txt", ".md", ".npy", ".npz", ".parquet"})
"""Of output files that come home beside the predictions: tables and notes, not checkpoints."""
_LEAST_SESSION = 3600.0
_SESSIONS = 5.0
"""A session's time-out in multiples of what a rehearsal lets expect, but not below _LEAST_SESSION seconds."""
_HOPE = 0.5
"""Of what is expected: the least time for which a session is worth taking, for expectations are high."""
_MOST_BYTES = 500_000_000
"""Of one kernel's output."""
_NOTEBOOK, _ORDER, _CARRIED = "notebook.ipynb", "push.json", "carried.json"


@dataclass(frozen=True, slots=True)
class AgentNotebook:
    """What is to run there for a turn of an agent."""

    title: str
    cells: Sequence[str]
    wanted: tuple[str, str]
    """The two prediction files."""
    datasets: Mapping[str, Path]
    """Folders by the name of the dataset that they become at Kaggle."""


@dataclass(slots=True, kw_only=True)
class KaggleBackend:
    """Made by `comind.at_kaggle.setup.open_backend`."""

    client: KaggleClient
    queue: SessionQueue
    folder: RunFolder
    store: Store
    config: RunConfig
    owner: str
    competition: str
    split: SplitDataset
    sizes: SampleSizes
    id_column: str
    simulated: bool
    """It is the run's own server, which lives and dies with the engine."""
    _uploads: dict[str, asyncio.Lock] = field(default_factory=dict)
    without_gpu: bool = False
    """There is none at this Kaggle for the user, as far as is known."""

    # --- names, and what may be asked for

    def resource_name(self, name: str) -> str:
        """The dataset that this run's `name` becomes at Kaggle, and its folder under /kaggle/input."""
        return resource_name(self.folder.id, name)

    def kernel_slug(self, push: Push) -> str:
        """The kernel's name there; the same for the same push of the same run."""
        run = self.folder.id
        return f"comind-{run_tail(run)}-{run_mark(run)}-{push.id}"[:50].rstrip("-").lower()

    def home(self, push: Push) -> Path:
        """Where what belongs to a push is kept, and its kernel's output comes home to."""
        return self.folder.pushed(push.agent, push.step)

    def shape_for(self, *, accelerated: bool) -> str:
        """The machine shape of a kernel; `auto` asks for a GPU where code can use one and Kaggle has one."""
        if self.config.accelerator != "auto":
            return self.config.machine_shape
        return ACCELERATORS["T4"] if accelerated and not self.without_gpu else ""

    def most_seconds(self, shape: str) -> float:
        """How long a session on this machine may last, by Kaggle and by the person's own limit."""
        kaggle = GPU_SESSION_SECONDS if shape else CPU_SESSION_SECONDS
        return min(kaggle, self.config.kernel_time_limit or kaggle)

    def told(self, prompts: Prompts, *, rehearsal_seconds: int) -> str:
        """How notebooks come to run at Kaggle, for a coder's opening."""
        config = self.config
        automatic = "none" if self.without_gpu else "a GPU (T4 x2) where it can use one"
        shape = automatic if config.accelerator == "auto" else config.accelerator
        values = {
            "sizes": self.sizes.sentence(),
            "rehearsal_seconds": rehearsal_seconds,
            "accelerator": "a CPU machine" if shape == "none" else shape,
            "session": f"{self.most_seconds(self.shape_for(accelerated=True)) / 3600:.3g} hours",
            "internet": "Kernels may use the internet." if config.internet else "Kernels have no internet.",
        }
        return prompts.render("coder", "kaggle", values).strip()

    def plain_cells(self, notebook: AgentNotebook) -> list[str]:
        """The code cells of the whole notebook, as it is submitted or published: nothing is carried."""
        names = tuple(notebook.datasets)
        return code_cells(gather(notebook.cells, slug=self.split.name, title="", inputs=names, keep=False))

    def forms(self) -> Callable[[Path], Form]:
        """From a sample of predictions the form in which the evaluator takes them; for any thread."""
        from mle_live.metrics import reads_texts

        run = self.store.run()
        texts = run is not None and reads_texts(run.metric)
        return partial(Form.of_sample, labels=self.folder.labels, id_column=self.id_column, texts=texts)

    def carried(self, push: Push, cells: Sequence[str]) -> CarriedWork | None:
        """What the newest kernel of the agent before this push spares it, if anything."""
        done = self.store.all(
            Push, "agent = ? AND step < ? AND ref != ''", (push.agent, push.step), order="step"
        )
        kept = self.home(done[-1]) / _CARRIED if done else None
        if kept is None or not kept.is_file():
            return None
        return longest([from_json(CarriedWork, kept.read_bytes(), kept)], cells, self.split.slug)

    # --- one kernel

    async def run(
        self, push: Push, notebook: AgentNotebook, *, left: Callable[[], float], watch: Watch
    ) -> Outcome:
        """Push the notebook once, wait for its end, and bring home what is needed.

        Called again for the same push (after the engine was killed) it goes on with the kernel there. `left`:
        seconds from now until the agent has no use for it any more, the queue included.
        Raises KernelRefused where Kaggle does not take it and LimitReached where it could not end in time.
        """
        try:
            return await self._brought_home(push, notebook, left, watch)
        except (KernelRefused, LimitReached) as error:
            if not push.accelerator or self.config.accelerator != "auto":
                raise
            self.without_gpu = True
            if isinstance(error, LimitReached) or error.full:
                told = f"{error.message} Later notebooks of this run go to machines without accelerator."
                raise LimitReached(told, hint=error.hint) from error
            told = f"No accelerator is to be had ({error.message}): on a machine without"
            self.store.event("kernel", told, agent=push.agent, round=push.round)
            (self.home(push) / _ORDER).unlink(missing_ok=True)
            return await self._brought_home(replace(push, accelerator=""), notebook, left, watch)

    def abandon(self, push: Push) -> Attempt | None:
        """Nobody waits for the push's kernel any more; None where there is none."""
        attempt = self.queue.attempts.abandon(self.kernel_slug(push))
        return attempt if attempt is not None and attempt.version else None

    async def quota(self) -> Quota | None:
        try:
            return await self.client.quota()
        except KaggleError:
            return None  # a figure that is only shown, or that a push would be refused for

    async def _brought_home(
        self, push: Push, notebook: AgentNotebook, left: Callable[[], float], watch: Watch, died: int = 0
    ) -> Outcome:
        """`died`: the version that ended with the run's own server, if one did."""
        home = self.home(push)
        outcome = await self._in_a_session(push, notebook, left, watch, f" after {died}" if died else "")
        if self.simulated and RESTARTED in outcome.failure and not died:
            # the run's own server died with its engine, and the kernel with the server
            for path in outcome.saved.values():  # the next harvest keeps files that have the right size
                path.unlink(missing_ok=True)
            (home / _ORDER).unlink(missing_ok=True)
            return await self._brought_home(push, notebook, left, watch, outcome.attempt.version)
        if outcome.carried is not None:
            write_whole(home / _CARRIED, to_json(outcome.carried))
        write_whole(home / "log.txt", "".join(line.data for line in outcome.log))
        return outcome

    async def _in_a_session(
        self, push: Push, notebook: AgentNotebook, left: Callable[[], float], watch: Watch, again: str
    ) -> Outcome:
        """Wait for a place among the account's sessions, then push and wait for the end."""
        shape, slug = push.accelerator, self.kernel_slug(push)
        waiting = Attempt(slug=slug, content="", ref=slug, accelerator=shape, state="waiting")
        place: Place = "kaggle-gpu" if shape else "kaggle-cpu"
        async with self.queue.place(
            Needs(
                gpu=bool(shape) and not _is_tpu(shape),
                tpu=_is_tpu(shape),
                seconds=_HOPE * min(push.expected_seconds, left()),
            ),
            deadline_seconds=left(),
            prefer=(place,),
            slug=slug,
            watch=lambda why: watch(waiting, why),
        ):
            return await run_order(
                self.client,
                self.queue.attempts,
                await self._order(push, notebook, left(), slug + again),
                dest=self.home(push) / "output",
                wanted=lambda name: name in notebook.wanted or _is_small(name),
                most_bytes=_MOST_BYTES,
                deadline_seconds=max(0.0, left()),
                watch=watch,
            )

    async def _order(self, push: Push, notebook: AgentNotebook, left: float, mark: str) -> Order:
        """The order, written down before it is pushed: a resumed run sends the very same."""
        home = self.home(push)
        kept = home / _ORDER
        if kept.is_file():
            return from_json(Order, kept.read_bytes(), kept)
        datasets = [f"{self.owner}/{self.split.slug}"]
        attached = (self.competition,) if self.config.attach_competition else ()
        for name, folder in notebook.datasets.items():
            datasets.append(await self._uploaded(name, folder))
        carried = self.carried(push, notebook.cells)
        seconds = await self._session_seconds(push, left)
        text = gather(
            notebook.cells, slug=self.split.slug, carried=carried, title=notebook.title,
            inputs=(*attached, *notebook.datasets), mark=mark, seconds=seconds,
            setup=setup_cells(*attached, self.split.slug, self.split.name) if attached else (),
        )  # fmt: skip
        slug = self.kernel_slug(push)
        sent = KernelPush(
            slug=slug,
            title=slug.replace("-", " "),
            text=text,
            datasets=tuple(datasets),
            kernels=(carried.ref,) if carried else (),
            competitions=attached,
            accelerator=push.accelerator,
            internet=self.config.internet,
            docker_image=self.config.docker_image,
            seconds=seconds,
        )
        order = Order(sent, mark, run=self.folder.id, agent=push.agent)
        home.mkdir(parents=True, exist_ok=True)
        write_whole(kept, to_json(order))
        write_whole(home / _NOTEBOOK, text)
        return order

    async def _session_seconds(self, push: Push, left: float) -> int:
        """The session's time-out: several times what is expected, so that quota is not held for nothing.

        Never longer than Kaggle, the person, the agent's time and the week's quota allow.
        """
        enough = max(_LEAST_SESSION, _SESSIONS * push.expected_seconds)
        limits = [self.most_seconds(push.accelerator), left, enough]
        quota = await self.quota() if push.accelerator else None
        if quota is not None:
            limits.append((quota.tpu if _is_tpu(push.accelerator) else quota.gpu).left)
        return max(1, int(min(limits)))

    async def _uploaded(self, name: str, folder: Path) -> str:
        """What an earlier agent published, as a private dataset; uploaded when first needed."""
        async with self._uploads.setdefault(name, asyncio.Lock()):
            return await ensure_dataset(self.client, name, folder, self.store)


def _is_tpu(shape: str) -> bool:
    return shape.lower().startswith("tpu")


def _is_small(name: str) -> bool:
    """Files that come home beside the predictions, as far as there is room."""
    return not name.startswith("__") and Path(name).suffix in _SMALL_SUFFIXES
