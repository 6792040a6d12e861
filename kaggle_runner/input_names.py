"""What a source is called under /kaggle/input, of which Kaggle has had two layouts.

Older notebooks read `/kaggle/input/titanic`; since 2026 the same files lie at
`/kaggle/input/competitions/titanic`, and what people published at `datasets/OWNER/NAME` and
`notebooks/OWNER/NAME`. Code that we run may be of either time, so sources have both names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

READ_INPUT = re.compile(
    r"(?:/kaggle/input|\.\./input)/(?:competitions/|(?:datasets|notebooks)/[\w.-]+/)?([\w.-]+)"
)
"""A place that code reads; its group is the source's short name."""


def competition_folders(slug: str, folder: Path) -> dict[str, Path]:
    """A competition's files under both names."""
    return {slug: folder, f"competitions/{slug}": folder}


def newer_name(kind: Literal["datasets", "notebooks"], reference: str) -> str:
    """Of what somebody published as `owner/name` (a version may follow)."""
    return "/".join((kind, *reference.split("/")[:2]))


def newer_names(folders: Mapping[str, Path], references: Sequence[str]) -> dict[str, Path]:
    """Those of `folders`, named by short names, that are one of `references`; whether a dataset or a
    notebook's output is not known."""
    return {
        newer_name(kind, one): folders[name]
        for one in references
        if (name := one.rpartition("/")[2]) in folders and name != one
        for kind in ("datasets", "notebooks")
    }
