"""The estimate of tokens is never below the largest of three real vocabularies, and not far above it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comind.llm.tokens import TOKENS_A_MESSAGE, estimate_prompt_tokens, estimate_tokens
from tests.comind.llm.token_texts import KINDS, SEEDS, TRUE_COUNTS, text

CASES = [(kind, seed) for kind in KINDS for seed in range(SEEDS)]


@pytest.mark.parametrize(("kind", "seed"), CASES)
def test_no_kind_of_text_is_undercounted(kind: str, seed: int) -> None:
    counts = TRUE_COUNTS[kind][seed]
    assert max(counts) <= estimate_tokens(text(kind, seed))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("scripts", "chinese")])
def test_the_estimate_is_within_two_thirds_of_the_largest_count(kind: str) -> None:
    estimated = sum(estimate_tokens(text(kind, seed)) for seed in range(SEEDS))
    assert estimated <= 1.67 * sum(map(max, TRUE_COUNTS[kind]))


@given(st.lists(st.sampled_from(CASES), max_size=6))
def test_texts_put_together_count_no_less_than_the_sum_of_their_true_counts(
    cases: list[tuple[str, int]],
) -> None:
    together = "\n".join(text(kind, seed) for kind, seed in cases)
    assert estimate_tokens(together) >= sum(max(TRUE_COUNTS[kind][seed]) for kind, seed in cases)


@given(st.text(max_size=400))
def test_any_text_has_an_estimate_that_grows_with_it_and_stays_below_its_bytes(any_text: str) -> None:
    size = len(any_text.encode("utf-8", "surrogatepass"))
    assert (size > 0) >= (estimate_tokens(any_text) > 0)
    assert estimate_tokens(any_text) <= 1.5 * size + 2
    assert estimate_tokens(any_text * 2) >= estimate_tokens(any_text)


def test_each_message_counts_its_framing() -> None:
    messages = [{"role": "user", "content": ""}] * 3
    assert estimate_prompt_tokens(messages) == 4 * TOKENS_A_MESSAGE
