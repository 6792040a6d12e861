"""What a call costs in dollars. A price that nobody knows stays unknown (None) and is never shown as zero.

Sources, first match wins: the person's own table, the endpoint's own price (the offline recipes are free),
then the `genai-prices` table shipped with that package, looked up by model *and* address, so that a model
behind an unknown gateway or on a local server has no price unless one was given.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kaggle_runner.errors import ConfigError

if TYPE_CHECKING:
    from comind.llm.endpoints import Endpoint

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


class PriceBook:
    """Prices by model and address; `overrides` is the person's own table by model name."""

    def __init__(self, overrides: Mapping[str, Price] | None = None) -> None:
        self._overrides = dict(overrides or {})

    def dollars(self, endpoint: Endpoint, usage: Usage) -> float | None:
        """Dollars for `usage`, or None when the price of this model at this address is not known."""
        price = self._overrides.get(endpoint.model, endpoint.price)
        if price is not None:
            return price.dollars(usage)
        return _table_dollars(endpoint, usage)

    def knows(self, endpoint: Endpoint) -> bool:
        return self.dollars(endpoint, Usage(prompt_tokens=1, completion_tokens=1)) is not None


def _table_dollars(endpoint: Endpoint, usage: Usage) -> float | None:
    import genai_prices  # pydantic is slow to import

    counted = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
    )
    try:
        priced = genai_prices.calc_price(counted, endpoint.model, provider_api_url=endpoint.base_url)
    except LookupError:
        return None
    return float(priced.total_price)


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
