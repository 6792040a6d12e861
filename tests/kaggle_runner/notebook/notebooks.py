"""What the tests of live notebooks share: a sandboxed notebook in a temporary folder, and its cells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.notebook.session import CellLimits, CellResult, NotebookSession
from kaggle_runner.packages.indexes import PackageSource
from kaggle_runner.sandbox.sandbox import Sandbox


@dataclass
class Bench:
    notebook: NotebookSession
    workspace: Path
    log: Path

    async def run(self, code: str, limits: CellLimits | None = None) -> CellResult:
        return await self.notebook.execute(code, log_path=self.log, limits=limits or CellLimits(seconds=300))


@asynccontextmanager
async def bench(
    folder: Path,
    inputs: dict[str, Path] | None = None,
    python: Path | None = None,
    packages: PackageSource | None = None,
) -> AsyncIterator[Bench]:
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    sandbox = Sandbox(inputs or {}, workspace, python=python, packages=packages)
    async with NotebookSession(sandbox, log_dir=folder / "logs", name="agent") as notebook:
        yield Bench(notebook, workspace, folder / "logs" / "cell.log")
