"""Prompt templates: from a checkout's `prompts/`, an installed wheel, or COMIND_PROMPTS."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaggle_runner.errors import ConfigError

if TYPE_CHECKING:
    from jinja2 import Environment

Message = dict[str, str]

_PART = re.compile(r"^<!-- part: (\w+) -->\n", re.MULTILINE)


def prompts_folder() -> Path:
    """The folder in use: the user's own, else the checkout's, else the wheel's copy."""
    chosen = os.environ.get("COMIND_PROMPTS")
    if chosen:
        return Path(chosen)
    here = Path(__file__).resolve().parent
    checkout = here.parent / "prompts"
    return checkout if checkout.is_dir() else here / "_prompts"


class Prompts:
    """Renders the parts of one folder's prompt files."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or prompts_folder()
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

    def opening(self, role: str, part: str, values: Mapping[str, Any]) -> list[Message]:
        """System and user message that open a conversation. The system part is the cacheable prefix."""
        return [
            {"role": "system", "content": self.render(role, "system")},
            {"role": "user", "content": self.render(role, part, values)},
        ]

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


def quote(text: str, limit: int) -> str:
    """Untrusted text for a `<<< … >>>` block: bounded in the middle, and unable to close the block."""
    text = re.sub(r"<{3,}|>{3,}", lambda found: " ".join(found[0]), text)
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}\n[… {len(text) - limit} characters left out …]\n{text[-tail:]}"
