"""What went wrong with one request, and what may be done about it. The waiting is `attempt.py`'s.

The SDK's own retries are off: nested loops multiply. It also lets pass what is no answer at all (an HTML page
with status 200, an error object with status 200, no choices); `replies.py` turns those into faults too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from comind.llm.endpoints import NO_KEY, Endpoint
from comind.llm.pace import seconds_until_room
from kaggle_runner.bodies import BadAnswer
from kaggle_runner.errors import ModelError, ModelRefused, ModelUnavailable
from kaggle_runner.moments import asked_wait
from kaggle_runner.redaction import without_secrets
from kaggle_runner.texts import one_line, shortened

if TYPE_CHECKING:
    import openai


class ContextOverflow(ModelError):
    """The conversation is longer than the model's context window; a shorter one may pass.

    `limit` is the window in tokens and `prompt_tokens` the conversation's length, 0 where not known.
    """

    def __init__(self, message: str, *, hint: str = "", limit: int = 0, prompt_tokens: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.limit = limit
        self.prompt_tokens = prompt_tokens


class ReplyWithheld(ModelError):
    """The model or its provider's filter declined to answer this conversation, twice."""


class Elsewhere(BadAnswer):
    """The answer sends its callers to another address, which this names."""


class FaultKind(StrEnum):
    FATAL = "fatal"
    """Asking again cannot help: key, model name, quota."""
    OVERFLOW = "overflow"
    PARAMETER = "parameter"
    """A parameter that this model does not take; the request may be adapted."""
    TRANSIENT = "transient"
    TIMEOUT = "timeout"
    BAD_REPLY = "bad reply"
    CUT = "cut"
    """The length limit left no usable text; a higher limit may."""
    WITHHELD = "withheld"


@dataclass(slots=True, eq=False)
class Fault(Exception):
    """Control flow inside the client; `error` is what callers see when nothing more can be done."""

    kind: FaultKind
    error: ModelError
    retry_after: float | None = None
    """Seconds that the server asked for."""
    parameter: str = ""
    text: str = ""
    """The server's words."""
    lasting: bool = False
    """It concerns the endpoint and not this question: key, name, quota."""
    throttled: bool = False
    """The server refuses everybody for a while: the whole address waits."""
    sent_cap: int = 0
    """Completion tokens that the request asked for."""


_OVERFLOW: Final = re.compile(
    r"maximum context length|context_length_exceeded|exceeds the available context size|reduce the length"
    r"|context window|context length|prompt is too long|too many tokens|input is too long",
    re.I,
)
_UNSUPPORTED: Final = re.compile(
    r"unsupported|not support|unrecognized|unknown (?:parameter|field|argument)|not permitted"
    r"|extra (?:inputs|fields)|unexpected keyword|only the default",
    re.I,
)
_QUOTA_CODES: Final = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "access_terminated",
}
_LONGEST_WORDS: Final = 400
_MODERATED: Final = re.compile(r"moderat|flagged|safety system|content policy", re.I)
_ADAPTABLE: Final = (
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "reasoning_effort",
    "prompt_cache_key",
)
_COMPLETION_LIMIT: Final = re.compile(
    r"at most (\d+) (?:completion|output) tokens|(?:range|between).{0,30}?, ?(\d+)\]", re.I
)


