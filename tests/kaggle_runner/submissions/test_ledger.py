"""Local against public scores: correlations, the gap, the shake-up risk, and the final picks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kaggle_runner.score import Score
from kaggle_runner.submissions.ledger import correlation, ranks, read_ledger
from kaggle_runner.submissions.records import SentSubmission


def scored(
    name: str,
    local: float | None,
    public: float,
    *,
    higher: bool = True,
    noise: float = 0.02,
    predictions: Sequence[float] = (),
    run: str = "run-1",
) -> SentSubmission:
    score = None if local is None else Score(local, local - noise, local + noise, 400, higher)
    return SentSubmission(
        token=name, competition="c", state="scored", run=run, evaluation=name, score=score,
        public_score=public, ref=1, rows=1000, sketch=(tuple(predictions),) if predictions else (),
    )  # fmt: skip


def test_few_points_are_called_few() -> None:
    ledger = read_ledger([scored("a", 0.8, 0.79), scored("b", 0.9, 0.87)])
    assert (ledger.points, ledger.pearson, ledger.spearman) == (2, None, None)
    assert ledger.notes == ("2 submissions with a local and a public score: a correlation needs 4 at least",)
    assert read_ledger([]).picks == () and read_ledger([]).gap is None


def test_correlations_and_gap_are_scipys() -> None:
    local, public = [0.80, 0.85, 0.83, 0.90, 0.88], [0.78, 0.80, 0.81, 0.86, 0.80]
    rows = [scored(f"s{n}", one, other) for n, (one, other) in enumerate(zip(local, public, strict=True))]
    ledger = read_ledger(rows)
    assert ledger.pearson == pytest.approx(stats.pearsonr(local, public).statistic)
    assert ledger.spearman == pytest.approx(stats.spearmanr(local, public).statistic)
    assert ledger.gap is not None and ledger.gap.mean == pytest.approx(-0.042)
    assert ledger.gap.spread == pytest.approx(0.0249, abs=1e-4)


@pytest.mark.parametrize(
    ("gaps", "mean", "spread"),
    [([0.3], 0.3, None), ([0.1, 0.3], 0.2, math.sqrt(0.02)), ([0.1, 0.1], 0.1, 0.0)],
)
def test_the_gap_of_few_points(gaps: list[float], mean: float, spread: float | None) -> None:
    found = read_ledger([scored(f"s{n}", 0.5 + n, 0.5 + n + gap) for n, gap in enumerate(gaps)]).gap
    assert found is not None and found.mean == pytest.approx(mean)
    assert found.spread == (spread if spread is None else pytest.approx(spread, abs=1e-9))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20))
def test_ranks_share_ties_as_scipy_does(pairs: list[tuple[int, int]]) -> None:
    one = [float(a) for a, _ in pairs]
    assert ranks(one) == pytest.approx(list(stats.rankdata(one)))
    found = correlation(one, one)
    assert found == pytest.approx(1.0) if len(set(one)) > 1 else found is None


def test_a_correlation_is_never_beyond_one_by_rounding() -> None:
    one = [0.1, 0.2, 0.5, 0.7]  # with 3 times these the quotient is 1.0000000000000002
    assert correlation(one, [3 * value for value in one]) == 1.0
    assert correlation(one, [-3 * value for value in one]) == -1.0


def test_the_shakeup_risk_is_one_half_for_equal_scores_and_falls_with_distance() -> None:
    near = read_ledger([scored("a", 0.8, 0.80), scored("b", 0.8, 0.80)]).shakeup
    far = read_ledger([scored("a", 0.8, 0.80), scored("b", 0.8, 0.95)]).shakeup
    assert near is not None and far is not None
    assert near.probability == pytest.approx(0.5) and near.level == "high"
    assert far.probability < 0.01 and far.level == "low"
    # s = 0.02 / 1.96 · √400 = 0.2041 a row; √(s²/300 + s²/700) = 0.01408
    assert near.noise == pytest.approx(0.01408, abs=1e-5)
    assert "30% of 1,000 test rows are public" in near.assumed
    assert read_ledger([scored("a", 0.8, 0.8)]).shakeup is None


@pytest.mark.parametrize(
    ("noise_of_best", "noise_of_second", "probability"),
    [(0.02, 0.02, 0.3078), (0.02, 0.5, 0.3078), (0.5, 0.02, 0.4920), (0.5, 0.5, 0.4920)],
)
@pytest.mark.parametrize("higher", [True, False])
def test_the_shakeup_risk_rests_on_the_interval_of_the_boards_best(
    noise_of_best: float, noise_of_second: float, probability: float, higher: bool
) -> None:
    best, second = (0.81, 0.80) if higher else (0.80, 0.81)
    rows = [
        scored("second", 0.9, second, noise=noise_of_second, higher=higher),
        scored("best", 0.8, best, noise=noise_of_best, higher=higher),
    ]
    found = read_ledger(rows).shakeup
    # Φ(−0.01 / (√2 · noise)), with the noise of the test above for ±0.02 and 25 times that for ±0.5
    assert found is not None and found.probability == pytest.approx(probability, abs=1e-4)
    assert found.level == ("medium" if probability < 0.35 else "high")


def test_the_picks_are_the_best_of_each_order() -> None:
    rows = [scored("a", 0.90, 0.80), scored("b", 0.85, 0.88), scored("c", 0.80, 0.70)]
    first, second = read_ledger(rows).picks
    assert (first.submission.token, second.submission.token) == ("a", "b")
    assert first.reason.startswith("best by local score") and second.reason == "best by public score"
    lower = [
        scored(row.token, row.score.value, row.public_score or 0, higher=False) for row in rows if row.score
    ]
    assert [pick.submission.token for pick in read_ledger(lower).picks] == ["c", "b"]


def test_a_submission_that_is_best_by_both_orders_is_called_so() -> None:
    rows = [scored("a", 0.85, 0.80), scored("best", 0.90, 0.88), scored("c", 0.80, 0.70)]
    first, second = read_ledger(rows).picks
    assert (first.submission.token, first.reason) == ("best", "best by local and by public score")
    assert second.submission.token == "a"


def test_a_second_pick_that_says_the_same_gives_way_to_one_that_differs() -> None:
    line, other = [float(n) for n in range(50)], [float(n % 7) for n in range(50)]
    rows = [
        scored("a", 0.90, 0.85, predictions=line),
        scored("twin", 0.89, 0.86, predictions=[*line[:-1], 48.9]),
        scored("b", 0.85, 0.80, predictions=other),
    ]
    first, second = read_ledger(rows).picks
    assert (first.submission.token, second.submission.token) == ("a", "b")
    assert first.reason == "best by local score"
    assert "whose predictions differ" in second.reason
    assert len(read_ledger(rows[:2]).picks) == 1


def test_scores_that_are_none_count_nowhere() -> None:
    rows = [scored("a", 0.90, 0.80), scored("b", 0.85, 0.88), scored("c", 0.80, 0.70), scored("d", 0.7, 0.6)]
    odd = [scored("nan", math.nan, 0.65), scored("huge", 1e300, 0.6)]
    unscored = [scored("public nan", 0.99, math.nan), scored("public huge", 0.99, -1e300)]
    plain, ledger = read_ledger(rows), read_ledger([*odd, *unscored, *rows])
    assert (ledger.points, ledger.pearson, ledger.gap) == (4, plain.pearson, plain.gap)
    assert ledger.spearman == plain.spearman == pytest.approx(0.8)
    assert [pick.submission.token for pick in read_ledger([odd[0], *rows]).picks] == ["a", "b"]
    (only,) = read_ledger([odd[0]]).picks
    assert only.submission.token == "nan"


@pytest.mark.parametrize("higher", [True, False])
def test_a_local_score_of_nan_is_the_last_choice_in_both_directions(higher: bool) -> None:
    rows = [
        scored("nan", math.nan, 0.5, higher=higher),
        scored("low", 0.2, 0.5, higher=higher),
        scored("high", 0.4, 0.5, higher=higher),
    ]
    first, second = read_ledger(rows).picks
    assert first.submission.token == ("high" if higher else "low")
    assert second.submission.token != first.submission.token


def test_what_is_not_known_is_said() -> None:
    notes = read_ledger(
        [scored("a", None, 0.8), scored("b", 0.8, 0.8, run="run-2"), scored("c", 0.9, 0.9)]
    ).notes
    assert "1 scored submission without a local score here" in notes
    assert "local scores of 2 runs are compared as if they were on the same rows" in notes
    assert (
        "no picks: none of them tells whether higher scores are better"
        in read_ledger([scored("a", None, 1)]).notes
    )


@pytest.mark.parametrize(("higher", "order"), [(True, ["c", "a"]), (False, ["b", "a"])])
def test_without_local_scores_the_picks_are_the_boards_best_two(higher: bool, order: list[str]) -> None:
    rows = [scored("a", None, 2), scored("b", None, 1), scored("c", None, 3)]
    picks = read_ledger(rows, higher_is_better=higher).picks
    assert [pick.submission.token for pick in picks] == order
    assert [pick.reason for pick in picks] == ["best by public score", "second by public score"]


def test_scores_beside_readable_labels_are_left_out_of_comparisons() -> None:
    rows = [scored("a", 0.9, 0.8), scored("b", 0.8, 0.85), scored("c", 0.99, 0.7)]
    assert rows[2].score is not None
    rows[2] = replace(rows[2], score=replace(rows[2].score, trusted=False))
    ledger = read_ledger(rows)
    assert ledger.points == 2
    assert [pick.submission.token for pick in ledger.picks] == ["a", "b"]
    assert "1 left out of all comparisons with local scores: labels could be read" in ledger.notes
