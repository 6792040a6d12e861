"""Prompt templates: from a checkout's `prompts/`, an installed wheel, or COMIND_PROMPTS."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comind.llm.tokens import estimate_prompt_tokens, estimate_tokens
from kaggle_runner.errors import ConfigError
from kaggle_runner.texts import clip

if TYPE_CHECKING:
    from jinja2 import Environment

Message = dict[str, str]

_LEAST_CHARACTERS = 60
"""No value of a prompt is cut to less."""

_PART = re.compile(r"^<!-- part: (\w+) -->\n", re.MULTILINE)


def prompts_folder() -> Path:
    """The folder in use: the user's own, else the checkout's, else the wheel's copy."""
    chosen = os.environ.get("COMIND_PROMPTS")
    if chosen:
        return Path(chosen)
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "prompts"
    return checkout if checkout.is_dir() else package / "_prompts"


class Prompts:
    """Renders the parts of the prompt files."""

    def __init__(self, *, most_tokens: int | None = None) -> None:
        """`most_tokens`: what an opening may take of the model's window; None is without bound."""
        self.folder = prompts_folder()
        self._most_tokens = most_tokens
        self._parts: dict[str, dict[str, str]] = {}

    def render(self, role: str, part: str, values: Mapping[str, Any] | None = None) -> str:
        """One part of one role's file with its variables filled in. ConfigError when any is missing."""
        from jinja2 import TemplateError

        try:
            text = self._environment.from_string(self.parts(role)[part]).render(**(values or {}))
        except KeyError as error:
            raise ConfigError(f"{self.folder / (role + '.md')} has no part {part!r}.") from error
        except TemplateError as error:
            raise ConfigError(f"{self.folder / (role + '.md')}, part {part!r}: {error}") from error
        return text.strip() + "\n"

    def opening(
        self, role: str, part: str, values: Mapping[str, Any], *, most_tokens: int | None = None
    ) -> list[Message]:
        """System and user message that open a conversation. The system part is the cacheable prefix.

        Where they would take more than `most_tokens` (else this object's), the longest values are cut, all to
        one length. Templates are never cut: a window that cannot hold them is too small.
        """
        most = self._most_tokens if most_tokens is None else most_tokens
        messages = self._written(role, part, values)
        if most is None or estimate_prompt_tokens(messages) <= most:
            return messages
        longest = self._longest_value(role, part, values, most)
        messages = self._written(role, part, _cut(values, longest))
        while longest > 1 and estimate_prompt_tokens(messages) > most:  # a value may stand in two places
            longest = longest * 3 // 4
            messages = self._written(role, part, _cut(values, longest))
        return messages

    def _written(self, role: str, part: str, values: Mapping[str, Any]) -> list[Message]:
        return [
            {"role": "system", "content": self.render(role, "system")},
            {"role": "user", "content": self.render(role, part, values)},
        ]

    def _longest_value(self, role: str, part: str, values: Mapping[str, Any], most: int) -> int:
        """Characters to which values are cut so that the opening takes at most `most` tokens."""
        texts = [one for one in values.values() if isinstance(one, str)]
        bare = {name: "" if isinstance(one, str) else one for name, one in values.items()}
        room = most - estimate_prompt_tokens(self._written(role, part, bare)) - len(texts)

        def fits(longest: int) -> bool:
            return sum(estimate_tokens(fitted(one, longest)) for one in texts) <= room

        low = high = _LEAST_CHARACTERS
        while fits(high):
            low, high = high, 2 * high
        while high - low > low // 16 + 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def parts(self, role: str) -> dict[str, str]:
        """The raw parts of a role's file by name."""
        if role not in self._parts:
            path = self.folder / f"{role}.md"
            try:
                pieces = _PART.split(path.read_text(encoding="utf-8"))
            except OSError as error:
                raise ConfigError(
                    f"The prompt file {path} cannot be read: {error.strerror}.",
                    hint="COMIND_PROMPTS must name a folder with one file a role, or be unset.",
                ) from error
            self._parts[role] = dict(zip(pieces[1::2], pieces[2::2], strict=True))
        return self._parts[role]

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, StrictUndefined

        # prompts are plain text for a model, not HTML: escaping would corrupt code
        return Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True)


def _cut(values: Mapping[str, Any], longest: int) -> dict[str, Any]:
    return {name: fitted(one, longest) if isinstance(one, str) else one for name, one in values.items()}


def quote(text: str, limit: int) -> str:
    """Untrusted text for a `<<< … >>>` block: bounded in the middle, and unable to close the block."""
    text = re.sub(r"<{3,}|>{3,}", lambda found: " ".join(found[0]), text)
    return clip(text, limit, front=limit * 2 // 3)


def fitted(text: str, characters: int) -> str:
    """A prompt's value in at most about so many characters. Quoted blocks within it stay closed.

    Text without blocks keeps both ends; lists of blocks are in order of importance and keep their beginning.
    """
    if len(text) <= characters:
        return text
    if "<<<" not in text:
        return quote(text, characters)
    kept = text[:characters].rstrip("<>")
    notice = f"\n[… {len(text) - len(kept)} characters left out …]"
    return kept + notice + ("\n>>>" if kept.count("<<<") > kept.count(">>>") else "")
