"""The table of competitions: each column is as wide as what stands in it, from the first moment on."""

from __future__ import annotations

from datetime import UTC, datetime

from textual.app import App, ComposeResult

from comind_tui.core.competitions import Entry
from comind_tui.widgets.competitions import Competitions

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Shown(App[None]):
    def compose(self) -> ComposeResult:
        yield Competitions()


async def test_columns_fit_their_texts_at_once_and_after_other_rows() -> None:
    app = Shown()
    async with app.run_test(size=(200, 50)):
        table = app.query_one(Competitions)
        for slug, source, about in [
            ("a-long-competition", "127.0.0.1:8787", "text"),
            ("digits", "shelf", "image, 5,000 rows of 図"),
        ]:
            table.show([Entry(source, slug, "roc_auc", about, {})], NOON)
            widths = [
                column.get_render_width(table) - 2 * table.cell_padding for column in table.ordered_columns
            ]
            slug_width = max(len(slug), len("competition"))
            assert widths[:3] == [slug_width, len(source), len("roc_auc")]
            assert widths[-1] == max(len("about"), len(about) + about.count("図"))
