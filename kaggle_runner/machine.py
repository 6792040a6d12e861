"""What this machine has, for prompts and for `doctor`: processors, memory, GPUs, disk, Python packages.

It asks the system only; it never imports torch, and it changes nothing.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.interpreter import examine

NAMED_PACKAGES = (
    "numpy", "pandas", "scikit-learn", "scipy", "torch", "torchvision", "transformers", "timm", "tensorflow",
    "lightgbm", "xgboost", "xgboost-cpu", "catboost", "statsmodels", "optuna", "nltk", "polars", "pyarrow",
    "fastparquet", "pillow", "opencv-python", "opencv-python-headless", "matplotlib", "seaborn", "plotly",
    "tqdm", "joblib",
)  # fmt: skip
"""The packages that solutions are built from; agents are told which of them exist, with versions."""

_UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    memory_bytes: int
    index: int


@dataclass(frozen=True, slots=True)
class Machine:
    cpus: int
    """That this process may use, container limits included."""
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    python: str
    """The version of the Python that notebooks run in."""
    packages: dict[str, str]
    """Those of NAMED_PACKAGES that it has."""

    def sentence(self) -> str:
        """For prompts: `2 CPU cores, 24 GiB memory, no GPU`."""
        cores = "1 CPU core" if self.cpus == 1 else f"{self.cpus} CPU cores"
        return f"{cores}, {_gib(self.memory_bytes)} memory, {gpu_words(self.gpus)}"


def gpu_words(gpus: Sequence[Gpu]) -> str:
    """`2 × NVIDIA L4 with 22 GiB`, or `no GPU`."""
    kinds = Counter(f"{gpu.name} with {_gib(gpu.memory_bytes)}" for gpu in gpus)
    told = (f"{count} × {words}" if count > 1 else f"one {words}" for words, count in kinds.items())
    return ", ".join(told) or "no GPU"


def describe_machine(python: Path | None = None) -> Machine:
    """Ask the system; takes milliseconds, or what `nvidia-smi` takes.

    `python` is where notebooks run, if it is another than the engine's own; PythonUnusable where it is none.
    """
    other = examine(python) if python else None
    return Machine(
        cpus=_cpus(),
        memory_bytes=_memory(),
        gpus=find_gpus(),
        python=other.told_version if other else platform.python_version(),
        packages=_named(other.packages) if other else _versions(NAMED_PACKAGES),
    )


def _cpus() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _first_words("/sys/fs/cgroup/cpu.max")
    if len(quota) == 2 and quota[0].isdigit():
        allowed = min(allowed, max(1, int(quota[0]) // int(quota[1])))
    return allowed


def _memory() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (
        _first_words(f"/sys/fs/cgroup/{name}") for name in ("memory.max", "memory/memory.limit_in_bytes")
    )
    granted = [int(words[0]) for words in limits if words and words[0].isdigit()]
    return min([physical, *(limit for limit in granted if limit < _UNLIMITED)])


def find_gpus() -> tuple[Gpu, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=index,memory.total,name", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return ()  # a driver that does not answer is a GPU that cannot be used
    return parse_gpus(said)


def parse_gpus(table: str) -> tuple[Gpu, ...]:
    """Lines of `index, MiB, name`; memory that the driver does not tell (`[N/A]`) is 0."""
    gpus = []
    for line in table.splitlines():
        index, _, rest = line.partition(", ")
        memory, _, name = rest.partition(", ")
        if index.isdigit() and name:
            gpus.append(Gpu(name.strip(), int(memory) << 20 if memory.isdigit() else 0, int(index)))
    return tuple(gpus)


def _named(packages: Mapping[str, str]) -> dict[str, str]:
    return {name: packages[name] for name in NAMED_PACKAGES if name in packages}


def _versions(names: Iterable[str]) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, and `--help` comes by here

    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _first_words(path: str) -> list[str]:
    try:
        return Path(path).read_text().split()
    except OSError:
        return []


def _gib(count: int) -> str:
    return f"{count / 2**30:.0f} GiB"


def stat_fields(pid: int) -> list[str]:
    """What /proc/PID/stat says after the name: the state, the parent, … (proc(5), from field 3 on).

    Empty where the process is gone or the system does not tell.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
