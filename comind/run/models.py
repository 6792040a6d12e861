"""Opens the model client of a run: endpoints by role, budget, prices, recorded calls."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comind.config import DEFAULT_MAX_DOLLARS, ROLES, RunConfig
from comind.control import Control, while_wanted
from comind.llm.attempt import Tell
from comind.llm.budget import Budget
from comind.llm.client import CallKey, CallLog, ModelClient, NoLog, Reply
from comind.llm.endpoints import Endpoint, endpoints_by_role, fallback_endpoints
from comind.llm.price_book import PriceBook
from comind.llm.prices import FREE, parse_prices
from comind.llm.probe import told
from comind.llm.profiles import ModelSettings
from comind.llm.question import Asker
from comind.llm.tokens import Messages
from comind.run.recorded import RecordedModel
from comind.run.recording import read_recording
from comind.run.window import effective_context
from comind.state.records import EndpointFacts, LlmCall
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.errors import AgentLimitReached, LimitReached
from kaggle_runner.moments import Clock

if TYPE_CHECKING:
    import httpx2


class Timely:
    """A client whose waiting ends with the run's or the asking agent's time, or with a person's stop.

    A slow model may take half an hour for a reply that nobody wants any more. What holds for reports instead
    is `Control.report_stop_reason`. When the budget refuses the run, and not one agent, the run winds down.
    """

    def __init__(self, client: Asker, control: Control) -> None:
        self._client = client
        self.log = client.log
        self._control = control

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        """As the client's. Raises LimitReached with the reason when the reply is not waited for any more."""
        return await while_wanted(self._answer(role, key, messages), lambda: self._ended(key))

    async def _answer(self, role: str, key: CallKey, messages: Messages) -> Reply:
        try:
            return await self._client.ask(role, key, messages)
        except AgentLimitReached:
            raise
        except LimitReached as error:
            self._control.wind_down(error.message)
            raise

    def _ended(self, key: CallKey) -> str:
        if key.kind == "report":
            return self._control.report_stop_reason(key.agent)
        return self._control.stop_reason(key.agent)


@dataclass(frozen=True, slots=True)
class ModelDesk:
    client: Asker
    budget: Budget


@dataclass(frozen=True, slots=True)
class Checked:
    """What the check before a run has learned."""

    label: str
    """The models' names as people are shown them."""
    facts: list[EndpointFacts]
    remarks: list[str]
    """Endpoints that do not answer while others stand in."""


async def check_models(config: RunConfig, environment: Mapping[str, str], clock: Clock) -> Checked:
    """One small question to each distinct endpoint, fallbacks too.

    Raises ConfigError, ModelRefused or ModelUnavailable with what to do.
    """
    budget = Budget(
        max_dollars=_max_dollars(config, environment),
        is_default_cap=config.max_cost is None,
        agent_max_dollars=config.agent_max_cost,
    )
    remarks: list[str] = []
    client = _client(config, environment, NoLog(), budget, clock, tell=lambda _, told: remarks.append(told))
    try:
        facts = await client.check()
    finally:
        await client.aclose()
    effective_context(config, facts)
    endpoints = _endpoints(config, environment)
    label = ", ".join(dict.fromkeys(endpoints[role].name for role in ROLES))
    return Checked(label, [] if config.offline else facts, remarks)


def record_check(store: Store, checked: Checked) -> None:
    """What the check learned, kept for every engine of the run and told to people."""
    store.save(*checked.facts)
    for facts in checked.facts:
        store.event("endpoint", told(facts), data=facts.facts)
    for remark in checked.remarks:
        store.event("model_switched", remark)


@asynccontextmanager
async def open_models(
    config: RunConfig,
    environment: Mapping[str, str],
    store: Store,
    clock: Clock,
    seconds_left: Callable[[], float],
) -> AsyncIterator[ModelDesk]:
    """The client of one engine; what earlier engines of the run have paid counts against its limits.

    `seconds_left`: of the run's time.
    """
    if config.replay:
        recording = read_recording(RunFolder(store.path.parent).recording)
        yield ModelDesk(RecordedModel(recording, store, clock), Budget())
        return
    budget = Budget(
        max_dollars=_max_dollars(config, environment),
        is_default_cap=config.max_cost is None,
        max_tokens=config.max_tokens,
        agent_max_dollars=config.agent_max_cost,
        agent_max_tokens=config.agent_max_tokens,
        seconds_left=seconds_left,
    )
    budget.restore(store.all(LlmCall))
    client = _client(
        config,
        environment,
        store,
        budget,
        clock,
        facts=store.all(EndpointFacts),
        run=store.path.parent.name,
        tell=store.event,
    )
    try:
        yield ModelDesk(client, budget)
    finally:
        await client.aclose()


def _endpoints(config: RunConfig, environment: Mapping[str, str]) -> dict[str, Endpoint]:
    if config.offline:
        from comind.offline.transport import OFFLINE_BASE_URL, OFFLINE_LABEL, OFFLINE_MODEL

        recipes = Endpoint(OFFLINE_MODEL, OFFLINE_BASE_URL, label=OFFLINE_LABEL, price=FREE)
        return dict.fromkeys(ROLES, recipes)
    return endpoints_by_role(config.model, config.base_url or None, config.role_models, environment)


def _max_dollars(config: RunConfig, environment: Mapping[str, str]) -> float | None:
    """What the person set; else a default where any price is known: what can be capped is capped."""
    if config.max_cost is not None:
        return None if math.isinf(config.max_cost) else config.max_cost
    if config.offline:
        return None
    book = PriceBook(parse_prices(config.prices))
    asked = [*_endpoints(config, environment).values(), *_fallbacks(config, environment)]
    return DEFAULT_MAX_DOLLARS if any(book.knows(endpoint) for endpoint in asked) else None


def _fallbacks(config: RunConfig, environment: Mapping[str, str]) -> list[Endpoint]:
    """The recipes never fail, and never fall back to a model that costs money."""
    if config.offline:
        return []
    return fallback_endpoints(config.fallback_models, config.base_url or None, environment)


def _client(
    config: RunConfig,
    environment: Mapping[str, str],
    log: CallLog,
    budget: Budget,
    clock: Clock,
    *,
    tell: Tell,
    facts: Iterable[EndpointFacts] = (),
    run: str = "",
) -> ModelClient:
    transport: httpx2.AsyncBaseTransport | None = None
    if config.offline:
        from comind.offline.transport import offline_transport

        transport = offline_transport()
    return ModelClient(
        endpoints=_endpoints(config, environment),
        fallbacks=_fallbacks(config, environment),
        facts=facts,
        run=run,
        tell=tell,
        log=log,
        budget=budget,
        clock=clock,
        rng=random.Random(config.seed),
        transport=transport,
        prices=PriceBook(parse_prices(config.prices)),
        settings=_settings(config),
    )


def _settings(config: RunConfig) -> ModelSettings:
    return ModelSettings(
        max_completion_tokens=config.reply_tokens,
        context_tokens=config.context_tokens,
        concurrency=config.concurrency,
        requests_per_minute=config.requests_per_minute,
        tokens_per_minute=config.tokens_per_minute,
        call_seconds=config.call_time_limit,
        temperature=config.temperature,
    )
