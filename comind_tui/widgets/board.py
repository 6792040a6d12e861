"""The local leaderboard: agents' evaluations by selection score, each with its interval and its gain."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import DataTable

from comind.analysis.standings import Standing
from comind.state.records import Run
from comind_tui.snapshot import Snapshot
from comind_tui.text.boards import BEATS, board_rows, metric_text
from comind_tui.text.plain import cell_width, fit, interval
from kaggle_runner.texts import one_line

SHOWN = 200
LEAST_TITLE = 12
"""Columns below which a draft's title says too little to be shown."""


class Board(DataTable[Text]):
    """Rows are rebuilt only when an evaluation was added or the width has changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)
        self._shown: tuple[object, ...] | None = None
        self._snapshot: Snapshot | None = None

    def on_resize(self) -> None:
        if self._snapshot:
            self.show(self._snapshot)

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        run = snapshot.run or Run(id="", competition="")
        state = (
            snapshot.board[:SHOWN],
            run.metric,
            run.baseline.get("score"),
            run.best_evaluation,
            self.size.width,
        )
        if state == self._shown:
            return
        self._shown = state
        at = self.cursor_row
        rows = _rows(snapshot, run)
        names = ["#", one_line(metric_text(run)), "agent", "step", "baseline"]
        taken = [max(cell_width(line[i].plain) for line in [*rows, [*map(Text, names)]]) for i in range(5)]
        room = self.size.width - sum(taken) - 2 * self.cell_padding * 6 - 2  # the scroll bar's two
        self.clear(columns=True)
        for name in [*names, "draft"] if room >= LEAST_TITLE else names:
            self.add_column(Text(name))
        for row in rows:
            title = Text(fit(row[5].plain, room).rstrip())
            self.add_row(*row[:5], *([title] if room >= LEAST_TITLE else []))
        self.move_cursor(row=min(at, self.row_count - 1))


def _rows(snapshot: Snapshot, run: Run) -> list[list[Text]]:
    """Place, score, agent, step, gain over the baseline, and the draft's title, best first."""
    if not snapshot.board:
        return [[Text(""), Text("nothing has been scored yet"), *(Text("") for _ in range(4))]]
    best = snapshot.best.evaluation.id if snapshot.best else ""
    rows = []
    for one in board_rows(without_repeats(snapshot.board[:SHOWN], best), run, snapshot.titles):
        chosen = one.evaluation.id == best
        rows.append(
            [
                Text(f"{'★' if chosen else ' '}{one.place:>3}"),
                Text(interval(one.score), style="bold" if chosen else ""),
                Text(one_line(one.evaluation.agent)),
                Text(str(one.evaluation.step), justify="right"),
                Text(BEATS[one.beats]),
                Text(one_line(one.title)),
            ]
        )
    return rows


def without_repeats(board: Sequence[Standing], chosen: str) -> list[Standing]:
    """Equal scores of one agent in a row as one: the chosen evaluation if among them, else the first."""
    kept: list[Standing] = []
    for one in board:
        last = kept[-1] if kept else None
        if last and (last.evaluation.agent, last.score.value) == (one.evaluation.agent, one.score.value):
            if one.evaluation.id == chosen:
                kept[-1] = one
        else:
            kept.append(one)
    return kept
