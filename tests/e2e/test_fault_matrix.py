"""A run over a bad line: about every fifth reply is spoiled, and it ends with a valid submission.

The real client asks a strict OpenAI-compatible server, which has bad moments of its own.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from comind.state.reader import Reader, reading
from comind.state.records import Evaluation, Event, LlmCall, ReplyFault
from comind.state.runs import RunFolder, list_runs
from tests.e2e.commands import AMPLE, SECRET, comind
from tests.e2e.small_competition import write_small_competition
from tests.fakes.faulty_proxy import FaultyProxy
from tests.fakes.plain_policy import plain
from tests.fakes.scripted_llm import Scripted, ScriptedModel, html_page, rate_limited

pytestmark = pytest.mark.e2e

MAX_TOKENS = 2_000_000


class Outcome(NamedTuple):
    shown: dict[str, Any]
    reader: Reader
    run: RunFolder
    spoiled: dict[str, int]
    errors: str


def troubled(request: dict[str, Any], number: int) -> Scripted | str:
    """Now and then a login page, a rate limit, an empty reply or a refusal to follow the format."""
    match number:
        case 2:
            return html_page()
        case 4:
            return rate_limited("0")
        case 6:
            return Scripted("Certainly! I would be happy to help.")
        case 9:
            return Scripted("")
    return plain(request, number)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    root = tmp_path_factory.mktemp("faults")
    folder = write_small_competition(root / "fruit", rows=300)
    with (
        ScriptedModel(troubled) as server,
        FaultyProxy(server.url, share=0.2, seed=7) as proxy,
    ):
        done = comind(
            "run", f"{folder}/", "--model", "scripted", "--base-url", proxy.url, "--coders", "2",
            "--rounds", "2", "--steps", "6", "--time-limit", AMPLE, "--max-tokens", str(MAX_TOKENS),
            "--json",
            state=root / "state",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [run] = list_runs(root / "state")
    with reading(run.database) as reader:
        yield Outcome(json.loads(done.stdout), reader, run, dict(proxy.spoiled), done.stderr)


def test_there_were_faults_of_many_kinds(outcome: Outcome) -> None:
    assert sum(outcome.spoiled.values()) >= 5
    assert len(outcome.spoiled) >= 4


def test_the_run_ends_with_a_valid_submission_beyond_the_sample(outcome: Outcome) -> None:
    assert outcome.shown["status"] == "finished"
    with (outcome.run.path / outcome.shown["best"]["submission"]).open() as file:
        assert sum(1 for _ in csv.DictReader(file)) == 200
    assert outcome.shown["best"]["interval"][0] > outcome.shown["baseline_score"]
    assert outcome.reader.count(Evaluation, "success = 1") > 1


def test_every_paid_reply_is_recorded_and_the_limit_is_kept(outcome: Outcome) -> None:
    calls = outcome.reader.all(LlmCall)
    assert len({call.id for call in calls}) == len(calls)
    assert outcome.shown["cost"]["tokens"] <= MAX_TOKENS


def test_an_unknown_price_is_unknown_and_not_zero(outcome: Outcome) -> None:
    assert outcome.shown["cost"]["dollars"] is None
    assert outcome.shown["cost"]["tokens"] > 1000


def test_an_unreadable_reply_was_asked_again_under_a_new_attempt(outcome: Outcome) -> None:
    again = outcome.reader.all(LlmCall, "attempt > 1")
    assert again
    assert any("could not be used" in call.messages[-1]["content"] for call in again)


def test_unreadable_replies_are_measured_per_model(outcome: Outcome) -> None:
    faults = outcome.reader.all(ReplyFault)
    rows = outcome.shown["models"]
    assert sum(row["unreadable"] for row in rows) == len(faults)
    assert {row["model"] for row in rows} == {"scripted"}
    assert sum(row["replies"] for row in rows) == outcome.reader.count(LlmCall)
    assert "## Model" in outcome.run.report.read_text()


def test_no_fault_is_an_error_of_ours(outcome: Outcome) -> None:
    """What ends badly says so in an event; a traceback would be ours."""
    assert "Traceback" not in outcome.run.engine_log.read_text() + outcome.errors
    assert not [event for event in outcome.reader.all(Event) if event.kind == "failed"]


def test_the_key_is_in_no_file(outcome: Outcome) -> None:
    files = [file for file in outcome.run.path.rglob("*") if file.is_file()]
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]
