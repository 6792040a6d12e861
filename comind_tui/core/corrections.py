"""What a person says of a competition's files, as it is typed: ROLE=NAME."""

from __future__ import annotations

from collections.abc import Iterable

from kaggle_runner.errors import UsageError
from mle_live.layout import NAMED_ROLES


def files_named(texts: Iterable[str]) -> dict[str, str]:
    """Role → name of a file or folder. Raises UsageError for a text of another form."""
    named = {}
    for text in texts:
        role, equals, name = (part.strip() for part in text.partition("="))
        if not (role and equals and name):
            raise UsageError(f"{text!r} is not ROLE=NAME.", hint=f"Roles: {', '.join(NAMED_ROLES)}.")
        named[role] = name
    return named
