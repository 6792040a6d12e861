"""What panes, head and agent screen say of kernels at Kaggle."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from comind.state.records import Event, Push
from comind_tui.snapshot import Snapshot
from comind_tui.text.kernels import kernel_clock, kernel_lines, kernel_note, kernels_fact
from kaggle_runner.jobs.states import NotebookState

URL = "http://127.0.0.1:8787/code/me/comind-a"
RUNS = Event(
    kind="kernel",
    message=f"Runs at Kaggle on NvidiaTeslaT4: {URL}",
    agent="r1-a1",
    at="2026-11-22T06:00:00.000Z",
)


def pushed(cell: str, agent: str, state: NotebookState, **facts: Any) -> Push:
    return Push(id=cell, agent=agent, round=1, step=1, state=state, **facts)


def snapshot(*, alive: bool = True) -> Snapshot:
    pushes = [
        pushed("r1-a1-s01", "r1-a1", "queued", ref="me/comind-a", url=URL),
        pushed("r1-a2-s01", "r1-a2", "queued"),
        pushed("r1-a3-s01", "r1-a3", "complete", ref="me/comind-c"),
    ]
    return Snapshot(alive=alive, pushes={push.id: push for push in pushes}, kernels={"r1-a1": RUNS})


def test_a_pane_says_what_its_kernel_does_which_it_is_and_how_long() -> None:
    assert kernel_note(snapshot(), "r1-a1") == ("Runs at Kaggle on NvidiaTeslaT4", "me/comind-a")
    now = datetime(2026, 11, 22, 6, 1, 20, tzinfo=UTC)
    assert kernel_clock(snapshot(), "r1-a1", now) == "1m 20s"


def test_an_agent_that_waits_for_no_kernel_says_nothing_of_one() -> None:
    assert kernel_note(snapshot(), "r1-a3") == ()
    assert kernel_clock(snapshot(), "r1-a3", datetime(2026, 11, 22, tzinfo=UTC)) == ""


def test_the_head_counts_kernels_of_a_living_engine_only() -> None:
    assert kernels_fact(snapshot()) == "1 kernel at Kaggle, 1 waits for a session"
    assert kernels_fact(snapshot(alive=False)) == ""


def test_an_agents_screen_names_the_kernel_its_fault_and_what_the_agent_was_shown() -> None:
    push = pushed(
        "r1-a1-s01",
        "r1-a1",
        "failed",
        url=URL,
        seconds=80.0,
        fault="cell 2 raised\x1b[2J ValueError",
        told="a\nb",
    )
    lines = list(kernel_lines(push))
    assert lines[0].text == "At Kaggle: failed after 1m 20s, on CPU"
    assert lines[1].text == URL
    assert lines[2].look == "bad" and "\x1b" not in lines[2].text
    assert [line.text for line in lines[3:]] == ["a", "b"]
