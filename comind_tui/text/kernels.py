"""What the run's screens say of kernels at Kaggle: on a pane, in the head, and on the agent's own screen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from comind.state.records import Push
from comind_tui.snapshot import Snapshot
from comind_tui.text.lines import Line
from comind_tui.text.plain import since
from kaggle_runner.jobs.states import ORDERED
from kaggle_runner.moments import duration
from kaggle_runner.texts import one_line, plain


def kernel_note(snapshot: Snapshot, agent: str) -> tuple[str, ...]:
    """What was last told of the kernel that the agent waits for, and its name; empty where there is none."""
    event, push = snapshot.kernels.get(agent), _awaited(snapshot, agent)
    if event is None or push is None:
        return ()
    told = event.message.replace(push.url, "") if push.url else event.message
    return tuple(line for line in (one_line(told).rstrip(" :"), push.ref) if line)


def kernel_clock(snapshot: Snapshot, agent: str, now: datetime) -> str:
    """How long that is so; empty where the agent waits for no kernel."""
    event = snapshot.kernels.get(agent)
    return duration(since(event.at, now)) if event else ""


def kernels_fact(snapshot: Snapshot) -> str:
    """`2 kernels at Kaggle, 1 waits for a session`, of the round that is shown; empty where there is none."""
    awaited = [push for push in snapshot.pushes.values() if snapshot.alive and push.state in ORDERED]
    there = sum(bool(push.ref) for push in awaited)
    parts = [f"{there} {'kernel' if there == 1 else 'kernels'} at Kaggle"] if there else []
    if here := len(awaited) - there:
        parts.append(f"{here} {'waits' if here == 1 else 'wait'} for a session")
    return ", ".join(parts)


def kernel_lines(push: Push) -> Iterator[Line]:
    """One push in full: where it ran, what became of it, and what its agent was shown."""
    took = f" after {duration(push.seconds)}" if push.seconds else ""
    rehearsed = f"rehearsed in {duration(push.rehearsal_seconds)}" if push.rehearsal_seconds else ""
    facts = (f"At Kaggle: {push.state}{took}", f"on {push.accelerator or 'CPU'}", rehearsed)
    yield Line(", ".join(fact for fact in facts if fact), "dim")
    if push.url or push.ref:
        yield Line(plain(push.url or push.ref), "dim")
    if push.fault:
        yield Line(f"✗ {one_line(push.fault)}", "bad")
    for line in plain(push.told).splitlines():
        yield Line(line)


def _awaited(snapshot: Snapshot, agent: str) -> Push | None:
    found = [one for one in snapshot.pushes.values() if one.agent == agent and one.state in ORDERED]
    return found[-1] if found else None
