"""What a look at a leaderboard comes to, as records, and as the JSON that the account's book keeps.

Moments are seconds since 1970 (UTC). Nothing is computed here but what follows from one record alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kaggle_runner.ranks.medals import MEDALS, Medal


@dataclass(frozen=True, slots=True)
class Row:
    """One team of a board. Teams with equal scores may share a rank; `score` is None where none is shown."""

    rank: int
    team_id: int
    team: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Zone:
    """The places of a medal: down to `last_rank`, whose team has `score`.

    `lead` is how much better the own score is than the line, in the metric's good direction; below zero it is
    what is missing. None without an own score or a known direction.
    """

    medal: Medal
    last_rank: int
    score: float | None
    lead: float | None


@dataclass(frozen=True, slots=True)
class Movement:
    """What has changed since a look at `since`. `places` is above zero after a climb.

    None where one of the two looks has no rank, or no score.
    """

    since: float
    places: int | None
    score_change: float | None
    teams: int


@dataclass(frozen=True, slots=True)
class Climb:
    """A team with a better score than before; `before` is None for a new team."""

    team: str
    before: int | None
    now: int


@dataclass(frozen=True, slots=True)
class Group:
    """How many teams did something, and the names of the best-placed ones."""

    count: int = 0
    names: tuple[str, ...] = ()


NOBODY = Group()

GROUPS = ("passed_us", "passed_by_us", "new_above", "gone_above")
"""The groups of `Moves`."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Who moved between two looks. `new_above` and `gone_above` came in and left above the own place."""

    passed_us: Group = NOBODY
    passed_by_us: Group = NOBODY
    new_above: Group = NOBODY
    gone_above: Group = NOBODY
    climbs: tuple[Climb, ...] = ()

    @property
    def any(self) -> bool:
        groups = (self.passed_us, self.passed_by_us, self.new_above, self.gone_above)
        return bool(self.climbs) or any(group.count for group in groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a competition's board at the moment `at`."""

    competition: str
    at: float
    board: str
    """`live`, or the kind that MLE-Live names, such as `synthetic`: shown wherever a rank is."""
    higher_is_better: bool | None
    teams: int
    own: Row | None
    """None when the team is not on the board yet."""
    medal: Medal | None
    zones: tuple[Zone, ...]
    neighbours: tuple[Row, ...]
    moves: Moves
    since_last: Movement | None
    since_day: Movement | None
    """Since the look a day ago, or since the first one when history is shorter."""
    submissions_today: int | None
    submissions_left: int | None
    """None when the server does not tell, as before the rules are accepted."""
    deadline: float | None
    clock_offset: float = 0.0
    """The server's clock minus ours, in seconds; the deadline is by the server's."""

    def seconds_left(self, now: float) -> float | None:
        """Until the deadline, when our clock shows `now`; below zero after it."""
        return None if self.deadline is None else self.deadline - now - self.clock_offset

    @property
    def next_zone(self) -> Zone | None:
        """The nearest zone above the own place; the bronze one when there is no place; None with gold."""
        if self.own is None:
            return next((zone for zone in self.zones if zone.medal == MEDALS[-1]), None)
        ahead = [zone for zone in self.zones if self.own.rank > zone.last_rank]
        return ahead[-1] if ahead else None


@dataclass(frozen=True, slots=True)
class Point:
    """One look as history and plots know it."""

    at: float
    rank: int | None
    teams: int
    score: float | None
    gold: float | None
    silver: float | None
    bronze: float | None


def point(look: Look) -> Point:
    lines = {zone.medal: zone.score for zone in look.zones}
    rank, score = (look.own.rank, look.own.score) if look.own else (None, None)
    return Point(look.at, rank, look.teams, score, *(lines.get(medal) for medal in MEDALS))


def with_moves(look: Look, moves: Moves, *, since_last: Movement | None, since_day: Movement | None) -> Look:
    """The look with what history adds to it."""
    return replace(look, moves=moves, since_last=since_last, since_day=since_day)
