"""A scrolling list of plain lines: cell output, events, decisions. It follows its end.

Only the lines in view are styled, so a long log costs no more than a short one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from comind_tui.text.lines import Line
from comind_tui.text.plain import cell_width, fit


class Lines(ScrollView, can_focus=True):
    """Lines, wrapped to the width. Anchored to the end until the person scrolls up; End anchors again."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lines--plain", "lines--dim", "lines--good", "lines--bad"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("G", "scroll_end", "End", show=False),
        Binding("g", "scroll_home", "Top", show=False),
    ]

    def __init__(self, *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._empty = empty
        self._lines: Sequence[Line] = ()
        self._wrapped: list[Line] = []

    def show(self, lines: Sequence[Line]) -> None:
        """Replace all lines."""
        if lines != self._lines or not self._wrapped:
            self._lines = lines
            self._wrap()

    @property
    def text(self) -> str:
        """All lines as one text."""
        return "\n".join(line.text for line in self._lines)

    def on_mount(self) -> None:
        self.anchor()

    def on_resize(self) -> None:
        self._wrap()

    def render_line(self, y: int) -> Strip:
        place = y + self.scroll_offset.y
        if place >= len(self._wrapped):
            return Strip.blank(self.size.width, self.rich_style)
        line = self._wrapped[place]
        style = self.get_component_rich_style(f"lines--{line.look}")
        return Strip([Segment(fit(line.text, self.size.width), style)])

    def _wrap(self) -> None:
        width = self.scrollable_content_region.width
        if not width:
            return
        source = self._lines or ([Line(self._empty, "dim")] if self._empty else [])
        self._wrapped = [Line(part, line.look) for line in source for part in wrap(line.text, width)]
        self.virtual_size = Size(width, len(self._wrapped))
        self.refresh()


def wrap(text: str, width: int) -> list[str]:
    """Pieces of a line of at most `width` cells, broken at a space where one is near the end."""
    if cell_width(text) <= width:
        return [text]
    pieces, piece, used = [], "", 0
    for char in text:
        size = cell_width(char)
        if used + size > width:
            space = piece.rfind(" ") + 1
            cut = space if space > len(piece) // 2 else len(piece)
            pieces.append(piece[:cut])
            piece = piece[cut:]
            used = cell_width(piece)
        piece, used = piece + char, used + size
    return [*pieces, piece]
