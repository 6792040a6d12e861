"""Every fault of an endpoint in every role: one passes unseen, a lasting one is an error callers handle."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from comind.llm.client import CallKey, Reply
from comind.llm.formats import MalformedReply
from comind.llm.profiles import ModelSettings
from comind.llm.question import ask_parsed
from comind.llm.tokens import Messages
from comind.offline.responder import respond
from comind.roles import analyzer, coordinator, evaluator, monitor, proposer
from comind.roles.coder import parse_report, parse_turn, report_without_marks, short_report
from comind.roles.desk import Brief, Desk
from comind.roles.prompts import Prompts
from kaggle_runner.errors import LimitReached, ModelError
from tests.comind.llm.desk import Desk as ModelDesk
from tests.comind.llm.desk import OpenDesk
from tests.fakes.scripted_llm import (
    Scripted,
    hanging,
    html_page,
    http_error,
    no_quota,
    rate_limited,
)

BRIEF = Brief(
    competition="Fruit\n<<<\nTell ripe fruit.\n>>>",
    metric="name: auc\ntitle: AUC\ndirection: higher is better",
    machine="2 cores",
    data="train.csv: id, height, ripe",
)
MATERIAL = coordinator.DraftMaterial(
    time="seconds left in the run: 900\nseconds for one agent: 300\nrounds left: 1\nround: 1",
    ideas="1. [idea-0001] Average ranks.", reports="none yet", pipelines="none", leaderboard="none",
    evidence="none", lineage="none", datasets="none",
)  # fmt: skip
IDEAS = "- [idea-0001] Average ranks.\n- [idea-0002] Drop outliers."


class Everyone:
    """One scripted model for all roles."""

    def __init__(self, d: ModelDesk) -> None:
        self._desk = d
        self.log = d.client.log

    async def ask(self, role: str, key: CallKey, messages: Messages) -> Reply:
        return await self._desk.client.ask("coder", key, messages)


def turn_messages(prompts: Prompts, part: str) -> list[dict[str, str]]:
    values = {
        "competition": BRIEF.competition, "metric": BRIEF.metric, "machine": BRIEF.machine,
        "files": "competition folder: /kaggle/input/fruit", "data": BRIEF.data,
        "draft": "title: Ridge\n\nA line.",
        "limits": "step 1 of 3\nseconds left for this agent: 300\nseconds for one cell: 100",
    }  # fmt: skip
    opening = prompts.opening("coder", "implement", values)
    if part == "implement":
        return opening
    return [*opening, {"role": "user", "content": prompts.render("coder", part, {"evaluations": "none"})}]


async def coder_turn(desk: Desk, key: CallKey) -> object:
    return await ask_parsed(desk.client, "coder", key, turn_messages(desk.prompts, "implement"), parse_turn)


async def coder_report(desk: Desk, key: CallKey) -> object:
    messages = turn_messages(desk.prompts, "report")
    return await ask_parsed(
        desk.client, "coder", key, messages, parse_report,
        attempts=2, lenient=report_without_marks, smaller=short_report(desk.prompts, messages),
    )  # fmt: skip


QUESTIONS: dict[str, Callable[[Desk, CallKey], Awaitable[object]]] = {
    "kernel": lambda d, key: analyzer.analyze_kernel(
        d, BRIEF, key, "kernel a/b, 3 votes: T", "import pandas"
    ),
    "discussion": lambda d, key: analyzer.analyze_discussion(d, BRIEF, key, "discussion 1", "Use ranks."),
    "brainstorm": lambda d, key: proposer.brainstorm(
        d, BRIEF, key, reports="none yet", leaderboard="none", evidence="none", memory="none yet"
    ),
    "filter": lambda d, key: proposer.filter_ideas(d, BRIEF, key, reports="", evidence="none", ideas=IDEAS),
    "drafts": lambda d, key: coordinator.write_drafts(d, BRIEF, key, MATERIAL, 2),
    "split": lambda d, key: evaluator.write_split(
        d, BRIEF, key, reference="def split():\n    pass\n", fraction=0.1, seed=0, fault=""
    ),
    "metric": lambda d, key: evaluator.write_metric(d, BRIEF, key, fault=""),
    "watch": lambda d, key: monitor.watch(d, key, goal="fit", code="x = 1", time="elapsed: 9", output="1"),
    "turn": coder_turn,
    "report": coder_report,
}
FAULTS: dict[str, Scripted | str] = {
    "401": http_error(401, "no such key"),
    "404": http_error(404, "gone", code="model_not_found"),
    "quota": no_quota(),
    "429": rate_limited("1"),
    "429 for long": rate_limited("1500"),
    "500": http_error(500, "oops"),
    "reset": Scripted(reset=True),
    "hangs": hanging(),
    "drips": Scripted("a reply", drip=0.1),
    "login page": html_page(),
    "broken JSON": Scripted(raw=b'{"id": "x", '),
    "cut body": Scripted(raw=b'{"id": "x", "choices": [{"index": 0, "mess'),
    "not UTF-8": Scripted(raw=b"\xff\xfe\xfa{"),
    "error with 200": Scripted(error={"message": "upstream down", "code": 502}),
    "no choices": Scripted(choices=[]),
    "choices null": Scripted(choices=None),
    "empty": Scripted(""),
    "declined": Scripted(None, refusal="I cannot."),
    "filtered": Scripted("", finish="content_filter"),
    "cut by reasoning": Scripted("", finish="length", reasoning_tokens=900),
    "cut": Scripted("<goal>half", finish="length"),
    "too long": http_error(
        400,
        "This model's maximum context length is 4096 tokens. However, you requested 16200 tokens "
        "(200 in the messages, 16000 in the completion).",
        code="context_length_exceeded",
    ),
    "babble": "Certainly! I would be happy to help.",
    "thinking aloud": "<think>hm</think>Well, <code> is what you want.",
    "never closed": "<goal>x<code>x = (",
    "fence only": "```python\nx = 1\n```",
    "nested": "<code><code>x = 1</code></code><goal><goal>g</goal></goal>",
    "megabytes": "word " * 60_000,
    "separators only": "===SEPARATOR===\n===SEPARATOR===",
}  # fmt: skip
LASTING = {"401", "404", "quota"}
"""For good: not once and then no more."""
READ = {name for name, fault in FAULTS.items() if isinstance(fault, str)}
"""Replies that every role reads in its own way; what comes before reading is the same for all."""
SLOW = {"hangs", "drips"}
COSTLY = {*SLOW, "megabytes"}
"""One role stands for all: they take seconds each, and no role has a part in what becomes of them."""


def settings(name: str) -> ModelSettings:
    """Only what never ends is given up soon: a busy machine needs its time for the rest."""
    return ModelSettings(call_seconds=2.0 if name in SLOW else 60.0)


def roles_for(name: str, otherwise: Iterable[str]) -> Iterable[str]:
    return ["turn"] if name in COSTLY else otherwise


async def outcome(d: ModelDesk, kind: str, number: int) -> object:
    """What the role gets, or the error where it is one that its caller goes on after."""
    key = CallKey(f"r1-a{number}", 1, kind)
    try:
        return await QUESTIONS[kind](Desk(Everyone(d), Prompts()), key)
    except (ModelError, MalformedReply, LimitReached) as error:
        assert str(error).strip()
        return error


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in LASTING])
async def test_one_fault_costs_no_role_its_reply(desk: OpenDesk, name: str) -> None:
    fresh = True

    def script(body: dict[str, Any], number: int) -> Scripted | str:
        nonlocal fresh
        if fresh:
            fresh = False
            return FAULTS[name]
        return respond(body["messages"])

    async with desk(script, settings=settings(name)) as d:
        for number, kind in enumerate(roles_for(name, QUESTIONS), start=1):
            fresh = True
            # each role meets the fault as the first that ever does
            d.client._endpoints.chain("coder")[0].profile.cap_limit = None
            got = await outcome(d, kind, number)
            assert not isinstance(got, Exception), (kind, got)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_lasting_fault_is_an_error_that_callers_handle_after_few_requests(
    desk: OpenDesk, name: str
) -> None:
    async with desk(lambda body, number: FAULTS[name], settings=settings(name)) as d:
        kinds = QUESTIONS if name in READ else ("drafts", "watch", "turn")
        for number, kind in enumerate(roles_for(name, kinds), start=1):
            before = len(d.server.received)
            await outcome(d, kind, number)
            assert len(d.server.received) - before <= 12, kind
        assert d.budget.total.calls == len(d.calls()), "what was paid for is recorded"


@pytest.mark.parametrize("name", ["babble", "empty", "cut by reasoning"])
async def test_no_fault_takes_more_than_the_limit(desk: OpenDesk, name: str) -> None:
    """A call's worst case is reserved before it is sent."""
    limits = {"max_tokens": 40_000}
    async with desk(lambda body, number: FAULTS[name], settings=settings(name), budget=limits) as d:
        for number, kind in enumerate([*QUESTIONS] * 2, start=1):
            await outcome(d, kind, number)
        assert d.budget.total.tokens <= 40_000
