"""A model client at a scripted server, with a store, a budget, and a clock that only waiting moves on."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import openai

from comind.llm.budget import Budget
from comind.llm.client import CallKey, ModelClient, Reply
from comind.llm.endpoints import Endpoint
from comind.llm.price_book import PriceBook
from comind.llm.prices import Price
from comind.llm.profiles import ModelSettings
from comind.llm.tokens import Messages
from comind.llm.transport import open_http
from comind.state.records import EndpointFacts, LlmCall
from comind.state.store import Store
from tests.fakes.clocks import HandClock
from tests.fakes.scripted_llm import ScriptedModel

KEY = CallKey("r1-a1", 3, "turn")
QUESTION = [{"role": "system", "content": "You code."}, {"role": "user", "content": "Count the rows."}]


@dataclass
class Desk:
    client: ModelClient
    server: ScriptedModel
    store: Store
    budget: Budget
    room: HandClock
    told: list[tuple[str, str]]

    async def ask(self, key: CallKey = KEY, messages: Messages = QUESTION) -> Reply:
        return await self.client.ask("coder", key, messages)

    def calls(self) -> list[LlmCall]:
        return self.store.all(LlmCall)


OpenDesk = Callable[..., AbstractAsyncContextManager[Desk]]


_loaded = False


async def load_client() -> None:
    """What a process imports with its first call may take longer than the short limits of calls in tests."""
    global _loaded
    if not _loaded:
        with ScriptedModel(["loaded"]) as server:
            http = open_http(Endpoint("scripted", server.url), None, httpx2.Timeout(600.0))
            async with openai.AsyncOpenAI(api_key="unused", base_url=server.url, http_client=http) as sdk:
                messages: Any = QUESTION
                create = sdk.chat.completions.with_raw_response.create
                (await create(model="scripted", messages=messages)).parse()
        _loaded = True


def desk_opener(folder: Path) -> OpenDesk:
    """Desks whose store lies in `folder`: a second one finds what the first has recorded.

    `seconds`: of the run's time.
    """

    @asynccontextmanager
    async def open_desk(
        script: Any,
        *,
        model: str = "scripted",
        settings: ModelSettings | None = None,
        prices: dict[str, Price] | None = None,
        api_key: str = "unused",
        budget: dict[str, Any] | None = None,
        seconds: float = math.inf,
        fallbacks: Sequence[Endpoint] = (),
        facts: Sequence[EndpointFacts] = (),
        **server_options: Any,
    ) -> AsyncIterator[Desk]:
        await load_client()
        room = HandClock()
        purse = Budget(seconds_left=lambda: seconds - room.seconds, **(budget or {}))
        told: list[tuple[str, str]] = []
        with (
            ScriptedModel(script, models=(model,), **server_options) as server,
            Store(folder / "run.sqlite", clock=room) as store,
        ):
            purse.restore(store.all(LlmCall))
            client = ModelClient(
                endpoints={"coder": Endpoint(model, server.url, api_key)},
                fallbacks=fallbacks,
                facts=facts,
                log=store,
                budget=purse,
                clock=room,
                rng=random.Random(0),
                sleep=room.sleep,
                tell=lambda kind, message: told.append((kind, message)),
                prices=PriceBook(prices),
                settings=settings,
            )
            try:
                yield Desk(client, server, store, purse, room, told)
            finally:
                await client.aclose()

    return open_desk
