"""A run's replies as a file, and a new run's questions answered from it."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comind.config import load_config
from comind.llm.client import CallKey, NoLog
from comind.llm.formats import MalformedReply
from comind.llm.question import ask_parsed
from comind.run.models import open_models
from comind.run.recorded import RecordedModel
from comind.run.recording import (
    Recording,
    compare,
    messages_digest,
    open_recording,
    read_recording,
    record_run,
    recording_of,
    settings_of,
)
from comind.state.records import EndpointFacts, LlmCall, Record, ReplyFault, Run
from comind.state.runs import RunFolder, create_run
from comind.state.store import Store
from comind_tui.cli import main
from comind_tui.commands.arguments import build_parser
from comind_tui.commands.run import config_from
from kaggle_runner.errors import ConfigError, ModelUnavailable, RunNotFound, UsageError
from kaggle_runner.moments import SYSTEM_CLOCK

KEY = "sk-canary-51b7"
PROMPT = [{"role": "user", "content": "Which ideas? \ud83d"}]
REPLY = "Two ideas:\u2028- clip\n- rank 🙂"


def make_run(state: Path, *, replies: Sequence[str] = (REPLY,), **settings: Any) -> RunFolder:
    """A run whose proposer has had some replies."""
    folder = create_run(state, "fruit-1")
    config = load_config(None, {"competition": "/home/someone/fruit/", **settings}).as_dict()
    run = Run(
        id=folder.id, competition="fruit", model="qwen", config={**config, "state": str(state)},
        started_at="2026-01-01T00:00:00.000Z",
    )  # fmt: skip
    with Store(folder.database) as store:
        store.save(run)
        store.save(*(call(attempt, text) for attempt, text in enumerate(replies, start=1)))
    return folder


def call(attempt: int, reply: str) -> LlmCall:
    return LlmCall(
        id=f"proposer/1/filter/{attempt}", role="proposer", agent="proposer", step=1, kind="filter",
        attempt=attempt, model="qwen", base_url="http://user:secret@10.0.0.7/v1", messages=PROMPT,
        reply=reply, finish_reason="stop", prompt_tokens=7, completion_tokens=5, dollars=None, seconds=3.25,
    )  # fmt: skip


def key(attempt: int) -> CallKey:
    return CallKey("proposer", 1, "filter", attempt)


class Calls(NoLog):
    """A call log in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, LlmCall] = {}
        self.faults: list[ReplyFault] = []

    def save(self, *records: Record) -> None:
        for record in records:
            if isinstance(record, LlmCall):
                self.kept[record.id] = record
            elif isinstance(record, ReplyFault):
                self.faults.append(record)


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz"])
def test_what_was_written_is_read_again(tmp_path: Path, name: str) -> None:
    recording = record_run(make_run(tmp_path / "state", replies=[REPLY, "again"]), {})
    recording.write(tmp_path / name)
    assert read_recording(tmp_path / name) == recording
    assert recording.replies["proposer/1/filter/1"].reply == REPLY
    assert recording.replies["proposer/1/filter/2"].usage["completion_tokens"] == 5
    assert recording.packages["comind"]


def test_an_earlier_recording_of_that_name_is_replaced_and_not_written_over(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path / "state"), {})
    (tmp_path / "earlier").write_text("what was there")
    (tmp_path / "r.jsonl").hardlink_to(tmp_path / "earlier")
    recording.write(tmp_path / "r.jsonl")
    assert read_recording(tmp_path / "r.jsonl") == recording
    assert (tmp_path / "earlier").read_text() == "what was there", "a write that breaks off leaves it whole"
    assert not list(tmp_path.glob("*.partial"))


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path / "state"), {})
    for name in ("one.gz", "two.gz"):
        recording.write(tmp_path / name)
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_no_key_no_address_no_path_and_no_prompt_is_written(tmp_path: Path) -> None:
    folder = make_run(
        tmp_path / "state",
        replies=[f"You sent {KEY}."],
        base_url="http://10.0.0.7/v1",
        role_models={"coder": "m@http://10.0.0.8/v1"},
    )
    record_run(folder, {"COMIND_API_KEY_CODER": KEY}).write(tmp_path / "r.jsonl")
    text = (tmp_path / "r.jsonl").read_text()
    for private in (KEY, "secret", "10.0.0", "/home/someone", str(tmp_path), "Which ideas?"):
        assert private not in text


