"""Scores over time: every evaluation as a dot, the best so far as a line. Drawn only while it is in view."""

from __future__ import annotations

from textual_plotext import PlotextPlot

from comind.clock import parse_stamp
from comind.ranking import Standing
from comind.records import Run
from comind.scores import Score, better
from comind_tui.plain import arrow, one_line
from comind_tui.snapshot import Snapshot


class ScorePlot(PlotextPlot):
    """Minutes since the run's start against the selection score."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[object, ...] | None = None

    def show(self, snapshot: Snapshot) -> None:
        """A redraw costs tens of milliseconds, so only new evaluations cause one."""
        if snapshot.board == self._shown:
            return
        self._shown = snapshot.board
        run = snapshot.run or Run(id="", competition="")
        self.plt.clear_figure()
        if not snapshot.board:
            self.plt.title("nothing has been scored yet")
        else:
            minutes, scores, best = series(list(snapshot.board), run)
            self.plt.scatter(minutes, scores, marker="●")
            self.plt.plot(minutes, best, marker="braille")
            self.plt.title(
                one_line(
                    f"{run.metric} {arrow(run.higher_is_better)} on the selection rows (line: best so far)"
                )
            )
            self.plt.xlabel("minutes")
        self.refresh()


def series(board: list[Standing], run: Run) -> tuple[list[float], list[float], list[float]]:
    """Minutes, scores and best-so-far of the evaluations in the order they came."""
    in_time = sorted(board, key=lambda one: one.evaluation.at)
    start = parse_stamp(run.started_at or in_time[0].evaluation.at)
    minutes = [(parse_stamp(one.evaluation.at) - start).total_seconds() / 60 for one in in_time]
    champion: Score | None = None
    best: list[float] = []
    for one in in_time:
        champion = one.score if better(one.score, champion) or champion is None else champion
        best.append(champion.value)
    return minutes, [one.score.value for one in in_time], best
