"""How calls reach Kaggle: one address, time-outs everywhere, retried reads, errors that say what to do.

Built on kagglesdk's own HTTP client and messages. What is called is the business of `client`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
from kagglesdk.blobs.services.blob_api_service import BlobApiClient
from kagglesdk.competitions.services.competition_api_service import CompetitionApiClient
from kagglesdk.datasets.services.dataset_api_service import DatasetApiClient
from kagglesdk.kaggle_env import KaggleEnv
from kagglesdk.kaggle_http_client import KaggleHttpClient
from kagglesdk.kernels.services.kernels_api_service import KernelsApiClient
from kagglesdk.security.services.oauth_service import OAuthClient
from requests.adapters import HTTPAdapter

from kaggle_runner.bodies import BadAnswer
from kaggle_runner.errors import ConfigError
from kaggle_runner.kaggle.answers import BoundedAnswer, time_heads
from kaggle_runner.kaggle.faults import Failed, ForeignHost, explain
from kaggle_runner.kaggle.records import KAGGLE_URL, LOOPBACK, Credentials
from kaggle_runner.moments import SYSTEM_CLOCK, Clock

Found = TypeVar("Found")
_LONGEST_WAIT = 30.0
_LONGEST_ASKED_WAIT = 120.0  # what a server may ask for with Retry-After
_TRIES_OF_A_STRANGER = 3


class Timeouts(NamedTuple):
    """Seconds to connect, between two bytes of an answer, and for an answer that is read whole."""

    connect: float = 10.0
    read: float = 60.0
    whole: float = 300.0


class Retries(NamedTuple):
    """How often a read is tried in all, and the first wait in seconds; later ones double up to half a minute.

    The default outlasts a server that is away for a minute.
    """

    tries: int = 9
    first_wait: float = 0.5


DEFAULT_TIMEOUTS = Timeouts()
DEFAULT_RETRIES = Retries()


class Wire(NamedTuple):
    """One session with its service clients. Made for one call in one thread, closed after it."""

    http: KaggleHttpClient
    session: requests.Session
    competitions: CompetitionApiClient
    kernels: KernelsApiClient
    datasets: DatasetApiClient
    blobs: BlobApiClient
    oauth: OAuthClient


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
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{base_url!r} is not an address of Kaggle", hint=f"the real one is {KAGGLE_URL}"
            )
        self.is_loopback = parts.hostname in LOOPBACK
        if parts.scheme == "http" and not self.is_loopback:
            raise ConfigError(
                f"{base_url!r} would send the API token unencrypted", hint="use https, or a loopback address"
            )
        self.base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._timeouts = timeouts
        self._retries = retries
        self._sleep = sleep
        self._clock = clock
        self.clock_offset: float | None = None
        """The server's clock minus ours in seconds, by its newest answer; None before the first."""

    def call(
        self,
        what: str,
        call: Callable[[Wire], Found],
        *,
        write: bool,
        competition: str = "",
        given_up: threading.Event | None = None,
    ) -> Found:
        """Run `call`, again after passing trouble (429, 5xx, no connection); `what` names it in errors.

        A server that has never answered gets three tries, since its address may be a typing mistake, and so
        does an answer that cannot be read, such as a page. Whoever waits sets `given_up` to end the waiting.
        The server gets what is to `write` once at most: again only where no connection was made. Where its
        answer did not come, the KaggleError says `maybe_done`.
        """
        wait = self._retries.first_wait
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._once(call)
            except Failed as failure:
                known = failure.status or self.clock_offset is not None
                few = failure.unreadable or not known
                tries = min(self._retries.tries, _TRIES_OF_A_STRANGER) if few else self._retries.tries
                pause = max(wait, min(failure.retry_after, _LONGEST_ASKED_WAIT))
                again = attempt < tries and (failure.never_sent if write else failure.may_pass)
                if not again or self._is_given_up(pause, given_up):
                    raise explain(
                        what,
                        failure,
                        place=self.base_url,
                        loopback=self.is_loopback,
                        competition=competition,
                        write=write,
                    ) from None
                wait = min(wait * 2, _LONGEST_WAIT)

    def _is_given_up(self, seconds: float, given_up: threading.Event | None) -> bool:
        """Wait so long; True when nobody waits for the answer any more."""
        if given_up is not None:
            return given_up.wait(seconds)
        self._sleep(seconds)
        return False

    def _once(self, call: Callable[[Wire], Found]) -> Found:
        adapter = _BoundAdapter(
            self.base_url, self._credentials, self._timeouts, self._clock, self._note_date
        )
        client = _BoundHttpClient(self.base_url, self._credentials, adapter)
        with client as http:
            session = http._session
            wire = Wire(
                http,
                session,
                CompetitionApiClient(http),
                KernelsApiClient(http),
                DatasetApiClient(http),
                BlobApiClient(http),
                OAuthClient(http),
            )
            try:
                return call(wire)
            except requests.HTTPError as error:
                raise Failed(error, error.response) from error
            except (BadAnswer, requests.JSONDecodeError) as error:
                raise Failed(error, None, unreadable=True) from error
            except requests.RequestException as error:
                raise Failed(error, None) from error
            except (KeyError, TypeError, ValueError, RecursionError) as error:
                # on messages that cannot be read: a page of HTML, an unknown enum, JSON nested beyond measure
                raise Failed(error, None, unreadable=True) from error

    def _note_date(self, response: requests.Response) -> None:
        """Keep how far the server's clock is ahead, by an answer of the configured host."""
        try:
            said = parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
        except ValueError:
            return
        self.clock_offset = said - self._clock.now().timestamp()


