"""How code that we did not write is confined: the world an agent's notebook sees, and batch scripts.

Inside it looks like a Kaggle notebook: /kaggle/input/<name> read-only, /kaggle/working writable. There is
no network, no other process, no file of the host beyond the system and Python, and no variable of the engine;
where a person allowed it, there is a way to package hosts (`kaggle_runner.packages`).
The mechanics are in `bubblewrap.py`; live notebooks are in `kaggle_runner.notebook.session`. Inside a Kaggle
session, where no namespaces can be had, `fence.py` serves instead.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from kaggle_runner import inside_kaggle
from kaggle_runner.errors import SandboxUnavailable
from kaggle_runner.interpreter import examine
from kaggle_runner.packages.indexes import PackageSource
from kaggle_runner.packages.overlay import SOCKET_INSIDE, over
from kaggle_runner.packages.proxy import package_proxy
from kaggle_runner.sandbox import bubblewrap, fence
from kaggle_runner.sandbox.batch import BatchLimits, Completed, Log, run_batch
from kaggle_runner.sandbox.bubblewrap import SandboxReport, find_bubblewrap
from kaggle_runner.sandbox.sockets import socket_folder

INPUT = "/kaggle/input"
WORKING = "/kaggle/working"

_PASSED_THROUGH = ("LD_LIBRARY_PATH", "CUDA_HOME", "TZ")
"""Variables of the machine (never of a person) that libraries inside need."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What one agent's code may see and use."""

    inputs: Mapping[str, Path]
    """Name → folder on the host, seen read-only as /kaggle/input/<name>. Names may be nested; a folder may
    have several (see `input_names`)."""
    workspace: Path
    """Seen as /kaggle/working; the only place that outlives the sandbox."""
    extra_read_only: Mapping[str, Path] = field(default_factory=dict)
    """Path inside → path on the host."""
    gpus: tuple[int, ...] | None = None
    """NVIDIA device numbers; None: every GPU there is."""
    cpu_threads: int = 1
    hidden: tuple[Path, ...] = ()
    """Folders and files of the host (a state folder) that stay unseen wherever the system or Python lies."""
    python: Path | None = None
    """The Python whose code this is, with its packages; None: the engine's own."""
    batch: bool = False
    """Told to the code as Kaggle does: it is run from top to bottom, and nobody is there to look."""
    packages: PackageSource | None = None
    """Where the code may install packages from; None: nowhere. A fence lets it install nothing."""

    def command(
        self,
        argv: Sequence[str],
        *,
        read_only: Mapping[str, Path] | None = None,
        writable: Mapping[str, Path] | None = None,
        way: Path | None = None,
        without_installed: bool = False,
    ) -> list[str]:
        """`argv` confined, with the caller's own mounts added.

        `way` is the socket of `way_to_packages`; with it the command runs over the overlay of installed
        packages, which is emptied for a command `without_installed`.
        Start it with `bubblewrap.MINIMAL_ENVIRONMENT`, from the event loop's thread.
        """
        for name in self.inputs:
            if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", name):
                raise SandboxUnavailable(
                    f"the input name {name!r} cannot be a folder under {INPUT}",
                    hint="use letters, digits, `-`, `_` and `.`, as Kaggle's slugs do",
                )
        mounts = {f"{INPUT}/{name}": folder for name, folder in self.inputs.items()}
        mounts |= dict(self.extra_read_only) | dict(read_only or {})
        if way is not None and self.packages is not None:
            below = examine(self.interpreter)
            first, shown = over(below, self.interpreter, self.packages, WORKING, fresh=without_installed)
            argv = [*first, *argv]
            mounts |= {**shown, SOCKET_INSIDE: way}
        return _confined(
            argv,
            mounts=mounts,
            writable={WORKING: self.workspace} | dict(writable or {}),
            cwd=WORKING,
            environment={"KAGGLE_KERNEL_RUN_TYPE": "Batch" if self.batch else "Interactive"},
            python=self.interpreter,
            gpus=self.gpus,
            cpu_threads=self.cpu_threads,
            hidden=self.hidden,
            box=self._box,
        )

    async def run(
        self,
        argv: Sequence[str],
        *,
        limits: BatchLimits,
        read_only: Mapping[str, Path] | None = None,
        log: Log | None = None,
    ) -> Completed:
        """Run `argv` to its end, see `run_batch`. Raises SandboxUnavailable when it cannot be confined."""
        async with AsyncExitStack() as stack:
            way = None
            if self.installs:
                folder = stack.enter_context(socket_folder())
                way = await stack.enter_async_context(self.way_to_packages(folder))
            command = self.command(argv, read_only=read_only, way=way)
            return await _run(command, self._box, [self.workspace], limits, log)

    @property
    def installs(self) -> bool:
        """Whether packages can be installed in it."""
        return self.packages is not None and not needs_fence()

    @asynccontextmanager
    async def way_to_packages(self, folder: Path) -> AsyncIterator[Path | None]:
        """A socket in `folder` that leads to package hosts while the block lasts; None where none may."""
        if self.packages is None or not self.installs:
            yield None
            return
        socket = folder / "packages"
        async with package_proxy(self.packages, socket):
            yield socket

    @property
    def interpreter(self) -> Path:
        """What runs the code, by its path here, which is also its path inside."""
        return self.python or Path(sys.executable)

    def localized(self, code: str) -> str:
        """The code of a cell, with Kaggle's folders as they are called where there are no mounts."""
        return fence.localized(code, self._box) if needs_fence() else code

    @property
    def _box(self) -> Path:
        return fence.box_of(self.workspace, self.hidden)


