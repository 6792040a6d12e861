"""Which model answers which role, at which address and with which key. No connection is opened here.

Who gets a key, so that a hosted key never leaks to a server it was not meant for:

* `OPENAI_API_KEY` goes to the base URL that the person gave (`--base-url` or `OPENAI_BASE_URL`), or to
  api.openai.com when none was given;
* a role's own model (`coder=MODEL@URL`) gets `COMIND_API_KEY_CODER` when that is set; without it, an
  address of the same origin (scheme, host and port) as the base URL shares the base URL's key, and every
  other address gets a dummy, which is all that local servers ask for;
* the same holds for fallback models in their order: `COMIND_API_KEY_FALLBACK_1`, `…_2` and so on
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from comind.config import ROLES
from comind.llm.prices import Price
from kaggle_runner.errors import ConfigError

HOSTED_URL: Final = "https://api.openai.com/v1"
NO_KEY: Final = "unused"
_KEY: Final = "COMIND_API_KEY_"

_FORM = "the form is ROLE=MODEL or ROLE=MODEL@URL, for instance coder=qwen2.5-coder@http://127.0.0.1:8080/v1"
_BARE_HOST = re.compile(r"(localhost|\[[0-9a-fA-F:]+\]|[\w-]+(\.[\w-]+)*)(:\d+(/.*)?|/.*)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model at an address that speaks the chat completions API."""

    model: str
    base_url: str = HOSTED_URL
    api_key: str = field(default=NO_KEY, repr=False)
    label: str = ""
    """Shown to people in place of the model's name."""
    price: Price | None = None
    """Known by whoever runs the endpoint (recipes cost nothing); None asks the price table."""

    @property
    def name(self) -> str:
        return self.label or self.model

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc

    @property
    def is_hosted(self) -> bool:
        return urlsplit(self.base_url).hostname == urlsplit(HOSTED_URL).hostname

    @property
    def is_loopback(self) -> bool:
        return _is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def id(self) -> str:
        """As its facts are stored under."""
        return f"{self.model}@{self.base_url}"


def endpoints_by_role(
    model: str, base_url: str | None, role_models: Mapping[str, str], env: Mapping[str, str]
) -> dict[str, Endpoint]:
    """One endpoint a role: `model` at `base_url` for all, except for those that `role_models` names.

    `role_models` maps roles to `MODEL` or `MODEL@URL`. Raises ConfigError for an unknown role or a malformed
    address, and when api.openai.com would be called without a key.
    """
    if not model.strip():
        raise ConfigError(
            "no model was named", hint="name one with --model, for instance --model gpt-5.4-mini"
        )
    url, shared_key = _base(base_url, env)
    default = Endpoint(model.strip(), url, shared_key or NO_KEY)
    chosen: dict[str, Endpoint] = dict.fromkeys(ROLES, default)
    for role, text in role_models.items():
        if role not in ROLES:
            raise ConfigError(f"{role!r} is not a role", hint=f"the roles are {', '.join(ROLES)}; {_FORM}")
        chosen[role] = _own_endpoint(text, url, shared_key, env, role.upper())
    for role, endpoint in chosen.items():
        _needs_key(endpoint, "OPENAI_API_KEY" if endpoint is default else f"{_KEY}{role.upper()}")
    return chosen


def fallback_endpoints(texts: Sequence[str], base_url: str | None, env: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints that answer when a role's own cannot, in order; each is `MODEL` or `MODEL@URL`.

    Raises ConfigError as `endpoints_by_role` does.
    """
    url, shared_key = _base(base_url, env)
    chosen = []
    for number, text in enumerate(texts, start=1):
        name = f"FALLBACK_{number}"
        endpoint = _own_endpoint(text, url, shared_key, env, name)
        shares = _origin(endpoint.base_url) == _origin(url)
        _needs_key(endpoint, "OPENAI_API_KEY" if shares else f"{_KEY}{name}")
        chosen.append(endpoint)
    return list(dict.fromkeys(chosen))


def _base(base_url: str | None, env: Mapping[str, str]) -> tuple[str, str]:
    """The address for every model that names none, and the key that goes there."""
    url = check_url(base_url or env.get("OPENAI_BASE_URL", "").strip() or HOSTED_URL)
    return url, env.get("OPENAI_API_KEY", "").strip()


def _own_endpoint(text: str, url: str, shared_key: str, env: Mapping[str, str], name: str) -> Endpoint:
    model, own_url = parse_model_at(text)
    key = env.get(f"{_KEY}{name}", "").strip()
    if not key and _origin(own_url or url) == _origin(url):
        key = shared_key
    return Endpoint(model, own_url or url, key or NO_KEY)


def _needs_key(endpoint: Endpoint, variable: str) -> None:
    if not (endpoint.api_key.isascii() and endpoint.api_key.isprintable()):
        raise ConfigError(
            f"the key in {variable} holds a character that no request can carry",
            hint="Copy it once more: a line break, a typographic quote or a letter with an accent is in it.",
        )
    if endpoint.is_hosted and endpoint.api_key == NO_KEY:
        raise ConfigError(
            f"{endpoint.model} at {endpoint.host} needs an API key and {variable} is not set",
            hint=f"export {variable}=..., or name a server of your own with --base-url http://127.0.0.1:8080/v1",
        )


def parse_model_at(text: str) -> tuple[str, str | None]:
    """`MODEL` or `MODEL@URL` as (model, URL or None). An `@` inside a model's name is left alone."""
    match = re.fullmatch(r"(?P<model>.+?)(?:@(?P<url>https?://.*))?", text.strip(), re.IGNORECASE)
    if match is None:
        raise ConfigError("a role was given no model", hint=_FORM)
    model, url = match["model"], match["url"]
    tail = model.rpartition("@")[2]
    if url is None and ("://" in tail or (tail != model and _BARE_HOST.fullmatch(tail))):
        raise ConfigError(f"the address in {text!r} must begin with http:// or https://", hint=_FORM)
    if model.lower().startswith(("http://", "https://")):
        raise ConfigError(f"{text!r} names an address and no model", hint=_FORM)
    return model, check_url(url) if url else None


def check_url(url: str) -> str:
    """The base URL without a trailing slash. Raises ConfigError when it is not one to call."""
    parts = urlsplit(url.strip())
    try:
        parts.port  # noqa: B018  reading it is what validates it
    except ValueError:
        raise ConfigError(f"the port in {url!r} is not a number up to 65535", hint=_FORM) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"{url!r} is not the address of a model server", hint="for instance http://127.0.0.1:8080/v1"
        )
    if parts.username or parts.password:
        raise ConfigError(
            f"the address of {parts.hostname} carries a password, which would be stored with every call",
            hint="pass the key as OPENAI_API_KEY or COMIND_API_KEY_<ROLE>",
        )
    if parts.query or parts.fragment:
        raise ConfigError(
            f"the address of {parts.hostname} has a part after `?` or `#`: it would be stored with calls",
            hint="give the address up to /v1, and a key as OPENAI_API_KEY or COMIND_API_KEY_<ROLE>",
        )
    return url.strip().rstrip("/")


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _is_loopback(hostname: str) -> bool:
    if hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return False
