"""The model client: one question, one reply, paid for once.

Every reply is recorded before it is returned, under an id that a resumed run asks for again. Retries live in
one loop here (the SDK's are off). Chat completions only: every compatible server has them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from comind.clock import Clock, stamp
from comind.llm.budget import Budget, Reservation
from comind.llm.endpoints import Endpoint
from comind.llm.faults import Fault, FaultKind, from_exception, overflow
from comind.llm.prices import PriceBook
from comind.llm.profiles import ModelSettings, Profile, mentions_completion
from comind.llm.replies import Answer, read
from comind.llm.tokens import estimate_prompt_tokens
from comind.records import LlmCall
from kaggle_runner.errors import ConfigError, ModelUnavailable

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

_RETRIES: Final[Mapping[FaultKind, int]] = {
    FaultKind.TRANSIENT: 8,  # waits of 1, 2, 4 ... 64 s, three minutes in all: per-minute limits pass
    FaultKind.TIMEOUT: 1,
    FaultKind.BAD_REPLY: 3,
    FaultKind.WITHHELD: 1,
    FaultKind.PARAMETER: 4,
    FaultKind.CUT: 1,
    FaultKind.OVERFLOW: 1,
}
_CHECK_RETRIES: Final = {**_RETRIES, FaultKind.TRANSIENT: 2, FaultKind.TIMEOUT: 0, FaultKind.BAD_REPLY: 1}
_AT_ONCE: Final = (FaultKind.PARAMETER, FaultKind.CUT, FaultKind.OVERFLOW)
_LONGEST_BACKOFF: Final = 64.0
_LONGEST_WAIT: Final = 3600.0
"""Seconds that a Retry-After is followed when the run has no deadline."""
_CHECK_COMPLETION_TOKENS: Final = 512
_CHECK_SECONDS: Final = 120.0
"""A local server may have to load the model first."""
_CHECK_MESSAGES: Final = [{"role": "user", "content": "Reply with the single word: ready"}]


class CallLog(Protocol):
    """Where calls are kept. `save_call` has committed when it returns."""

    def get_call(self, id: str) -> LlmCall | None: ...
    def save_call(self, call: LlmCall) -> None: ...


@dataclass(frozen=True, slots=True)
class CallKey:
    """Which question of the run this is; the same in every engine that runs it."""

    agent: str
    step: int
    kind: str
    attempt: int = 1

    @property
    def id(self) -> str:
        return f"{self.agent}/{self.step}/{self.kind}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    """Without reasoning blocks, stripped, never empty."""
    finish_reason: str
    """`stop`, or `length` when the text was cut off."""
    call: LlmCall
    replayed: bool
    """Found among the recorded calls: nothing was sent or paid."""


@dataclass(slots=True)
class _Line:
    """An endpoint with what is open to it."""

    endpoint: Endpoint
    sdk: AsyncOpenAI
    slots: asyncio.Semaphore
    profile: Profile


@dataclass(slots=True)
class _Tries:
    """How often each kind of fault happened to one call."""

    allowed: Mapping[FaultKind, int]
    counts: dict[FaultKind, int] = field(default_factory=dict)

    def again(self, kind: FaultKind) -> bool:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return self.counts[kind] <= self.allowed.get(kind, 0)

    @property
    def waits(self) -> int:
        return sum(count for kind, count in self.counts.items() if kind not in _AT_ONCE)


class ModelClient:
    """Answers roles' questions through their endpoints. One event loop; close it with `aclose`.

    `transport` replaces the network (the offline recipes answer in process); `prices` may carry the
    person's own table; `sleep` and `rng` make waiting and jitter testable.
    """

    def __init__(
        self,
        *,
        endpoints: Mapping[str, Endpoint],
        log: CallLog,
        budget: Budget,
        clock: Clock,
        rng: random.Random,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        prices: PriceBook | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        self._log = log
        self._budget = budget
        self._clock = clock
        self._rng = rng
        self._sleep = sleep
        self._prices = prices or PriceBook()
        self._settings = settings or ModelSettings()
        self._lines = self._open_lines(endpoints, transport)

    async def ask(self, role: str, key: CallKey, messages: Sequence[dict[str, str]]) -> Reply:
        """The reply to `messages` (chat messages with `role` and `content`), recorded before it is returned.

        A reply recorded under `key` is returned as it is, at no cost. Raises LimitReached (money, tokens,
        time), ContextOverflow (shorten and ask again), ReplyWithheld, ModelRefused (asking again cannot
        help), ModelUnavailable (all tries failed) and ConfigError (dollar limit without a price).
        """
        recorded = self._log.get_call(key.id)
        if recorded is not None:
            return Reply(recorded.reply, recorded.finish_reason, recorded, replayed=True)
        line = self._lines[role]
        tries = _Tries(_RETRIES)
        while True:
            try:
                call = await self._exchange(line, role, key, messages, last=tries.counts)
            except Fault as fault:
                await self._overcome(fault, line, tries)
            else:
                return Reply(call.reply, call.finish_reason, call, replayed=False)

    async def check(self) -> None:
        """One small question to every distinct endpoint, so that a wrong key or name shows before a run.

        Raises ModelRefused or ModelUnavailable, and ConfigError when dollars are limited and a price is
        not known. Its tokens count in the budget and are not recorded.
        """
        for line in {id(line): line for line in self._lines.values()}.values():
            if self._budget.limits_dollars and not self._prices.knows(line.endpoint):
                raise ConfigError(
                    f"the price of {line.endpoint.model} at {line.endpoint.host} is not known, "
                    "so a dollar limit cannot be kept",
                    hint="give it in the config (prices: MODEL: {input: .., output: ..}) or limit tokens",
                )
            await self._check_line(line)

    async def aclose(self) -> None:
        for line in {id(line.sdk): line for line in self._lines.values()}.values():
            await line.sdk.close()

    async def _check_line(self, line: _Line) -> None:
        tries = _Tries(_CHECK_RETRIES)
        prompt = estimate_prompt_tokens(_CHECK_MESSAGES)
        while True:
            cap = min(_CHECK_COMPLETION_TOKENS, line.profile.room(prompt))
            try:
                answer = await self._send(line, _CHECK_MESSAGES, prompt, cap, _CHECK_SECONDS)
            except Fault as fault:
                if "output limit was reached" in fault.text:
                    return  # it answered: reasoning alone used the few tokens of a check
                await self._overcome(fault, line, tries)
                continue
            self._budget.spend("check", answer.usage, self._prices.dollars(line.endpoint, answer.usage))
            return

    async def _exchange(
        self,
        line: _Line,
        role: str,
        key: CallKey,
        messages: Sequence[dict[str, str]],
        last: Mapping[FaultKind, int],
    ) -> LlmCall:
        """One request: reserve, send, record, settle. Raises Fault when there is no usable reply."""
        prompt = estimate_prompt_tokens(messages)
        async with line.slots:
            reservation = await self._reserve(line, key, prompt)
            try:
                started = self._clock()
                answer = await self._send(
                    line, messages, prompt, reservation.completion_tokens, self._settings.call_seconds
                )
                fault = answer.fault
                if (
                    fault is not None
                    and fault.kind is FaultKind.CUT
                    and answer.text
                    and FaultKind.CUT in last
                ):
                    fault = None  # twice cut off: the text there is goes to the caller, marked `length`
                seconds = (self._clock() - started).total_seconds()
                call = self._call(line, role, key, messages, answer, seconds, self._call_id(key, fault))
                self._log.save_call(call)
                self._budget.record(call)
            finally:
                self._budget.release(reservation)
        if fault is not None:
            raise fault
        return call

    async def _reserve(self, line: _Line, key: CallKey, prompt: int) -> Reservation:
        wanted = line.profile.room(prompt)
        least = min(self._settings.least_completion_tokens, line.profile.cap)
        if wanted < min(least, line.profile.cap_limit or least):
            raise overflow(
                line.endpoint,
                f"about {prompt} of its {line.profile.context} tokens leave no room for a reply",
                limit=line.profile.context or 0,
                prompt_tokens=prompt,
            )
        return await self._budget.reserve(
            key.agent,
            prompt,
            wanted,
            least,
            lambda usage: self._prices.dollars(line.endpoint, usage),
            report=key.kind == "report",
        )

    async def _send(
        self, line: _Line, messages: Sequence[dict[str, str]], prompt: int, cap: int, seconds: float
    ) -> Answer:
        """Sends once, within `seconds` and the run's deadline. Raises Fault."""
        import openai

        left = self._budget.seconds_left()
        parameters = line.profile.parameters(self._settings, cap)
        try:
            # The SDK's time-out is per read: a reply that drips would never end.
            async with asyncio.timeout(seconds if left is None else min(seconds, left)):
                completion = await line.sdk.chat.completions.create(
                    model=line.endpoint.model, messages=cast("Any", list(messages)), **parameters
                )
            return read(completion, line.endpoint, prompt)
        except (openai.APIError, TimeoutError, ValueError, RecursionError, MemoryError) as error:
            # The SDK lets JSON and Unicode errors of a broken body through, and a body nested beyond measure.
            fault = from_exception(error, line.endpoint, self._clock)
            if fault.kind is FaultKind.PARAMETER and not line.profile.adapt(fault, parameters):
                fault.kind = FaultKind.FATAL
            raise fault from error

    async def _overcome(self, fault: Fault, line: _Line, tries: _Tries) -> None:
        """Returns when the call may be sent again; raises the fault's error when it may not."""
        if not tries.again(fault.kind) or not self._remedy(fault, line):
            raise fault.error from fault.__cause__
        if fault.kind in _AT_ONCE:
            return
        backoff = min(_LONGEST_BACKOFF, 2.0 ** (tries.waits - 1)) * self._rng.uniform(0.75, 1.25)
        asked = (fault.retry_after or 0.0) * self._rng.uniform(1.0, 1.1)  # agents that waited together part
        wait = max(backoff, asked)
        left = self._budget.seconds_left()
        if wait > (_LONGEST_WAIT if left is None else left):
            raise ModelUnavailable(
                f"{fault.error.message}; the next try is {wait:.0f} s away and there is less time left",
                hint=fault.error.hint,
            ) from fault.__cause__
        await self._sleep(wait)

    def _remedy(self, fault: Fault, line: _Line) -> bool:
        """Changes what the next try sends, where the fault calls for it; False when nothing would change."""
        profile, settings = line.profile, self._settings
        if fault.kind is FaultKind.CUT:
            raised = max(settings.raised_completion_tokens, settings.max_completion_tokens)
            if profile.cap < raised:
                profile.cap = raised
            return True
        if fault.kind is FaultKind.OVERFLOW:
            limit, prompt = getattr(fault.error, "limit", 0), getattr(fault.error, "prompt_tokens", 0)
            return mentions_completion(fault.text) and profile.learn_context(
                limit, prompt, settings.least_completion_tokens
            )
        return True

    def _call_id(self, key: CallKey, fault: Fault | None) -> str:
        """The key's id, or for a paid reply that cannot be used the next free id beside it."""
        if fault is None:
            return key.id
        number = 1
        while self._log.get_call(f"{key.id}/unusable-{number}") is not None:
            number += 1
        return f"{key.id}/unusable-{number}"

    def _call(
        self,
        line: _Line,
        role: str,
        key: CallKey,
        messages: Sequence[dict[str, str]],
        answer: Answer,
        seconds: float,
        id: str,
    ) -> LlmCall:
        usage = answer.usage
        return LlmCall(
            id=id,
            role=role,
            agent=key.agent,
            step=key.step,
            kind=key.kind,
            attempt=key.attempt,
            model=line.endpoint.name,
            base_url=line.endpoint.base_url,
            messages=[dict(message) for message in messages],
            reply=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            dollars=self._prices.dollars(line.endpoint, usage),
            seconds=round(seconds, 3),
            at=stamp(self._clock()),
        )

    def _open_lines(
        self, endpoints: Mapping[str, Endpoint], transport: httpx2.AsyncBaseTransport | None
    ) -> dict[str, _Line]:
        """One line an endpoint; endpoints at one address share its limit on parallel requests."""
        slots: dict[str, asyncio.Semaphore] = {}
        opened: dict[Endpoint, _Line] = {}
        for endpoint in endpoints.values():
            if endpoint not in opened:
                opened[endpoint] = _Line(
                    endpoint,
                    _open_sdk(endpoint, transport, self._settings),
                    slots.setdefault(endpoint.base_url, asyncio.Semaphore(self._settings.concurrency)),
                    Profile.of(endpoint, self._settings),
                )
        return {role: opened[endpoint] for role, endpoint in endpoints.items()}


def _open_sdk(
    endpoint: Endpoint, transport: httpx2.AsyncBaseTransport | None, settings: ModelSettings
) -> AsyncOpenAI:
    import httpx2  # with the SDK half a second of imports
    import openai

    timeout = httpx2.Timeout(settings.call_seconds, connect=10.0)
    if transport is None and endpoint.is_loopback:
        # A proxy from the environment cannot reach this machine's ports.
        transport = httpx2.AsyncHTTPTransport()
    http_client = openai.DefaultAsyncHttpx2Client(
        timeout=timeout, **({"transport": transport} if transport else {})
    )
    return openai.AsyncOpenAI(
        api_key=endpoint.api_key,
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=timeout,
        http_client=http_client,
    )
