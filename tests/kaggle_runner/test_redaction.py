"""What is taken for a secret, and what is left alone because it may be part of any text."""

from __future__ import annotations

import pytest

from kaggle_runner.redaction import is_secret, without_secrets


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-Zx81kQm2LdV0aTgR",
        "sk-ant-api03-mnbvcxz",
        "KGAT_0123456789abcdef0123456789abcdef",
        "gsk_aBcdEfghIjklMnop",
        "my-server-7f21",
        "b9d0c5a17be94c1a8d3f6e2a90c4f7d1",
        "hV0p8Yt-3kQzR_aWm5N1xC7uJd2sEoGf",
        "6f1c9f3e-2b7d-4a55-9c38-0d6e1f7a4b92",
        "qWnErTyUzOpLkJhGfDsAyXcVbNmQaZwSx",
    ],
)
def test_keys_and_tokens_are_secrets(key: str) -> None:
    assert is_secret(key)
    assert (
        without_secrets(f"Bearer {key}: no such key {key!r}", (key,)) == "Bearer [key]: no such key '[key]'"
    )
    assert without_secrets(b"\xff" + key.encode(), (key,)) == b"\xff[key]"


@pytest.mark.parametrize(
    "key",
    ["", "x", "test", "EMPTY", "unused", "none", "ollama", "lm-studio", "password", "max_depth", "1234",
     "123456789012", "token-abc12", "not-needed", "sk-no-key-required", "no key is needed here"],
)  # fmt: skip
def test_words_and_placeholders_are_not(key: str) -> None:
    assert not is_secret(key)
    code = f"x = test(max_depth={key!r})  # {key} not-needed"
    assert without_secrets(code, (key,)) == code


def test_of_two_keys_the_longer_one_goes_first() -> None:
    short, long = "sk-main-7f21", "sk-main-7f21-and-more"
    assert without_secrets(f"{short} {long}", (short, long)) == "[key] [key]"
