"""A Python that notebooks may run in, which need not be the engine's: what it is, where it lies, what it has.

It is asked once, by starting it; nothing is installed and nothing is imported from it here. How its parts are
shown inside a sandbox is `sandbox/bubblewrap.py`, how a kernel starts in it `notebook/kernel.py`.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kaggle_runner.errors import PythonUnusable
from kaggle_runner.texts import one_line

OLDEST = (3, 10)
"""What the kernel inside can run on."""
KERNEL = "ipykernel>=7,<8"
"""What a Python needs to have where the engine's own packages do not fit it."""

_ASK_SECONDS = 60.0
_ASKED = """
import json, sys, sysconfig
found = {"version": list(sys.version_info[:3]), "executable": sys.executable, "packages": {},
         "prefixes": [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix],
         "abi": sysconfig.get_config_var("SOABI"), "stdlib": sysconfig.get_path("stdlib"),
         "base": getattr(sys, "_base_executable", sys.executable), "sites": []}
try:
    import site
    found["sites"] = site.getsitepackages()
    from importlib import metadata
    for one in metadata.distributions():
        name = one.metadata["Name"]
        if name and name not in found["packages"]:
            found["packages"][name] = one.version
except ImportError:
    pass
print("\\n" + json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """What a Python told of itself."""

    path: Path
    """As it is to be started; of a shim or a short name what is behind it."""
    version: tuple[int, int, int]
    prefixes: tuple[Path, ...]
    """Where its own and its environment's parts lie, by the names that it uses."""
    abi: str
    """Which compiled modules fit it (SOABI)."""
    packages: Mapping[str, str]
    """Every installed one by its normal name, with its version."""
    externally_managed: bool = False
    """The system's package manager owns it; pip refuses to install there."""
    base: Path = Path()
    """The program of the installation below an environment; else its own."""
    sites: tuple[Path, ...] = ()
    """Where it looks for packages."""

    @property
    def told_version(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def has_kernel(self) -> bool:
        return self.packages.get("ipykernel", "").split(".")[0] == "7"

    @property
    def takes_ours(self) -> bool:
        """The engine's own compiled packages can be imported in it."""
        return bool(self.abi) and self.abi == sysconfig.get_config_var("SOABI")


def examine(python: str | Path) -> Interpreter:
    """What there is at a path, a name on PATH, or a folder that is a virtual environment.

    Raises PythonUnusable, in one sentence, where there is no Python that could run a kernel.
    """
    path = _located(str(python))
    packages = path.absolute().parent.parent.glob("lib/python3*/site-packages")
    return _asked(str(path), tuple(place.stat().st_mtime_ns for place in (path, *packages)))


def require_kernel(python: Interpreter) -> Interpreter:
    """The same, or PythonUnusable with the command that mends it, where no kernel can be started in it."""
    if python.has_kernel or python.takes_ours:
        return python
    found = python.packages.get("ipykernel")
    lack = f"only ipykernel {found}" if found else "no ipykernel"
    own = ".".join(map(str, sys.version_info[:2]))
    command = f"{python.path} -m pip"
    if "pip" not in python.packages:
        command = f"{sys.executable} -m pip --python {python.path}"
    hint = f"{command} install '{KERNEL}'"
    if python.externally_managed:
        hint = f"comind-tui env create --base-python {python.path}"
    raise PythonUnusable(
        f"{python.path} (Python {python.told_version}) has {lack}, and the engine's own (Python {own}) "
        "does not fit it.",
        hint=hint,
    )


def normal_name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


@functools.lru_cache(maxsize=16)
def shared_libraries(program: str) -> tuple[Path, ...]:
    """The files that the system's loader finds for a program, by the names under which it finds them.

    The loader is asked and the program does not run; empty where the loader cannot be asked (musl).
    """
    try:
        said = subprocess.run(
            [program, "-I", "-S", "-c", ""],
            env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=False,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(Path(found) for found in re.findall(r"=> (/.+) \(0x[0-9a-f]+\)", said))


def _located(python: str) -> Path:
    if "/" not in python and not Path(python).is_dir():
        on_path = shutil.which(python)
        if on_path is None:
            raise PythonUnusable(f"There is no Python called {python!r} here.", hint=_HINT)
        return Path(on_path)
    path = Path(python).expanduser().absolute()  # not resolved: the link tells the environment
    if path.is_dir() and not (path / "bin" / "python").exists():
        raise PythonUnusable(f"{path} is a folder without bin/python in it.", hint=_HINT)
    path = path / "bin" / "python" if path.is_dir() else path
    if not path.exists():
        raise PythonUnusable(f"There is no Python at {path}.", hint=_HINT)
    return path


_HINT = "Give the path of a Python (…/bin/python), or of a virtual environment's folder."


@functools.lru_cache(maxsize=16)
def _asked(path: str, _changed: tuple[int, ...]) -> Interpreter:
    try:
        done = subprocess.run(
            [path, "-I", "-c", _ASKED], stdin=subprocess.DEVNULL, capture_output=True, timeout=_ASK_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise PythonUnusable(f"{path} said nothing for {_ASK_SECONDS:.0f} s.", hint=_HINT) from None
    except OSError as error:
        raise PythonUnusable(f"{path} cannot be started: {error.strerror}.", hint=_HINT) from error
    lines = done.stdout.decode(errors="replace").splitlines()
    complaint = done.stderr.decode(errors="replace").strip().splitlines()
    try:
        found = json.loads(lines[-1])
        version = tuple(map(int, found["version"]))
        executable, prefixes = Path(found["executable"]), tuple(map(Path, found["prefixes"]))
        base, sites = Path(found["base"]), tuple(map(Path, found["sites"]))
        packages = {normal_name(name): str(version) for name, version in found["packages"].items()}
        managed = (Path(found["stdlib"]) / "EXTERNALLY-MANAGED").exists() and prefixes[0] == prefixes[2]
    except (IndexError, ValueError, KeyError, TypeError, AttributeError):
        told = one_line(complaint[-1])[:80] if complaint else "it did not tell its version"
        raise PythonUnusable(f"{path} is not a Python that can be used: {told}", hint=_HINT) from None
    if version < OLDEST:
        told = ".".join(map(str, version))
        least = ".".join(map(str, OLDEST))
        raise PythonUnusable(f"{path} is Python {told}; notebooks need {least} or newer.", hint=_HINT)
    return Interpreter(
        executable, (version[0], version[1], version[2]), prefixes, str(found["abi"] or ""), packages,
        managed, base, sites,
    )  # fmt: skip
