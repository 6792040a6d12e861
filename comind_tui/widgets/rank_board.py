"""The ranks screen's head and its table: own place, medal lines, and the teams around us."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Static

from comind_tui.text.lines import Line
from comind_tui.text.plain import fit, number, table
from comind_tui.text.ranks import (
    board_kind,
    deadline_text,
    movement_text,
    moves_texts,
    next_zone_text,
    place_text,
    score_text,
    submissions_text,
    zone_lead,
)
from comind_tui.widgets.header import fill
from kaggle_runner.moments import duration
from kaggle_runner.ranks.records import Look, Row
from kaggle_runner.ranks.watch import View
from kaggle_runner.texts import one_line

_LINES_ABOVE = 7
"""Lines of the board above the first neighbour."""


class RankHead(Widget):
    """Where, how we stand, what is left, and what the watch is doing; in four lines, or five when narrow."""

    lines: reactive[tuple[str, ...]] = reactive(())

    def show(self, view: View, where: str, now: datetime) -> None:
        width = max(20, self.size.width - 2)
        head = one_line(where)
        if view.look is None:
            self.lines = (head, *[""] * (self.size.height - 2), status_text(view, now))
            return
        place = [place_text(view.look), movement_text(view.look)]
        medal = [next_zone_text(view.look)]
        if view.look.own:
            place.append(score_text(view.look))
            medal.insert(0, view.look.medal or "no medal")
        left = [submissions_text(view.look), deadline_text(view.look, now)]
        groups = [[head], place, medal, left] if self.size.height > 4 else [[head], place + medal, left]
        groups = [[fact for fact in group if fact] for group in groups]
        self.lines = (*fill(groups, width), status_text(view, now))

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for line in self.lines:
            style = "bold" if not text else "reverse" if line.startswith("✗") else ""
            text.append(" ").append(fit(line, self.size.width - 2).rstrip() + "\n", style=style)
        return text


def status_text(view: View, now: datetime) -> str:
    """How old the look is, when the next one is due, and what is wrong."""
    at = now.timestamp()
    age = f"looked {duration(at - view.look.at)} ago" if view.look else "no look yet"
    due = "" if view.next_at is None else f" · next in {duration(view.next_at - at)}"
    if view.trouble is not None:
        return f"✗ {age}{due} · {one_line(view.trouble.message)}"
    return age + (" · another comind on this machine asks" if view.follows else due)


class RankBoard(Static):
    """Medal zones for the present number of teams, and the neighbours on the board."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(markup=False, id=id)

    def show(self, look: Look) -> None:
        text = Text(no_wrap=True, overflow="ellipsis")
        zones, *medals = zone_lines(look)
        text.append(f"Medals among {look.teams:,} teams, {board_kind(look)}\n", style="bold")
        text.append(zones + "\n", style="bold")
        ahead = look.next_zone
        for zone, line in zip(look.zones, medals, strict=False):
            text.append(line + ("  ◀ next" if zone is ahead and look.own else "") + "\n")
        rows = around_us(look, self.size.height - _LINES_ABOVE) if self.size else look.neighbours
        head, *teams = team_lines(look, rows, max(40, self.size.width))
        text.append("\n" + head + "\n", style="bold")
        for row, line in zip(rows, teams, strict=True):
            is_own = look.own is not None and row.team_id == look.own.team_id
            text.append(line + "\n", style="reverse bold" if is_own else "")
        self.update(text)


def around_us(look: Look, most: int) -> tuple[Row, ...]:
    """As many neighbours as there is room for, at least three, our own row in the middle if it can be."""
    rows = look.neighbours
    place = next((i for i, row in enumerate(rows) if look.own and row.team_id == look.own.team_id), 0)
    count = max(3, most)
    start = max(0, min(place - count // 2, len(rows) - count))
    return rows[start : start + count]


def zone_lines(look: Look) -> list[str]:
    """The table of medals."""
    rows = [
        (
            zone.medal,
            f"1–{zone.last_rank:,}" if zone.last_rank > 1 else "1",
            number(zone.score),
            zone_lead(zone, look),
        )
        for zone in look.zones
    ]
    headers = ("MEDAL", "PLACES", "LINE", "OURS")
    return table(headers, rows, width=None, right=(1, 2)).splitlines()


def team_lines(look: Look, teams: Sequence[Row], width: int) -> list[str]:
    """Teams of the board, our own row marked."""
    own_id = look.own.team_id if look.own else None
    rows = [
        ("▶" if row.team_id == own_id else "", f"{row.rank:,}", number(row.score), one_line(row.team))
        for row in teams
    ]
    return table(("", "RANK", "SCORE", "TEAM"), rows, width=width, right=(1, 2)).splitlines()


def move_lines(moved: list[Look]) -> list[Line]:
    """Who passed whom, oldest first, with local times."""
    lines: list[Line] = []
    for look in reversed(moved):
        at = datetime.fromtimestamp(look.at).astimezone().strftime("%m-%d %H:%M:%S")
        for sentence in moves_texts(look.moves):
            mark = {"passed us": "bad", "we passed": "good"}.get(sentence.partition(":")[0], "plain")
            lines.append(Line(f"{at}  {sentence}", mark))
    return lines
