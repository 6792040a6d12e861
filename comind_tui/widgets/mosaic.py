"""Every agent's pane in one widget: who it is, what it is at, and the end of its running cell's output.

One widget draws all tiles, because a widget a tile costs a frame more than drawing its four lines. Agents
that do not fit are on further pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from comind_tui.text.glyphs import BAD, state
from comind_tui.text.plain import fit
from comind_tui.widgets.lines import wrap
from kaggle_runner.texts import one_line

LEAST_WIDTH = 36
LEAST_HEIGHT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """What one pane says."""

    agent: str
    index: int
    status: str
    progress: str
    """Such as `3/12`."""
    clock: str
    """Time in the running cell, or empty."""
    best: str
    title: str
    goal: str
    note: Sequence[str] = ()
    """Lines about a kernel at Kaggle that the agent waits for."""
    code: Sequence[str]
    """The cell's first lines, shown where the output leaves room."""
    output: Sequence[str]


class Grid(NamedTuple):
    """How tiles are laid out on one page."""

    columns: int
    rows: int

    @property
    def capacity(self) -> int:
        return self.columns * self.rows


def grid_for(size: Size, tiles: int) -> Grid:
    """As few columns and rows as hold all tiles, within what is still readable."""
    most = Grid(max(1, size.width // LEAST_WIDTH), max(1, size.height // LEAST_HEIGHT))
    fitting = [
        Grid(columns, rows)
        for rows in range(1, most.rows + 1)
        for columns in range(1, most.columns + 1)
        if columns * rows >= tiles
    ]
    wide = 2.4  # a text cell is about twice as high as wide; panes read best a little wider than square
    return min(
        fitting,
        key=lambda grid: (grid.capacity, abs(size.width / grid.columns - wide * size.height / grid.rows)),
        default=most,
    )


def code_room(lines: int, output: int) -> int:
    """Lines of code a pane shows: what the output leaves, and at most half as soon as there is output."""
    return max(0, min(lines - output, lines // 2) if output else lines)


def wrapped_end(output: Sequence[str], width: int, lines: int) -> list[str]:
    """The output's last lines, wrapped to the width; of a line longer than the pane its end."""
    if lines <= 0:
        return []
    most = width * lines
    return [piece for line in output for piece in wrap(line[-most:], width)][-lines:]


class AgentMosaic(Widget, can_focus=True):
    """The tiles of one round's agents. Arrows choose one, Enter opens it, PgUp and PgDn turn pages."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "mosaic--border", "mosaic--chosen", "mosaic--title", "mosaic--goal", "mosaic--code", "mosaic--output",
        "mosaic--bad",
    }  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1, 0)", "Left", show=False),
        Binding("right,l", "move(1, 0)", "Right", show=False),
        Binding("up,k", "move(0, -1)", "Up", show=False),
        Binding("down,j", "move(0, 1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Previous page", show=False),
        Binding("pagedown", "page(1)", "Next page", show=False),
        Binding("enter", "open", "Open", show=False),
    ]
    chosen: reactive[int] = reactive(0)

    class Opened(Message):
        """The person wants the full view of an agent."""

        def __init__(self, agent: str) -> None:
            super().__init__()
            self.agent = agent

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tiles: list[Tile] = []
        self._drawn: list[Strip] = []
        self.empty_text = "No agent has started yet."

    def show(self, tiles: list[Tile]) -> None:
        """Replace all tiles; nothing is drawn when nothing changed."""
        if tiles == self._tiles and self._drawn:
            return
        self._tiles = tiles
        self.chosen = max(0, min(self.chosen, len(tiles) - 1))
        self._draw()

    @property
    def chosen_agent(self) -> str:
        """Id of the chosen agent, or empty."""
        return self._tiles[self.chosen].agent if self._tiles else ""

    @property
    def visible_agents(self) -> list[str]:
        """Ids of the agents on this page: only their logs need reading."""
        return [tile.agent for tile in self._on_page()]

    @property
    def output_lines(self) -> int:
        """Lines of output that a tile can show."""
        return max(0, self.size.height // self._grid().rows - 4)

    def watch_chosen(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self._draw()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._draw()

    def action_move(self, columns: int, rows: int) -> None:
        wanted = self.chosen + columns + rows * self._grid().columns
        if 0 <= wanted < len(self._tiles):
            self.chosen = wanted

    def action_page(self, pages: int) -> None:
        capacity = self._grid().capacity
        wanted = (self.chosen // capacity + pages) * capacity
        if 0 <= wanted < len(self._tiles):
            self.chosen = wanted

    def action_open(self) -> None:
        if self.chosen_agent:
            self.post_message(self.Opened(self.chosen_agent))

    def on_click(self, event: events.Click) -> None:
        grid, tiles = self._grid(), self._on_page()
        column = event.x * grid.columns // max(1, self.size.width)
        row = event.y * grid.rows // max(1, self.size.height)
        place = row * grid.columns + column
        if place < len(tiles):
            self.chosen = self._page_start() + place
            if event.chain == 2:
                self.action_open()

    def render_line(self, y: int) -> Strip:
        if y < len(self._drawn):
            return self._drawn[y]
        return Strip.blank(self.size.width, self.rich_style)

    def _grid(self) -> Grid:
        return grid_for(self.size, len(self._tiles))

    def _page_start(self) -> int:
        capacity = self._grid().capacity
        return self.chosen // capacity * capacity

    def _on_page(self) -> list[Tile]:
        start = self._page_start()
        return self._tiles[start : start + self._grid().capacity]

    def _draw(self) -> None:
        width, height = self.size
        if not (width and height and self.is_mounted):
            return
        if not self._tiles:
            line = Segment(fit(f" {self.empty_text}", width), self.rich_style)
            self._drawn = [Strip([line])]
        else:
            self._drawn = self._draw_page(width, height)
        self.refresh()

    def _draw_page(self, width: int, height: int) -> list[Strip]:
        grid, tiles = self._grid(), self._on_page()
        pages = -(-len(self._tiles) // grid.capacity)
        more = f" page {self._page_start() // grid.capacity + 1}/{pages} (PgUp PgDn) " if pages > 1 else ""
        lines: list[Strip] = []
        for row in range(grid.rows):
            tile_height = height * (row + 1) // grid.rows - height * row // grid.rows
            blocks = []
            for column in range(grid.columns):
                place = row * grid.columns + column
                tile_width = width * (column + 1) // grid.columns - width * column // grid.columns
                tile = tiles[place] if place < len(tiles) else None
                note = more if place == len(tiles) - 1 else ""
                blocks.append(self._draw_tile(tile, tile_width, tile_height, note))
            lines += [Strip([part for block in line for part in block]) for line in zip(*blocks, strict=True)]
        return lines

    def _draw_tile(self, tile: Tile | None, width: int, height: int, note: str) -> list[list[Segment]]:
        if tile is None:
            return [[Segment(" " * width, self.rich_style)] for _ in range(height)]
        is_chosen = tile.agent == self.chosen_agent
        style = {
            name.removeprefix("mosaic--"): self.get_component_rich_style(name)
            for name in self.COMPONENT_CLASSES
        }
        border = style["chosen"] if is_chosen else style["border"]
        marks = "┏┓┗┛━┃" if is_chosen else "┌┐└┘─│"
        goal = f"→ {tile.goal}" if tile.goal else ""
        body: list[tuple[str, Style]] = [(tile.title, style["title"]), (goal, style["goal"])]
        body += [(one_line(line), style["goal"]) for line in tile.note]
        room = height - 2 - len(body)
        output = wrapped_end(tile.output, width - 4, room)
        body += [(line, style["code"]) for line in tile.code[: code_room(room, len(output))]]
        body += [(line, style["output"]) for line in output]
        inner = width - 4
        head_style = style["bad"] if tile.status in BAD else border
        lines = [[Segment(_top(tile, width, marks), head_style)]]
        for number in range(height - 2):
            text, look = body[number] if number < len(body) else ("", style["output"])
            side = Segment(marks[5], border)
            middle = Segment(f" {fit(one_line(text) if number < 2 else text, inner)} ", look)
            lines.append([side, middle, side])
        below = fit(note, width - 3).rstrip() if note else ""
        lines.append([Segment(f"{marks[2]}{below}{marks[4] * (width - 2 - len(below))}{marks[3]}", border)])
        return lines


def _top(tile: Tile, width: int, marks: str) -> str:
    """The upper border with the tile's head in it; what matters least goes first when it is narrow."""
    left = f" {tile.index} {one_line(tile.agent)} {state(tile.status)} "
    rights = [
        f" step {tile.progress}{f' {tile.clock}' if tile.clock else ''}  best {tile.best} ",
        f" {tile.progress}{f' {tile.clock}' if tile.clock else ''} {tile.best} ",
        f" {tile.progress} {tile.best} ",
        f" {tile.best} ",
    ]
    room = width - 3
    right = next((one for one in rights if len(left) + len(one) <= room), "")
    left = fit(left, room).rstrip() + " " if len(left) > room else left
    return f"{marks[0]}{left}{marks[4] * (width - 2 - len(left) - len(right))}{right}{marks[1]}"
