"""The model client: one question, one reply, paid for once.

Every reply is recorded before it is returned, under an id that a resumed run asks for again. Retries live in
one loop (`attempt.py`; the SDK's are off); when they are used up or cannot help, the next endpoint of the
role's chain is asked. Chat completions only, and never streamed: every compatible server has them, and a
reply that was cut off cannot pass for a whole one.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from comind.llm.attempt import CHECK_RETRIES, RETRIES, Tell, Trier, Tries
from comind.llm.budget import Budget, Reservation
from comind.llm.endpoints import Endpoint
from comind.llm.faults import Fault, FaultKind, overflow
from comind.llm.open_endpoints import OpenEndpoint, OpenEndpoints
from comind.llm.pace import AddressPace
from comind.llm.price_book import PriceBook
from comind.llm.probe import CAP, QUESTION, context_window, facts_of, recall
from comind.llm.profiles import ModelSettings
from comind.llm.replies import Answer
from comind.llm.tokens import Messages, estimate_prompt_tokens
from comind.state.records import EndpointFacts, LlmCall, Record
from kaggle_runner.errors import ConfigError, ModelError, ModelRefused, ModelUnavailable
from kaggle_runner.moments import Clock, Sleep, stamp

if TYPE_CHECKING:
    import httpx2

R = TypeVar("R", bound=Record)
_CHECK_SECONDS: Final = 120.0
"""A local server may have to load the model first."""


class CallLog(Protocol):
    """The run's store. What is saved has been committed when the method returns."""

    def get(self, record: type[R], id: str) -> R | None: ...
    def save(self, *records: Record) -> None: ...


class NoLog:
    """For clients whose calls belong to no run."""

    def get(self, record: type[R], id: str) -> R | None:
        return None

    def save(self, *records: Record) -> None:
        return None


def _untold(kind: str, message: str) -> None:
    """For clients that nobody watches."""


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


class _Question(NamedTuple):
    role: str
    key: CallKey
    messages: Messages


