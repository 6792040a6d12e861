"""Scores over time: every evaluation as a dot, the best so far as steps. Drawn only while it is in view."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from textual_plotext import PlotextPlot

from comind.analysis.standings import Standing
from comind.state.grades import score_from
from comind.state.records import Run
from comind_tui.snapshot import Snapshot
from comind_tui.text.plain import arrow
from kaggle_runner.moments import parse_moment
from kaggle_runner.score import Score, better
from kaggle_runner.texts import one_line

TICKS = 5
_AXIS_COLUMNS = 12


class Span(NamedTuple):
    low: float
    high: float


class CalmPlot(PlotextPlot):
    """A redraw costs tens of milliseconds, so only a new state and a new size cause one."""

    _shown: tuple[object, ...] = ()

    def is_news(self, *state: object) -> bool:
        """Whether this is to be drawn, on the empty plot that is there now."""
        if (*state, self.size) == self._shown:
            return False
        self._shown = (*state, self.size)
        self.plt.clear_figure()
        self.refresh()
        return True


class ScorePlot(CalmPlot):
    """Minutes since the run's start against the selection score."""

    def show(self, snapshot: Snapshot) -> None:
        run = snapshot.run or Run(id="", competition="")
        if not self.is_news(snapshot.board, run.baseline.get("score")):
            return
        if snapshot.board:
            self._draw(list(snapshot.board), run)
        else:
            self.plt.title("nothing has been scored yet")

    def _draw(self, board: list[Standing], run: Run) -> None:
        minutes, scores, best = series(board, run)
        baseline = score_from(run.baseline, run.higher_is_better)
        shown = score_range([one.score for one in board], baseline)
        last = round_ticks(0.0, max(minutes[-1], 1e-3))[-1]
        title = f"{run.metric} {arrow(run.higher_is_better)} on the selection rows (line: best so far"
        if baseline and shown.low <= baseline.value <= shown.high:
            columns = max(2, self.size.width - _AXIS_COLUMNS)
            across = [last * column / columns for column in range(0, columns + 1, 2)]
            self.plt.scatter(across, [baseline.value] * len(across), marker="·")
            title += ", dots: baseline"
        self.plt.plot(*steps(minutes, best, last), marker="braille")
        self.plt.scatter(minutes, scores, marker="●")
        self.plt.xlim(0.0, last)
        self.plt.ylim(*shown)
        label_ticks(self.plt.xticks, [tick for tick in round_ticks(0.0, last) if tick <= last])
        label_ticks(
            self.plt.yticks, [tick for tick in round_ticks(*shown) if shown.low <= tick <= shown.high]
        )
        self.plt.title(one_line(title + ")"))
        self.plt.xlabel("minutes")


def series(board: list[Standing], run: Run) -> tuple[list[float], list[float], list[float]]:
    """Minutes, scores and best-so-far of the evaluations in the order they came."""
    in_time = sorted(board, key=lambda one: one.evaluation.at)
    start = parse_moment(run.started_at or in_time[0].evaluation.at)
    minutes = [max(0.0, (parse_moment(one.evaluation.at) - start).total_seconds() / 60) for one in in_time]
    champion: Score | None = None
    best: list[float] = []
    for one in in_time:
        champion = one.score if better(one.score, champion) or champion is None else champion
        best.append(champion.value)
    return minutes, [one.score.value for one in in_time], best


def steps(minutes: list[float], best: list[float], end: float) -> tuple[list[float], list[float]]:
    """The corners of a line that keeps its height until the next score, and on to the end."""
    x, y = [minutes[0]], [best[0]]
    for minute, before, after in zip(minutes[1:], best, best[1:], strict=False):
        x += [minute, minute]
        y += [before, after]
    return [*x, end], [*y, best[-1]]


def score_range(scores: list[Score], baseline: Score | None) -> Span:
    """Around the finite scores, with room; with the baseline where it lies no further off than they spread.

    A single score has no spread of its own: then its interval stands in.
    """
    values = [score.value for score in scores if math.isfinite(score.value)] or [0.0]
    low, high = min(values), max(values)
    spread = high - low or max((score.high - score.low for score in scores), default=0.0)
    spread = spread if math.isfinite(spread) and spread > 0 else abs(high) * 0.1 or 1.0
    if baseline and low - spread <= baseline.value <= high + spread:
        low, high = min(low, baseline.value), max(high, baseline.value)
    room = 0.1 * max(spread, high - low) if high > low else 0.5 * spread
    return Span(low - room, high + room)


def round_ticks(low: float, high: float) -> list[float]:
    """About TICKS multiples of 1, 2 or 5 times a power of ten that reach from `low` to `high` or beyond."""
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def label_ticks(set_ticks: Callable[[list[float], list[str]], object], ticks: list[float]) -> None:
    """Ticks with no more digits than tell them apart."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    set_ticks(ticks, [f"{tick:.{places}f}" for tick in ticks])
