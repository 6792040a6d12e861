"""Rank over time, and the own score over time among the lines of the medals. Drawn only when in view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from comind_tui.text.plain import arrow
from comind_tui.text.ranks import board_kind
from comind_tui.widgets.plot import CalmPlot, label_ticks, round_ticks, steps
from kaggle_runner.ranks.records import Look, Point

_MOST_POINTS = 240
"""More than columns of any terminal's plot; a redraw costs by the point."""
_MARKS = {"gold": "g", "silver": "s", "bronze": "b"}


class _HistoryPlot(CalmPlot):
    """A plot over time."""

    def show(self, history: Sequence[Point], look: Look) -> None:
        if self.display and self.size and self.is_news(look.at, len(history)):
            self.draw(thinned(history), look)

    def draw(self, history: Sequence[Point], look: Look) -> None:
        raise NotImplementedError

    def _time_axis(self, history: Sequence[Point]) -> None:
        """Clock times below the plot, with dates when it reaches over a day."""
        first, last = history[0].at, history[-1].at
        form = "%H:%M" if last - first < 86_400 else "%m-%d %Hh"
        count = max(2, min(6, self.size.width // 18))
        ticks = [first + (last - first) * i / (count - 1) for i in range(count)]
        labels = [datetime.fromtimestamp(tick).astimezone().strftime(form) for tick in ticks]
        self.plt.xticks(ticks, labels)


class RankPlot(_HistoryPlot):
    """The rank; better is up."""

    def draw(self, history: Sequence[Point], look: Look) -> None:
        placed = [point for point in history if point.rank is not None]
        if len(placed) < 2:
            self.plt.title("rank over time: after two looks with a place")
            return
        ranks = [-float(point.rank or 0) for point in placed]  # up is better
        times = [point.at for point in placed]
        self.plt.plot(*steps(times, ranks, times[-1]), marker="braille")
        low, high = min(ranks), max(ranks)
        room = max(1.0, 0.1 * (high - low))
        ticks = [tick for tick in round_ticks(low - room, high + room) if tick <= -1 and tick == int(tick)]
        self.plt.ylim(low - room, min(high + room, 0.0))
        self.plt.yticks(ticks, [f"{-tick:,.0f}" for tick in ticks])
        self._time_axis(placed)
        self.plt.title(f"rank on the {board_kind(look)}")


class MedalPlot(_HistoryPlot):
    """The own score as a line, and the scores at which medals begin as letters."""

    def draw(self, history: Sequence[Point], look: Look) -> None:
        lines = {name: [getattr(point, name) for point in history] for name in ("score", *_MARKS)}
        known = [value for values in lines.values() for value in values if value is not None]
        if len(history) < 2 or not known:
            self.plt.title("medal lines over time: after two looks")
            return
        times = [point.at for point in history]
        for name, mark in _MARKS.items():
            self._line(times, lines[name], mark)
        self._line(times, lines["score"], "braille")
        low, high = min(known), max(known)
        room = 0.1 * (high - low) or abs(high) * 0.05 or 1.0
        self.plt.ylim(low - room, high + room)
        ticks = [tick for tick in round_ticks(low - room, high + room) if low - room <= tick <= high + room]
        label_ticks(self.plt.yticks, ticks)
        self._time_axis(history)
        direction = "" if look.higher_is_better is None else f" {arrow(look.higher_is_better)}"
        self.plt.title(f"score{direction}, {board_kind(look)}: line own, g s b where medals begin")

    def _line(self, times: Sequence[float], values: Sequence[float | None], marker: str) -> None:
        points = [(at, value) for at, value in zip(times, values, strict=True) if value is not None]
        if points:
            x, y = [at for at, _ in points], [value for _, value in points]
            self.plt.plot(*steps(x, y, x[-1]), marker=marker)


def thinned(history: Sequence[Point]) -> list[Point]:
    """At most _MOST_POINTS, the newest among them."""
    step = -(-len(history) // _MOST_POINTS) or 1
    return [point for place, point in enumerate(history) if (len(history) - 1 - place) % step == 0]
