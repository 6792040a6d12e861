"""How the notebooks of one run are confined: which folders they see, how many threads and how much memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from comind.config import RunConfig, Settings
from comind.state.store import Store
from kaggle_runner.machine import describe_machine
from kaggle_runner.notebook.session import NotebookSession
from kaggle_runner.packages.indexes import PackageSource, package_source
from kaggle_runner.sandbox.sandbox import Sandbox, needs_fence
from mle_live.competitions.folder import folders_of

_MEMORY_SHARE = 0.8
"""Of the machine's memory, for all agents together."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """Opens notebook sessions: `comind.agents.workshop.OpenNotebook`."""

    hidden: tuple[Path, ...]
    threads: int
    memory_bytes: int
    python: Path | None = None
    """Whose code notebooks are, see `Sandbox`."""
    packages: PackageSource | None = None
    """Where they may install packages from, if anywhere."""

    @classmethod
    def of(cls, config: RunConfig, state: Path, store: Store) -> Confinement:
        """A share of this machine for each agent. The state folder stays unseen.

        Where packages may be installed, people are told from where. Raises MachineError where pip is not fit
        for that.
        """
        machine = describe_machine()
        # a user's own folder holds labels too: the validation rows are split off its training rows
        local = Path(config.competition).expanduser().resolve()
        return cls(
            hidden=(state.resolve(), *(folders_of(local) if local.is_dir() else ())),
            threads=config.threads(machine.cpus),
            memory_bytes=config.memory_limit or int(_MEMORY_SHARE * machine.memory_bytes / config.coders),
            python=config.notebook_python,
            packages=_packages(config, store),
        )

    def open_notebook(self, name: str, inputs: Mapping[str, Path], workspace: Path) -> NotebookSession:
        """A notebook with these inputs and this working folder; its log lies beside the working folder."""
        sandbox = Sandbox(
            inputs=inputs,
            workspace=workspace,
            cpu_threads=self.threads,
            hidden=self.hidden,
            python=self.python,
            packages=self.packages,
        )
        return NotebookSession(sandbox, log_dir=workspace.parent / "logs", name=name)


def can_install(config: Settings) -> bool:
    """Whether notebooks can install packages: it was allowed, and the sandbox has a way out for that."""
    return config.allow_packages and not needs_fence()


def _packages(config: RunConfig, store: Store) -> PackageSource | None:
    if not config.allow_packages:
        return None
    if not can_install(config):
        store.event(
            "packages", "Notebooks cannot install packages in this Kaggle session: no network is let in"
        )
        return None
    source = package_source()
    told = " ".join((f"Notebooks may install packages of {source.names}.", *source.withheld))
    store.event("packages", told)
    return source
