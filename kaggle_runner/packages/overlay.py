"""Where installed packages lie: a virtual environment in the working folder, over the notebook's own Python.

It is as lasting as that folder, so a resumed run finds it again, and the folder's limits count it. It is laid
out inside the sandbox (`packages_boot.py`); here is what is started there, and what of it is told outside.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from kaggle_runner.interpreter import Interpreter
from kaggle_runner.packages.indexes import PackageSource

FOLDER = ".packages"
"""In the working folder."""
SOCKET_INSIDE = "/run/comind/packages.socket"
BOOT_PROGRAM = Path(__file__).with_name("packages_boot.py")
_BOOT_INSIDE = "/run/comind/packages_boot.py"
_CERTIFICATES_INSIDE = "/run/comind/certificates.pem"
_ABOUT = re.compile(r"([A-Za-z0-9][\w.]{0,99})-([A-Za-z0-9][\w.!+]{0,49})\.dist-info", re.ASCII)
_MOST_LOOKED_AT, _MOST_TOLD = 20_000, 300
_WAY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def over(
    python: Interpreter, program: Path, source: PackageSource, working: str, *, fresh: bool
) -> tuple[list[str], dict[str, Path]]:
    """The words in front of a command, and what they need to see: path inside → path here.

    The command runs over the overlay in the folder `working`, in its Python where the first word is
    `program`, the one below. `fresh`: what was installed there is removed.
    """
    shown = {_BOOT_INSIDE: BOOT_PROGRAM}
    variables = dict(source.variables)
    if source.certificates is not None:
        shown[_CERTIFICATES_INSIDE] = source.certificates
        variables["PIP_CERT"] = _CERTIFICATES_INSIDE
    spec = {
        "folder": f"{working}/{FOLDER}",
        "python": str(program),
        "base": str(python.base.resolve()),
        "version": f"{python.version[0]}.{python.version[1]}",
        "sites": [str(site) for site in python.sites],
        "socket": SOCKET_INSIDE,
        "variables": variables,
        "fresh": fresh,
    }
    return [str(program), "-I", "-S", _BOOT_INSIDE, json.dumps(spec)], shown


def installed(workspace: Path) -> list[str]:
    """`name==version` of each package in the overlay, by name; agent code may have written anything there."""
    found = (_ABOUT.fullmatch(name) for name in _listed(workspace))
    told = {f"{one[1].lower().replace('_', '-')}=={one[2]}" for one in found if one is not None}
    return sorted(told)[:_MOST_TOLD]


def _listed(workspace: Path) -> list[str]:
    """Names in the overlay's site-packages. No link is followed on the way there."""
    with contextlib.ExitStack() as stack:
        try:
            library = stack.enter_context(_below(workspace, None))
            for name in (FOLDER, "lib"):
                library = stack.enter_context(_below(name, library))
            names: list[str] = []
            for version in [name for name in _names(library) if name.startswith("python")][:3]:
                here = stack.enter_context(_below(version, library))
                names += _names(stack.enter_context(_below("site-packages", here)))
        except OSError:
            return []
    return names


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, _MOST_LOOKED_AT)]


@contextlib.contextmanager
def _below(name: str | Path, parent: int | None) -> Iterator[int]:
    descriptor = os.open(name, _WAY, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
