"""How calls reach Kaggle: one address, time-outs everywhere, retried reads, errors that say what to do.

Built on kagglesdk's own HTTP client and messages. What is called is the business of `client`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
from kagglesdk.kaggle_env import KaggleEnv
from kagglesdk.kaggle_http_client import KaggleHttpClient
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from requests.adapters import HTTPAdapter

from kaggle_runner.errors import ConfigError, KaggleError

Answer = TypeVar("Answer")
Credentials = str | tuple[str, str]
"""An API token, or a user name with a legacy key."""

KAGGLE_URL = "https://api.kaggle.com"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PASSING_TROUBLE = (429, 500, 502, 503, 504)
_LONGEST_WAIT = 120.0


class Timeouts(NamedTuple):
    """Seconds to connect, and between two bytes of an answer."""

    connect: float = 10.0
    read: float = 60.0


class Retries(NamedTuple):
    """How often a read is tried in all, and the first wait in seconds; later waits double."""

    tries: int = 5
    first_wait: float = 0.5


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_RETRIES = Retries()


class Wire(NamedTuple):
    """One session with its service clients. Made for one call in one thread, closed after it."""

    http: KaggleHttpClient
    session: requests.Session
    competitions: CompetitionApiClient
    kernels: KernelsApiClient


class KaggleTransport:
    """Calls one Kaggle, kaggle.com or MLE-Live, with one user's credentials. Thread-safe."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        retries: Retries = DEFAULT_RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{base_url!r} is not an address of Kaggle", hint=f"the real one is {KAGGLE_URL}"
            )
        self.is_loopback = parts.hostname in _LOOPBACK
        if parts.scheme == "http" and not self.is_loopback:
            raise ConfigError(
                f"{base_url!r} would send the API token unencrypted", hint="use https, or a loopback address"
            )
        self.base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._timeouts = timeouts
        self._retries = retries
        self._sleep = sleep

    def read(self, what: str, call: Callable[[Wire], Answer]) -> Answer:
        """Run `call`, again after passing trouble (429, 5xx, no connection); `what` names it in errors."""
        wait = self._retries.first_wait
        for attempt in range(1, self._retries.tries + 1):
            try:
                return self._once(call)
            except _Failed as failure:
                if attempt == self._retries.tries or not failure.may_pass:
                    raise self._explain(what, failure) from failure.cause
                self._sleep(min(max(wait, failure.retry_after), _LONGEST_WAIT))
                wait *= 2
        raise AssertionError("unreachable")

    def write(self, what: str, call: Callable[[Wire], Answer]) -> Answer:
        """Run `call` exactly once: a repeated write could happen twice."""
        try:
            return self._once(call)
        except _Failed as failure:
            raise self._explain(what, failure) from failure.cause

    def _once(self, call: Callable[[Wire], Answer]) -> Answer:
        with _BoundHttpClient(self.base_url, self._credentials, self._timeouts) as http:
            session = http._session
            try:
                return call(Wire(http, session, CompetitionApiClient(http), KernelsApiClient(http)))
            except requests.HTTPError as error:
                raise _Failed(error, error.response) from error
            except requests.JSONDecodeError as error:
                raise _Failed(error, None, unreadable=True) from error
            except requests.RequestException as error:
                raise _Failed(error, None) from error
            except (KeyError, TypeError, ValueError) as error:
                # kagglesdk raises these on messages that it cannot read: a page of HTML, an unknown enum
                raise _Failed(error, None, unreadable=True) from error

    def _explain(self, what: str, failure: _Failed) -> KaggleError:
        place = self.base_url
        if failure.status:
            text = failure.text or "no message"
            hint = _hint(failure.status, text)
            return KaggleError(f"{what}: {text} (HTTP {failure.status})", hint=hint, status=failure.status)
        if failure.unreadable:
            message = f"{what}: the answer of {place} cannot be read ({type(failure.cause).__name__})"
            return KaggleError(message, hint="is this the address of Kaggle's API, with nothing in between?")
        reason = "no answer in time" if isinstance(failure.cause, requests.Timeout) else "no connection"
        if isinstance(failure.cause, _ForeignHost):
            return KaggleError(f"{what}: {failure.cause}", hint=f"only {place} may be called")
        return KaggleError(
            f"{what}: {reason} ({place})",
            hint="is MLE-Live running?" if self.is_loopback else "check the network, then try again",
        )


