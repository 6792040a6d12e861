"""One run of a pushed script or notebook in the sandbox, under its limits, with its log written as it comes.

What a run may see is decided by its `Sandbox`; when it starts and what is kept of it, in `runs.py`.
"""

from __future__ import annotations

import asyncio
import codecs
import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kaggle_runner.notebook.session import CellLimits, NotebookSession
from kaggle_runner.sandbox.batch import BatchLimits
from kaggle_runner.sandbox.sandbox import Sandbox
from mle_live.kernels.files import KernelLog

SCRIPT_INSIDE = "/kaggle/src/script.py"
"""Where Kaggle puts a script; tracebacks name it."""

_PIECE = 1 << 18
_LOG_SECONDS = 0.1


@dataclass(slots=True)
class RunEnd:
    """How a run ended: `failure` is empty for a success. `notebook` is the executed one."""

    failure: str = ""
    notebook: dict[str, Any] | None = None


async def run_pushed_script(sandbox: Sandbox, source: Path, log: KernelLog, limits: BatchLimits) -> RunEnd:
    """Run a Python file as Kaggle does: from /kaggle/src, in /kaggle/working. Raises SandboxUnavailable.

    Call it from an event loop's long-lived thread. When cancelled, nothing of the script is left.
    """
    argv = [str(sandbox.interpreter), "-u", SCRIPT_INSIDE]
    done = await sandbox.run(argv, limits=limits, read_only={SCRIPT_INSIDE: source}, log=log)
    if done.fault or done.returncode == 0:
        return RunEnd(done.fault and f"The kernel {done.fault}")
    error = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    return RunEnd(f"The script ended with exit code {done.returncode}. {error[:500]}".strip())


async def run_notebook(
    sandbox: Sandbox, notebook: dict[str, Any], log: KernelLog, limits: BatchLimits, folder: Path
) -> RunEnd:
    """Run the cells one after another until one fails. Raises SandboxUnavailable.

    `folder` takes what the session writes while it runs. The outcome's notebook has the outputs.
    """
    executed = copy.deepcopy(notebook)
    async with NotebookSession(sandbox, log_dir=folder, name="kernel") as session:
        # not before: how long a busy server takes to start a kernel is not the notebook's fault
        started = time.monotonic()
        for number, cell in enumerate(executed["cells"]):
            source = _joined(cell.get("source"))
            if cell.get("cell_type") != "code" or not source.strip():
                continue
            left = limits.seconds - (time.monotonic() - started)
            if left <= 0:
                return RunEnd(f"The kernel {limits.too_long}", executed)
            cell_log = folder / f"cell-{number}.log"
            cell_limits = CellLimits(
                left, limits.memory_bytes, limits.workspace_bytes, limits.processes, log.most
            )
            async with _Follower(cell_log, log):
                result = await session.execute(source, log_path=cell_log, limits=cell_limits)
            cell["outputs"], cell["execution_count"] = result.outputs, result.execution_count
            if result.status == "timeout":
                return RunEnd(f"The kernel {limits.too_long}", executed)
            if result.state_lost or (result.status != "ok" and not _may_fail(cell)):
                named = result.error_name and not result.state_lost
                error = f"{result.error_name}: {result.error_value}" if named else result.detail
                return RunEnd(f"Cell {number + 1} failed. {error[:500]}", executed)
    return RunEnd("", executed)


class _Follower:
    """Copies a cell's log to the kernel's as it grows; the file is removed at the end."""

    def __init__(self, path: Path, log: KernelLog) -> None:
        self._path, self._log = path, log
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._follow())

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        while self._copy():
            pass
        self._path.unlink(missing_ok=True)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOG_SECONDS)
            self._copy()

    def _copy(self) -> bool:
        if not self._path.exists():
            return False
        with self._path.open("rb") as file:
            file.seek(self._offset)
            piece = file.read(_PIECE)
        self._offset += len(piece)
        self._log.write("stdout", self._decoder.decode(piece))
        return bool(piece)


def read_notebook(text: str) -> dict[str, Any]:
    """The notebook in `text` (nbformat 4). Raises ValueError with a reason when it is none that runs here."""
    notebook: Any = json.loads(text)
    if not isinstance(notebook, dict):
        raise ValueError("it is no JSON object")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise ValueError("it has no list of cells")
    metadata: Any = notebook.get("metadata")
    spec: Any = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = str(spec.get("language") or "python") if isinstance(spec, dict) else "python"
    if language.lower() != "python":
        raise ValueError(f"its language is {language!r}; Python runs here")
    return notebook


def _may_fail(cell: dict[str, Any]) -> bool:
    """True for a cell with Jupyter's tag for an error that is meant."""
    metadata: Any = cell.get("metadata")
    tags: Any = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and "raises-exception" in tags


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source or "")
