"""Text for terminals: everything lines up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from comind.state.records import Run, RunStatus
from comind_tui.text.plain import (
    cell_width,
    fit,
    interval,
    labelled,
    listed_name,
    number,
    place,
    run_times,
    table,
    tokens,
)
from kaggle_runner.moments import stamp
from kaggle_runner.score import Score
from tests.comind_tui.sample_run import HOSTILE, START


def test_a_run_s_long_name_keeps_its_beginning_and_its_time() -> None:
    assert listed_name("census-income-20261121-120000") == "census-income-20261121-120000"
    slug = "what-a-long-name-" * 10
    name = listed_name(f"{slug}-20261121-120000-2")
    assert name.startswith("what-a-long-name-") and name.endswith("…e--20261121-120000-2") and len(name) == 44
    assert listed_name("a\nb\x1b[31m") == "a b"


@pytest.mark.parametrize("text", ["short", "a rather long text", "数字は五千", "e\u0301galite\u0301"])
def test_a_fitted_text_has_exactly_the_width(text: str) -> None:
    assert cell_width(fit(text, 7)) == 7


def test_a_table_lines_up_and_cuts_only_its_last_column() -> None:
    text = table(("A", "TEXT"), [("1", "x" * 50), ("222", "y")], width=20, right=(0,))
    lines = text.splitlines()
    assert all(len(line) <= 20 for line in lines)
    assert lines[1] == "  1  " + "x" * 14 + "…"
    assert "x" * 50 in table(("A", "TEXT"), [("1", "x" * 50)], width=None)


def test_hostile_cells_and_headers_stay_on_their_line() -> None:
    text = table(("A", f"metric\n{HOSTILE}"), [(f"1\n{HOSTILE}", "x")], width=None)
    assert len(text.splitlines()) == 2
    assert text.replace("\n", "").isprintable()


def test_a_rank_names_its_board_and_as_many_teams_as_are_known() -> None:
    assert place({"rank": 7, "teams": 111, "board": "live"}) == "7/111 (live)"
    assert place({"rank": 1, "teams": None}) == "1 (unknown)"
    assert place({"rank": None, "teams": 5}) == "–"


def test_token_counts_read_well() -> None:
    assert [tokens(950), tokens(12_340), tokens(4_500_000)] == ["950", "12.3k", "4.5M"]


def test_time_left_never_falls_below_zero() -> None:
    run = Run(id="r", competition="c", seconds_used=100.0, config={"time_limit": 60.0})
    assert run_times(run, START, alive=False) == (100.0, 0.0)


@pytest.mark.parametrize(
    ("status", "alive", "elapsed"),
    [("running", True, 107.0), ("running", False, 100.0), ("paused", True, 100.0), ("finished", True, 100.0)],
)
def test_the_clock_goes_on_between_two_counts_of_a_working_engine_only(
    status: RunStatus, alive: bool, elapsed: float
) -> None:
    run = Run(id="r", competition="c", status=status, seconds_used=100.0, used_at=stamp(START))
    assert run_times(run, START + timedelta(seconds=7), alive=alive) == (elapsed, None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9255, "0.92550"),
        (0.1, "0.10000"),
        (20055.4, "20055"),
        (1.5, "1.5000"),
        (0.00012, "0.00012000"),
        (9_999_999.0, "9999999"),
        (1e-5, "1.0000e-05"),
        (0.0, "0.00000"),
        (-3.25, "-3.2500"),
        (float("nan"), "nan"),
    ],
)
def test_scores_keep_five_digits_and_trailing_zeros(value: float, text: str) -> None:
    assert number(value) == text


def test_an_interval_has_the_digits_of_its_score() -> None:
    assert interval(Score(20055.2, 14068.4, 26737.9, 50, False)) == "20055 [14068, 26738]"
    assert interval(Score(0.9255, 0.9, 1.0, 50, True)) == "0.92550 [0.90000, 1.00000]"


def test_a_table_that_is_too_wide_loses_its_last_columns() -> None:
    text = table(("RUN", "STATUS", "NOTE"), [("r" * 12, "running", "n" * 30)], width=24)
    assert text.splitlines() == ["RUN           STATUS", "rrrrrrrrrrrr  running"]


def test_a_long_value_wraps_by_words_into_its_column() -> None:
    text = labelled("counts", "six kernels, seven reports", indent=8, width=24)
    assert text.splitlines() == ["counts  six kernels,", "        seven reports"]
