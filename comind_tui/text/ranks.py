"""Ranks in words: place, movement, medal lines, deadline; the same for plain lines and for the screen.

A rank is never shown without the kind of its board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from comind_tui.text.plain import arrow, number
from kaggle_runner.errors import KaggleError
from kaggle_runner.moments import duration, stamp
from kaggle_runner.ranks.records import GROUPS, Look, Movement, Moves, Zone
from kaggle_runner.texts import one_line

NAMED = 3
"""Teams called by name where many have moved."""


def board_kind(look: Look) -> str:
    return f"{one_line(look.board)} board"


def place_text(look: Look) -> str:
    """`rank 812/14,203 (live board)`."""
    if look.own is None:
        return f"not on the board yet ({look.teams:,} teams, {board_kind(look)})"
    return f"rank {look.own.rank:,}/{look.teams:,} ({board_kind(look)})"


def score_text(look: Look) -> str:
    direction = "" if look.higher_is_better is None else f" {arrow(look.higher_is_better)}"
    return f"score {number(look.own.score if look.own else None)}{direction}"


def places(movement: Movement | None) -> str:
    """`▲3`, `▼12`, `=`; empty where nothing can be compared."""
    if movement is None or movement.places is None:
        return ""
    if movement.places == 0:
        return "="
    return f"{'▲' if movement.places > 0 else '▼'}{abs(movement.places):,}"


def movement_text(look: Look) -> str:
    """`▲3 in 1m 00s, ▲120 in 1d 00h`: since the last look and since a day, or as far as history reaches."""
    parts = []
    for movement in (look.since_last, look.since_day):
        if movement and places(movement):
            part = f"{places(movement)} in {duration(look.at - movement.since)}"
            if part not in parts:
                parts.append(part)
    return ", ".join(parts)


def next_zone_text(look: Look) -> str:
    """`silver needs +0.00120, past 0.78110`: in score, in the metric's good direction."""
    zone = look.next_zone
    if zone is None:
        return "no medal above it" if look.medal else ""
    if look.own is None or zone.lead is None:
        return f"{zone.medal} begins at {number(zone.score)}"
    return f"{zone.medal} needs {missing(zone, look)}, past {number(zone.score)}"


def missing(zone: Zone, look: Look) -> str:
    """The change of score to the line: `+0.00120`, or `-0.00120` where lower is better."""
    distance = abs(zone.lead or 0.0)
    sign = "+" if look.higher_is_better else "-"
    return sign + number(distance, _places(zone.score))


def zone_lead(zone: Zone, look: Look) -> str:
    """`0.00200 inside`, `0.00120 short`, or a dash."""
    if zone.lead is None or look.own is None:
        return "–"
    inside = look.own.rank <= zone.last_rank
    return f"{number(abs(zone.lead), _places(zone.score))} {'inside' if inside else 'short'}"


def _places(score: float | None) -> int:
    """Digits of differences: as many as scores of that size have."""
    written = number(score if score is not None else 0.0)
    return 5 if "e" in written else len(written.partition(".")[2])


def submissions_text(look: Look) -> str:
    if look.submissions_left is None:
        return "submissions unknown (not entered?)"
    return f"{look.submissions_left} submissions left today"


def deadline_text(look: Look, now: datetime) -> str:
    """`12d 04h to 2026-12-04 23:59 UTC (12-05 08:59 JST)`."""
    if look.deadline is None:
        return "no deadline"
    moment = datetime.fromtimestamp(look.deadline, UTC)
    seconds = look.seconds_left(now.timestamp()) or 0.0
    if seconds < 0:
        return f"ended {duration(-seconds)} ago ({moment:%Y-%m-%d %H:%M} UTC)"
    here = moment.astimezone()
    local = f" ({here:%m-%d %H:%M %Z})" if here.utcoffset() else ""
    return f"{duration(seconds)} to {moment:%Y-%m-%d %H:%M} UTC{local}"