class _BoundHttpClient(KaggleHttpClient):  # type: ignore[misc]  # kagglesdk has no types
    """kagglesdk's client, bound to one address and one user whatever the environment says."""

    def __init__(self, base_url: str, credentials: Credentials, adapter: _BoundAdapter) -> None:
        env = KaggleEnv.PROD if base_url == KAGGLE_URL else KaggleEnv.LOCAL
        super().__init__(env=env, user_agent="comind")
        self._endpoint = base_url
        self._credentials = credentials
        self._adapter = adapter

    @property
    def bytes_read(self) -> int:
        """Of the answers that were read whole."""
        return self._adapter.bytes_read

    @property
    def api_address(self) -> str:
        """Where the API's paths begin: kaggle.com has them under another one than local servers."""
        return str(self._get_request_url("", "")).rstrip("/")

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
    """Adds time-outs and bounds, and refuses to carry credentials to any host but the configured one.

    Kaggle's signed download and upload addresses lie on other hosts; those are called over https and
    without credentials. A loopback server may send us nowhere else at all.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        timeouts: Timeouts,
        clock: Clock,
        note: Callable[[requests.Response], None],
    ) -> None:
        self._timeouts = timeouts  # super's own __init__ makes the first pool
        super().__init__()
        self.bytes_read = 0
        self._secrets = (credentials,) if isinstance(credentials, str) else credentials
        self._clock = clock
        self._note = note
        self._home = urlsplit(base_url)
        self.is_loopback = self._home.hostname in LOOPBACK

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        time_heads(self.poolmanager, self._timeouts.whole)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        time_heads(manager, self._timeouts.whole)
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        target = urlsplit(str(request.url))
        at_home = (target.scheme, target.netloc) == (self._home.scheme, self._home.netloc)
        has_credentials = "Authorization" in request.headers
        if not at_home and (self.is_loopback or has_credentials or target.scheme != "https"):
            raise ForeignHost(f"refused to call {target.scheme}://{target.netloc}", request=request)
        if options.get("timeout") is None:
            options["timeout"] = (self._timeouts.connect, self._timeouts.read)
        response = super().send(request, *args, **options)
        if at_home:
            self._note(response)
        return response

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> BoundedAnswer:
        answer = BoundedAnswer(self._clock, self._timeouts.whole, self._secrets, self._count)
        return answer.take(super().build_response(req, resp))

    def _count(self, size: int) -> None:
        self.bytes_read += size
