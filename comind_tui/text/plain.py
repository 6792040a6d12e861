"""Text for terminals: aligned tables, durations and amounts as people read them.

Standard library only; both the command line and the screens use it.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from comind.analysis.forecast import Forecast, dollar_limit
from comind.config import Settings
from comind.state.records import Run
from kaggle_runner.moments import parse_moment
from kaggle_runner.score import Score, written
from kaggle_runner.texts import one_line

_LEAST_COLUMN = 8
_LONGEST_NAME = 44
_COUNT_SECONDS = 300.0
"""The engine counts its time far more often than this."""


def can_ask() -> bool:
    """Whether a person is here to answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def has_terminal() -> bool:
    """Whether screens can be shown here."""
    return can_ask() and os.environ.get("TERM") != "dumb"


def terminal_width() -> int | None:
    """Columns to fit tables into; None when piped, where nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def cell_width(text: str) -> int:
    """Terminal cells that a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def listed_name(run: str) -> str:
    """A run's name where there are others: cut in its middle, for its end tells two runs apart."""
    name = one_line(run)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 21]}…{name[-20:]}"


def fit(text: str, width: int) -> str:
    """The text in exactly `width` cells, cut with `…` or padded."""
    space = cell_width(text)
    if space <= width:
        return text + " " * (width - space)
    if width <= 0:
        return ""
    kept = ""
    for char in text:
        if cell_width(kept + char) > width - 1:
            break
        kept += char
    return kept + "…" + " " * (width - 1 - cell_width(kept))


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None, right: Sequence[int] = ()
) -> str:
    """Aligned columns, `right` ones to the right.

    With a width, columns that do not fit are left out from the end, and the last one left is cut to fit.
    """
    cleaned = [[one_line(value) for value in row] for row in (headers, *rows)]
    widths = [max(cell_width(line[i]) for line in cleaned) for i in range(len(headers))]
    if width is not None:
        while len(widths) > 1 and width - _before_last(widths) < min(widths[-1], _LEAST_COLUMN):
            widths.pop()
        widths[-1] = min(widths[-1], max(_LEAST_COLUMN, width - _before_last(widths)))
    lines = []
    for line in cleaned:
        cells = [fit(value, size) for value, size in zip(line, widths, strict=False)]
        for i in right:
            if i < len(cells):
                cells[i] = cells[i].rstrip().rjust(widths[i])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _before_last(widths: Sequence[int]) -> int:
    """Cells that all columns but the last take, with the gaps between them."""
    return sum(widths[:-1]) + 2 * (len(widths) - 1)


def labelled(name: str, value: str, *, indent: int, width: int | None, whole: bool = True) -> str:
    """A name, and its value in a column that begins at `indent`, wrapped by words to the width.

    A longer word, such as a path, stays `whole`, so that it can be copied, or is broken.
    """
    pieces = [one_line(value)]
    if width is not None:
        room = max(_LEAST_COLUMN, width - indent)
        pieces = textwrap.wrap(pieces[0], room, break_long_words=not whole, break_on_hyphens=False) or [""]
    first = f"{name:<{indent}}{pieces[0]}".rstrip()
    return "\n".join([first, *(" " * indent + piece for piece in pieces[1:])])


def since(stamp: str, now: datetime) -> float:
    """Seconds from a stored time stamp until `now`; 0 for an empty one."""
    return max(0.0, (now - parse_moment(stamp)).total_seconds()) if stamp else 0.0


def clock_time(stamp: str) -> str:
    """`12:03:45` in local time, of a stored time stamp; dashes for an empty one."""
    return parse_moment(stamp).astimezone().strftime("%H:%M:%S") if stamp else "--:--:--"


def run_times(run: Run, now: datetime, *, alive: bool) -> tuple[float, float | None]:
    """Seconds that count against the time limit so far, and those left (None while it has no settings).

    The engine stores its own count now and then; between two counts a living, unpaused run goes on from
    the moment of the last, so that what is shown never jumps back. A much older count is an earlier
    engine's, whose successor has not counted yet.
    """
    since_count = since(run.used_at, now)
    ticking = alive and run.status in ("preparing", "running") and since_count < _COUNT_SECONDS
    elapsed = run.seconds_used + (since_count if ticking else 0.0)
    return elapsed, max(0.0, run.settings.time_limit - elapsed) if run.config else None


