"""What panes, head, board and plot make of their data, without a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from comind.analysis.standings import Standing
from comind.state.records import Evaluation, Run
from comind.state.runs import engine_lock
from comind_tui.snapshot import read_snapshot
from comind_tui.widgets.board import without_repeats
from comind_tui.widgets.header import fill, header_facts
from comind_tui.widgets.mosaic import code_room, wrapped_end
from comind_tui.widgets.plot import round_ticks, score_range, series, steps
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.score import Score
from tests.comind_tui import sample_run


def standing(id: str, agent: str, value: float, at: str = "") -> Standing:
    evaluation = Evaluation(id=id, agent=agent, round=1, step=1, success=True, message="", at=at)
    return Standing(evaluation, score(value))


def score(value: float) -> Score:
    return Score(value, value - 0.02, value + 0.01, 100, True)


def test_facts_keep_their_lines_and_what_does_not_fit_begins_the_next() -> None:
    groups = [("race", "round 1/2", "a long word"), ("best 1",), ("$0.00", "tokens")]
    assert fill(groups, 30) == ["race · round 1/2 · a long word", "best 1", "$0.00 · tokens"]
    assert fill(groups, 20) == ["race · round 1/2", "a long word · best 1", "$0.00 · tokens"]
    assert fill(groups, 8) == ["race", "round 1…", "a long …"]


def test_the_cap_in_force_is_shown_with_the_cost(tmp_path: Path) -> None:
    snapshot = read_snapshot(sample_run.build(tmp_path), None, SYSTEM_CLOCK)
    run = snapshot.run
    assert run is not None

    def cost(**config: object) -> str:
        changed = replace(snapshot, run=replace(run, config=config))
        return header_facts(changed, run.id, sample_run.START).cost[0]

    assert cost(offline=True) == "$0.00"
    assert cost(max_cost=2.5) == "$0.00 of $2.50"
    assert cost(max_cost=None) == "$0.00 of $5.00"


def test_nobody_is_at_work_without_an_engine(tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path)
    with engine_lock(folder):
        alive = read_snapshot(folder, None, SYSTEM_CLOCK)
    gone = read_snapshot(folder, None, SYSTEM_CLOCK)
    assert [alive.state_of(agent) for agent in alive.agents] == ["running", "thinking", "grading", "running"]
    assert {gone.state_of(agent) for agent in gone.agents} == {"engine gone"}
    last = gone.cells["r2-a1"][-1]
    assert (alive.state_of_cell(last), gone.state_of_cell(last)) == ("running", "stopped")


def test_repeated_scores_of_an_agent_are_one_row_and_the_chosen_one_stays() -> None:
    board = [standing("a", "r1-a1", 0.9), standing("b", "r1-a1", 0.9), standing("c", "r1-a2", 0.9)]
    assert [one.evaluation.id for one in without_repeats(board, "")] == ["a", "c"]
    assert [one.evaluation.id for one in without_repeats(board, "b")] == ["b", "c"]


@pytest.mark.parametrize(("output", "code"), [(0, 20), (1, 10), (10, 10), (15, 5), (30, 0)])
def test_output_has_at_least_half_of_a_pane(output: int, code: int) -> None:
    assert code_room(20, output) == code


def test_a_pane_shows_the_wrapped_end_of_its_output() -> None:
    assert wrapped_end(["first", "abcdef", "last"], 4, 3) == ["abcd", "ef", "last"]
    assert wrapped_end(["x" * 100 + "end"], 5, 2) == ["xxxxx", "xxend"]
    assert wrapped_end(["first"], 4, 0) == []


def test_the_best_so_far_is_a_line_of_steps() -> None:
    times = ("2026-11-21T09:01:00.000Z", "2026-11-21T09:02:00.000Z", "2026-11-21T09:04:00.000Z")
    values = (0.9, 0.8, 0.95)
    board = [
        standing(str(n), "a", value, at) for n, (value, at) in enumerate(zip(values, times, strict=True))
    ]
    minutes, scores, best = series(board, Run(id="r", competition="c", started_at="2026-11-21T09:00:00.000Z"))
    assert (minutes, scores, best) == ([1.0, 2.0, 4.0], [0.9, 0.8, 0.95], [0.9, 0.9, 0.95])
    assert steps(minutes, best, 5.0) == (
        [1.0, 2.0, 2.0, 4.0, 4.0, 5.0],
        [0.9, 0.9, 0.9, 0.9, 0.95, 0.95],
    )


def test_the_plot_s_range_lies_around_the_data_and_holds_a_near_baseline_only() -> None:
    scores = [score(0.90), score(0.94)]
    assert score_range(scores, None) == pytest.approx((0.896, 0.944))
    assert score_range(scores, score(0.1)) == pytest.approx((0.896, 0.944))
    assert score_range(scores, score(0.88)).low < 0.88
    low, high = score_range([score(0.9)], None)
    assert low < 0.9 < high
    assert high - low == pytest.approx(0.03)
    flat = Score(0.0, 0.0, 0.0, 1, True)
    assert score_range([flat], None) == pytest.approx((-0.5, 0.5))


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 0.8, [0.0, 0.2, 0.4, 0.6, 0.8]),
        (0.0, 93.0, [0, 20, 40, 60, 80, 100]),
        (7.0, 9.1, [7, 7.5, 8, 8.5, 9, 9.5]),
    ],
)
def test_ticks_are_round_and_reach_over_the_range(low: float, high: float, ticks: list[float]) -> None:
    assert round_ticks(low, high) == pytest.approx(ticks)
