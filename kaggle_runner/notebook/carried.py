"""The engine's own ipykernel, brought along into a Python that has none and that it fits.

Package by package: of the engine's site-packages nothing else is shown, so that a notebook never computes
with the engine's numpy.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from kaggle_runner.interpreter import normal_name

CARRIED_INSIDE = "/run/comind/packages"
_LEFT_OUT = frozenset({"debugpy"})  # 30 MB that the kernel does without
_NO_CODE = re.compile(r"\.dist-info$|\.egg-info$|\.data$|^\.\.$|^__pycache__$|\.pth$")


@functools.cache
def carried_packages() -> Mapping[str, Path]:
    """Where ipykernel and all it needs lie: path inside the sandbox → path here."""
    return {f"{CARRIED_INSIDE}/{place.name}": place for place in with_needs("ipykernel", without=_LEFT_OUT)}


def with_needs(*packages: str, without: frozenset[str] = frozenset()) -> list[Path]:
    """The folders and files in site-packages of these packages and of all that they need."""
    found: dict[str, Path] = {}
    waiting, seen = list(packages), set(without)
    while waiting:
        name = normal_name(waiting.pop())
        if name in seen:
            continue
        seen.add(name)
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another system or another version of Python
        for top in {file.parts[0] for file in package.files or ()}:
            place = Path(str(package.locate_file(top)))
            if not _NO_CODE.search(top) and place.exists():
                found[top] = place
        wanted = (one for one in package.requires or () if "extra ==" not in one)
        waiting += [match[0] for one in wanted if (match := re.match(r"[\w.-]+", one))]
    return list(found.values())
