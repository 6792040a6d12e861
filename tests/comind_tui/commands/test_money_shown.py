"""What a run has spent, of which limit, and what it will have spent: on the screen, in lines, in JSON."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from comind.run.summary import summarize
from comind.state.reader import reading
from comind.state.records import Event, LlmCall
from comind.state.runs import RunFolder, engine_lock
from comind.state.store import Store
from comind_tui.commands.headless import Printer
from comind_tui.commands.listing import summary_text
from comind_tui.text.plain import about
from kaggle_runner.moments import SYSTEM_CLOCK, stamp
from tests.comind_tui import sample_run
from tests.comind_tui.driving import SMALL, app_of, both_sizes, shown, text_of, until

PRICED: dict[str, Any] = {"offline": False, "max_cost": None}


@contextmanager
def at_work(state: Path, price: float | None, **config: Any) -> Iterator[RunFolder]:
    """Round two of four, with an engine; every call cost `price` dollars."""
    now = SYSTEM_CLOCK.now()
    folder = sample_run.build(state, started=now - timedelta(minutes=31))
    with Store(folder.database) as store:
        run = store.run()
        assert run is not None
        settings = {**run.config, **PRICED, **config}
        store.save(replace(run, rounds=4, used_at=stamp(now), config=settings))
        store.save(*(replace(call, dollars=price, seconds=9.0) for call in store.all(LlmCall)))
    with engine_lock(folder):
        yield folder


@both_sizes
@pytest.mark.parametrize(
    ("price", "config", "parts"),
    [
        (0.021, {}, ("$0.50 of $5.00 · 86.6k tokens · forecast $1.", " in 14m")),
        (0.021, {"max_cost": 0.7, "max_tokens": 1_500_000},
         ("$0.50 of $0.70 · 86.6k of 1.5M tokens · dollars run out in 2m, round 2/4",)),
        (None, {"max_tokens": 2_000_000},
         ("price unknown · 86.6k of 2.0M tokens · forecast 238k tokens (", " in 14m")),
        (0.0, {"offline": True}, ("$0.00 · forecast: done in 14m · ",)),
        (0.021, {"max_cost": float("inf")}, ("$0.50 · 86.6k tokens · forecast $1.",)),
    ],
    ids=["default cap", "tight", "unknown price", "offline", "no limit"],
)  # fmt: skip
async def test_the_head_shows_spent_limit_and_forecast(
    tmp_path: Path, size: tuple[int, int], price: float | None, config: dict[str, Any], parts: tuple[str, ...]
) -> None:
    with at_work(tmp_path, price, **config) as folder:
        app = app_of(folder)
        async with app.run_test(size=size) as pilot:
            await shown(pilot)
            head = text_of(app).split("1 Agents")[0]
            for part in parts:
                assert part in head
            assert "best 0.94400" in head
            assert "…" not in head


async def test_a_run_without_an_engine_foresees_nothing(tmp_path: Path) -> None:
    app = app_of(sample_run.build(tmp_path))
    async with app.run_test(size=SMALL) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "engine gone" in text_of(app))
        assert "forecast" not in text_of(app)


def test_a_new_round_and_the_winding_down_come_with_a_line_on_cost(tmp_path: Path) -> None:
    with at_work(tmp_path, 0.021) as folder:
        out = io.StringIO()
        printer = Printer(folder, out, clock=SYSTEM_CLOCK)
        printer.event(Event(kind="round", message="Round 1 of 4 begins", round=1))
        assert "forecast" not in out.getvalue()
        printer.event(Event(kind="round", message="Round 2 of 4 begins", round=2))
        printer.event(Event(kind="winding_down", message="the limit of 5.00 $ is spent"))
    lines = out.getvalue().splitlines()
    assert len(lines) == 5
    for line in (lines[2], lines[4]):
        assert "86.6k tokens, $0.50 of $5.00; forecast $1." in line


def test_the_document_has_the_limits_and_the_forecast_of_a_living_run(tmp_path: Path) -> None:
    with at_work(tmp_path, 0.021, max_cost=0.7) as folder:
        with reading(folder.database) as reader:
            document = summarize(reader, folder, SYSTEM_CLOCK)
        cost = document["cost"]
        assert (cost["max_dollars"], cost["max_tokens"]) == (0.7, None)
        seen = cost["forecast"]
        assert seen["dollars"]["low"] <= seen["dollars"]["expected"] <= seen["dollars"]["high"] <= 0.7
        assert seen["ends_at"]["low"] <= seen["ends_at"]["high"]
        assert seen["passes"]["limit"] == "dollars"
        assert "in round 2 of 4" in seen["passes"]["words"]
        text = summary_text(document, folder, width=None)
    assert "86.6k tokens, $0.50 of $0.70; forecast $0." in text


def test_a_run_that_ended_has_limits_and_no_forecast(finished_run: RunFolder) -> None:
    with reading(finished_run.database) as reader:
        cost = summarize(reader, finished_run, SYSTEM_CLOCK)["cost"]
    assert (cost["forecast"], cost["max_dollars"]) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(4, "10s"), (52, "50s"), (91, "2m"), (2405, "40m"), (7100, "118m"), (9000, "2.5h")]
)
def test_guessed_times_are_round(seconds: float, text: str) -> None:
    assert about(seconds) == text