@pytest.mark.parametrize("key", ["x", "password", "max_depth", "sk-no-key-required"])
def test_a_placeholder_in_a_keys_place_leaves_replies_as_they_are(tmp_path: Path, key: str) -> None:
    reply = "tree = fit(max_depth=6, password='x')  # sk-no-key-required"
    recording = record_run(make_run(tmp_path / "state", replies=[reply]), {"OPENAI_API_KEY": key})
    assert [one.reply for one in recording.replies.values()] == [reply]


def test_the_window_is_the_one_that_prompts_were_made_for(tmp_path: Path) -> None:
    folder = make_run(tmp_path, context_tokens=128_000, reply_tokens=16_000)
    known = {"context_tokens": 8192, "context_from": "the server", "roles": ["coder"]}
    with Store(folder.database) as store:
        store.save(EndpointFacts(id="qwen@h", model="qwen", base_url="h", facts=known))
    config = record_run(folder, {}).config
    assert (config["context_tokens"], config["reply_tokens"]) == (8192, 2048)


def test_a_reply_that_cannot_be_read_is_counted_in_a_replay_too(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path, replies=["no list"] * 3), {})
    log = Calls()

    def parse(text: str) -> str:
        raise MalformedReply("Write a list.")

    asking = ask_parsed(RecordedModel(recording, log, SYSTEM_CLOCK), "proposer", key(1), PROMPT, parse)
    with pytest.raises(MalformedReply):
        asyncio.run(asking)
    assert [fault.step for fault in log.faults] == ["asked again", "asked again", "given up"]


def test_a_run_without_replies_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="no recorded reply"):
        record_run(make_run(tmp_path / "state", replies=[]))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not a recording"),
        (b'{"format": "other"}\n', "not a recording"),
        (b"hello\n", "Line 1 .* is not JSON"),
        (b"[1]\n", "Line 1 .* is not a JSON object"),
        (b"[" * 100_000, "Line 1 .* is not JSON"),
        (b'{"format": "comind-recording", "version": 99}\n', "this version can read"),
        (b'{"format": "comind-recording", "version": 1}\n', "lacks or misspells"),
        (b"\x1f\x8b\x08 broken", "cannot be read"),
        (b"\x00\xff\xfe", "cannot be read"),
        (gzip.compress(b'{"format": "comind-recording"}' * 99)[:-9], "cannot be read"),
    ],
    ids=[
        "empty",
        "another format",
        "a word",
        "a list",
        "deep",
        "a later version",
        "no settings",
        "broken gzip",
        "binary",
        "gzip cut off",
    ],
)
def test_a_file_that_is_no_recording_is_refused_in_words(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=complaint):
        read_recording(path)


def test_a_recording_that_lost_its_last_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    record_run(make_run(tmp_path / "state", replies=["one", "two", "three"])).write(path)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ConfigError, match="holds 2 of 3 replies"):
        read_recording(path)


@pytest.mark.parametrize("field", ["reply", "key", "usage", "seconds"])
def test_an_edited_reply_of_another_type_is_refused_before_the_run(tmp_path: Path, field: str) -> None:
    path = tmp_path / "r.jsonl"
    record_run(make_run(tmp_path / "state")).write(path)
    header, line = path.read_text().rstrip("\n").split("\n")
    path.write_text(f"{header}\n{json.dumps({**json.loads(line), field: None})}\n")
    with pytest.raises(ConfigError, match=f"misspells a field: {field} is None"):
        read_recording(path)


def test_a_source_that_is_neither_file_nor_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunNotFound, match="no recording 'nowhere'"):
        open_recording("nowhere", tmp_path)


def test_a_recording_of_another_competition_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path)
    assert recording_of("fruit-1", tmp_path, "fruit").competition == "fruit"
    with pytest.raises(ConfigError, match="'fruit', not of 'digits'"):
        recording_of("fruit-1", tmp_path, "digits")


async def test_a_question_is_answered_by_its_key_at_no_cost(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path, replies=["first", "second"]), {})
    log = Calls()
    model = RecordedModel(recording, log, SYSTEM_CLOCK)
    reply = await model.ask("proposer", key(2), [{"role": "user", "content": "another prompt"}])
    assert (reply.text, reply.finish_reason, reply.replayed) == ("second", "stop", True)
    stored = log.kept["proposer/1/filter/2"]
    assert (stored.model, stored.dollars, stored.prompt_tokens) == ("recording of qwen", 0.0, 0)
    assert stored.messages[0]["content"] == "another prompt"


async def test_a_missing_key_is_named(tmp_path: Path) -> None:
    model = RecordedModel(record_run(make_run(tmp_path), {}), Calls(), SYSTEM_CLOCK)
    with pytest.raises(ModelUnavailable, match="no reply to proposer/1/filter/3"):
        await model.ask("proposer", key(3), PROMPT)


