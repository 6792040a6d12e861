"""The queue of pushed kernels: a few run at once, each in its sandbox; states and files tell what came of it.

It owns a thread with an event loop: a sandbox ends with the thread that started it. What a client may ask is
in the api modules.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from kaggle_runner.errors import ComindError
from kaggle_runner.files import write_whole
from kaggle_runner.machine import describe_machine
from kaggle_runner.moments import Clock
from kaggle_runner.packages.indexes import PackageSource
from kaggle_runner.packages.overlay import FOLDER as PACKAGES
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.bubblewrap import gpu_mounts
from kaggle_runner.sandbox.sandbox import Sandbox
from mle_live.kernels.files import KernelLog, VersionFiles, keep_outputs, remove
from mle_live.kernels.inputs import KernelInputs
from mle_live.kernels.process import RunEnd, read_notebook, run_notebook, run_pushed_script
from mle_live.stores.kernels import (
    RESTARTED,
    KernelSettings,
    KernelStore,
    KernelVersion,
    PushedKernel,
    WorkerStatus,
)
from mle_live.stores.state import User

logger = logging.getLogger("mle_live")

EXECUTED_NOTEBOOK = "__notebook__.ipynb"
_OWN_FAULT = "The server could not run the kernel; this is not the kernel's fault. Its log tells why."
_STOP_SECONDS = 30.0


GpuKernels = Literal["refuse", "cpu", "run"]
"""What becomes of a push that wants a GPU; `cpu`: it runs on the CPU, and its log and its status say so."""


@dataclass(frozen=True, slots=True)
class KernelLimits:
    """What pushed kernels may use. Sizes in bytes; None of `memory_bytes`: half of the machine's memory."""

    at_once: int = 2
    gpus_at_once: int = 1
    gpu_kernels: GpuKernels | None = None
    """None: `run` on a machine that has a GPU, `refuse` on others."""
    seconds: int = 12 * 3600
    memory_bytes: int | None = None
    working_bytes: int = 20_000_000_000
    log_bytes: int = 4_000_000
    processes: int = 1000
    output_files: int = 500
    waiting_a_user: int = 20
    python: Path | None = None
    """The Python that they run in; None: the server's own."""
    packages: PackageSource | None = None
    """Where those that ask for internet may install packages from; None: nowhere."""

    @property
    def with_gpu(self) -> GpuKernels:
        """`gpu_kernels` on this machine."""
        return self.gpu_kernels or ("run" if gpu_mounts(None) else "refuse")