def from_exception(error: Exception, endpoint: Endpoint) -> Fault:
    """The fault behind an exception of the SDK, of the JSON decoder or of the clock on the whole call."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return _from_status(error, endpoint)
    if isinstance(error, (openai.APITimeoutError, TimeoutError)):
        gone = ModelUnavailable(
            f"{endpoint.host} did not finish a reply of {endpoint.model} in time",
            hint="a slow model needs a longer call limit or shorter replies (max_completion_tokens)",
        )
        return Fault(FaultKind.TIMEOUT, gone)
    if isinstance(error, openai.APIConnectionError):
        cause = without_secrets(_root(error), (endpoint.api_key,))
        gone = ModelUnavailable(
            f"cannot reach {endpoint.host} for {endpoint.model}: {cause}",
            hint="is the server running, and is the base URL right (it usually ends in /v1)?",
        )
        return Fault(FaultKind.TRANSIENT, gone)
    if isinstance(error, Elsewhere):
        return Fault(FaultKind.FATAL, ModelRefused(
            f"{endpoint.host} sends its callers on to {error}, where nothing is sent",
            hint="if that is the right address, give it as the base URL",
        ), lasting=True)  # fmt: skip
    if isinstance(error, BadAnswer):
        return bad_reply(endpoint, f"what cannot be read ({error})")
    return bad_reply(endpoint, f"a reply that is not JSON ({type(error).__name__})")


def _from_status(error: openai.APIStatusError, endpoint: Endpoint) -> Fault:
    body = error.body if isinstance(error.body, dict) else {}
    said = str(body.get("message") or error.message)
    fault = from_code(
        error.status_code, str(error.code or error.type or ""), said, endpoint, str(error.param or "")
    )
    fault.retry_after = retry_after(error.response.headers)
    fault.throttled = error.status_code == 429 or fault.retry_after is not None
    if fault.kind is FaultKind.TRANSIENT and error.response.headers.get("x-should-retry") == "false":
        fault.kind = FaultKind.FATAL
    return fault


def from_code(status: int, code: str, said: str, endpoint: Endpoint, parameter: str = "") -> Fault:
    """The fault behind an HTTP status (or the one inside an error object that came with status 200)."""
    words = shortened(one_line(said), _LONGEST_WORDS)
    where = f"{endpoint.model} at {endpoint.host}"
    if code in _QUOTA_CODES or status == 402:
        return Fault(FaultKind.FATAL, ModelRefused(
            f"the account behind {where} has no quota left: {words}",
            hint="add credit or another key, then resume the run; nothing paid for is lost",
        ), lasting=True)  # fmt: skip
    if status in (400, 403) and _MODERATED.search(said):
        return withheld(where, words)
    if status in (401, 403):
        refused = ModelRefused(
            f"{endpoint.host} refused the key ({status}): {words}", hint=_key_hint(endpoint)
        )
        return Fault(FaultKind.FATAL, refused, lasting=True)
    if status == 404:
        return Fault(FaultKind.FATAL, ModelRefused(
            f"{endpoint.host} does not know the model {endpoint.model!r} or this address (404): {words}",
            hint="check --model (old models get retired) and the base URL (it usually ends in /v1)",
        ), lasting=True)  # fmt: skip
    if status != 429 and (_OVERFLOW.search(code) or _OVERFLOW.search(said)):
        return overflow(endpoint, words)
    if status in (400, 422):
        return _bad_request(where, status, code, said, words, parameter)
    if status in (408, 409, 425, 429) or status >= 500:
        return Fault(FaultKind.TRANSIENT, ModelUnavailable(
            f"{where} is not available ({status}): {words}", hint="it may work later; the run can be resumed"
        ))  # fmt: skip
    return Fault(
        FaultKind.FATAL,
        ModelRefused(f"{where} answered with status {status}: {words}", hint="check the base URL"),
    )


def _bad_request(where: str, status: int, code: str, said: str, words: str, parameter: str) -> Fault:
    """A refused request; PARAMETER when it names one that can be left away, renamed or lowered."""
    named = parameter or next((one for one in _ADAPTABLE if re.search(rf"\b{one}\b", said)), "")
    refused = ModelRefused(
        f"{where} does not accept the request ({status}): {words}",
        hint="the endpoint may not speak chat completions, or the model needs other settings",
    )
    adaptable = named in _ADAPTABLE and (
        code.startswith("unsupported") or _UNSUPPORTED.search(said) or completion_limit(said)
    )
    return Fault(FaultKind.PARAMETER if adaptable else FaultKind.FATAL, refused, parameter=named, text=said)


def overflow(endpoint: Endpoint, words: str, *, limit: int = 0, prompt_tokens: int = 0) -> Fault:
    error = ContextOverflow(
        f"the conversation is too long for {endpoint.model} at {endpoint.host}: {words}",
        hint="a model with a longer context, or the small-model preset, fits more",
        limit=limit or _first_number(r"(?:context length|context size|context window)\D{0,20}(\d+)", words),
        prompt_tokens=prompt_tokens
        or _first_number(r"(?:has|resulted in|requested|request \()\s*(\d+)", words),
    )
    if inner := _first_number(r"\((\d+) in the messages", words):
        error.prompt_tokens = inner
    return Fault(FaultKind.OVERFLOW, error, text=words)


def withheld(where: str, words: str) -> Fault:
    error = ReplyWithheld(
        f"{where} declined to answer: {words[:300] or 'its content filter stopped the reply'}",
        hint="another model may answer; community text in the prompt may have set the filter off",
    )
    return Fault(FaultKind.WITHHELD, error)


def bad_reply(endpoint: Endpoint, what: str) -> Fault:
    error = ModelUnavailable(
        f"{endpoint.host} sent {what} instead of an answer of {endpoint.model}",
        hint="check the base URL (it usually ends in /v1); a proxy or a login page may stand in between",
    )
    return Fault(FaultKind.BAD_REPLY, error)


def completion_limit(said: str) -> int:
    """The model's own limit on completion tokens as its server words it, or 0."""
    match = _COMPLETION_LIMIT.search(said)
    return int(match[1] or match[2]) if match else 0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms`, `Retry-After` or the limits left; None where none says so."""
    milliseconds = headers.get("retry-after-ms", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", milliseconds):
        return float(milliseconds) / 1000
    if "retry-after" in headers:
        return asked_wait(headers)
    return seconds_until_room(headers, 1) or None


def _first_number(pattern: str, text: str) -> int:
    match = re.search(pattern, text, re.I)
    return int(match[1]) if match else 0


def _key_hint(endpoint: Endpoint) -> str:
    if endpoint.api_key == NO_KEY:
        return "set OPENAI_API_KEY, or COMIND_API_KEY_<ROLE> (_FALLBACK_1, …) for another server"
    return "check that the key belongs to this address and may use this model"


def _root(error: BaseException) -> str:
    """The innermost cause in words, `connection refused` rather than `Connection error.`"""
    chain: list[Any] = [error]
    while (inner := chain[-1].__cause__ or chain[-1].__context__) is not None and inner not in chain:
        chain.append(inner)
    return next((str(part) for part in reversed(chain) if str(part)), type(error).__name__)
