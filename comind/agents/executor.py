"""Where an agent's notebook runs: an argument of the agent, with all that is different there.

`LocalExecutor` is this machine; Kaggle's are `comind.agents.kaggle_executor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from comind.agents.workshop import Workbench
from comind.state.records import Cell


class Predicted(NamedTuple):
    """The folder of both prediction files, or why there is nothing to grade."""

    folder: Path | None
    fault: str = ""
    kernel: str = ""
    """What a kernel that was pushed for them told; empty where none was."""


class Executor(Protocol):
    """Where notebooks run."""

    @property
    def data_name(self) -> str:
        """The folder of the competition's files under /kaggle/input."""

    @property
    def data(self) -> Path:
        """What the live notebook finds there."""

    def dataset_name(self, name: str) -> str:
        """The folder under /kaggle/input of the dataset that this run calls `name`."""

    def told(self, bench: Workbench) -> str:
        """How notebooks come to run elsewhere, for the agent's opening; empty where they run here."""

    async def predictions(self, bench: Workbench, cell: Cell, names: tuple[str, str]) -> Predicted:
        """The files of these names, for validation and test inputs, of the cell that has ended.

        Raises LimitReached when the agent must stop before they can be had.
        """


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """On this machine: the live notebook is all there is, and what it wrote is graded."""

    data_name: str
    data: Path

    def dataset_name(self, name: str) -> str:
        return name

    def told(self, bench: Workbench) -> str:
        return ""

    async def predictions(self, bench: Workbench, cell: Cell, names: tuple[str, str]) -> Predicted:
        return Predicted(bench.workspace)
