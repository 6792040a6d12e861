"""The window that a run's prompts are made for: the configured one, or what its models really have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from comind.config import Settings
from comind.llm.probe import LEAST_CONTEXT
from comind.state.records import EndpointFacts
from kaggle_runner.errors import ConfigError

S = TypeVar("S", bound=Settings)


def effective_context(settings: Settings, facts: Iterable[EndpointFacts]) -> int:
    """The window that prompts are made for: the config's, or the smallest known one of the roles' own models.

    The monitor's prompts are short by themselves, and a fallback that stands in shortens what it is asked; so
    their windows do not count. Raises ConfigError when any endpoint's window is too small for our prompts.
    """
    facts = list(facts)
    for one in facts:
        window = one.facts.get("context_tokens")
        if window and window < LEAST_CONTEXT:
            raise ConfigError(
                f"{one.model} at {one.base_url} has a context window of {window:,} tokens "
                f"({one.facts.get('context_from')}); at least {LEAST_CONTEXT:,} are needed",
                hint="start the server with a larger window (llama.cpp: -c 8192; vLLM: --max-model-len; "
                "Ollama: OLLAMA_CONTEXT_LENGTH), or name another model",
            )
    own = [one.facts for one in facts if set(one.facts["roles"]) - {"monitor"}]
    windows = [int(known["context_tokens"]) for known in own if known["context_tokens"]]
    return min([settings.context_tokens, *windows])


def fitted_config(config: S, facts: Iterable[EndpointFacts]) -> S:
    """The config with the window that its models really have, and replies that leave room for a prompt."""
    context = effective_context(config, facts)
    if context == config.context_tokens:
        return config
    return replace(config, context_tokens=context, reply_tokens=min(config.reply_tokens, context // 4))
