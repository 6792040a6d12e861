"""Files that a table names by paths which tell labels (`train/4/0017.jpg`): under names that tell none."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from itertools import takewhile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from mle_live.layout.file_labels import go_with, stems_tell

if TYPE_CHECKING:
    import pandas as pd


class Flat(NamedTuple):
    table: pd.DataFrame
    moves: dict[str, str]
    """Each file's old name → its new one."""
    remarks: list[str]


def laid_flat(table: pd.DataFrame, targets: Sequence[str], files: Collection[str]) -> Flat:
    """The table with paths that tell no label."""
    moves: dict[str, str] = {}
    remarks = []
    labels = [list(table[name]) for name in targets if name in table.columns][:1]
    for name in [one for one in table.columns if one not in targets] if labels else ():
        paths = list(table[name])
        prefix = prefix_of(paths, files)
        new = flat_paths(paths, labels[0]) if prefix is not None else {}
        if new:
            table = table.assign(**{name: table[name].map(new)})
            moves |= {f"{prefix}{old}": f"{prefix}{flat}" for old, flat in new.items()}
            remarks.append(f"paths in {name} tell labels: these files have other names here")
    return Flat(table, moves, remarks)


def flat_paths(paths: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """Each path → a name that tells nothing; empty where no folder and no name tells the label."""
    cut = [PurePosixPath(one) for one in paths]
    deepest = max((len(path.parts) for path in cut), default=0)
    words = [[path.parts[at] if at < len(path.parts) - 1 else "" for path in cut] for at in range(deepest)]
    if not stems_tell(paths, labels) and not any(go_with(some, labels) for some in words):
        return {}
    levels = zip(*(path.parts[:-1] for path in cut), strict=False)
    shared = "".join(f"{one[0]}/" for one in takewhile(lambda one: len(set(one)) == 1, levels))
    order = sorted(set(paths), key=lambda one: hashlib.sha256(one.encode()).hexdigest())
    return {one: f"{shared}{number:06d}{PurePosixPath(one).suffix}" for number, one in enumerate(order)}


def prefix_of(paths: Sequence[str], files: Collection[str]) -> str | None:
    """The folder (with its `/`) below which all of the paths are files; None where there is none."""
    if not paths or not all("/" in one for one in paths[:20]):
        return None
    first = paths[0]
    places = [name[: -len(first)] for name in files if name == first or name.endswith(f"/{first}")]
    return next((place for place in places if all(place + one in files for one in paths)), None)
