"""What a call costs in dollars. A price that nobody knows stays unknown (None) and is never shown as zero.

Sources, first match wins: the person's own table, the endpoint's own price (the offline recipes are free),
then the `genai-prices` table shipped with that package, looked up by model *and* address, so that a model
behind an unknown gateway or on a local server has no price unless one was given.
"""

from __future__ import annotations

from collections.abc import Mapping

from comind.llm.endpoints import Endpoint
from comind.llm.prices import Price, Usage


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
