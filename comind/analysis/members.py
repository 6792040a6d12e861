"""Which solutions err alike, by their validation predictions: redundancy, and members for an ensemble.

No labels are read: what counts is how solutions rank the same rows, and their scores on the feedback rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comind.analysis.standings import Standing
from kaggle_runner.errors import BadCompetition
from kaggle_runner.score import Score
from mle_live.layout.formats import read_text
from mle_live.layout.tables import typed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

REDUNDANT = 0.995
"""Correlation from which two solutions are one."""
_MOST_MEMBERS = 6
_READ_BYTES = 200_000_000

Correlations = Mapping[tuple[str, str], float]
"""(agent, other agent) → correlation of their predictions, both ways round."""


@dataclass(frozen=True, slots=True)
class Member:
    agent: str
    score: Score
    correlation: float | None
    """Largest with the members before it; None for the first."""


def prediction_correlations(files: Mapping[str, Path]) -> dict[tuple[str, str], float]:
    """Rank correlation (Spearman, mean over columns) of numbers; agreement beyond chance (kappa) of classes.

    `files`: validation predictions by agent, the id in the first column. A file that cannot be read, or
    whose rows or columns are not those of the others, is left out.
    """
    tables = {agent: table for agent, path in files.items() if (table := _read(path)) is not None}
    found: dict[tuple[str, str], float] = {}
    agents = list(tables)
    for place, one in enumerate(agents):
        for other in agents[place + 1 :]:
            value = _correlation(tables[one], tables[other])
            if value is not None:
                found[one, other] = found[other, one] = value
    return found


def complementary(
    board: Sequence[Standing], correlations: Correlations, baseline: Score | None
) -> list[Member]:
    """Members for an ensemble, best first: forward selection on score and correlation.

    After the best, the next member is the one whose difference from those chosen (1 - correlation) most
    exceeds what it loses: its distance from the best as a share of the best's distance from the baseline.
    A solution that loses more than it differs, or that repeats a member, is not worth its place.
    """
    known = {agent for pair in correlations for agent in pair}
    left = [one for one in board if one.evaluation.agent in known]
    if not left:
        return []
    best = left.pop(0)
    chosen = [Member(best.evaluation.agent, best.score, None)]
    while left and len(chosen) < _MOST_MEMBERS:
        rated = []
        for one in left:
            alike = max(correlations.get((one.evaluation.agent, m.agent), 1.0) for m in chosen)
            loss = _loss(one.score, best.score, baseline)
            # what a weak solution differs by is mostly its errors, so that much of it does not count
            rated.append(((1 - max(alike, 0.0)) * (1 - loss) - loss, alike, one))
        gain, alike, one = max(rated, key=lambda item: item[0])
        if gain <= 0 or alike >= REDUNDANT:
            break
        chosen.append(Member(one.evaluation.agent, one.score, alike))
        left.remove(one)
    return chosen


def redundant(board: Sequence[Standing], correlations: Correlations) -> list[tuple[str, str, float]]:
    """(agent, the better agent that it repeats, correlation) for solutions that add nothing."""
    found = []
    agents = [one.evaluation.agent for one in board]
    for place, agent in enumerate(agents):
        better = [(correlations.get((agent, other), 0.0), other) for other in agents[:place]]
        if better and max(better)[0] >= REDUNDANT:
            found.append((agent, max(better)[1], max(better)[0]))
    return found


def _loss(score: Score, best: Score, baseline: Score | None) -> float:
    """0 for the best, 1 for what the baseline reaches; by the best's interval where there is no baseline."""
    whole = abs(best.value - baseline.value) if baseline is not None else best.high - best.low
    gap = abs(best.value - score.value)
    return gap / whole if whole > 0 else float(gap > 0)


def _read(path: Path) -> pd.DataFrame | None:
    try:
        if path.stat().st_size > _READ_BYTES:
            return None
        table = typed(read_text(path))
    except (OSError, BadCompetition):
        return None
    if table.shape[1] < 2 or table.iloc[:, 0].duplicated().any():
        return None
    return table.set_index(table.columns[0]).sort_index()


def _correlation(one: pd.DataFrame, other: pd.DataFrame) -> float | None:
    import numpy as np

    if not one.index.equals(other.index) or list(one.columns) != list(other.columns):
        return None
    values = [_alike(one[name].to_numpy(), other[name].to_numpy()) for name in one.columns]
    usable = [value for value in values if np.isfinite(value)]
    return float(np.mean(usable)) if usable else None


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """NaN where either is constant."""
    import pandas as pd

    if _are_classes(one) and _are_classes(other):
        classes = pd.unique(pd.Series([*one, *other]).astype(str))
        a, b = pd.Series(one).astype(str), pd.Series(other).astype(str)
        chance = sum(float((a == c).mean() * (b == c).mean()) for c in classes)
        return (float((a == b).mean()) - chance) / (1 - chance) if chance < 1 else float("nan")
    if one.dtype.kind not in "biuf" or other.dtype.kind not in "biuf":
        return float("nan")
    first, second = (pd.Series(values).rank() for values in (one, other))
    return float(first.corr(second)) if first.nunique() > 1 and second.nunique() > 1 else float("nan")


def _are_classes(values: np.ndarray) -> bool:
    """Words, or few whole numbers."""
    import numpy as np

    if values.dtype.kind not in "biuf":
        return True
    few = np.unique(values[:10_000])
    return len(few) <= 50 and bool(np.all(few == np.round(few)))