def needs_fence() -> bool:
    """True in a Kaggle session that allows no namespaces. On a person's machine the fence is never used."""
    return inside_kaggle.is_session(os.environ) and not bubblewrap.works(os.environ.get("PATH", os.defpath))


async def probe() -> SandboxReport:
    """Whether agent code can be confined here, tried out; what stands in the way when it cannot."""
    report = await bubblewrap.probe()
    return report if report.ok or not needs_fence() else await fence.probe()


async def require_sandbox() -> SandboxReport:
    """`probe`, or SandboxUnavailable with the reason and the way out."""
    report = await probe()
    if not report.ok:
        raise SandboxUnavailable(report.detail, hint=report.hint)
    return report


def explain(complaint: str) -> str:
    """What to do when a sandbox did not start."""
    return "" if complaint.startswith(fence.COMPLAINT) else bubblewrap.explain(complaint)


_SAME_ORDER = {"PYTHONHASHSEED": "0"}
"""Of sets of texts: what a script gives for the same input must not change from one run to the next."""


async def run_script(
    argv: Sequence[str],
    *,
    mounts: Mapping[str, Path],
    writable: Mapping[str, Path],
    cwd: str,
    limits: BatchLimits,
    hidden: Sequence[Path] = (),
    python: Path | None = None,
) -> Completed:
    """Run `argv` in the sandbox, without GPUs, to its end or its limits.

    `mounts` (read-only) and `writable` map paths inside to paths on the host; `python` in `argv` is the
    engine's own interpreter, another is named by its path and given as `python` too. `hidden` is as in
    `Sandbox`: what lies there is seen only through mounts of folders inside it. Returns also for scripts that
    fail or are killed; raises SandboxUnavailable when the sandbox itself cannot be made.
    """
    box = fence.new_box(hidden)
    command = _confined(
        argv, mounts=mounts, writable=writable, cwd=cwd, environment=_SAME_ORDER,
        python=python or Path(sys.executable), gpus=(), cpu_threads=1, hidden=hidden, box=box,
    )  # fmt: skip
    return await _run(command, box, list(writable.values()), limits)


async def _run(
    command: Sequence[str], box: Path, writable: Sequence[Path], limits: BatchLimits, log: Log | None = None
) -> Completed:
    try:
        done = await run_batch(command, limits=limits, folders=writable, log=log)
    finally:
        if box.exists():
            await asyncio.to_thread(_take_down, box, writable)
    if done.returncode == 1 and done.stderr.startswith(("bwrap: ", fence.COMPLAINT)):
        said = done.stderr.strip()
        raise SandboxUnavailable(f"the sandbox did not start: {said}", hint=explain(said))
    return done


def _take_down(box: Path, written: Sequence[Path]) -> None:
    for folder in written:
        fence.give_back_links(folder, box)
    shutil.rmtree(box, ignore_errors=True)


def _confined(
    argv: Sequence[str],
    *,
    mounts: Mapping[str, Path],
    writable: Mapping[str, Path],
    cwd: str,
    environment: Mapping[str, str],
    python: Path,
    gpus: tuple[int, ...] | None,
    cpu_threads: int,
    hidden: Sequence[Path],
    box: Path,
) -> list[str]:
    devices = bubblewrap.gpu_mounts(gpus)
    variables = _environment(python, cpu_threads, has_gpu=bool(devices)) | dict(environment)
    if needs_fence():
        return fence.command(
            argv, box=box, mounts=mounts, writable=writable, cwd=cwd, environment=variables,
            python=python, gpus=gpus, hidden=hidden,
        )  # fmt: skip
    layers = (
        [*bubblewrap.system_mounts(), *devices],
        bubblewrap.python_mounts(python),
        ["--dir", INPUT, *bubblewrap.binds("--ro-bind", mounts), *bubblewrap.binds("--bind", writable)],
    )
    command = [str(find_bubblewrap()), *bubblewrap.namespaces()]
    covered: list[str] = []
    for layer in layers:
        cover = bubblewrap.covers(layer, hidden)
        command += [*layer, *cover]
        covered += [place for option, place in pairwise(cover) if option == "--tmpfs"]
    for place in dict.fromkeys(covered):
        command += ["--remount-ro", place]  # else a RAM disk that no limit counts
    command += ["--remount-ro", "/", "--chdir", cwd, "--clearenv"]
    for name, value in variables.items():
        command += ["--setenv", name, value]
    return [*command, "--", *argv]


def _environment(python: Path, cpu_threads: int, *, has_gpu: bool) -> dict[str, str]:
    """Only what a notebook needs. Never a secret: the command line can be read from outside and inside."""
    threads = str(cpu_threads)
    variables = {
        "PATH": f"{python.parent}:/usr/local/cuda/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp/home",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_INDEX": "1",  # else pip looks for a network, and says that there is no such package
        "OMP_NUM_THREADS": threads,
        # Spinning while they wait, threads took 14 to 20 s of CPU for 3 s of work on two busy cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMEXPR_MAX_THREADS": threads,
        "LOKY_MAX_CPU_COUNT": threads,
    }
    if not has_gpu:
        variables["CUDA_VISIBLE_DEVICES"] = ""
    return variables | {name: os.environ[name] for name in _PASSED_THROUGH if name in os.environ}