def number(value: float | None, places: int | None = None) -> str:
    """A score as people read it (`kaggle_runner.score.written`); a dash when there is none."""
    return "–" if value is None else written(value, places)


def interval(score: Score | None) -> str:
    """`0.91234 [0.90120, 0.92310]`, or a dash."""
    return "–" if score is None else str(score)


def dollars(value: float | None) -> str:
    """`$0.42`; a price that nobody knows is never shown as nothing."""
    return "$?" if value is None else f"${value:.2f}"


def tokens(count: int) -> str:
    """`950`, `12.3k`, `4.5M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def about(seconds: float) -> str:
    """A time that is only guessed: `50s`, `40m`, `2.5h`; never less than `10s`."""
    if seconds < 90:
        return f"{max(10, 10 * round(seconds / 10))}s"
    return f"{seconds / 60:.0f}m" if seconds < 2 * 3600 else f"{seconds / 3600:.1f}h"


def foreseen(forecast: Forecast | None, *, offline: bool = False) -> str:
    """`forecast $3.10 ($2.40–$4.00) in 40m`, or `dollars run out in 40m, round 2/3`; else empty.

    Recipes spend time alone.
    """
    if forecast is None:
        return ""
    passes = forecast.passes
    if passes is not None:
        return f"{passes.limit} run out in {about(passes.seconds)}, round {passes.round}/{forecast.rounds}"
    in_time = f"in {about(forecast.seconds_left.expected)}"
    if forecast.dollars is not None and forecast.dollars.high > 0:
        low, expected, high = (dollars(value) for value in forecast.dollars)
        return f"forecast {expected} ({low}–{high}) {in_time}"
    if offline or not forecast.tokens.high:  # a replay asks nobody
        return f"forecast: done {in_time}"
    low, expected, high = (_about_tokens(value) for value in forecast.tokens)
    return f"forecast {expected} tokens ({low}–{high}) {in_time}"


def _about_tokens(count: float) -> str:
    return tokens(int(count)) if count < 10_000 or count >= 1_000_000 else f"{count / 1000:.0f}k"


def spending(totals: Mapping[str, Any], settings: Settings) -> tuple[str, str]:
    """Dollars and tokens, each with the limit in force: `$0.42 of $5.00` and `12.3k of 1.0M tokens`.

    Recipes count no tokens.
    """
    spent, used = totals["dollars"], totals["prompt_tokens"] + totals["completion_tokens"]
    limit = dollar_limit(settings, priced=totals["calls"] > 0 and spent is not None)
    return spent_dollars(spent, limit), "" if settings.offline else spent_tokens(used, settings.max_tokens)


def spent_dollars(spent: float | None, limit: float | None) -> str:
    if spent is None:
        return "price unknown"
    return dollars(spent) + (f" of {dollars(limit)}" if limit is not None else "")


def spent_tokens(used: int, limit: int | None) -> str:
    return tokens(used) + (f" of {tokens(limit)}" if limit is not None else "") + " tokens"


def arrow(higher_is_better: bool) -> str:
    return "↑" if higher_is_better else "↓"


def place(test: Mapping[str, Any]) -> str:
    """`7/111 (synthetic)`: a rank is never shown without the kind of its board."""
    if not test.get("rank"):
        return "–"
    of_teams = f"/{test['teams']}" if test.get("teams") else ""
    return f"{test['rank']}{of_teams} ({test.get('board') or 'unknown'})"


LABELS_READABLE = "agents' code could read the validation labels: compare these scores with no other run's"


def labels_mark(readable: bool) -> str:
    """Stands beside every score of a run whose labels agents' code could read; empty for other runs."""
    return " (labels readable)" if readable else ""