class _ForeignHost(requests.RequestException):
    """A request was about to leave for a host that is not the configured one."""


class _Failed(Exception):
    """One failed try, with what is needed to decide on another and to explain it."""

    def __init__(
        self, cause: Exception, response: requests.Response | None, *, unreadable: bool = False
    ) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.status = response.status_code if response is not None else 0
        self.text = str(cause)
        self.unreadable = unreadable
        header = response.headers.get("Retry-After", "") if response is not None else ""
        self.retry_after = float(header) if header.isdecimal() else 0.0

    @property
    def may_pass(self) -> bool:
        if self.status:
            return self.status in _PASSING_TROUBLE
        return not self.unreadable and not isinstance(self.cause, _ForeignHost)


class _BoundHttpClient(KaggleHttpClient):  # type: ignore[misc]  # kagglesdk has no types
    """kagglesdk's client, bound to one address and one user whatever the environment says."""

    def __init__(self, base_url: str, credentials: Credentials, timeouts: Timeouts) -> None:
        env = KaggleEnv.PROD if base_url == KAGGLE_URL else KaggleEnv.LOCAL
        super().__init__(env=env, user_agent="comind")
        self._endpoint = base_url
        self._credentials = credentials
        self._adapter = _BoundAdapter(base_url, timeouts)

    def _init_session(self) -> Any:
        if self._session is None:
            super()._init_session()
            session: Any = self._session
            session.mount("http://", self._adapter)
            session.mount("https://", self._adapter)
            # A proxy from the environment is for the internet, not for this machine.
            session.trust_env = not self._adapter.is_loopback
        return self._session

    def _try_fill_auth(self) -> None:
        # Replaces the search through environment variables and files: these credentials and no others.
        if isinstance(self._credentials, str):
            self._session.auth = KaggleHttpClient.BearerAuth(self._credentials)
        else:
            self._session.auth = self._credentials
        self._signed_in = True


class _BoundAdapter(HTTPAdapter):
    """Adds time-outs, and refuses to carry credentials to any host but the configured one.

    Kaggle's signed download and upload addresses lie on other hosts; those are called over https and
    without credentials. A loopback server may send us nowhere else at all.
    """

    def __init__(self, base_url: str, timeouts: Timeouts) -> None:
        super().__init__()
        self._home = urlsplit(base_url)
        self.is_loopback = self._home.hostname in _LOOPBACK
        self._timeouts = timeouts

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        target = urlsplit(str(request.url))
        at_home = (target.scheme, target.netloc) == (self._home.scheme, self._home.netloc)
        has_credentials = "Authorization" in request.headers
        if not at_home and (self.is_loopback or has_credentials or target.scheme != "https"):
            raise _ForeignHost(f"refused to call {target.scheme}://{target.netloc}", request=request)
        if options.get("timeout") is None:
            options["timeout"] = tuple(self._timeouts)
        return super().send(request, *args, **options)


def _hint(status: int, text: str) -> str:
    words = text.lower()
    if status == 401:
        return "the API token is not valid here; make a new one under kaggle.com → Settings → API"
    if "allowance" in words or ("daily" in words and "limit" in words):
        return "the day's submissions are used up; the count starts again at midnight UTC"
    if status == 403 and "kernels.get" not in words:
        return "open the competition's page once, join it and accept its rules, then try again"
    if status in (403, 404):
        return "check the name; it is the last part of the page's address"
    if status == 429:
        return "Kaggle asks for fewer calls; wait some minutes"
    if status == 501:
        return "this server does not offer that call"
    if status >= 500:
        return "the trouble is on the server's side; try again later"
    return "see the message"
