"""Limits of the run and of each agent: whatever agents ask in whatever order, none is passed."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comind.llm.budget import Budget
from comind.llm.prices import Usage
from comind.state.records import LlmCall
from kaggle_runner.errors import AgentLimitReached, LimitReached


def price(usage: Usage) -> float:
    """A cent a hundred prompt tokens, four times that for completion tokens."""
    return (usage.prompt_tokens + 4 * usage.completion_tokens) * 1e-4


def budget(**limits: Any) -> Budget:
    return Budget(**limits)


def call(agent: str, prompt: int, completion: int) -> LlmCall:
    return LlmCall(
        id="x", role="coder", agent=agent, step=1, kind="turn", attempt=1, model="m", base_url="u",
        prompt_tokens=prompt, completion_tokens=completion, dollars=price(Usage(prompt, completion)),
    )  # fmt: skip


async def work(purse: Budget, agent: str, rng: random.Random, overrun: float) -> int:
    """Asks like a coding agent, with ever longer prompts, until refused; then tries to report.

    A reply takes up to what was granted, or `overrun` times that. Returns how many calls were made.
    """
    made, prompt = 0, rng.randrange(20, 400)
    for kind in ["turn"] * 40 + ["report"]:
        try:
            held = await purse.reserve(
                agent, prompt, rng.randrange(50, 900), 40, price, report=kind == "report"
            )
        except LimitReached:
            if kind == "report":
                return made
            prompt += rng.randrange(20)
            continue
        for _ in range(rng.randrange(4)):
            await asyncio.sleep(0)  # calls settle in any order
        try:
            if rng.random() < 0.9:  # the others broke off and cost nothing
                used = int(held.completion_tokens * rng.uniform(0, overrun))
                purse.record(call(agent, prompt, used))
                made += 1
        finally:
            purse.release(held)
        prompt += rng.randrange(200)
    return made


RUNS = {
    "agents": st.integers(1, 6),
    "tokens": st.one_of(st.none(), st.integers(100, 40_000)),
    "dollars": st.one_of(st.none(), st.floats(0.01, 8.0)),
    "agent_tokens": st.one_of(st.none(), st.integers(100, 10_000)),
    "agent_dollars": st.one_of(st.none(), st.floats(0.01, 2.0)),
    "seed": st.integers(0, 10**6),
}


@settings(max_examples=150, deadline=None)
@given(**RUNS)
def test_no_limit_is_passed_by_parallel_agents(
    agents: int,
    tokens: int | None,
    dollars: float | None,
    agent_tokens: int | None,
    agent_dollars: float | None,
    seed: int,
) -> None:
    purse = budget(
        max_tokens=tokens, max_dollars=dollars, agent_max_tokens=agent_tokens, agent_max_dollars=agent_dollars
    )
    names = [f"r1-a{number}" for number in range(1, agents + 1)] + ["analyzer"]

    async def run() -> None:
        await asyncio.gather(*(work(purse, name, random.Random(f"{seed}{name}"), 1.0) for name in names))

    asyncio.run(run())
    assert purse.total.tokens <= (tokens or 10**9)
    assert purse.total.known_dollars <= (dollars or 10**9) + 1e-9
    for name in names[:-1]:
        assert purse.of(name).tokens <= (agent_tokens or 10**9)
        assert purse.of(name).known_dollars <= (agent_dollars or 10**9) + 1e-9


@settings(max_examples=100, deadline=None)
@given(tokens=st.integers(1000, 40_000), seed=st.integers(0, 10**6), overrun=st.floats(1.0, 5.0))
def test_a_server_that_ignores_the_cap_costs_no_more_than_the_call_in_flight(
    tokens: int, seed: int, overrun: float
) -> None:
    purse = budget(max_tokens=tokens, agent_max_tokens=tokens // 2)
    rng = random.Random(seed)
    asyncio.run(work(purse, "r1-a1", rng, overrun))
    largest = int(900 * overrun) + 400 + 41 * 200  # one completion and one prompt
    assert purse.of("r1-a1").tokens <= tokens // 2 + largest


async def test_a_spent_agent_is_refused_by_name_and_the_others_go_on() -> None:
    purse = budget(max_tokens=100_000, agent_max_tokens=2_000)
    purse.record(call("r1-a1", 1_900, 100))
    with pytest.raises(AgentLimitReached, match="this agent's limit of 2,000 tokens"):
        await purse.reserve("r1-a1", 100, 100, 100, price)
    assert purse.exhausted() == ""
    for other in ("r1-a2", "coordinator"):
        purse.release(await purse.reserve(other, 100, 100, 100, price))


async def test_roles_that_are_no_coding_agent_have_the_runs_limits_only() -> None:
    purse = budget(agent_max_dollars=0.01)
    assert (await purse.reserve("coordinator", 5000, 5000, 1000, price)).completion_tokens == 5000


async def test_what_an_agent_must_leave_pays_for_its_report() -> None:
    purse = budget(agent_max_tokens=10_000)
    purse.record(call("r1-a1", 6_000, 500))
    with pytest.raises(AgentLimitReached, match="3,500 of 10,000 tokens"):
        await purse.reserve("r1-a1", 1_500, 4_000, 300, price)
    report = await purse.reserve("r1-a1", 1_500, 4_000, 300, price, report=True)
    assert report.completion_tokens == 2_000


async def test_the_runs_last_tenth_is_for_reports() -> None:
    purse = budget(max_dollars=10.0)
    purse.record(call("r1-a1", 90_000, 0))
    with pytest.raises(LimitReached, match="of the run's budget"):
        await purse.reserve("r1-a2", 100, 100, 100, price)
    assert purse.exhausted()
    purse.release(await purse.reserve("r1-a2", 100, 100, 100, price, report=True))


async def test_a_monitor_of_the_agent_waits_for_its_agents_call_only() -> None:
    purse = budget(agent_max_tokens=2_000)
    foreign = await purse.reserve("r1-a2", 100, 1_000, 500, price)
    own = await purse.reserve("r1-a1", 100, 1_000, 1_000, price)
    waiting = asyncio.create_task(purse.reserve("r1-a1", 300, 500, 500, price))
    await asyncio.sleep(0)
    purse.release(foreign)
    await asyncio.sleep(0)
    assert not waiting.done()
    purse.record(call("r1-a1", 100, 10))
    purse.release(own)
    assert (await waiting).completion_tokens == 500


def a_cent_a_token(usage: Usage) -> float:
    return (usage.prompt_tokens + usage.completion_tokens) * 0.01


@pytest.mark.parametrize("unit", ["tokens", "dollars"])
@pytest.mark.parametrize(
    ("whose", "report", "granted"),
    [
        ("max", True, 900),  # all of a thousand tokens, or of ten dollars
        ("max", False, 800),  # without the tenth that is kept for reports
        ("agent_max", True, 900),
        ("agent_max", False, 700),  # without a report of 100 and 100
    ],
)
async def test_a_call_may_reach_a_limit_to_the_token(
    unit: str, whose: str, report: bool, granted: int
) -> None:
    limits = {f"{whose}_{unit}": 1000 if unit == "tokens" else 10.0}
    for wanted, expected in ((granted, granted), (granted + 1, (granted + 1) // 2)):
        purse = budget(**limits)
        held = await purse.reserve("r1-a1", 100, wanted, 100, a_cent_a_token, report=report)
        assert (held.completion_tokens, held.tokens) == (expected, 100 + expected)
        assert held.dollars == pytest.approx(held.tokens * 0.01)


async def test_a_long_report_keeps_at_most_a_quarter_of_an_agents_limit() -> None:
    held = await budget(agent_max_tokens=1000).reserve("r1-a1", 300, 450, 300, price)
    assert held.completion_tokens == 450  # 300 and 300 would be kept, but for the quarter


@pytest.mark.parametrize(("left", "told"), [(-1.0, "the time is up"), (0.0, "the time is up"), (0.01, "")])
def test_the_time_is_up_when_none_is_left(left: float, told: str) -> None:
    assert budget(seconds_left=lambda: left).exhausted() == told


async def test_prompts_and_completions_have_prices_of_their_own() -> None:
    # 600 · 0.0001 $ of prompt and 4 · 100 · 0.0001 $ of completion are 0.1 $; the other way round 0.25 $
    held = await budget(max_dollars=0.1).reserve("analyzer", 600, 100, 100, price, report=True)
    assert held.dollars == pytest.approx(0.1)