@dataclass(slots=True)
class KernelRuns:
    """Start it with `resume`; every method may be called from any thread. `close` ends all runs."""

    store: KernelStore
    inputs: KernelInputs
    state_dir: Path
    clock: Clock
    limits: KernelLimits
    hidden: tuple[Path, ...]
    _loop: asyncio.AbstractEventLoop = field(init=False, default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = field(init=False, default=None)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _slots: asyncio.Semaphore = field(init=False)
    _gpu_slots: asyncio.Semaphore = field(init=False)
    _tasks: dict[int, asyncio.Task[None]] = field(init=False, default_factory=dict)
    """Runs that wait or run, by session; touched on the loop's thread only."""

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.limits.at_once)
        self._gpu_slots = asyncio.Semaphore(self.limits.gpus_at_once)

    def files(self, kernel_id: int, version: KernelVersion) -> VersionFiles:
        return version_files(self.state_dir, kernel_id, version)

    def save(
        self, kernel: PushedKernel, settings: KernelSettings, text: str, *, created_at: datetime, run: bool
    ) -> tuple[PushedKernel, KernelVersion] | None:
        """Add a version (see `KernelStore.save`), its source first, and queue its run."""

        def write_source(kernel_id: int, number: int) -> None:
            files = VersionFiles(self.state_dir / str(kernel_id) / str(number), settings.kernel_type)
            files.folder.mkdir(parents=True, exist_ok=True)
            write_whole(files.source, text)

        saved = self.store.save(kernel, settings, created_at=created_at, run=run, before=write_source)
        if saved is not None and run:
            self.submit(saved[1])
        return saved

    def resume(self) -> None:
        """After a start of the server: what ran is an error, what waited waits again."""
        for version in self.store.unfinished():
            if version.status == "QUEUED":
                self.submit(version)
            else:
                status: WorkerStatus = "ERROR" if version.status == "RUNNING" else "CANCEL_ACKNOWLEDGED"
                self.store.ended(
                    version.session, self.clock.now(), status, RESTARTED if status == "ERROR" else ""
                )
                remove(self.files(version.kernel_id, version).working)

    def submit(self, version: KernelVersion) -> None:
        """Queue a version whose source has been written."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop.run_forever, name="kernels", daemon=True)
                self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, version)

    def cancel(self, session: int) -> WorkerStatus | None:
        """Stop a run and wait for its end; what it is now, None when it had ended already."""
        status = self.store.cancel(session, self.clock.now())
        if status is not None and self._thread is not None:
            self._ask_loop(self._stop([session]))
        return status

    def delete(self, kernel: PushedKernel) -> None:
        """End the kernel's runs, and forget it with its files."""
        for version in self.store.unfinished():
            if version.kernel_id == kernel.id:
                self.cancel(version.session)
        self.store.delete(kernel.id)
        remove(self.state_dir / str(kernel.id))

    def close(self) -> None:
        """End what runs; its versions are told as interrupted at the next start."""
        if self._thread is None:
            self._loop.close()
            return
        with contextlib.suppress(TimeoutError):  # the server ends all the same
            self._ask_loop(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)
        self._loop.close()

    # -- on the loop's thread ----------------------------------------------------------------------------

    async def _take_turn(self, version: KernelVersion) -> None:
        async with contextlib.AsyncExitStack() as turn:
            if version.settings.gpu and not version.settings.on_cpu:
                await turn.enter_async_context(self._gpu_slots)
            await turn.enter_async_context(self._slots)
            if not self.store.started(version.session, self.clock.now()):
                return
            kernel = self.store.kernel(version.kernel_id)
            if kernel is None:
                return
            try:
                failure = await self._run(kernel, version)
            except asyncio.CancelledError:
                now = self.store.session(version.session)
                if now is not None and now.status == "CANCEL_REQUESTED":
                    self.store.ended(version.session, self.clock.now(), "CANCEL_ACKNOWLEDGED")
                raise
            except ComindError as error:
                logger.error("running %s version %d: %s", kernel.ref, version.number, error)
                failure = _OWN_FAULT
            except Exception:  # whatever breaks here, a version must not stay running for ever
                logger.exception("running %s version %d", kernel.ref, version.number)
                failure = _OWN_FAULT
            status: WorkerStatus = "ERROR" if failure else "COMPLETE"
            self.store.ended(version.session, self.clock.now(), status, failure)

    async def _run(self, kernel: PushedKernel, version: KernelVersion) -> str:
        """Run it, and keep its outputs whatever happens; why it failed, empty when it did not."""
        files = self.files(kernel.id, version)
        await asyncio.to_thread(_make_folders, files)
        log = KernelLog(files.log, self.limits.log_bytes)
        outcome = RunEnd()
        try:
            try:
                outcome = await self._execute(kernel, version, files, log)
            finally:
                if version.settings.internet and self.limits.packages is not None:
                    await asyncio.to_thread(remove, files.working / PACKAGES)
                kept = await asyncio.to_thread(keep_outputs, files, self.limits.output_files)
                if kept.left_out:
                    log.write("stderr", f"{kept.left_out} files of the output are left out: {kept.why}.\n")
            if outcome.notebook is not None:
                _write_executed(files.output / EXECUTED_NOTEBOOK, outcome.notebook)
            if outcome.failure:
                log.write("stderr", f"{outcome.failure}\n")
        finally:
            log.close()
        return outcome.failure

    async def _execute(
        self, kernel: PushedKernel, version: KernelVersion, files: VersionFiles, log: KernelLog
    ) -> RunEnd:
        settings = version.settings
        owner = User(kernel.owner_id, kernel.owner)
        sources = await asyncio.to_thread(self.inputs.find, owner, settings)
        machine = await asyncio.to_thread(describe_machine)
        log.write("stderr", f"{kernel.ref} version {version.number}, session {version.session}\n")
        if settings.internet and self.limits.packages is None:
            log.write("stderr", "Internet was asked for; kernels have none here.\n")
        elif settings.internet:
            log.write("stderr", "Internet was asked for; of it kernels can reach the package index here.\n")
        if settings.on_cpu:
            log.write("stderr", f"{on_cpu_sentence(settings)}\n")
        sandbox = Sandbox(
            inputs=sources.mounts,
            workspace=files.working,
            gpus=None if settings.gpu and not settings.on_cpu else (),
            cpu_threads=max(1, machine.cpus // self.limits.at_once),
            hidden=self.hidden,
            python=self.limits.python,
            batch=True,
            packages=self.limits.packages if settings.internet else None,
        )
        limits = BatchLimits(
            seconds=settings.seconds,
            memory_bytes=self.limits.memory_bytes or machine.memory_bytes // 2,
            workspace_bytes=self.limits.working_bytes,
            processes=self.limits.processes,
        )
        if settings.kernel_type == "script":
            return await run_pushed_script(sandbox, files.source, log, limits)
        notebook = read_notebook(files.source.read_text(encoding="utf-8"))
        scratch = files.folder / "cells"
        scratch.mkdir(exist_ok=True)
        try:
            return await run_notebook(sandbox, notebook, log, limits, scratch)
        finally:
            remove(scratch)

    def _begin(self, version: KernelVersion) -> None:
        task = self._loop.create_task(self._take_turn(version))
        self._tasks[version.session] = task
        task.add_done_callback(lambda _: self._tasks.pop(version.session, None))

    async def _stop(self, sessions: Iterable[int] | None = None) -> None:
        """Cancel these runs, or all, and wait until nothing of them is left."""
        chosen = list(self._tasks) if sessions is None else sessions
        tasks = [self._tasks[session] for session in chosen if session in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ask_loop(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_STOP_SECONDS)


def version_files(state_dir: Path, kernel_id: int, version: KernelVersion) -> VersionFiles:
    return VersionFiles(state_dir / str(kernel_id) / str(version.number), version.settings.kernel_type)


def on_cpu_sentence(settings: KernelSettings) -> str:
    """For a kernel that did not get the accelerator that it asked for; empty for all others."""
    if not settings.on_cpu:
        return ""
    return f"It asked for {settings.on_cpu}; this server runs such kernels on the CPU (--gpu-kernels cpu)."


def _make_folders(files: VersionFiles) -> None:
    remove(files.working)
    files.working.mkdir(parents=True)
    files.log.unlink(missing_ok=True)


def _write_executed(path: Path, notebook: dict[str, Any]) -> None:
    if path.is_dir():  # the kernel made a folder of that name
        remove(path)
    text = json.dumps(notebook, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
