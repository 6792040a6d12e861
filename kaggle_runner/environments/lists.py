"""What belongs in an environment for notebooks: a pinned list, its sizes, and for which build a line is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from packaging.version import InvalidVersion, Version

from kaggle_runner.errors import UsageError
from kaggle_runner.interpreter import normal_name

Build = Literal["cpu", "cuda"]
KAGGLE_LIST = Path(__file__).with_name("kaggle.txt")
_LINE = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.+!-]+)\s*(?:#\s*(.*))?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of a list."""

    name: str
    version: str
    module: str
    """What is imported to see that it works."""
    megabytes: float = 1.0
    """On disk, in its own files."""
    build: Build | None = None
    """In this build only."""
    labelled: bool = False
    """In a CPU build only a release labelled `+cpu` is one for CPUs."""


def read_list(path: Path, build: Build) -> list[Wanted]:
    """The lines that are for this build, in order. UsageError, with the line, for what cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The list {path} cannot be read: {error}.") from error
    found = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            hint = "Every line names one package with its version: pandas==2.2.2"
            raise UsageError(f"{path}, line {number}: {text[:80]!r} is not NAME==VERSION.", hint=hint)
        found.append(_wanted(match[1], match[2], match[3] or ""))
    return [one for one in found if one.build in (None, build)]


def _wanted(name: str, version: str, notes: str) -> Wanted:
    build: Build | None = None
    module, megabytes, labelled = normal_name(name).replace("-", "_"), 1.0, False
    for note in filter(None, (part.strip() for part in notes.split(","))):
        if re.fullmatch(r"\d+(\.\d+)?", note):
            megabytes = float(note)
        elif note in get_args(Build):
            build = "cuda" if note == "cuda" else "cpu"
        elif note == "+cpu":
            labelled = True
        elif note.isidentifier():
            module = note
    return Wanted(name, version, module, megabytes, build, labelled)


def nearest(wanted: str, there: Iterable[str], *, label: str = "") -> str:
    """Of the versions that are to be had the nearest newer one, else the nearest older one; empty for none.

    With a `label` only releases that carry it (`2.13.0+cpu`) are looked at.
    """
    target = _version(wanted)
    known = [version for text in there if (version := _version(text)) is not None]
    known = [
        one for one in known if not one.is_prerelease and (one.local == label if label else not one.local)
    ]
    if target is None or not known:
        return ""
    newer = [version for version in known if version >= target]
    return str(min(newer) if newer else max(known))


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
