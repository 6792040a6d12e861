"""A judge that is not ours: llmock breaks the provider on purpose and grades how the client behaved.

Streams are not part of it: the client never streams, so that a stream cut off cleanly cannot pass for a whole
reply. Skipped where llmock is not installed: it is an extra of its own (`judge`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from comind.llm.budget import Budget
from comind.llm.client import CallKey, ModelClient
from comind.llm.endpoints import Endpoint
from comind.llm.faults import ContextOverflow
from comind.llm.profiles import ModelSettings
from comind.state.store import Store
from kaggle_runner.errors import ModelRefused, ModelUnavailable
from kaggle_runner.moments import SYSTEM_CLOCK

pytest.importorskip("llmock")

QUESTION = [{"role": "user", "content": "Count the rows."}]


class OpenClient(Protocol):
    def __call__(self, llmock: Any, **settings: Any) -> AbstractAsyncContextManager[ModelClient]: ...


@pytest.fixture
def opened(tmp_path: Path) -> OpenClient:
    """A client at the judge's server with the real clock: what is judged is when it sends."""

    @asynccontextmanager
    async def open_client(llmock: Any, **settings: Any) -> AsyncIterator[ModelClient]:
        with Store(tmp_path / "run.sqlite") as store:
            client = ModelClient(
                endpoints={"coder": Endpoint("gpt-4o-mini", llmock.base_url("openai"), "sk-judge")},
                log=store,
                budget=Budget(),
                clock=SYSTEM_CLOCK,
                rng=random.Random(0),
                settings=ModelSettings(**settings),
            )
            try:
                yield client
            finally:
                await client.aclose()

    return open_client


async def ask(client: ModelClient, agent: int = 1) -> str:
    return (await client.ask("coder", CallKey(f"r1-a{agent}", 1, "turn"), QUESTION)).text


async def test_rate_limits_are_waited_out(llmock: Any, opened: OpenClient) -> None:
    llmock.rate_limit(times=2, retry_after=1.2)
    async with opened(llmock) as client:
        assert await ask(client)
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [500, 503])
async def test_an_outage_that_passes_is_outlasted_with_growing_waits(
    llmock: Any, opened: OpenClient, status: int
) -> None:
    llmock.fail(status, times=2)
    async with opened(llmock) as client:
        assert await ask(client)
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_cannot_succeed_is_not_repeated(llmock: Any, opened: OpenClient, status: int) -> None:
    llmock.fail(status, times=None)
    async with opened(llmock) as client:
        for agent in (1, 2):
            with pytest.raises(ModelRefused):
                await ask(client, agent)
    llmock.assert_resilient(strict=True)


async def test_a_prompt_too_long_is_not_repeated(llmock: Any, opened: OpenClient) -> None:
    llmock.context_overflow()
    async with opened(llmock) as client:
        with pytest.raises(ContextOverflow):
            await ask(client)
    llmock.assert_resilient(strict=True)


async def test_a_real_quota_is_kept_when_it_is_known(llmock: Any, opened: OpenClient) -> None:
    """Four requests at once against four a minute: none of them is refused."""
    llmock.limits(rpm=4)
    async with opened(llmock, requests_per_minute=4) as client:
        await asyncio.gather(*(ask(client, agent) for agent in range(4)))
    assert {record.status for record in llmock.requests} == {200}
    llmock.assert_resilient(strict=True)


async def test_an_answer_that_never_comes_is_given_up(llmock: Any, opened: OpenClient) -> None:
    llmock.delay(2, times=None)
    async with opened(llmock, call_seconds=0.5) as client:
        with pytest.raises(ModelUnavailable, match="in time"):
            await ask(client)
    llmock.assert_resilient()
