"""From what the endpoint returned to text, finish reason and usage, or to the fault that hides in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from comind.llm.endpoints import Endpoint
from comind.llm.faults import Fault, FaultKind, bad_reply, from_code, withheld
from comind.llm.prices import Usage
from comind.llm.thinking import strip_thinking
from comind.llm.tokens import estimate_tokens
from kaggle_runner.errors import ModelUnavailable
from kaggle_runner.texts import clip, whole_characters

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletion

_LONGEST_WORD: Final = 200
_LONGEST_TEXT: Final = 400_000
"""Characters; far more than any role needs, and little enough to be read, kept and shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back and was paid for. `fault` says why the text cannot be used, None when it can."""

    text: str
    finish_reason: str
    usage: Usage
    fault: Fault | None = None
    usage_reported: bool = False
    """False: the tokens are our estimate."""
    cached_reported: bool = False
    served_model: str = ""
    """What the endpoint says has answered."""


def read(completion: object, endpoint: Endpoint, prompt_estimate: int) -> Answer:
    """The answer inside a completion. Raises Fault when there is none, not even an unusable one."""
    from openai.types.chat import ChatCompletion

    if not isinstance(completion, ChatCompletion):
        raise bad_reply(endpoint, f"text that is not JSON ({str(completion)[:60].strip()!r}…)")
    problem = getattr(completion, "error", None)
    if problem:
        raise _error_object(problem, endpoint)
    # The SDK does not validate: `choices` may be None or hold anything.
    choices = cast("Any", completion.choices)
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    if message is None:
        raise bad_reply(endpoint, "a completion without choices")
    content = _content(message)
    text = strip_thinking(content)
    finish_reason = whole_characters(str(getattr(choices[0], "finish_reason", None) or ""))[:_LONGEST_WORD]
    usage = _usage(completion, content, prompt_estimate)
    refusal = getattr(message, "refusal", None)
    refusal = whole_characters(refusal) if isinstance(refusal, str) else ""
    fault = _hidden_fault(endpoint, text, finish_reason, refusal, usage)
    if len(text) > _LONGEST_TEXT:
        # The note makes a cut cell invalid Python, so that a part of one never runs as if it were the whole.
        mark = "\n[… {} more characters of this reply were left out …]"
        text = clip(text, _LONGEST_TEXT, front=_LONGEST_TEXT, mark=mark)
        finish_reason = "length"
    details = getattr(completion.usage, "prompt_tokens_details", None)
    return Answer(
        text,
        finish_reason,
        usage,
        fault,
        usage_reported=_count(completion.usage, "prompt_tokens") > 0,
        cached_reported=getattr(details, "cached_tokens", None) is not None,
        served_model=whole_characters(str(completion.model or ""))[:_LONGEST_WORD],
    )


def _hidden_fault(
    endpoint: Endpoint, text: str, finish_reason: str, refusal: str, usage: Usage
) -> Fault | None:
    where = f"{endpoint.model} at {endpoint.host}"
    if finish_reason == "content_filter" or refusal:
        return withheld(where, refusal)
    if finish_reason == "length" and (not text or usage.reasoning_tokens):
        return Fault(FaultKind.CUT, ModelUnavailable(
            f"{where} used all {usage.completion_tokens} completion tokens without finishing its reply",
            hint="raise max_completion_tokens or lower the reasoning effort",
        ))  # fmt: skip
    if not text:
        return Fault(FaultKind.BAD_REPLY, ModelUnavailable(
            f"{where} sent empty replies", hint="another model may answer; see the run's recorded calls"
        ))  # fmt: skip
    return None


def _error_object(problem: object, endpoint: Endpoint) -> Fault:
    """An error that came with status 200, as gateways send it. Without a known code it counts as passing."""
    fields = problem if isinstance(problem, dict) else {"message": str(problem)}
    code = str(fields.get("code") or "")
    number = int(code) if code.isdigit() else 0
    kind = code if code and not number else str(fields.get("type") or "")
    if kind in ("model_not_found", "invalid_api_key"):
        number = 404 if kind == "model_not_found" else 401
    said = str(fields.get("message") or problem)
    return from_code(number if number >= 400 else 503, kind, said, endpoint)


def _content(message: object) -> str:
    """The text, which some servers send in parts, with what is no text replaced; empty when there is none."""
    content = getattr(message, "content", None)
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    return whole_characters(content) if isinstance(content, str) else ""


def _usage(completion: ChatCompletion, content: str, prompt_estimate: int) -> Usage:
    """As reported; estimated where the endpoint reports nothing, since nothing would mean free."""
    prompt = _count(completion.usage, "prompt_tokens") or prompt_estimate
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=_count(completion.usage, "completion_tokens") or estimate_tokens(content),
        cached_tokens=min(_count(completion.usage, "prompt_tokens_details", "cached_tokens"), prompt),
        reasoning_tokens=_count(completion.usage, "completion_tokens_details", "reasoning_tokens"),
    )


_NO_COUNT = 10**12
"""No reply has so many tokens, and the store cannot hold every number that JSON can."""


def _count(usage: object, *path: str) -> int:
    """A field of the usage object, which the SDK does not validate: anything but a count is 0."""
    for name in path:
        usage = getattr(usage, name, None)
    return usage if isinstance(usage, int) and 0 < usage < _NO_COUNT else 0
