"""Why a call to Kaggle failed, in words of ours: what happened, and what to do next. It calls nothing."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests
from urllib3.exceptions import NameResolutionError, NewConnectionError

from kaggle_runner.bodies import BadAnswer
from kaggle_runner.errors import KaggleError
from kaggle_runner.moments import asked_wait
from kaggle_runner.texts import one_line, shortened

SETTINGS_PAGE = "https://www.kaggle.com/settings"
_PASSING_TROUBLE = (429, 500, 502, 503, 504)
_LONGEST_TEXT = 1000
_NOT_TAKEN = (429, 501)
"""Error statuses from 429 up that are said before anything is done."""


class ForeignHost(requests.RequestException):
    """A request was about to leave for a host that is not the configured one."""


class Failed(Exception):
    """One failed try, with what is needed to decide on another and to explain it."""

    def __init__(
        self, cause: Exception, response: requests.Response | None, *, unreadable: bool = False
    ) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.status = _status(response)
        self.text = said(cause)
        self.unreadable = unreadable
        self.retry_after = 0.0 if response is None else asked_wait(response.headers) or 0.0

    @property
    def may_pass(self) -> bool:
        """True when the same call may succeed a little later."""
        if self.status:
            return self.status in _PASSING_TROUBLE
        return not isinstance(self.cause, ForeignHost | requests.exceptions.SSLError)

    @property
    def maybe_done(self) -> bool:
        """True when the server may have done what it was asked although it did not say so."""
        if self.status:
            return self.status >= 500 and self.status not in _NOT_TAKEN
        return not (isinstance(self.cause, ForeignHost) or self.never_sent)

    @property
    def never_sent(self) -> bool:
        """True when there was not even a connection."""
        return not self.status and _never_connected(self.cause)


def _status(response: requests.Response | None) -> int:
    """The HTTP status of an error answer; Kaggle may also send one with status 200 and a `code` inside."""
    if response is None or response.status_code >= 400:
        return 0 if response is None else response.status_code
    try:
        return int(response.json()["code"])
    except (BadAnswer, ValueError, KeyError, TypeError, RecursionError):
        return response.status_code


def _never_connected(cause: Exception) -> bool:
    if isinstance(cause, requests.ConnectTimeout | requests.exceptions.SSLError):
        return True
    return any(isinstance(one, NewConnectionError) for one in _chain(cause))


def _chain(error: BaseException) -> list[BaseException]:
    """The error and what lies beneath it: requests wraps urllib3's errors in arguments and reasons."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__]
    return found


def explain(
    what: str, failure: Failed, *, place: str, loopback: bool, competition: str = "", write: bool = False
) -> KaggleError:
    """The error to raise. `what` names the call, `competition` whose rules may be the way out."""
    maybe_done = write and failure.maybe_done
    if failure.status:
        text = failure.text or "no message"
        return KaggleError(
            f"{what}: {text} (HTTP {failure.status})",
            hint=hint(failure.status, text, competition, maybe_done=maybe_done),
            status=failure.status,
            maybe_done=maybe_done,
            retry_after=failure.retry_after,
        )
    message, advice = _without_answer(failure, place, loopback)
    if maybe_done:
        advice = "it may have been done all the same: look there before it is repeated"
    return KaggleError(f"{what}: {message}", hint=advice, maybe_done=maybe_done)


def _without_answer(failure: Failed, place: str, loopback: bool) -> tuple[str, str]:
    host = urlsplit(place).netloc
    if failure.unreadable:
        return (
            f"the answer of {place} cannot be read ({_unreadable(failure)})",
            "is this the address of Kaggle's API, with nothing in between (a login page, a proxy)?",
        )
    if isinstance(failure.cause, ForeignHost):
        return str(failure.cause), f"only {place} may be called"
    if isinstance(failure.cause, requests.exceptions.SSLError):
        return f"{place} has no certificate to be trusted", "check the address; is a proxy in between?"
    if isinstance(failure.cause, requests.Timeout):
        return f"no answer in time ({place})", _away(loopback)
    if any(isinstance(one, NameResolutionError) for one in _chain(failure.cause)):
        ours = host.rpartition(".")[0].endswith("kaggle")  # of kaggle.com nobody has typed the address
        return f"no host {host} can be found", f"check {'' if ours else 'its spelling, and '}the network"
    return f"no connection ({place})", _away(loopback)


def said(words: object) -> str:
    """What a server says, as one line of bounded length."""
    return shortened(one_line(str(words or "")), _LONGEST_TEXT)


def _unreadable(failure: Failed) -> str:
    return failure.text if isinstance(failure.cause, BadAnswer) else type(failure.cause).__name__


def _away(loopback: bool) -> str:
    return "is MLE-Live running?" if loopback else "check the network, then try again"


def hint(status: int, text: str, competition: str = "", *, maybe_done: bool = False) -> str:
    """What to do about an error answer with this status and text."""
    words = text.lower()
    if maybe_done:
        return "it may have been done all the same: look there before it is repeated"
    if status == 401:
        return f"the API token is not valid here; make a new one under {SETTINGS_PAGE} → API"
    if "phone" in words or "verif" in words:
        return f"Kaggle wants the account verified by phone first: {SETTINGS_PAGE}"
    if "allowance" in words or ("daily" in words and "limit" in words):
        return "the day's submissions are used up; the count starts again at midnight UTC"
    if status in (403, 404) and ("permission '" in words or status == 404):
        return f"check the name (it ends its page's address), or the token lacks the right ({SETTINGS_PAGE})"
    if status == 403:
        page = f"https://www.kaggle.com/competitions/{competition}/rules" if competition else "its rules page"
        return f"join the competition and accept its rules at {page}; or is its name misspelt?"
    if status == 429:
        return "Kaggle asks for fewer calls; wait some minutes"
    if status == 501:
        return "this server does not offer that call"
    if status >= 500:
        return "the trouble is on the server's side; try again later"
    return "see the message"
