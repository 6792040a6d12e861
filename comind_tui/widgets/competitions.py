"""The home screen's table of competitions: the shelf and every configured Kaggle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text
from textual.widgets import DataTable

from comind_tui.core.competitions import Entry, deadline_text, rank_text, teams_text
from comind_tui.text.plain import cell_width, fit
from kaggle_runner.texts import one_line

_LONGEST_SLUG = 30
_HEADERS = ("competition", "at", "metric", "deadline", "teams", "own rank", "about")


class Competitions(DataTable[Text]):
    """Rows are replaced only when they differ; the cursor stays on its competition."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", zebra_stripes=True)
        self.rows_shown: list[Entry] = []
        self._cells: list[tuple[str, ...]] = []

    @property
    def chosen(self) -> Entry | None:
        """The competition under the cursor."""
        return self.rows_shown[self.cursor_row] if self.cursor_row < len(self.rows_shown) else None

    def show(self, rows: Sequence[Entry], now: datetime) -> None:
        cells = [_cells(row, now) for row in rows]
        if cells == self._cells:
            return
        chosen = self.chosen if self.has_focus else None
        self._cells, self.rows_shown = cells, list(rows)
        self.clear(columns=True)  # columns that stay keep the widths of the rows that went
        for column in zip(
            _HEADERS, *cells, strict=True
        ):  # measured here: the table's own widths may come late
            self.add_column(column[0], width=max(map(cell_width, column)))
        for line in cells:
            self.add_row(*map(Text, line))
        places = {(row.source, row.slug): place for place, row in enumerate(self.rows_shown)}
        self.move_cursor(row=places.get((chosen.source, chosen.slug), 0) if chosen else 0)


def _cells(row: Entry, now: datetime) -> tuple[str, ...]:
    slug = fit(one_line(row.slug), min(len(row.slug), _LONGEST_SLUG))
    texts = (row.source, row.metric, deadline_text(row, now), teams_text(row), rank_text(row), row.about)
    return (slug, *map(one_line, texts))
