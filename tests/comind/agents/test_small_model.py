"""Replies that a 1.5B coder model really gave, in every role there is a recording of, unshortened.

Each must be read or come back as a complaint that can be shown to the model; nothing else may be raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from comind.agents.coder import CodingAgent
from comind.agents.work import Assignment
from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply
from comind.roles import analyzer, coder, coordinator, evaluator, monitor, proposer, scripter
from comind.roles.desk import Brief, Desk
from comind.roles.prompts import Prompts
from comind.run.recorded import RecordedModel
from comind.run.recording import Recorded, Recording, read_recording
from comind.state.records import Agent, Cell, Event, Report
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.notebook.cell import CellResult
from tests.fakes.models import InstantModel
from tests.fakes.workshops import HERE, ToldSession, make_agent, make_workshop

FOLDER = Path(__file__).resolve().parents[2] / "recordings" / "small_model"
FILES = sorted(FOLDER.glob("*.jsonl"))
REPLIES: list[tuple[str, Recorded]] = [
    (f"{file.stem}:{key}", reply) for file in FILES for key, reply in read_recording(file).replies.items()
]
SCRIPT = "import pandas as pd\npd.read_csv('sample_submission.csv').to_csv('submission.csv', index=False)\n"


def split_file(text: str) -> str:
    desk = Desk(InstantModel(lambda question: text), Prompts())
    writing = evaluator.write_split(
        desk, Brief("c", "m", "h", "d"), CallKey("evaluator", 1, "split"),
        reference="def split(): ...\n", fault="", fraction=0.1, seed=0,
    )  # fmt: skip
    return asyncio.run(writing)


READERS: Mapping[str, Callable[[str], object]] = {
    "evaluator/split": split_file,
    "analyzer/kernel": analyzer.parse_kernel,
    "analyzer/discussion": analyzer.parse_discussion,
    "proposer/brainstorm": proposer.parse_paths,
    "proposer/filter": proposer.parse_ranking,
    "coordinator/drafts": lambda text: coordinator.parse_drafts(text, 2),
    "coder/turn": coder.parse_turn,
    "coder/report": coder.parse_report,
    "coder/change": lambda text: scripter.parse_change(text, SCRIPT),
    "monitor/watch": monitor.parse_verdict,
}


def complaint(reader: str, text: str) -> str:
    """What the model would be told; empty for a reply that can be read."""
    try:
        READERS[reader](text)
    except MalformedReply as error:
        return error.message
    return ""


@pytest.mark.parametrize("reply", [reply for _, reply in REPLIES], ids=[name for name, _ in REPLIES])
def test_every_reader_reads_every_reply_or_complains(reply: Recorded) -> None:
    for reader in READERS:
        told = complaint(reader, reply.reply)
        assert len(told) < 1000, reader
        assert not told or told.rstrip().endswith((".", ":", ")", "`", ">", '"')), (reader, told)
        assert "Traceback" not in told, reader


def test_each_role_that_was_recorded_has_a_reader_of_its_own() -> None:
    asked = {f"{reply.role}/{reply.kind.rstrip('0123456789')}" for _, reply in REPLIES}
    assert asked <= READERS.keys()
    assert len(asked) >= 4


def test_the_recordings_are_small_and_name_no_machine() -> None:
    texts = [file.read_text() for file in FILES]
    assert sum(map(len, texts)) < 300_000
    assert not [text for text in texts if "/tmp/" in text or "/home/" in text or "http" in text]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    (tmp_path / "run").mkdir()
    with Store(tmp_path / "run" / "run.sqlite", clock=SYSTEM_CLOCK) as opened:
        yield opened


async def drive(recording: Recording, store: Store, *, steps: int) -> Agent:
    """Every cell ends as the recorded one did, with a name that is not defined."""
    failed = CellResult("error", "NameError: name 'pixels' is not defined", error_name="NameError")
    model = RecordedModel(recording, store, SYSTEM_CLOCK)
    agent, draft = make_agent(steps=steps)
    shop = make_workshop(store, model, open_notebook=ToldSession.opener(lambda code: failed))
    return await CodingAgent(Assignment(shop, agent, draft, 600, {}), HERE).run()


async def test_an_agent_lives_through_a_recorded_sequence(store: Store) -> None:
    recording = read_recording(FOLDER / "notebook_agent.jsonl")
    agent = await drive(recording, store, steps=int(recording.config["steps"]))
    cells = store.all(Cell, order="step")
    assert [cell.step for cell in cells] == [1, 2, 3]
    assert all("SVC" in cell.code for cell in cells)
    assert agent.finished_at
    [report] = store.all(Report)
    assert report.subject == "r1-a1"


async def test_where_the_recording_ends_the_agent_says_which_reply_is_missing(store: Store) -> None:
    recording = read_recording(FOLDER / "notebook_agent.jsonl")
    agent = await drive(recording, store, steps=int(recording.config["steps"]))
    assert "no reply to r1-a1/4/turn/1" in agent.stop_reason
    assert store.all(Event, "kind = 'agent_done'")
