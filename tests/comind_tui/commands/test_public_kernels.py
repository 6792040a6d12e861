"""Public kernels that were run as they are: told from agents wherever they are shown; and why a run ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comind.state.grades import PartGrade
from comind.state.records import Agent, Evaluation, Run
from comind.state.runs import RunFolder, engine_lock
from comind.state.store import Store
from comind_tui.cli import main
from tests.comind_tui import sample_run
from tests.comind_tui.driving import LARGE, SMALL, app_of, both_sizes, shown, text_of, until

TITLE = "public kernel: Stroke directions"
REASON = "what is left of the run's budget (6,655 of 40,000 tokens) does not pay for one more call"


def with_kernel(state: Path, **settings: Any) -> RunFolder:
    """The sample run, led by a kernel of round 0."""
    folder = sample_run.build(state, **settings)
    with Store(folder.database) as store:
        lead = store.all(Evaluation, "success = 1")[0]
        best: PartGrade = {"score": 0.99, "interval": (0.98, 1.0), "rows": 500}
        store.save(
            Agent(
                id="k07",
                round=0,
                index=7,
                style="script",
                status="finished",
                title=TITLE,
                step=1,
                max_steps=1,
            ),
            replace(lead, id="k07-s01", agent="k07", round=0, step=1, selection=best),
        )
    return folder


async def test_round_zero_is_public_kernels_and_not_agents(tmp_path: Path) -> None:
    folder = with_kernel(tmp_path)
    with engine_lock(folder):
        app = app_of(folder)
        async with app.run_test(size=LARGE) as pilot:
            await shown(pilot)
            assert "public kernels" not in text_of(app).split("1 Agents")[0]
            await pilot.press("left_square_bracket")
            await pilot.press("left_square_bracket")
            await until(pilot, lambda: "public kernels ✓1 finished" in text_of(app))
            assert "k07 ✓ finished" in text_of(app)
            await pilot.press("left_square_bracket")
            assert "k07 ✓ finished" in text_of(app), "nothing lies before it"


def test_commands_tell_whose_a_score_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(with_kernel(tmp_path).state)
    assert main(["leaderboard", "--state", state]) == 0
    [first] = [line for line in capsys.readouterr().out.splitlines() if "k07" in line]
    assert first.endswith(TITLE)
    assert main(["leaderboard", "--json", "--state", state]) == 0
    leader = json.loads(capsys.readouterr().out)[0]
    assert (leader["agent"], leader["round"], leader["title"]) == ("k07", 0, TITLE)
    assert main(["show", "--state", state]) == 0
    assert f"k07 ({TITLE})" in capsys.readouterr().out


@both_sizes
async def test_a_long_reason_to_end_hides_neither_rank_nor_score(
    tmp_path: Path, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sample_run.build(tmp_path, status="finished")
    with Store(folder.database) as store:
        [run] = store.all(Run)
        store.save(replace(run, status_detail=REASON))
    app = app_of(folder)
    async with app.run_test(size=size) as pilot:
        await shown(pilot)
        head = text_of(app).split("1 Agents")[0]
    assert "rank 14/212 silver" in head
    assert "best 0.9" in head
    assert (REASON in head) == (size == LARGE)
    assert main(["show", "--state", str(tmp_path)]) == 0
    assert REASON in capsys.readouterr().out


async def test_a_run_that_winds_down_says_so(tmp_path: Path) -> None:
    folder = sample_run.build(tmp_path)
    with Store(folder.database) as store:
        store.event("winding_down", "the limit of 5.00 $ is spent")
    with engine_lock(folder):
        app = app_of(folder)
        async with app.run_test(size=SMALL) as pilot:
            await shown(pilot)
            assert "● running, winding down" in text_of(app)
