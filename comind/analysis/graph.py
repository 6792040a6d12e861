"""The community's dependency graph, queried: lineage, influence, forks and blends (CoMind paper, Community).

Vertices are kernels and datasets, an edge says "builds on". A kernel and the dataset that holds its outputs
share an id where this run published both, so they are one vertex. Whose predictions are alike is
`comind.analysis.members`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from comind.analysis.likeness import code_sketch, groups, likeness
from comind.state.records import Kernel, Link
from kaggle_runner.input_names import READ_INPUT

FORK_LIKENESS = 0.8
"""Share of common token runs from which two kernels are one solution."""
LEAST_RUNS = 40
"""Shorter sources are alike by chance: they read a table and write one."""

_FILE_READ = re.compile(rf"""{READ_INPUT.pattern}/[^'"\n]*""")
_FIT = re.compile(r"\.fit(?:_transform|_predict)?\(|cross_val_\w+\(|(?:lgb|xgb)\.train\(|\.backward\(")
_PREDICTIONS = re.compile(r"submission|oof|pred|blend|ensembl|stack", re.I)


@dataclass(frozen=True, slots=True)
class Graph:
    """Who builds on whom. `needs` are direct edges, `users` the same edges backwards."""

    needs: Mapping[str, frozenset[str]]
    users: Mapping[str, frozenset[str]]

    def lineage(self, id: str) -> list[str]:
        """What an artifact builds on, directly or not: nearest first, then by id."""
        return _reach(self.needs, id)

    def descendants(self, id: str) -> list[str]:
        """What builds on an artifact, directly or not: nearest first."""
        return _reach(self.users, id)

    def influence(self, id: str) -> int:
        """How many artifacts build on this one, directly or not."""
        return len(self.descendants(id))


def build_graph(links: Iterable[Link]) -> Graph:
    """A published dataset builds on the kernel that made it; any other link's source on its target."""
    needs: dict[str, set[str]] = {}
    users: dict[str, set[str]] = {}
    for link in links:
        user, needed = (link.target, link.source) if link.kind == "publishes" else (link.source, link.target)
        if user != needed:
            needs.setdefault(user, set()).add(needed)
            users.setdefault(needed, set()).add(user)
    return Graph(
        {id: frozenset(ids) for id, ids in needs.items()}, {id: frozenset(ids) for id, ids in users.items()}
    )


def fork_groups(kernels: Sequence[Kernel]) -> list[list[Kernel]]:
    """Kernels whose sources are nearly the same, the one to keep first in each group; alone when unique.

    Kept is what was verified to work, then the earliest (the original), then the most voted.
    """
    by_id = {kernel.id: kernel for kernel in kernels}
    sketches = {kernel.id: code_sketch(kernel.source) for kernel in kernels}
    long_enough = [id for id, sketch in sketches.items() if sketch.total >= LEAST_RUNS]
    alike = (
        pair
        for pair in combinations(long_enough, 2)
        if likeness(*(sketches[id] for id in pair)) >= FORK_LIKENESS
    )
    return [sorted((by_id[id] for id in group), key=_first_of_forks) for group in groups(alike, list(by_id))]


def is_blend(source: str, competition: str, inputs: Sequence[str] = ()) -> bool:
    """Whether a kernel mostly reads other kernels' outputs: at least two of them, and more than it fits.

    `inputs` are names of outputs that it may read; those in its source count, however it spells paths.
    """
    members = {
        match[1]
        for match in _FILE_READ.finditer(source)
        if match[1] != competition and _PREDICTIONS.search(match[0])
    }
    members |= {name for name in inputs if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", source)}
    return len(members) >= 2 and len(members) > len(_FIT.findall(source))


def use_links(kernel: Kernel, targets: Sequence[str], *, blends: bool) -> list[Link]:
    """What a kernel reads, as edges: `blends` where it mostly combines what it reads."""
    kind: Literal["uses", "blends"] = "blends" if blends else "uses"
    return [
        Link(id=f"{kernel.id} {kind} {target}", source=kernel.id, target=target, kind=kind)
        for target in targets
    ]


def similarity_links(kernels: Sequence[Kernel]) -> list[Link]:
    """A `forks` link from each near-copy to the kernel that stands for its group."""
    return [
        Link(id=f"{copy.id} forks {group[0].id}", source=copy.id, target=group[0].id, kind="forks")
        for group in fork_groups(kernels)
        for copy in group[1:]
    ]


def _first_of_forks(kernel: Kernel) -> tuple[bool, bool, str, int, str]:
    return (
        kernel.verified == "failed",
        kernel.verified != "ok",
        kernel.created_at or "9",
        -kernel.votes,
        kernel.id,
    )


def _reach(edges: Mapping[str, frozenset[str]], start: str) -> list[str]:
    found: dict[str, None] = {}
    frontier = [start]
    while frontier:
        frontier = sorted(
            {next for id in frontier for next in edges.get(id, ()) if next not in found and next != start}
        )
        found.update(dict.fromkeys(frontier))
    return list(found)