class ModelClient:
    """Answers roles' questions through their endpoints. One event loop; close it with `aclose`.

    `fallbacks` stand behind each role's own endpoint, in order; `facts` are what earlier probes learned;
    `run` names the run in prompt cache keys; `tell` takes events for people. `transport` replaces the network
    (the offline recipes answer in process); `prices` may carry the person's own table; `sleep` and `rng`
    make waiting and jitter testable.
    """

    def __init__(
        self,
        *,
        endpoints: Mapping[str, Endpoint],
        log: CallLog,
        budget: Budget,
        clock: Clock,
        rng: random.Random,
        fallbacks: Sequence[Endpoint] = (),
        facts: Iterable[EndpointFacts] = (),
        run: str = "",
        tell: Tell = _untold,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Sleep = asyncio.sleep,
        prices: PriceBook | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        self.log = log
        self._budget = budget
        self._clock = clock
        self._run = run
        self._tell = tell
        self._sleep = sleep
        self._prices = prices or PriceBook()
        self._settings = settings or ModelSettings()
        self._trier = Trier(
            settings=self._settings, budget=budget, clock=clock, rng=rng, sleep=sleep, tell=tell
        )
        self._endpoints = OpenEndpoints(endpoints, fallbacks, self._settings, transport, self._open_pace)
        known = {one.id: one for one in facts}
        for opened in self._endpoints:
            if opened.endpoint.id in known:
                recall(opened.profile, known[opened.endpoint.id])

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        """The reply to `messages` (chat messages with `role` and `content`), recorded before it is returned.

        A reply recorded under `key` is returned as it is, at no cost. Raises LimitReached (money, tokens,
        time), ContextOverflow (shorten and ask again), ReplyWithheld, ModelRefused (asking again cannot
        help), ModelUnavailable (all tries failed) and ConfigError (dollar limit without a price); with
        fallbacks, the error of the first endpoint asked when none could answer.
        """
        recorded = self.log.get(LlmCall, key.id)
        if recorded is not None:
            return Reply(recorded.reply, recorded.finish_reason, recorded, replayed=True)
        first: ModelError | None = None
        for opened in self._endpoints.able(role, self._clock.monotonic()):
            try:
                call = await self._ask_endpoint(opened, _Question(role, key, messages))
            except Fault as fault:
                if fault.kind is FaultKind.OVERFLOW:
                    raise fault.error from None
                first = first or fault.error
                self._put_aside(opened, role, fault)
            else:
                self._answered(opened, role)
                return Reply(call.reply, call.finish_reason, call, replayed=False)
        if first is None:
            # all refused for good earlier: the role's own endpoint says why
            refusal = self._endpoints.chain(role)[0].refusal
            first = refusal or ModelUnavailable(f"no endpoint answers for the {role}")
        # The SDK's exception is not shown as the cause: it may hold the key in the server's words.
        raise first from None

    async def check(self) -> list[EndpointFacts]:
        """One small question to every distinct endpoint, so that a wrong key or name shows before a run.

        Returns what was learned (comind.llm.probe). An endpoint that does not answer is an error only when
        a role has no other. Raises ModelRefused or ModelUnavailable, and ConfigError when dollars are limited
        and a price is not known. Its tokens count in the budget and are not recorded.
        """
        for opened in self._endpoints:
            if self._budget.limits_dollars and not self._prices.knows(opened.endpoint):
                raise ConfigError(
                    f"the price of {opened.endpoint.model} at {opened.endpoint.host} is not known, "
                    "so a dollar limit cannot be kept",
                    hint="give it in the config (prices: MODEL: {input: .., output: ..}, zeros for a server "
                    "of your own), or limit tokens in place of dollars: --max-cost none --max-tokens N",
                )
        learned, failed = [], {}
        for opened in self._endpoints:
            try:
                learned.append(await self._probe(opened))
            except Fault as fault:
                failed[opened.endpoint] = fault.error
                if fault.lasting:
                    opened.refusal = fault.error
        for role in self._endpoints.roles:
            if all(opened.endpoint in failed for opened in self._endpoints.chain(role)):
                raise failed[self._endpoints.chain(role)[0].endpoint] from None
        for error in failed.values():
            self._tell("model_switched", f"Does not answer, so others stand in: {error.message}")
        return learned

    async def aclose(self) -> None:
        for opened in self._endpoints:
            await opened.sdk.close()

    async def _probe(self, opened: OpenEndpoint) -> EndpointFacts:
        """Raises Fault when the endpoint does not answer."""
        tries = Tries(CHECK_RETRIES)
        prompt = estimate_prompt_tokens(QUESTION)
        answer: Answer | None = None
        while True:
            started = self._clock.monotonic()
            try:
                answer = await self._trier.send(opened, QUESTION, prompt, CAP, _CHECK_SECONDS)
                break
            except Fault as fault:
                if "output limit was reached" in fault.text:
                    break  # it answered: reasoning alone used the few tokens of a check
                await self._trier.overcome(fault, opened, tries)
        seconds = self._clock.monotonic() - started
        if answer is not None:
            self._budget.spend("check", answer.usage, self._prices.dollars(opened.endpoint, answer.usage))
        facts = facts_of(
            opened.endpoint,
            opened.profile,
            answer=answer,
            seconds=seconds,
            roles=self._endpoints.roles_of(opened),
            window=await context_window(opened.endpoint, opened.sdk),
            temperature_wanted=self._settings.temperature is not None,
            at=stamp(self._clock.now()),
        )
        recall(opened.profile, facts)
        return facts

    # --- who answers

    def _put_aside(self, opened: OpenEndpoint, role: str, fault: Fault) -> None:
        """After the last try at one endpoint: whether it is asked again, and when; people are told once."""
        now = self._clock.monotonic()
        others = [one for one in self._endpoints.able(role, now) if one is not opened]
        if fault.lasting:
            known, opened.refusal = opened.refusal, opened.refusal or fault.error
            if others and known is None:
                told = f"{opened.where} is not asked again in this run: {fault.error.message}"
                self._tell("model_switched", f"{told}; {others[0].where} answers for the {role}")
        elif others and not isinstance(fault.error, ModelRefused) and fault.kind is not FaultKind.WITHHELD:
            if not opened.is_resting(now):
                seconds = opened.rest(now)
                told = f"{opened.where} rests for {seconds:.0f} s: {fault.error.message}"
                self._tell("model_switched", f"{told}; {others[0].where} answers for the {role}")
        elif others:
            told = f"{opened.where} does not answer this question: {fault.error.message}"
            self._tell("model_switched", f"{told}; {others[0].where} is asked")

    def _answered(self, opened: OpenEndpoint, role: str) -> None:
        if opened.rests:
            opened.rests, opened.rests_until = 0, -math.inf
            self._tell("model_switched", f"{opened.where} answers again, for the {role}")

    async def _ask_endpoint(self, opened: OpenEndpoint, asked: _Question) -> LlmCall:
        """Raises Fault when one endpoint's tries are used up, LimitReached and ConfigError at once."""
        tries = Tries(RETRIES)
        while True:
            try:
                return await self._exchange(opened, asked, last=tries.counts)
            except Fault as fault:
                able = self._endpoints.able(asked.role, self._clock.monotonic())
                beside_others = any(one is not opened for one in able)
                await self._trier.overcome(fault, opened, tries, beside_others=beside_others)

    # --- one request

    async def _exchange(
        self, opened: OpenEndpoint, asked: _Question, last: Mapping[FaultKind, int]
    ) -> LlmCall:
        """One request: wait for its turn, reserve, send, record. Raises Fault for an unusable reply."""
        prompt = estimate_prompt_tokens(asked.messages)
        wanted = self._wanted(opened, prompt)
        async with opened.pace.turn(prompt + wanted):
            reservation = await self._reserve(opened, asked.key, prompt, wanted)
            try:
                started = self._clock.monotonic()
                answer = await self._trier.send(
                    opened,
                    asked.messages,
                    prompt,
                    reservation.completion_tokens,
                    self._settings.call_seconds,
                    cache_key=f"{self._run}:{asked.key.agent}"[-64:],
                )
                fault = answer.fault
                if fault and fault.kind is FaultKind.CUT and answer.text and FaultKind.CUT in last:
                    fault = None  # twice cut off: the text there is goes to the caller, marked `length`
                seconds = self._clock.monotonic() - started
                call = self._call(opened, asked, answer, seconds, self._call_id(asked.key, fault))
                self.log.save(call)
                self._budget.record(call)
            finally:
                self._budget.release(reservation)
        if fault is not None:
            raise fault
        return call

    def _wanted(self, opened: OpenEndpoint, prompt: int) -> int:
        """Completion tokens to ask for. Raises Fault when the window is too small for prompt and reply."""
        wanted = opened.profile.room(prompt)
        least = min(self._settings.least_completion_tokens, opened.profile.cap)
        if wanted < min(least, opened.profile.cap_limit or least):
            raise overflow(
                opened.endpoint,
                f"about {prompt} of its {opened.profile.context} tokens leave no room for a reply",
                limit=opened.profile.context or 0,
                prompt_tokens=prompt,
            )
        return wanted

    async def _reserve(self, opened: OpenEndpoint, key: CallKey, prompt: int, wanted: int) -> Reservation:
        return await self._budget.reserve(
            key.agent,
            prompt,
            wanted,
            min(self._settings.least_completion_tokens, wanted),
            lambda usage: self._prices.dollars(opened.endpoint, usage),
            report=key.kind == "report",
        )

    # --- records

    def _call_id(self, key: CallKey, fault: Fault | None) -> str:
        """The key's id, or for a paid reply that cannot be used the next free id beside it."""
        if fault is None:
            return key.id
        number = 1
        while self.log.get(LlmCall, f"{key.id}/unusable-{number}") is not None:
            number += 1
        return f"{key.id}/unusable-{number}"

    def _call(
        self, opened: OpenEndpoint, asked: _Question, answer: Answer, seconds: float, id: str
    ) -> LlmCall:
        usage, key = answer.usage, asked.key
        return LlmCall(
            id=id,
            role=asked.role,
            agent=key.agent,
            step=key.step,
            kind=key.kind,
            attempt=key.attempt,
            model=opened.endpoint.name,
            base_url=opened.endpoint.base_url,
            messages=[dict(message) for message in asked.messages],
            reply=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=usage.prompt_tokens,
            cached_tokens=usage.cached_tokens,
            completion_tokens=usage.completion_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            dollars=self._prices.dollars(opened.endpoint, usage),
            seconds=round(seconds, 3),
            at=stamp(self._clock.now()),
        )

    def _open_pace(self) -> AddressPace:
        return AddressPace(
            concurrency=self._settings.concurrency,
            requests_per_minute=self._settings.requests_per_minute,
            tokens_per_minute=self._settings.tokens_per_minute,
            clock=self._clock,
            sleep=self._sleep,
        )