async def test_prompts_as_recorded_and_others_are_counted(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path, replies=["a", "b", "c"]), {})
    log = Calls()
    model = RecordedModel(recording, log, SYSTEM_CLOCK)
    await model.ask("proposer", key(1), PROMPT)
    await model.ask("proposer", key(2), [{"role": "user", "content": "99 s left"}])
    counted = compare(recording, list(log.kept.values()))
    assert (counted.same, counted.different, counted.not_asked) == (1, 1, 1)
    assert (
        "2 replies: 1 prompts as recorded, 1 different (prompts tell the time that is left); 1 recorded"
        in str(counted)
    )


def test_half_a_surrogate_pair_counts_as_the_store_keeps_it(tmp_path: Path) -> None:
    [recorded] = record_run(make_run(tmp_path), {}).replies.values()
    assert recorded.messages == messages_digest(PROMPT)


async def test_a_replay_recorded_again_names_the_model_once(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path), {})
    log = Calls()
    again = replace(recording, model=recording.label)
    await RecordedModel(again, log, SYSTEM_CLOCK).ask("proposer", key(1), PROMPT)
    assert again.label == "recording of qwen"
    assert log.kept["proposer/1/filter/1"].model == "recording of qwen"


async def test_a_replay_asks_no_endpoint(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path / "state"), {})
    folder = create_run(tmp_path / "state", "fruit-2")
    recording.write(folder.recording)
    config = load_config(None, {"competition": "fruit", "replay": "fruit-1"})
    with Store(folder.database) as store:
        async with open_models(config, {}, store, SYSTEM_CLOCK, lambda: 600.0) as desk:
            assert (await desk.client.ask("proposer", key(1), PROMPT)).text == REPLY
        assert store.totals()["dollars"] == 0


# --- the command line


def settings(tmp_path: Path, *words: str) -> Any:
    arguments = build_parser().parse_args(["run", *words])
    arguments.state = tmp_path
    return config_from(arguments)


def test_settings_come_from_the_recording_and_typed_ones_win(tmp_path: Path) -> None:
    record_run(make_run(tmp_path, coders=3, rounds=7, seed=5, offline=True), {}).write(tmp_path / "r.jsonl")
    config = settings(tmp_path, "--replay", str(tmp_path / "r.jsonl"), "--rounds", "2", "./fruit")
    assert (config.coders, config.rounds, config.seed) == (3, 2, 5)
    assert (config.competition, config.offline, config.model) == ("./fruit", False, "qwen")
    assert Path(config.replay).is_absolute()


def test_a_run_of_the_state_folder_also_tells_where_its_data_lies(tmp_path: Path) -> None:
    make_run(tmp_path)
    config = settings(tmp_path, "--replay", "fru")
    assert (config.competition, config.replay) == ("/home/someone/fruit/", "fruit-1")


@pytest.mark.parametrize(
    "option", ["--offline", "--model=m", "--base-url=http://h/v1", "--role-model=coder=m"]
)
def test_a_model_cannot_be_named_with_a_recording(tmp_path: Path, option: str) -> None:
    make_run(tmp_path)
    with pytest.raises(UsageError, match=r"--replay and --.* exclude each other"):
        settings(tmp_path, "--replay", "fruit-1", option)


def test_settings_of_another_version_are_left_out(tmp_path: Path) -> None:
    recording: Recording = record_run(make_run(tmp_path), {})
    newer = replace(recording, config={**recording.config, "warp": 9})
    newer.write(tmp_path / "r.jsonl")
    assert "warp" not in settings_of(str(tmp_path / "r.jsonl"), tmp_path)


def test_a_leave_to_submit_or_to_install_is_not_replayed(tmp_path: Path) -> None:
    recording = record_run(make_run(tmp_path), {})
    leaves = {"submit": True, "allow_packages": True}
    replace(recording, config={**recording.config, **leaves}).write(tmp_path / "r.jsonl")
    assert not leaves.keys() & settings_of(str(tmp_path / "r.jsonl"), tmp_path).keys()


def test_the_command_writes_the_file_and_says_how_to_replay_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path)
    target = tmp_path / "mine.jsonl.gz"
    assert main(["recording", "fruit-1", "-o", str(target), "--state", str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert shown.out.strip().endswith("mine.jsonl.gz")
    assert "run --replay" in shown.err
    assert main(["recording", "--json", "-o", str(target), "--state", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["replies"] == 1
    assert main(["recording", "-o", str(tmp_path / "no" / "r.gz"), "--state", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
