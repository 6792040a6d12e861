"""One line of a report on what there is and what is missing, as `doctor` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "missing", "optional"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report. `missing` stops what was asked for; `optional` only what it names."""

    name: str
    verdict: Mark
    detail: str
    hint: str = ""
