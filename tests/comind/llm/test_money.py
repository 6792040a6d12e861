"""Budget, prices, endpoints and the token estimate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from comind.config import ROLES
from comind.llm.budget import Budget
from comind.llm.endpoints import HOSTED_URL, NO_KEY, Endpoint, endpoints_by_role, parse_model_at
from comind.llm.price_book import PriceBook
from comind.llm.prices import FREE, Price, Usage, parse_prices
from comind.llm.tokens import estimate_prompt_tokens, estimate_tokens
from comind.state.records import LlmCall
from kaggle_runner.errors import ConfigError, LimitReached

LOCAL = "http://127.0.0.1:8080/v1"


def a_cent_a_token(usage: Usage) -> float:
    return (usage.prompt_tokens + usage.completion_tokens) * 0.01


def call(agent: str = "a1", dollars: float | None = 0.5) -> LlmCall:
    return LlmCall(
        id="x", role="coder", agent=agent, step=1, kind="turn", attempt=1, model="m", base_url="u",
        prompt_tokens=100, completion_tokens=50, cached_tokens=20, reasoning_tokens=10, dollars=dollars,
    )  # fmt: skip


def test_recorded_calls_are_counted_in_all_and_by_agent() -> None:
    purse = Budget(max_dollars=2.0)
    purse.restore([call("a1"), call("a1"), call("a2")])
    assert (purse.total.calls, purse.total.tokens, purse.total.dollars) == (3, 450, 1.5)
    sums = purse.total
    assert (sums.prompt_tokens, sums.completion_tokens, sums.cached_tokens, sums.reasoning_tokens) == (
        300,
        150,
        60,
        30,
    )
    assert purse.of("a1").dollars == 1.0
    assert purse.of("nobody").calls == 0
    assert purse.exhausted() == ""


def test_one_unknown_price_makes_the_sum_unknown_never_smaller() -> None:
    purse = Budget()
    purse.restore([call("a1", 0.5), call("a2", None)])
    assert purse.total.dollars is None
    assert purse.total.known_dollars == 0.5
    assert purse.of("a1").dollars == 0.5


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_dollars": 0.5}, "0.50 $"),
        ({"max_tokens": 150}, "150 tokens"),
        ({"seconds_left": lambda: 0.0}, "time is up"),
        ({"seconds_left": lambda: -3600.0}, "time is up"),
    ],
)
def test_a_spent_limit_says_which(limits: dict[str, Any], words: str) -> None:
    purse = Budget(**limits)
    purse.restore([call()])
    assert words in purse.exhausted()


@pytest.mark.parametrize("report", [False, True])
async def test_when_the_time_is_up_nothing_is_granted_until_there_is_more(report: bool) -> None:
    left = 0.0
    purse = Budget(seconds_left=lambda: left)
    with pytest.raises(LimitReached, match="time is up"):
        await purse.reserve("a1", 100, 900, 100, a_cent_a_token, report=report)
    left = 30.0
    assert (await purse.reserve("a1", 100, 900, 100, a_cent_a_token, report=report)).tokens == 1000


async def test_near_the_limit_fewer_tokens_are_granted() -> None:
    purse = Budget(max_dollars=10.0)  # a thousand tokens, a tenth of them for reports
    held = await purse.reserve("a1", 100, 1600, 100, a_cent_a_token)
    assert held.completion_tokens == 800


async def test_a_call_waits_for_an_open_one_to_settle_below_its_worst_case() -> None:
    purse = Budget(max_dollars=11.2)
    first = await purse.reserve("a1", 100, 900, 900, a_cent_a_token)
    waiting = asyncio.create_task(purse.reserve("a2", 100, 500, 500, a_cent_a_token))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    purse.record(call("a1", dollars=1.0))
    purse.release(first)
    assert (await waiting).completion_tokens == 500


async def test_when_nothing_is_open_and_too_little_is_left_the_budget_is_exhausted_for_good() -> None:
    purse = Budget(max_tokens=500)
    with pytest.raises(LimitReached, match="500 tokens"):
        await purse.reserve("a1", 400, 1000, 200, a_cent_a_token)
    assert "does not pay" in purse.exhausted()


async def test_unlimited_runs_need_no_price() -> None:
    held = await Budget().reserve("a1", 100, 900, 100, lambda usage: None)
    assert held.completion_tokens == 900


def test_the_price_table_knows_the_default_model_and_what_caching_saves() -> None:
    book = PriceBook()
    hosted = Endpoint("gpt-5.4-mini")
    full = book.dollars(hosted, Usage(1_000_000, 0))
    cached = book.dollars(hosted, Usage(1_000_000, 0, cached_tokens=1_000_000))
    assert full is not None
    assert cached is not None
    assert 0 < cached < full


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("gpt-5.4-mini", LOCAL),
        Endpoint("no-such-model"),
        Endpoint("gpt-5.4-mini", "https://gate.example/v1"),
    ],
)
def test_a_model_of_unknown_price_is_not_free(endpoint: Endpoint) -> None:
    assert PriceBook().dollars(endpoint, Usage(1000, 1000)) is None


def test_the_persons_price_beats_the_endpoints_and_the_tables() -> None:
    own = parse_prices({"m": {"input": 2, "output": 4.0, "cached": 1}})
    assert own == {"m": Price(2.0, 4.0, 1.0)}
    assert PriceBook(own).dollars(Endpoint("m", LOCAL, price=FREE), Usage(1_000_000, 500_000)) == 4.0
    assert PriceBook().dollars(Endpoint("m", LOCAL, price=FREE), Usage(1_000_000, 0)) == 0.0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"m": 3}, "price of 'm'"),
        ({"m": {"input": 1}}, "output price"),
        ({"m": {"input": "1", "output": 1}}, "'1'"),
        ({"m": {"input": -1, "output": 1}}, "-1"),
        ({"m": {"input": 1, "output": 1, "cache": 1}}, "did you mean 'cached'"),
        ({"m": {"input": 1, "output": 1, "zzz": 1}}, "the fields are input, output, cached"),
        ({"m": {"input": True, "output": 1}}, "the input price of 'm' is True"),
        ({"m": {"input": 1, "output": float("inf")}}, "the output price of 'm' is inf"),
        ({"m": {"input": 1, "output": float("nan")}}, "the output price of 'm' is nan"),
        ({"m": {"input": 1, "output": 1, "cached": -0.1}}, "the cached price of 'm' is -0.1"),
    ],
)
def test_a_wrong_price_entry_is_named(table: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_prices(table)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("price", "usage", "dollars"),
    [
        (Price(2.0, 8.0), Usage(), 0.0),
        (Price(2.0, 8.0), Usage(1_000_000, 500_000), 6.0),
        (Price(2.0, 8.0), Usage(1_000_000, 0, cached_tokens=400_000), 2.0),  # cached costs as much
        (Price(2.0, 8.0, 0.5), Usage(1_000_000, 0, cached_tokens=400_000), 1.4),
        (Price(2.0, 8.0, 0.0), Usage(1_000_000, 0, cached_tokens=400_000), 1.2),
        (Price(2.0, 8.0), Usage(0, 500_000, reasoning_tokens=400_000), 4.0),  # a part of the completion's
        (FREE, Usage(1_000_000, 1_000_000, cached_tokens=500_000), 0.0),
    ],
)
def test_what_a_request_costs(price: Price, usage: Usage, dollars: float) -> None:
    assert price.dollars(usage) == pytest.approx(dollars)


def test_a_price_of_nothing_is_a_price() -> None:
    assert parse_prices({"m": {"input": 0, "output": 0}, "n": {"input": 0.5, "output": 1, "cached": 0}}) == {
        "m": Price(0.0, 0.0), "n": Price(0.5, 1.0, 0.0),
    }  # fmt: skip


def test_all_roles_share_the_default_endpoint_and_its_key() -> None:
    chosen = endpoints_by_role("m", None, {}, {"OPENAI_API_KEY": "sk-1"})
    assert set(chosen) == set(ROLES)
    assert set(chosen.values()) == {Endpoint("m", HOSTED_URL, "sk-1")}


def test_the_hosted_key_goes_to_no_other_address_than_the_one_given_with_it() -> None:
    env = {"OPENAI_API_KEY": "sk-1", "COMIND_API_KEY_MONITOR": "sk-2"}
    roles = {
        "coder": "qwen@http://127.0.0.1:9000/v1",
        "monitor": "small@https://gate.example/v1",
        "analyzer": "big",
        "proposer": "big@http://api.openai.com/v1",
        "evaluator": "big@https://api.openai.com/v1/",
    }
    with pytest.raises(ConfigError, match="COMIND_API_KEY_PROPOSER"):
        endpoints_by_role("m", None, roles, env)  # plain http is another origin: the key would be readable
    del roles["proposer"]
    chosen = endpoints_by_role("m", None, roles, env)
    keys = {role: endpoint.api_key for role, endpoint in chosen.items()}
    assert keys == {
        "coder": NO_KEY, "monitor": "sk-2", "analyzer": "sk-1", "evaluator": "sk-1",
        "proposer": "sk-1", "coordinator": "sk-1",
    }  # fmt: skip


def test_a_local_server_needs_no_key_and_the_hosted_api_does() -> None:
    assert endpoints_by_role("m", LOCAL, {}, {})["coder"].api_key == NO_KEY
    assert endpoints_by_role("m", None, {}, {"OPENAI_BASE_URL": LOCAL})["coder"].base_url == LOCAL
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        endpoints_by_role("m", None, {}, {"OPENAI_API_KEY": " "})


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("gpt-5.4-mini", ("gpt-5.4-mini", None)),
        (
            "qwen2.5-coder:1.5b@http://localhost:11434/v1/",
            ("qwen2.5-coder:1.5b", "http://localhost:11434/v1"),
        ),
        ("@cf/meta/llama@https://x.example/v1", ("@cf/meta/llama", "https://x.example/v1")),
        ("claude@20260101", ("claude@20260101", None)),
        ("m@http://[::1]:80/v1", ("m", "http://[::1]:80/v1")),
    ],
)
def test_a_model_and_its_address_are_told_apart(text: str, parsed: tuple[str, str | None]) -> None:
    assert parse_model_at(text) == parsed


@pytest.mark.parametrize(
    "text", ["", " ", "m@localhost:8080/v1", "m@10.0.0.5:8000", "m@http://", "m@http://h:99999/v1",
             "m@https://user:pw@h/v1", "http://h/v1", "m@ftp://h/v1"],
)  # fmt: skip
def test_a_malformed_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_model_at(text)


def test_an_unknown_role_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigError, match="coordinator"):
        endpoints_by_role("m", LOCAL, {"boss": "x"}, {})


def test_loopback_and_hosted_addresses_are_recognised() -> None:
    assert Endpoint("m", "http://[::1]:1/v1").is_loopback
    assert not Endpoint("m", "http://127.0.0.1.example/v1").is_loopback
    assert not Endpoint("m", "https://api.openai.com.example/v1").is_hosted


# tokens by the o200k_base vocabulary, counted once with a real tokenizer
COUNTED = [
    ("The evaluator keeps labels out of the sandbox, and every score comes with an interval.", 17),
    (
        "def fit(model, train: pd.DataFrame) -> float:\n"
        "    folds = StratifiedKFold(n_splits=5, shuffle=True)\n"
        "    return cross_val_score(model, train.drop(columns=['target']), train['target'], "
        "cv=folds).mean()\n",
        53,
    ),
    (
        "id,target,feature_0,feature_1\n"
        "17,0.12573022,-13.21048632,64.04226504\n18,1,0.10490012,-53.56693736\n",
        47,
    ),
    (
        "            feature_0   feature_1\ncount   60.000000   60.000000\n"
        "mean    -4.212341   12.938123\nstd     98.123412  101.123987\n",
        51,
    ),
    ('{"id": 4, "score": -0.7352, "name": "k4", "tags": ["a", "b"]}', 32),
    ("3f2504e0-4f89-11d3-9a0c-0305e82c3301 0x7f8a3c2d1e50 d41d8cd98f00b204e9800998ecf8427e", 60),
    ("Epoch 3: 45%|████▌     | 45/100 [00:12<00:15, 3.52it/s, loss=0.234]", 39),
    ("ACGTTGCAAGCTTACGATCGGATTACAGATTACAGGCATCGATCGATCGGGCTA", 28),
    ("!@#$%^&*()[]{};:<>?,./", 14),
    ("======================= 5 passed =======================", 7),
]


@pytest.mark.parametrize(("text", "tokens"), COUNTED, ids=lambda value: str(value)[:20])
def test_the_estimate_is_not_below_a_real_tokenizer(text: str, tokens: int) -> None:
    assert tokens <= estimate_tokens(text) <= tokens * 1.7 + 3


def test_a_conversation_counts_its_framing() -> None:
    assert estimate_prompt_tokens([{"role": "user", "content": ""}]) > 5
    assert estimate_tokens("") == 0
