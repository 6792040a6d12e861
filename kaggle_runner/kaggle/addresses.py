"""Which Kaggle is meant, and as whom: kaggle.com, or an MLE-Live that was named. It calls nothing.

The credentials of kaggle.com stay with kaggle.com: another host gets COMIND_KAGGLE_TOKEN and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from kaggle_runner.errors import ConfigError
from kaggle_runner.kaggle.records import KAGGLE_URL, LOOPBACK, Credentials

if TYPE_CHECKING:
    from kaggle_runner.kaggle.client import KaggleClient

KAGGLE_NAME = "kaggle.com"
URL_VARIABLE = "COMIND_KAGGLE_URL"
TOKEN_VARIABLE = "COMIND_KAGGLE_TOKEN"
_LONGEST_PATH = 200

TokenKind = Literal["API token", "legacy key", "token of MLE-Live"]


@dataclass(frozen=True, slots=True)
class Kaggle:
    """One Kaggle with the user's credentials for it. `name` is `kaggle.com` or host:port."""

    name: str
    url: str
    credentials: Credentials
    source: str
    """Where the credentials were found, for people; never the credentials."""

    def __repr__(self) -> str:
        return f"Kaggle({self.name!r}, {self.url!r})"  # credentials must not get into logs and tracebacks

    @property
    def is_kaggle_com(self) -> bool:
        return self.name == KAGGLE_NAME

    @property
    def kind(self) -> TokenKind:
        if not self.is_kaggle_com:
            return "token of MLE-Live"
        return "API token" if isinstance(self.credentials, str) else "legacy key"

    def client(self, **settings: Any) -> KaggleClient:
        """A client for it; `settings` are those of KaggleClient (timeouts, retries)."""
        from kaggle_runner.kaggle.client import KaggleClient

        return KaggleClient(self.url, self.credentials, **settings)


def configured(environment: Mapping[str, str]) -> list[Kaggle]:
    """Every Kaggle that could be asked: kaggle.com where it has credentials, and COMIND_KAGGLE_URL's.

    A wrong COMIND_KAGGLE_URL, or one without its token, raises ConfigError.
    """
    found = kaggle_credentials(environment)
    kaggles = [Kaggle(KAGGLE_NAME, KAGGLE_URL, *found)] if found else []
    if environment.get(URL_VARIABLE, "").strip():
        named = chosen(environment)
        kaggles = [one for one in kaggles if one.name != named.name] + [named]
    return kaggles


def chosen(environment: Mapping[str, str], url: str = "") -> Kaggle:
    """The one that is meant: `url` (--kaggle-url), else COMIND_KAGGLE_URL, else kaggle.com.

    Raises ConfigError for an address that cannot be meant and where credentials are missing.
    """
    asked_by = "--kaggle-url" if url else URL_VARIABLE
    url = _address(url or environment.get(URL_VARIABLE, "").strip(), asked_by)
    if url == KAGGLE_URL:
        found = kaggle_credentials(environment)
        if found is None:
            raise ConfigError(
                "There are no credentials for kaggle.com.",
                hint="Make an API token at https://www.kaggle.com/settings → API, and set KAGGLE_API_TOKEN "
                "to it (or save it as ~/.kaggle/access_token).",
            )
        return Kaggle(KAGGLE_NAME, url, *found)
    token = environment.get(TOKEN_VARIABLE, "").strip()
    name = urlsplit(url).netloc
    if not token:
        raise ConfigError(
            f"There is no token for the Kaggle at {name}.",
            hint=f"Set {TOKEN_VARIABLE} to it, or to the file that holds it: `mle-live serve` says which. "
            "Credentials of kaggle.com are never sent there.",
        )
    return Kaggle(name, url, _token_or_file(token), TOKEN_VARIABLE)


def _address(url: str, asked_by: str) -> str:
    """The base address: kaggle.com in any spelling is its API's; others need https or loopback."""
    if not url:
        return KAGGLE_URL
    parts = urlsplit(url if "//" in url else f"https://{url}")
    host = (parts.hostname or "").lower()
    if host == "kaggle.com" or host.endswith(".kaggle.com"):
        return KAGGLE_URL
    if "//" not in url and host in LOOPBACK:
        parts = urlsplit(f"http://{url}")
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            f"{asked_by}: {url!r} is not the address of a Kaggle.",
            hint="Write for instance http://127.0.0.1:8787, or leave it out for kaggle.com.",
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ConfigError(
            f"{asked_by}: {url!r} would send the token unencrypted.",
            hint="Use https, or an address of this machine.",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def kaggle_credentials(environment: Mapping[str, str]) -> tuple[Credentials, str] | None:
    """Credentials of kaggle.com and where they were found; None when there are none.

    In the official client's order: the token of a Kaggle session; a token from the environment (its value or
    a file that holds it), or from ~/.kaggle; then user name and key from the environment, then kaggle.json;
    last what `kaggle auth login` left, which is valid for some hours.
    """
    session = environment.get("KAGGLE_API_V1_TOKEN", "")
    if session and environment.get("KAGGLE_DATA_PROXY_URL") and (given := _read(Path(session))):
        return given, "the Kaggle session"
    token = environment.get("KAGGLE_API_TOKEN", "").strip()
    if token:
        return _token_or_file(token), "KAGGLE_API_TOKEN"
    home = Path(environment.get("HOME", "~")).expanduser() / ".kaggle"
    for name in ("access_token", "access_token.txt"):
        saved = _read(home / name)
        if saved:
            return saved, str(home / name)
    username, key = environment.get("KAGGLE_USERNAME", "").strip(), environment.get("KAGGLE_KEY", "").strip()
    if username and key:
        return (username, key), "KAGGLE_USERNAME and KAGGLE_KEY"
    folder = environment.get("KAGGLE_CONFIG_DIR", "")
    key_file = (Path(folder).expanduser() if folder else home) / "kaggle.json"
    return _key_file(key_file) or _logged_in(home / "credentials.json")


def _token_or_file(token: str) -> str:
    """ConfigError for what looks like a file and is none: no token begins like a path."""
    if len(token) < _LONGEST_PATH and Path(token).expanduser().is_file():
        return _read(Path(token).expanduser())
    if token.startswith(("/", "~", "./")):
        raise ConfigError(
            f"There is no file {token} that a token could be read from.",
            hint="Name one, or the token itself.",
        )
    return token


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="Check its permissions.") from error


def _logged_in(path: Path) -> tuple[Credentials, str] | None:
    try:
        token = str(json.loads(_read(path) or "{}").get("access_token") or "")
    except (ValueError, AttributeError):
        return None
    return (token, f"{path} (kaggle auth login)") if token else None


def _key_file(path: Path) -> tuple[Credentials, str] | None:
    text = _read(path)
    if not text:
        return None
    try:
        saved = json.loads(text)
        username, key = str(saved["username"]), str(saved["key"])
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} does not hold a user name and a key ({error}).",
            hint="Download it again from https://www.kaggle.com/settings → API, or set KAGGLE_API_TOKEN.",
        ) from error
    return (username, key), str(path)
