"""The local leaderboard: agents' evaluations by selection score, each with its interval and its gain."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from comind.records import Run, score_from
from comind.scores import better_beyond_noise
from comind_tui.plain import arrow, interval, one_line
from comind_tui.snapshot import Snapshot

SHOWN = 200


class Board(DataTable[Text]):
    """Rows are rebuilt only when an evaluation was added."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)
        self._shown: tuple[object, ...] | None = None

    def show(self, snapshot: Snapshot) -> None:
        run = snapshot.run or Run(id="", competition="")
        state = (snapshot.board[:SHOWN], run.metric, run.baseline.get("score"), run.best_evaluation)
        if state == self._shown:
            return
        self._shown = state
        at = self.cursor_row
        self.clear(columns=True)
        metric = f"{run.metric} {arrow(run.higher_is_better)}" if run.metric else "score"
        for name in ("#", one_line(metric), "agent", "step", "baseline"):
            self.add_column(Text(name))
        baseline = score_from(run.baseline, run.higher_is_better)
        best = snapshot.best
        for place, one in enumerate(snapshot.board[:SHOWN], start=1):
            chosen = best is not None and one.evaluation.id == best.evaluation.id
            beats = baseline is not None and better_beyond_noise(one.score, baseline)
            self.add_row(
                Text(f"{'★' if chosen else ' '}{place:>3}"),
                Text(interval(one.score), style="bold" if chosen else ""),
                Text(one_line(one.evaluation.agent)),
                Text(str(one.evaluation.step), justify="right"),
                Text("✓ beats" if beats else "~ noise" if baseline else "–"),
            )
        if not snapshot.board:
            self.add_row(Text(""), Text("nothing has been scored yet"), *(Text("") for _ in range(3)))
        self.move_cursor(row=min(at, self.row_count - 1))
