"""The page of metrics is what the code says, and every competition of MLE-bench has its metric."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mle_live.competitions.metrics_page import competitions, page
from mle_live.metrics import METRICS


def test_the_page_is_what_the_command_writes() -> None:
    kept = Path(__file__).parents[3] / "docs" / "metrics.md"
    assert kept.read_text(encoding="utf-8") == page(), "run python -m mle_live.competitions.metrics_page"


def test_each_of_the_75_competitions_has_a_metric_with_its_direction() -> None:
    rows = competitions()
    assert len({row.competition for row in rows}) == len(rows) == 75
    assert [row for row in rows if METRICS[row.metric].higher_is_better != row.higher_is_better] == []
    assert Counter(row.higher_is_better for row in rows) == {True: 53, False: 22}


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_metric_says_what_it_is(name: str) -> None:
    assert (METRICS[name].formula.__doc__ or "").strip() and METRICS[name].title
