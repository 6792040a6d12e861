"""Keys and tokens out of what servers say, before it is stored, printed, logged or raised.

Servers and proxies repeat in their answers what they were sent. It is only taken out where it can be nothing
but a secret: at least twelve characters, letters with a digit among them or with capitals inside. Such a text
stands in no reply by chance, and no model knows it. A placeholder (`x`, `test`, `not-needed`,
`sk-no-key-required`), as servers of one's own take it, may be part of any word of an agent's code, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import AnyStr

_LEAST_CHARACTERS = 12
_NO_WORDS = re.compile(r"(?=.*[A-Za-z])(?=.*\d)|.*[a-z][A-Z].*[a-z][A-Z]")


def is_secret(value: str) -> bool:
    """Whether `value` is long and random enough to be a key or a token."""
    return len(value) >= _LEAST_CHARACTERS and _NO_WORDS.match(value) is not None


def without_secrets(text: AnyStr, sent: Iterable[str]) -> AnyStr:
    """`text` with `[key]` in the place of each secret among what was `sent`."""
    for value in sorted(filter(is_secret, sent), key=len, reverse=True):  # one may be part of another
        if isinstance(text, bytes):
            text = text.replace(value.encode(), b"[key]")
        else:
            text = text.replace(value, "[key]")
    return text
