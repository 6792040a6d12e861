"""Whether a run's settings name a model that can be reached."""

from __future__ import annotations

import os

from comind.config import ROLES, RunConfig
from kaggle_runner.errors import ConfigError
from kaggle_runner.inside_kaggle import is_session, read_secrets, with_secrets


def check_key(config: RunConfig) -> None:
    """ConfigError, with the ways out, when the settings name no reachable model."""
    own_endpoints = all("@" in config.role_models.get(role, "") for role in ROLES)
    environment = with_secrets(os.environ)
    reachable = config.base_url or own_endpoints or environment.get("OPENAI_API_KEY")
    if config.offline or config.replay or reachable:
        return
    if is_session(os.environ):
        raise ConfigError(
            f"No way to reach the model {config.model!r}: {read_secrets(os.environ).fault or 'no key'}.",
            hint="Attach OPENAI_API_KEY under Add-ons → Secrets and switch Internet on under Settings; "
            "or use --offline, which needs neither.",
        )
    raise ConfigError(
        f"No way to reach the model {config.model!r}: OPENAI_API_KEY is not set and no --base-url is given.",
        hint="Put a key of platform.openai.com into OPENAI_API_KEY; or name a server of your own with "
        "--base-url http://127.0.0.1:11434/v1 --model NAME (Ollama, vLLM, …); "
        "or use --offline, which needs none.",
    )
