"""How code that we did not write is confined: the world an agent's notebook sees, and batch scripts.

Inside it looks like a Kaggle notebook: /kaggle/input/<name> read-only, /kaggle/working writable. There is
no network, no other process, no file of the host beyond the system and Python, and no variable of the engine.
The mechanics are in `bubblewrap.py`; live notebooks are in `session.py`. Inside a Kaggle session, where no
namespaces can be had, `fence.py` serves instead.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from kaggle_runner import bubblewrap, fence, inside_kaggle, processes
from kaggle_runner.bubblewrap import SandboxReport, find_bubblewrap
from kaggle_runner.disk import DiskWatch
from kaggle_runner.errors import SandboxUnavailable

__all__ = [
    "Completed",
    "Sandbox",
    "SandboxReport",
    "find_bubblewrap",
    "probe",
    "require_sandbox",
    "run_script",
]

INPUT = "/kaggle/input"
WORKING = "/kaggle/working"

WORKSPACE_BYTES = 20_000_000_000
_NO_LIMIT = 1 << 62
_OUTPUT_KEPT = 1 << 20
_PASSED_THROUGH = ("LD_LIBRARY_PATH", "CUDA_HOME", "TZ")
"""Variables of the machine (never of a person) that libraries inside need."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What one agent's code may see and use."""

    inputs: Mapping[str, Path]
    """Name → folder on the host, seen read-only as /kaggle/input/<name>. Names may be nested."""
    workspace: Path
    """Seen as /kaggle/working; the only place that outlives the sandbox."""
    extra_read_only: Mapping[str, Path] = field(default_factory=dict)
    """Path inside → path on the host."""
    gpus: tuple[int, ...] | None = None
    """NVIDIA device numbers; None: every GPU there is."""
    cpu_threads: int = 1
    hidden: tuple[Path, ...] = ()
    """Folders and files of the host (a state folder) that stay unseen wherever the system or Python lies."""
    batch: bool = False
    """Told to the code as Kaggle does: it is run from top to bottom, and nobody is there to look."""

    def command(
        self,
        argv: Sequence[str],
        *,
        python: Path | None = None,
        read_only: Mapping[str, Path] | None = None,
        writable: Mapping[str, Path] | None = None,
    ) -> list[str]:
        """`argv` confined, with the caller's own mounts added.

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
        return _confined(
            argv,
            mounts=mounts,
            writable={WORKING: self.workspace} | dict(writable or {}),
            cwd=WORKING,
            environment={"KAGGLE_KERNEL_RUN_TYPE": "Batch" if self.batch else "Interactive"},
            python=python,
            gpus=self.gpus,
            cpu_threads=self.cpu_threads,
            hidden=self.hidden,
            box=self._box,
        )

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


@dataclass(frozen=True, slots=True)
class Completed:
    """A batch process that ended. Its output is untrusted; each stream keeps its first and last half MB."""

    returncode: int
    stdout: str
    stderr: str
    timed_out: bool
    seconds: float
    out_of_memory: bool = False
    disk_fault: str = ""
    """Why it was ended because of what it wrote, as a sentence; empty when it was not."""


async def run_script(
    argv: Sequence[str],
    *,
    mounts: Mapping[str, Path],
    writable: Mapping[str, Path],
    timeout: float,
    memory_bytes: int | None,
    cwd: str,
    gpus: tuple[int, ...] | None = (),
    cpu_threads: int = 1,
    environment: Mapping[str, str] | None = None,
    hidden: Sequence[Path] = (),
    workspace_bytes: int | None = WORKSPACE_BYTES,
) -> Completed:
    """Run `argv` in the sandbox to its end, at most `timeout` seconds and `memory_bytes`.

    Nor may a folder of `writable` come to hold more than `workspace_bytes`, or take more of its disk than is
    left afterwards; None lifts the first limit only.

    `mounts` (read-only) and `writable` map paths inside to paths on the host; `python` in `argv` is the
    engine's own interpreter. `hidden` is as in `Sandbox`: what lies there is seen only through mounts of
    folders inside it. Returns also for scripts that fail or are killed (returncode 137); raises
    SandboxUnavailable when the sandbox itself cannot be made.
    """
    box = fence.new_box(hidden)
    command = _confined(
        argv, mounts=mounts, writable=writable, cwd=cwd, environment=environment or {}, python=None,
        gpus=gpus, cpu_threads=cpu_threads, hidden=hidden, box=box,
    )  # fmt: skip
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command,
        env=bubblewrap.MINIMAL_ENVIRONMENT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    out = asyncio.create_task(_read_bounded(process.stdout))
    err = asyncio.create_task(_read_bounded(process.stderr))
    most = _NO_LIMIT if workspace_bytes is None else workspace_bytes
    disks = [DiskWatch(folder, process.pid, most) for folder in writable.values()]
    try:
        broken = await _guard(process, started + timeout, memory_bytes, disks)
    finally:
        # Also on cancellation: nothing of a script may outlive the call.
        await _end(process)
        stdout, stderr = await asyncio.gather(out, err)
        if box.exists():
            await asyncio.to_thread(_take_down, box, list(writable.values()))
    if process.returncode == 1 and stderr.startswith(("bwrap: ", fence.COMPLAINT)):
        raise SandboxUnavailable(f"the sandbox did not start: {stderr.strip()}", hint=explain(stderr))
    return Completed(
        process.returncode if process.returncode is not None and process.returncode >= 0 else 137,
        stdout, stderr, broken.timed_out, time.monotonic() - started, broken.out_of_memory, broken.disk_fault,
    )  # fmt: skip


def _take_down(box: Path, written: Sequence[Path]) -> None:
    for folder in written:
        fence.give_back_links(folder, box)
    shutil.rmtree(box, ignore_errors=True)


class _Broken(NamedTuple):
    """The limit that ended a script, if one did."""

    timed_out: bool = False
    out_of_memory: bool = False
    disk_fault: str = ""


async def _guard(
    process: asyncio.subprocess.Process, deadline: float, memory: int | None, disks: Sequence[DiskWatch]
) -> _Broken:
    """Wait for the end or the first broken limit."""
    ended = asyncio.create_task(process.wait())
    try:
        for disk in disks:
            await disk.begin()
        while True:
            left = deadline - time.monotonic()
            done, _ = await asyncio.wait({ended}, timeout=max(0.0, min(0.5, left)))
            if done:
                return _Broken()
            if time.monotonic() >= deadline:
                return _Broken(timed_out=True)
            if processes.over_limit(process.pid, memory):
                return _Broken(out_of_memory=True)
            if fault := next((fault for disk in disks if (fault := disk.broken())), ""):
                return _Broken(disk_fault=fault)
    finally:
        for disk in disks:
            disk.close()
        ended.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    members = processes.tree(process.pid) if process.returncode is None else []
    if process.returncode is None:
        try:
            process.kill()
        except ProcessLookupError:
            pass  # it ended between the two lines
    await process.wait()
    await processes.gone(members)


async def _read_bounded(stream: asyncio.StreamReader) -> str:
    """Everything is drained, so the writer never blocks; the middle of a long stream is dropped."""
    head, tail, size = bytearray(), bytearray(), 0
    half = _OUTPUT_KEPT // 2
    while chunk := await stream.read(1 << 16):
        size += len(chunk)
        room = half - len(head)
        head += chunk[:room]
        tail += chunk[room:] if room > 0 else chunk
        if len(tail) > 2 * half:
            del tail[:-half]
    kept = bytes(tail[-half:])
    dropped = size - len(head) - len(kept)
    notice = f"\n[… {dropped} bytes left out …]\n" if dropped > 0 else ""
    return head.decode(errors="replace") + notice + kept.decode(errors="replace")


def _confined(
    argv: Sequence[str],
    *,
    mounts: Mapping[str, Path],
    writable: Mapping[str, Path],
    cwd: str,
    environment: Mapping[str, str],
    python: Path | None,
    gpus: tuple[int, ...] | None,
    cpu_threads: int,
    hidden: Sequence[Path],
    box: Path,
) -> list[str]:
    interpreter = python or Path(sys.executable)
    devices = bubblewrap.gpu_mounts(gpus)
    variables = _environment(interpreter, cpu_threads, has_gpu=bool(devices)) | dict(environment)
    if needs_fence():
        return fence.command(
            argv, box=box, mounts=mounts, writable=writable, cwd=cwd, environment=variables,
            python=interpreter, gpus=gpus, hidden=hidden,
        )  # fmt: skip
    layers = (
        [*bubblewrap.system_mounts(), *devices],
        bubblewrap.python_mounts(interpreter),
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
        "PIP_RETRIES": "0",
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "NUMEXPR_MAX_THREADS": threads,
        "LOKY_MAX_CPU_COUNT": threads,
    }
    if not has_gpu:
        variables["CUDA_VISIBLE_DEVICES"] = ""
    return variables | {name: os.environ[name] for name in _PASSED_THROUGH if name in os.environ}
