"""What is worth a submission: the rules one by one, and properties of whole days of them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaggle_runner.score import Score, better, better_beyond_noise
from kaggle_runner.submissions.policy import best_sent, chosen, expected_gain, judge, probability_better
from kaggle_runner.submissions.records import Candidate, FileFacts, KernelFile, SentSubmission, Situation
from tests.kaggle_runner.submissions.governors import imagined

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def situation(**changes: Any) -> Situation:
    plain = Situation(
        now=NOON, deadline=NOON + timedelta(days=9), daily=3, used_today=0, used_total=0, allowed_now=3
    )
    return replace(plain, **changes)


def sent(candidate: Candidate, **changes: Any) -> SentSubmission:
    row = SentSubmission(
        token=candidate.token,
        competition="c",
        state="scored",
        evaluation=candidate.evaluation,
        sha256=candidate.facts.sha256,
        sketch=candidate.facts.sketch,
        score=candidate.score,
        ref=7,
        public_score=0.5,
    )
    return replace(row, **changes)


def level(candidate: Candidate, history: list[SentSubmission], now: Situation) -> tuple[str, str]:
    (verdict,) = judge([candidate], history, now)
    assert verdict.candidate is candidate
    return verdict.level, verdict.reasons[0]


def test_a_gain_beyond_noise_is_worth_the_days_last_one() -> None:
    before = sent(imagined("before", 0.80, 0.02))
    told = level(imagined("new", 0.90, 0.02), [before], situation(allowed_now=1))
    assert told[0] == "send" and told[1].startswith("better beyond noise: 0.90 [0.88, 0.92]")


def test_a_gain_within_noise_waits_for_another_or_for_the_evening() -> None:
    before, new = sent(imagined("before", 0.80, 0.05)), imagined("new", 0.82, 0.05)
    assert level(new, [before], situation(allowed_now=2))[0] == "send"
    assert level(new, [before], situation(allowed_now=1)) == (
        "hold",
        "the day's last submission is kept for a gain beyond noise until 21:00 UTC",
    )
    assert level(new, [before], situation(allowed_now=1, now=NOON + timedelta(hours=9)))[0] == "send"


def test_what_is_no_better_and_what_says_almost_the_same_is_held_back() -> None:
    column = tuple(float(n) for n in range(100))
    like_before = FileFacts("sha before", "b" * 64, 100, 999, (column,))
    before = sent(replace(imagined("before", 0.80, 0.05), facts=like_before))
    assert level(imagined("worse", 0.79, 0.05), [before], situation())[1].startswith("no better")
    twin = FileFacts("sha twin", "c" * 64, 100, 999, ((*column[:-1], 98.5),))
    held = level(replace(imagined("twin", 0.81, 0.05), facts=twin), [before], situation())
    assert held[0] == "hold" and "almost the same predictions as submission 7" in held[1]
    scaled = FileFacts("sha scaled", "d" * 64, 100, 999, (tuple(2 * value for value in column),))
    assert level(replace(imagined("scaled", 0.81, 0.05), facts=scaled), [before], situation())[0] == "send"


def test_the_last_one_of_all_is_kept_for_the_last_day() -> None:
    before, new = sent(imagined("before", 0.80, 0.01)), imagined("new", 0.90, 0.01)
    last = situation(allowed_now=1, limited_by_total=True, used_total=99)
    assert level(new, [before], last) == (
        "hold",
        "the last submission of all is kept for the competition's last day",
    )
    for moment, expected in ((timedelta(days=8), "send"), (timedelta(days=8, seconds=-1), "hold")):
        assert level(new, [before], replace(last, now=NOON + moment))[0] == expected
    assert level(new, [before], replace(last, allowed_now=2))[0] == "send"
    near = imagined("near", 0.805, 0.01)
    assert "kept for gains beyond noise" in level(near, [before], replace(last, allowed_now=2))[1]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"closed": "it is closed"}, "it is closed"),
        ({"allowed_now": 0, "used_today": 3}, "the day's submissions are used up"),
        ({"allowed_now": 0, "limited_by_total": True}, "all submissions of this competition are used"),
        ({"kernels_only": True}, "takes versions of kernels and no files"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(changes: dict[str, Any], why: str) -> None:
    told = level(imagined("new", 0.9, 0.01), [], situation(**changes))
    assert told[0] == "refuse" and why in told[1]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "COMPETITION"),
        ("https://www.kaggle.com/competitions/titanic", "titanic"),
        ("http://127.0.0.1:8123/competitions/iris/", "iris"),
    ],
)
def test_the_command_for_a_kernel_names_the_competition(url: str, told: str) -> None:
    (verdict,) = judge([imagined("new", 0.9, 0.01)], [], situation(kernels_only=True, url=url))
    assert verdict.reason.endswith(f"comind-tui --kaggle-push {told}")


def test_a_bad_file_and_a_repeated_kernel_version_are_refused() -> None:
    new = imagined("new", 0.9, 0.01)
    bad = replace(new, facts=replace(new.facts, problems=("3 ids are missing: a, b, c",)))
    assert level(bad, [], situation())[1] == "the file would not be scored: 3 ids are missing: a, b, c"
    version = replace(new, kernel=KernelFile("me/kernel-a", 2))
    now = situation(kernels_only=True)
    assert level(version, [], now)[0] == "send"
    assert "says the same" in level(version, [sent(version)], now)[1]
    assert level(replace(new, kernel=KernelFile("me/kernel-a", 3)), [sent(version)], now)[1].startswith(
        "no better"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"deadline": NOON - timedelta(days=1)},
        {"allowed_now": 1},
        {"allowed_now": 1, "limited_by_total": True},
    ],
)
@pytest.mark.parametrize("value", [0.70, 0.82, 0.95])
def test_a_verdict_compares_its_own_candidate_with_the_best_that_was_sent(
    changes: dict[str, Any], value: float
) -> None:
    history = [sent(imagined(f"sent {one}", one, 0.05), ref=n) for n, one in enumerate((0.75, 0.80, 0.60))]
    new = imagined("new", value, 0.05)
    best = history[1].score
    assert best is not None
    (verdict,) = judge([new], history, situation(**changes))
    assert verdict.candidate is new and verdict.level != "refuse"
    assert verdict.probability == probability_better(new.score, best)
    assert verdict.expected_gain == expected_gain(new.score, best)
    assert f"truly better with probability {verdict.probability:.2f}" in verdict.reasons[-1]


def test_unknown_scores_are_never_the_best_that_was_sent() -> None:
    unknown = [sent(imagined(f"sent {one}", one, 0.05)) for one in (math.nan, math.inf)]
    failed = sent(imagined("failed", 0.99, 0.01), state="failed", error="bad")
    lower = sent(imagined("lower", 0.01, 0.01, higher=False))
    best = sent(imagined("best", 0.80, 0.05))
    new = imagined("new", 0.85, 0.05)
    assert best_sent([*unknown, failed, lower, best], new) is best
    assert best_sent([*unknown, failed, lower], new) is None
    assert level(imagined("no score", math.nan, 0.1), [best], situation()) == (
        "hold",
        "it has no local score",
    )


def test_candidates_without_a_score_stand_last_and_equals_by_name() -> None:
    made = [imagined("z", 0.5, 0.1), imagined("nan", math.nan, 0.1), imagined("a", 0.5 + 1e-13, 0.1)]
    verdicts = judge(made, [], situation())
    assert [one.candidate.evaluation for one in verdicts] == ["a", "z", "nan"]
    assert [one.level for one in verdicts] == ["send", "hold", "hold"]
    assert verdicts[1].reasons[0] == "a is better and goes first"


CLOSED = {"closed": "it is closed"}
SAME = "it says the same as"
USED_UP = {"allowed_now": 0, "used_today": 3}


@pytest.mark.parametrize(
    ("changes", "fate", "reason"),
    [
        (CLOSED, {}, "it is closed"),
        ({}, {"public_score": 0.75}, f"{SAME} submission 7 (sent), which was scored 0.75"),
        ({}, {"state": "sent"}, f"{SAME} submission 7 (sent), which waits for its score"),
        ({}, {"state": "failed", "error": "no"}, f"{SAME} submission 7 (sent), which Kaggle refused: no"),
        ({}, {"state": "intended", "ref": None}, f"{SAME} sent, whose fate is not known yet"),
        ({}, {"ref": None, "evaluation": ""}, f"{SAME} #TOKEN, which was scored 0.5"),
        (
            USED_UP, {"state": "unsent"},
            "the day's submissions are used up (3 today); more from 2026-11-23 00:00 UTC",
        ),
        (
            {"allowed_now": 0, "limited_by_total": True, "used_total": 99}, {"state": "unsent"},
            "all submissions of this competition are used (99)",
        ),
        (
            {"deadline": NOON - timedelta(hours=2)}, {"state": "unsent"},
            "the deadline has passed (2026-11-22 10:00 UTC): it would not count",
        ),
    ],
)  # fmt: skip
def test_a_reason_names_what_was_sent_and_tells_what_became_of_it(
    changes: dict[str, Any], fate: dict[str, Any], reason: str
) -> None:
    before = imagined("sent", 0.80, 0.02, content="the same")
    new = imagined("new", 0.85, 0.02, content="the same")
    told = level(new, [sent(before, **fate)], situation(**changes))
    assert told[1] == reason.replace("TOKEN", new.token)


def test_a_comparison_shows_our_score_first_and_whose_the_other_is() -> None:
    before, new = sent(imagined("before", 0.80, 0.05)), imagined("new", 0.82, 0.05)
    against = "0.82 [0.77, 0.87] against 0.80 [0.75, 0.85] of submission 7 (before)"
    assert level(new, [before], situation()) == ("send", f"better within noise: {against}")
    doubted = replace(new, score=replace(new.score, trusted=False))
    own = sent(
        replace(imagined("before", 0.80, 0.05), score=Score(0.80, 0.75, 0.85, 100, True, False)), run="run-1"
    )
    assert level(doubted, [own], situation()) == (
        "send",
        f"labels could be read in its run: only the board can tell what it is worth ({against})",
    )


def test_what_never_arrived_does_not_count() -> None:
    new = imagined("new", 0.9, 0.01)
    assert level(new, [sent(new, state="unsent")], situation())[0] == "send"
    assert level(new, [sent(new, state="failed", error="bad file")], situation())[0] == "refuse"


def test_a_score_beside_readable_labels_is_compared_within_its_run_and_spends_what_is_to_spare() -> None:
    new = imagined("new", 0.99, 0.001)
    doubted = replace(new, score=replace(new.score, trusted=False))
    before = sent(imagined("before", 0.80, 0.01), run="another run")
    told = level(doubted, [before], situation())
    assert told[0] == "send" and "only the board can tell" in told[1]
    assert level(doubted, [before], situation(allowed_now=1))[0] == "hold"
    better = imagined("better", 1.0, 0.001)
    own = sent(replace(better, score=replace(better.score, trusted=False)), run="run-1")
    assert "no better" in level(doubted, [before, own], situation())[1]
    assert level(imagined("sound", 0.9, 0.01), [before, own], situation())[1].startswith(
        "better beyond noise"
    )


def test_probability_and_expected_gain_follow_the_normal_distribution() -> None:
    one, other = Score(1.0, 1 - 1.96, 1 + 1.96, 9, True), Score(0.0, -1.96, 1.96, 9, True)
    assert probability_better(one, other) == pytest.approx(0.76025, abs=1e-5)
    assert expected_gain(one, other) == pytest.approx(1.19964, abs=1e-4)
    exact = Score(0.5, 0.5, 0.5, 9, False)
    assert probability_better(exact, exact) == 0.5
    worse = replace(exact, value=0.7, low=0.7, high=0.7)
    assert (probability_better(exact, worse), probability_better(worse, exact)) == (1.0, 0.0)
    assert expected_gain(exact, worse) == pytest.approx(0.2)
    assert expected_gain(worse, exact) == 0.0


contents = st.integers(0, 9)
values = st.floats(-100, 100, allow_nan=False)
noises = st.floats(0, 20, allow_nan=False)
rounds = st.lists(st.lists(st.tuples(values, noises, contents), min_size=1, max_size=4), max_size=12)


@given(rounds=rounds, limit=st.integers(0, 4), higher=st.booleans(), hour=st.integers(0, 23))
def test_days_of_rounds_keep_to_the_limit_and_never_repeat_or_worsen(
    rounds: list[list[tuple[float, float, int]]], limit: int, higher: bool, hour: int
) -> None:
    history: list[SentSubmission] = []
    for number, made in enumerate(rounds):
        now = situation(allowed_now=limit - len(history), now=NOON.replace(hour=hour))
        candidates = [
            imagined(f"r{number}-a{place}", value, noise, content=f"content {content}", higher=higher)
            for place, (value, noise, content) in enumerate(made)
        ]
        verdicts = judge(candidates, history, now)
        assert len(verdicts) == len(candidates)
        assert sum(verdict.level == "send" for verdict in verdicts) <= 1
        verdict = chosen(verdicts)
        if verdict is None:
            continue
        best = verdict.candidate
        assert best.token not in {row.token for row in history}
        others = [one.candidate for one in verdicts if one.level != "refuse"]
        assert not any(better_beyond_noise(other.score, best.score) for other in others)
        assert all(better(best.score, row.score) for row in history)
        history.append(sent(best))
    assert len(history) <= limit


@given(st.lists(st.tuples(values, noises, contents), min_size=1, max_size=6), st.booleans())
def test_every_verdict_has_a_reason_and_the_best_stand_first(
    made: list[tuple[float, float, int]], higher: bool
) -> None:
    candidates = [
        imagined(f"a{place}", value, noise, content=f"{place}", higher=higher)
        for place, (value, noise, _) in enumerate(made)
    ]
    verdicts = judge(candidates, [], situation())
    assert all(verdict.reasons for verdict in verdicts)
    order = [verdict.candidate.score for verdict in verdicts]
    assert not any(better(later, earlier) for earlier, later in pairwise(order))
    assert verdicts[0].level == "send"
