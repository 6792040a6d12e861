"""The run screen's head: what is competed on, how it stands, what it has cost; and the bar of views."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rich.text import Text
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from comind.state.grades import TestGrade
from comind.state.records import Run
from comind_tui.snapshot import Snapshot
from comind_tui.text.boards import metric_text
from comind_tui.text.glyphs import state, symbol
from comind_tui.text.invocation import program
from comind_tui.text.kernels import kernels_fact
from comind_tui.text.plain import (
    cell_width,
    fit,
    foreseen,
    interval,
    labels_mark,
    number,
    run_times,
    spending,
)
from kaggle_runner.moments import duration
from kaggle_runner.texts import one_line

VIEWS: tuple[tuple[str, str], ...] = (
    ("agents", "Agents"), ("board", "Board"), ("ideas", "Ideas"),
    ("reports", "Reports"), ("monitor", "Monitor"), ("plot", "Plot"),
)  # fmt: skip
"""Id and title of each view, in the order of their number keys."""
SEPARATOR = " · "


class HeadFacts(NamedTuple):
    """What the head says, as groups that keep their lines while their texts change."""

    state: tuple[str, ...]
    result: tuple[str, ...]
    cost: tuple[str, ...]


class RunHeader(Widget):
    """Facts about the run: a line a group, or two lines where the terminal is wide."""

    facts: reactive[HeadFacts | None] = reactive(None)

    def show(self, snapshot: Snapshot, run_id: str, now: datetime) -> None:
        self.facts = header_facts(snapshot, run_id, now)

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        if self.facts is None:
            return text
        state, result, cost = self.facts
        groups = [state, result, cost] if self.size.height > 2 else [state + result, cost]
        for line in fill(groups, self.size.width - 2):
            text.append(f" {line}\n", style="bold" if not text else "")
        return text


def header_facts(snapshot: Snapshot, run_id: str, now: datetime) -> HeadFacts:
    """Most important first in every group; what does not fit goes on to the next line."""
    run = snapshot.run
    if run is None:
        waits = snapshot.fault or "waiting for the engine's first word"
        return HeadFacts((run_id, _status(snapshot)), (one_line(waits),), ())
    elapsed, left = run_times(run, now, alive=snapshot.alive)
    best = snapshot.best
    ending = f", {duration(left)} left" if left is not None and snapshot.alive else ""
    cost, used = spending(snapshot.totals, run.settings)
    ahead = foreseen(snapshot.forecast, offline=run.settings.offline)
    groups = (
        (
            f"{run.competition} {metric_text(run)}",
            f"round {run.round}/{run.rounds}",
            _status(snapshot),
            f"{duration(elapsed)} elapsed{ending}",
        ),
        (
            f"best {interval(best.score if best else None)} vs baseline {number(run.baseline.get('score'))}"
            f"{labels_mark(run.labels_readable)}",
            kernels_fact(snapshot),
            _place(run.test),
        ),
        (cost, used, ahead, run.model, _agents(snapshot), _why_ended(run)),
    )
    return HeadFacts(*(tuple(one_line(fact) for fact in group if fact) for group in groups))


def _status(snapshot: Snapshot) -> str:
    run = snapshot.run
    if run is None:
        return state("unreadable" if snapshot.fault else "preparing")
    if snapshot.fault:
        return f"{state('unreadable')}: {snapshot.fault}"
    if snapshot.engine_gone:
        return f"{state('engine gone')}: {program()} resume"
    if run.status == "preparing" and not snapshot.alive:
        return f"{state('preparing')} (its engine is starting; engine.log in its folder tells more)"
    if snapshot.winding_down:
        return f"{state('running')}, winding down"
    why = f": {run.status_detail}" if run.status == "failed" and run.status_detail else ""
    return f"{state(snapshot.shown_state)}{why}"


def _why_ended(run: Run) -> str:
    """Last of all facts: it may be long, and result and cost must not make room for it."""
    return "" if run.status == "failed" else run.status_detail


def _place(test: TestGrade) -> str:
    if not test:
        return ""
    score = f"test {number(test.get('score'))}"
    if not test.get("rank"):
        return score
    medal = f" {test['medal']}" if test.get("medal") else ""
    return f"{score} rank {test['rank']}/{test['teams']}{medal} ({test.get('board')} board)"


def _agents(snapshot: Snapshot) -> str:
    kinds = Counter(snapshot.state_of(agent) for agent in snapshot.agents)
    who = "agents" if snapshot.round else "public kernels"
    return (
        f"{who} " + " ".join(f"{symbol(kind)}{count} {kind}" for kind, count in kinds.items())
        if kinds
        else ""
    )


def flow(parts: Sequence[str], width: int) -> list[str]:
    """Parts joined by ` · ` into lines of at most `width` cells; none is broken over two lines."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}{SEPARATOR}{part}" if lines else part
        if lines and cell_width(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(fit(part, width).rstrip())
    return lines


def fill(groups: Sequence[Sequence[str]], width: int) -> list[str]:
    """A line a group. What does not fit begins the next group's line; on the last line it is left out."""
    lines: list[str] = []
    waiting: list[str] = []
    for group in groups:
        waiting += group
        is_last = len(lines) == len(groups) - 1
        line: list[str] = []
        for place, part in enumerate(waiting):
            if not line or cell_width(SEPARATOR.join([*line, part])) <= width:
                line.append(part)
            elif not is_last:
                waiting = waiting[place:]
                break
        else:
            waiting = []
        lines.append(fit(SEPARATOR.join(line), width).rstrip())
    return lines


class ViewBar(Widget):
    """One line with the views and their keys; the shown one is reversed."""

    active: reactive[str] = reactive("")

    class Chosen(Message):
        """A view was clicked."""

        def __init__(self, view: str) -> None:
            super().__init__()
            self.view = view

    def __init__(self, views: Sequence[tuple[str, str]] = VIEWS) -> None:
        super().__init__()
        self._views = views
        self.set_reactive(ViewBar.active, views[0][0])

    def render(self) -> Text:
        text = Text(no_wrap=True)
        for number_key, (view, title) in enumerate(self._views, start=1):
            text.append(f" {number_key} {title} ", style="reverse bold" if view == self.active else "")
            text.append(" ")
        return text

    def on_click(self, event: events.Click) -> None:
        end = 0
        for view, title in self._views:
            end += len(title) + 5
            if event.x < end:
                self.post_message(self.Chosen(view))
                return
