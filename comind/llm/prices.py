"""What a million tokens cost, and how many tokens a request took; `price_book` knows which price counts."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kaggle_runner.errors import ConfigError

_FIELDS = ("input", "output", "cached")


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars a million tokens. `cached` None means that cached prompt tokens cost as much as others."""

    input: float
    output: float
    cached: float | None = None

    def dollars(self, usage: Usage) -> float:
        cached_rate = self.input if self.cached is None else self.cached
        uncached = usage.prompt_tokens - usage.cached_tokens
        return (
            uncached * self.input + usage.cached_tokens * cached_rate + usage.completion_tokens * self.output
        ) / 1e6


FREE = Price(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. Cached tokens are part of the prompt's, reasoning tokens of the completion's."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


def parse_prices(table: Mapping[str, Any]) -> dict[str, Price]:
    """`{model: {input, output, cached}}` in dollars a million tokens. Raises ConfigError naming the entry."""
    prices = {}
    for model, entry in table.items():
        if not isinstance(entry, Mapping):
            raise ConfigError(
                f"the price of {model!r} is {entry!r}", hint="write {input: 0.75, output: 4.5, cached: 0.075}"
            )
        for name in entry:
            if name not in _FIELDS:
                nearest = difflib.get_close_matches(str(name), _FIELDS, n=1)
                raise ConfigError(
                    f"the price of {model!r} has an unknown field {name!r}",
                    hint=f"did you mean {nearest[0]!r}?"
                    if nearest
                    else f"the fields are {', '.join(_FIELDS)}",
                )
        cached = entry.get("cached")
        prices[model] = Price(
            _amount(model, "input", entry.get("input")),
            _amount(model, "output", entry.get("output")),
            None if cached is None else _amount(model, "cached", cached),
        )
    return prices


def _amount(model: str, name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    raise ConfigError(
        f"the {name} price of {model!r} is {value!r}", hint="give dollars a million tokens, for instance 0.75"
    )
