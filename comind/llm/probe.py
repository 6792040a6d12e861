"""What one model at one address can do, learned from one tiny question and the server's own list of models.

The facts, as `EndpointFacts.facts` holds them:

* `roles`: whose own endpoint it is; empty for a fallback;
* `cap_parameter`, `cap_honoured`: the parameter that limits a reply, and whether it did;
* `temperature`: `accepted`, `refused` or `not sent`;
* `usage`: `reported` or `estimated`; `cached_tokens`: whether the server reports them;
* `reasoning`: whether hidden reasoning was counted;
* `context_tokens`, `context_from`: the window and who says so; null and `unknown` where nobody does;
* `seconds`, `tokens_per_second`: the question as a whole, reading the prompt and loading the model included;
* `served_model`: the name that the reply carries.

Asking costs one completion of CAP tokens; the lists are free. No reply of the model is judged here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from comind.llm.endpoints import Endpoint
from comind.llm.profiles import Profile
from comind.llm.replies import Answer
from comind.llm.tokens import estimate_tokens
from comind.state.records import EndpointFacts
from kaggle_runner.bodies import BadAnswer

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CAP: Final = 32
"""Completion tokens asked for; a server that keeps to it cuts the count to a hundred off."""
QUESTION: Final = [{"role": "user", "content": "Count from 1 to 100 in digits, separated by single spaces."}]
LEAST_CONTEXT: Final = 4096
"""With a smaller window no prompt of ours leaves room for a reply."""
_LIST_SECONDS: Final = 10.0
_WINDOW_FIELDS: Final = ("max_model_len", "context_length", "context_window", "max_context_length")


async def context_window(endpoint: Endpoint, sdk: AsyncOpenAI) -> tuple[int | None, str]:
    """The model's window in tokens and who says so; (None, "unknown") where nobody does.

    Servers name it in /v1/models each in their own way; llama.cpp names there what the model was trained
    for, and in /props what the server was started with.
    """
    entry = _entry(await _get(sdk, "/models"), endpoint.model)
    for name in _WINDOW_FIELDS:
        if window := _count(entry.get(name)):
            return window, f"/v1/models {name}"
    meta = entry.get("meta") if isinstance(entry.get("meta"), dict) else {}
    assert isinstance(meta, dict), "chosen above"
    if window := _count(meta.get("n_ctx")):
        return window, "/v1/models meta.n_ctx"
    if trained := _count(meta.get("n_ctx_train")):
        parts = urlsplit(endpoint.base_url)
        props = await _get(sdk, f"{parts.scheme}://{parts.netloc}/props")
        defaults = props.get("default_generation_settings")
        if window := _count(defaults.get("n_ctx") if isinstance(defaults, dict) else None):
            return window, "/props n_ctx"
        return trained, "/v1/models meta.n_ctx_train"
    if window := _window_in_table(endpoint):
        return window, "genai-prices"
    return None, "unknown"


def facts_of(
    endpoint: Endpoint,
    profile: Profile,
    *,
    answer: Answer | None,
    seconds: float,
    roles: list[str],
    window: tuple[int | None, str],
    temperature_wanted: bool,
    at: str,
) -> EndpointFacts:
    """`answer` None: it answered that the limit left no room for a reply, as some reasoning models do."""
    sent = "refused" if "temperature" in profile.dropped else "accepted"
    facts: dict[str, Any] = {
        "roles": roles,
        "cap_parameter": None if profile.cap_name in profile.dropped else profile.cap_name,
        "cap_honoured": answer is None or not _ignores_cap(answer),
        "temperature": sent if temperature_wanted else "not sent",
        "usage": "reported" if answer is not None and answer.usage_reported else "estimated",
        "cached_tokens": answer is not None and answer.cached_reported,
        "reasoning": answer is None or answer.usage.reasoning_tokens > 0,
        "context_tokens": window[0],
        "context_from": window[1],
        "seconds": round(seconds, 3),
        "tokens_per_second": _rate(answer, seconds),
        "served_model": answer.served_model if answer else "",
    }
    return EndpointFacts(id=endpoint.id, model=endpoint.model, base_url=endpoint.base_url, facts=facts, at=at)


def recall(profile: Profile, facts: EndpointFacts) -> None:
    """Starts a profile with what was learned before, so that no refusal has to teach it again."""
    known = facts.facts
    if name := known.get("cap_parameter"):
        profile.cap_name = name
    if known.get("temperature") == "refused":
        profile.dropped.add("temperature")
    if window := known.get("context_tokens"):
        profile.context = window if profile.context is None else min(profile.context, window)


def told(facts: EndpointFacts) -> str:
    """One line for people."""
    known = facts.facts
    rate = f", about {known['tokens_per_second']:.3g} tokens/s" if known["tokens_per_second"] else ""
    parts = [
        f"{facts.model} at {urlsplit(facts.base_url).netloc} answers in {known['seconds']:.1f} s{rate}",
        f"window {known['context_tokens']:,} tokens ({known['context_from']})"
        if known["context_tokens"]
        else "window unknown",
        f"tokens {known['usage']}" + (" with cached ones" if known["cached_tokens"] else ""),
    ]
    if known["temperature"] == "refused":
        parts.append("takes no temperature")
    if not known["cap_honoured"]:
        parts.append("does not keep to the reply limit that it is sent: replies may be long and dear")
    served = known["served_model"]
    if served and served != facts.model:
        parts.append(f"calls itself {served}")
    return "; ".join(parts)


def _ignores_cap(answer: Answer) -> bool:
    """Twice the limit leaves room for other ways to count."""
    written = answer.usage.completion_tokens if answer.usage_reported else estimate_tokens(answer.text)
    return answer.finish_reason != "length" and written > 2 * CAP


def _rate(answer: Answer | None, seconds: float) -> float | None:
    if answer is None or seconds <= 0 or answer.usage.completion_tokens <= 0:
        return None
    return round(answer.usage.completion_tokens / seconds, 2)


async def _get(sdk: AsyncOpenAI, path: str) -> dict[str, Any]:
    """A JSON object from the server, empty when it serves none: this is only asked to know more."""
    import openai

    try:
        async with asyncio.timeout(_LIST_SECONDS):
            found = await sdk.get(path, cast_to=object)
    except (openai.APIError, BadAnswer, TimeoutError, ValueError, RecursionError, MemoryError):
        return {}
    return found if isinstance(found, dict) else {}


def _entry(listing: dict[str, Any], model: str) -> dict[str, Any]:
    """The model's entry; a server with a single model may call it anything."""
    data = listing.get("data")
    entries = [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
    named = [one for one in entries if one.get("id") == model]
    return (named or (entries if len(entries) == 1 else [{}]))[0]


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else None


def _window_in_table(endpoint: Endpoint) -> int | None:
    import genai_prices  # pydantic is slow to import

    try:
        priced = genai_prices.calc_price(
            genai_prices.Usage(input_tokens=1), endpoint.model, provider_api_url=endpoint.base_url
        )
    except LookupError:
        return None
    return _count(priced.model.context_window)
