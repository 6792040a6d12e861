"""The shelf: what the policy can propose for a kind of data. Names and numbers; `recipes/` writes the code.

A variant with `after` improves on another one and is only proposed once that one was measured.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from mle_live.layout.tables import Modality

Params = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the coder builds cells from. It travels as `RECIPE = dict(…)` inside drafts and reports."""

    modality: Modality
    family: str
    features: tuple[str, ...] = ()
    params: Params = field(default_factory=dict)
    folds: int = 3
    seed: int = 0

    @property
    def source(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return (
            "RECIPE = dict(\n"
            f"    modality={self.modality!r}, family={self.family!r},\n"
            f"    features={list(self.features)!r},\n"
            f"    params=dict({values}),\n"
            f"    folds={self.folds}, seed={self.seed},\n"
            ")"
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """One proposal. Its title is its name on the leaderboard, by which later rounds know it again."""

    title: str
    family: str
    idea: str
    features: tuple[str, ...] = ()
    params: Params = field(default_factory=dict)
    after: str = ""
    """Title of the variant that this one improves on."""
    max_rows: int = 10_000_000
    words: str = ""
    """Regular expression of names in public code that speak for it."""
    needs: str = ""
    """Package without which it is not proposed."""
    least_seconds: float = 0.0
    """Of one agent: with less it does worse than what it improves on."""
    support: float = 0.0
    """From 0 to 1, what speaks for it before any public code does."""

    def recipe(self, modality: Modality) -> Recipe:
        return Recipe(modality, self.family, self.features, dict(self.params))


def find_recipe(text: str) -> Recipe | None:
    """The last `RECIPE = dict(…)` in a text, or None."""
    for match in reversed(list(re.finditer(r"^[ \t>]*RECIPE = (dict\(.*?^\s*\))[ \t]*$", text, re.M | re.S))):
        recipe = _parse(match[1])
        if recipe:
            return recipe
    return None


def _parse(source: str) -> Recipe | None:
    try:
        call = ast.parse(re.sub(r"^[ \t]*> ?", "", source, flags=re.M), mode="eval").body
        values = _literal(call)
    except (SyntaxError, ValueError):
        return None
    if not isinstance(values, dict) or values.get("modality") not in get_args(Modality):
        return None
    params = values.get("params")
    return Recipe(
        modality=values["modality"],
        family=str(values.get("family", "")),
        features=tuple(map(str, values.get("features") or ())),
        params=params if isinstance(params, dict) else {},
        folds=int(values.get("folds", 3)),
        seed=int(values.get("seed", 0)),
    )


def _literal(node: ast.expr) -> object:
    """A literal that may also hold `dict(name=value)` calls; nothing is run. ValueError for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return {keyword.arg: _literal(keyword.value) for keyword in node.keywords if keyword.arg}
    return ast.literal_eval(node)