def moves_texts(moves: Moves) -> list[str]:
    """One sentence a kind of movement."""
    told = (
        ("passed us: ", moves.passed_us),
        ("we passed: ", moves.passed_by_us),
        ("new above us: ", moves.new_above),
        ("gone from above: ", moves.gone_above),
    )
    texts = [f"{words}{_some(group.names, group.count)}" for words, group in told if group.count]
    climbs = [
        f"{one_line(climb.team)} {'new' if climb.before is None else climb.before}→{climb.now}"
        for climb in moves.climbs
    ]
    return [*texts, f"climbed: {_some(climbs, len(climbs))}"] if climbs else texts


def _some(named: Sequence[str], count: int) -> str:
    shown = ", ".join(one_line(name) for name in named[:NAMED])
    return shown if count <= NAMED else f"{shown} and {count - NAMED:,} more"


def look_line(look: Look, now: datetime) -> str:
    """Everything on one line, most important first."""
    at = datetime.fromtimestamp(look.at, UTC).astimezone()
    parts = [
        f"{one_line(look.competition)}: {place_text(look)}",
        movement_text(look),
        score_text(look) if look.own else "",
        look.medal or ("no medal" if look.own else ""),
        next_zone_text(look),
        submissions_text(look),
        deadline_text(look, now),
        *moves_texts(look.moves),
    ]
    return f"{at:%H:%M:%S}  " + "; ".join(part for part in parts if part)


def trouble_line(error: KaggleError, look: Look | None, now: datetime) -> str:
    """What went wrong, and how old what is known is."""
    age = f"; the last look is {duration(now.timestamp() - look.at)} old" if look else ""
    return f"{now.astimezone():%H:%M:%S}  {one_line(error.message)}{age}"


def look_document(look: Look, kaggle: str, account: str) -> dict[str, Any]:
    """`--json`: moments as UTC stamps, changes with the direction spelled out."""
    zone = look.next_zone
    groups = {name: getattr(look.moves, name) for name in GROUPS}
    return {
        "competition": look.competition,
        "kaggle": kaggle,
        "account": account,
        "at": _stamp(look.at),
        "board": look.board,
        "teams": look.teams,
        "higher_is_better": look.higher_is_better,
        "on_board": look.own is not None,
        "team": look.own.team if look.own else None,
        "team_id": look.own.team_id if look.own else None,
        "rank": look.own.rank if look.own else None,
        "score": look.own.score if look.own else None,
        "medal": look.medal,
        "since_last": _movement(look.since_last),
        "since_day": _movement(look.since_day),
        "zones": [
            {"medal": z.medal, "last_rank": z.last_rank, "score": z.score, "lead": _rounded(z.lead)}
            for z in look.zones
        ],
        "next_zone": zone.medal if zone else None,
        "next_zone_needs": _needs(zone, look),
        **{name: {"count": group.count, "teams": list(group.names)} for name, group in groups.items()},
        "climbed": [asdict(climb) for climb in look.moves.climbs],
        "neighbours": [asdict(row) for row in look.neighbours],
        "submissions_today": look.submissions_today,
        "submissions_left": look.submissions_left,
        "deadline": _stamp(look.deadline) if look.deadline is not None else None,
        "seconds_left": _rounded(look.seconds_left(look.at)),
        "clock_offset": _rounded(look.clock_offset),
    }


def _needs(zone: Zone | None, look: Look) -> float | None:
    """The signed change of score that reaches the line."""
    if zone is None or zone.lead is None:
        return None
    return _rounded(-zone.lead if look.higher_is_better else zone.lead)


def _movement(movement: Movement | None) -> dict[str, Any] | None:
    if movement is None:
        return None
    return {
        "at": _stamp(movement.since),
        "places": movement.places,
        "score_change": _rounded(movement.score_change),
        "teams": movement.teams,
    }


def _rounded(value: float | None) -> float | None:
    """Differences without the last digits of a float."""
    return None if value is None else float(f"{value:.9g}")


def _stamp(at: float) -> str:
    return stamp(datetime.fromtimestamp(at, UTC))
