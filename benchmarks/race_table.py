"""The figures of a race as Markdown: seconds to each target by tool, what each spent, and the best so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.slow_endpoint import Call


@dataclass(frozen=True, slots=True)
class Scored:
    """A graded submission. `seconds` count from the start of the tool's process."""

    seconds: float
    public: float
    private: float
    what: str
    """An evaluation's id (`k07-s01` is a community kernel as it is, `r1-a2-s04` a draft's cell) or a file."""


@dataclass(frozen=True, slots=True)
class Side:
    """One tool on one competition."""

    name: str
    scored: list[Scored] = field(default_factory=list)
    steps: int = 0
    failures: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def spent(self, calls: Iterable[Call]) -> Side:
        made = list(calls)
        tokens = sum(call.prompt_tokens + call.completion_tokens for call in made)
        return replace(self, calls=len(made), tokens=tokens)

    def own_drafts(self) -> Side:
        """CoMind without what community kernels scored as they are."""
        return replace(
            self,
            name=f"{self.name}, own drafts alone",
            scored=[one for one in self.scored if not re.match(r"k\d+-", one.what)],
        )

    def first(self, target: float, higher: bool) -> Scored | None:
        """The first submission at least as good as `target`."""
        sign = 1 if higher else -1
        hits = [one for one in self.scored if sign * one.public >= sign * target]
        return min(hits, key=lambda one: one.seconds, default=None)

    def best_by(self, seconds: float, higher: bool) -> Scored | None:
        """The best by public score of what was submitted within so many seconds."""
        early = [one for one in self.scored if one.seconds <= seconds]
        return (max if higher else min)(early, key=lambda one: one.public, default=None)


def race_table(title: str, targets: Mapping[str, float], sides: Sequence[Side], higher: bool) -> str:
    """Markdown; `sides` begin with CoMind, to which the others' multiples refer."""
    ours, *others = sides
    at_least = "≥" if higher else "≤"
    heads = [f"{name} ({at_least} {target:g})" for name, target in targets.items()]
    lines = [title, "", _row("seconds to", heads), _rule(len(heads))]
    for side in (ours, ours.own_drafts(), *others):
        cells = [_cell(side, ours, target, higher, multiple=side in others) for target in targets.values()]
        lines.append(_row(side.name, cells))
    heads = ["seconds", "submissions", "best public", "its private", "steps", "failures", "calls", "tokens"]
    lines += ["", _row("spent", heads), _rule(len(heads))]
    for side in sides:
        best = side.best_by(float("inf"), higher)
        scores = [f"{best.public:.5g}", f"{best.private:.5g}"] if best else ["none", "none"]
        counts = [side.steps, side.failures, side.calls, f"{side.tokens:,}"]
        lines.append(_row(side.name, [f"{side.seconds:.0f}", len(side.scored), *scores, *counts]))
    marks = range(60, int(max(side.seconds for side in sides)) + 1, 60)
    lines += ["", _row("best public after", [f"{mark} s" for mark in marks]), _rule(len(marks))]
    for side in sides:
        reached = [side.best_by(mark, higher) for mark in marks]
        lines.append(_row(side.name, [f"{one.public:.5g}" if one else "–" for one in reached]))
    return "\n".join(lines) + "\n"


def _cell(side: Side, ours: Side, target: float, higher: bool, *, multiple: bool) -> str:
    """Seconds to the target, with how many times ours that is; a lower bound for who never arrived."""
    hit, first = side.first(target, higher), ours.first(target, higher)
    said = f"{hit.seconds:.0f}" if hit else "not reached"
    if not multiple or first is None:
        return said
    times = (hit.seconds if hit else side.seconds) / first.seconds
    return f"{said} ({'' if hit else '> '}{times:.1f} ×)"


def _row(name: str, cells: Iterable[object]) -> str:
    return "| " + " | ".join([name, *map(str, cells)]) + " |"


def _rule(count: int) -> str:
    return "|---" * (count + 1) + "|"
