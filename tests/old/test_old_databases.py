"""What versions 0.1 to 0.3 have stored is read by this one as it was meant."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from comind.state.reader import reading
from comind.state.records import (
    RECORDS,
    Draft,
    Event,
    Idea,
    Kernel,
    LlmCall,
    MonitorDecision,
    Push,
    Report,
    Run,
)
from comind.state.runs import RunFolder, create_run
from comind.state.store import Store
from comind_tui.cli import main
from comind_tui.snapshot import read_snapshot
from comind_tui.text.kernels import kernel_lines
from kaggle_runner.account import AccountBook
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.orders import Attempt, Order
from kaggle_runner.jobs.tickets import TicketBook
from kaggle_runner.kaggle.addresses import Kaggle
from kaggle_runner.kaggle.catalogue import kept
from kaggle_runner.kaggle.records import KernelPush
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.ranks.book import RankBook
from kaggle_runner.ranks.records import Row, Zone
from kaggle_runner.rows import from_json, to_json
from kaggle_runner.submissions.book import SubmissionBook
from mle_live.stores.datasets import DatasetBounds, DatasetFile, DatasetSettings, DatasetStore
from mle_live.stores.kernels import KernelSettings, KernelStore
from mle_live.stores.state import ServerState

HERE = Path(__file__).parent
NOON = datetime(2026, 11, 22, 10, 0, 0, 123000, tzinfo=UTC)
Old = Callable[[str, Path], Path]


def unpack(name: str, path: Path) -> Path:
    path.write_bytes(gzip.decompress((HERE / f"{name}.sqlite.gz").read_bytes()))
    return path


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = create_run(tmp_path, "old")
    unpack("run-0.1.0", folder.database)
    return folder


def test_a_run_of_the_first_version_can_be_shown(run: RunFolder, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(run.path.parent.parent)
    for command in ("runs", "show", "leaderboard", "ideas", "reports"):
        assert main([command, "--state", state]) == 0
    out = capsys.readouterr().out
    assert "old  finished" in out and "0.90000 [0.88000, 0.92000]" in out and "blend two models" in out
    snapshot = read_snapshot(run, None, SYSTEM_CLOCK)
    assert (snapshot.fault, snapshot.status, len(snapshot.board), len(snapshot.agents)) == (
        "",
        "finished",
        1,
        1,
    )


def check_run(folder: RunFolder) -> None:
    with reading(folder.database) as reader:
        [run] = reader.all(Run)
        assert (run.settings.max_tokens, run.test["medal"], run.labels_readable) == (1000, "gold", False)
        assert reader.all(Kernel)[0].datasets == ["a/d"]
        assert (reader.all(Kernel)[0].verified, reader.all(Kernel)[0].license) == ("", "")
        assert reader.all(Report)[0].scores == {"novelty": 5, "feasibility": 6.5}
        assert (reader.all(Draft)[0].ideas, reader.all(Draft)[0].retest) == ([], False)
        assert reader.all(MonitorDecision)[0].action == "STOP"
        assert reader.all(LlmCall)[0].messages == [{"role": "user", "content": "hi"}]
        assert reader.all(Event)[0].data == {"n": 1}
        assert reader.all(Push) == []
        assert [idea.id for idea in reader.search(Idea, "blend")] == ["i1"]
        assert all(reader.count(record) == len(reader.all(record)) for record in RECORDS)


def test_a_run_of_the_first_version_is_whole_before_and_after_an_engine_opens_it(run: RunFolder) -> None:
    check_run(run)
    with Store(run.database) as store:
        store.save(Idea(id="i2", round=2, text="stack three"))
        assert [idea.id for idea in store.search(Idea, "stack")] == ["i2"]
        store.save(Push(id="r1-a1-s01", agent="r1-a1", round=1, step=1))
        assert store.count(Push, "state = 'rehearsing'") == 1
        assert store.count(Kernel, "verified = '' AND license = ''") == 1
    with Store(run.database) as store:
        store.event("resumed", "Again")
        assert [event.seq for event in store.all(Event)] == [1, 2]


def test_the_account_of_the_last_version(tmp_path: Path) -> None:
    path = unpack("account-0.3.0", tmp_path / "kaggle.sqlite")
    with AccountBook(path, "me@www.kaggle.com") as book:
        attempts = AttemptBook(book, SYSTEM_CLOCK)
        attempt = Attempt(
            slug="s", content="c", ref="me/s", version=2, state="complete", abandoned=True, run="r",
            reserved_seconds=3.5, requested_at=NOON, pushed_at=NOON + timedelta(seconds=1),
            started_at=NOON + timedelta(seconds=2),
        )  # fmt: skip
        assert attempts.find("s") == attempt
        attempts.change(attempt, state="lost", ended_at=NOON + timedelta(seconds=9))
        changed = attempts.find("s")
        assert changed is not None and changed.ended_at == NOON + timedelta(seconds=9)

        for word, state in (("intended", "pushing"), ("error", "failed"), ("running", "running")):
            book.save(
                "kernels", {"slug": word, "state": word, "content": "c", "ref": "me/s"}, ("account", "slug")
            )
            found = attempts.find(word)
            assert found is not None and found.state == state
        assert {one.slug for one in attempts.unfinished()} == {"intended", "running"}

        ranks = RankBook(book, "digits")
        look = ranks.last()
        assert look is not None and look.own == Row(1, 7, "Alice", 0.9)
        assert look.neighbours[1] == Row(2, 8, "Bob", None) and look.zones == (Zone("gold", 1, 0.9, 0.1),)
        assert look.since_day is None and not look.moves.any
        assert [(point.rank, point.gold) for point in ranks.history()] == [(1, 0.9)]
        again = ranks.record(look, [Row(1, 8, "Bob", 0.95), Row(2, 7, "Alice", 0.9)])
        assert again.moves.passed_us.names == ("Bob",)

        [sent] = SubmissionBook(book, "digits").rows()
        assert (sent.state, sent.ref, sent.sketch) == ("sent", 42, ((1.0, "x"),))
        assert sent.score is not None
        assert (sent.score.value, sent.score.rows, sent.score.trusted) == (0.9, 500, False)

        assert TicketBook(book, SYSTEM_CLOCK).held() == []  # its machine is long silent
    [listed] = kept(Kaggle("kaggle.com", "https://www.kaggle.com", "KGAT_x", "env"), path).competitions
    assert (listed.slug, listed.rank, listed.entered) == ("digits", 3, True)


def test_an_order_that_was_written_down_by_the_last_version_is_sent_as_it_is() -> None:
    push = KernelPush("comind-s", "comind s", "{}", datasets=("me/d",), seconds=3600)
    order = from_json(Order, f'{{"push": {to_json(push)}, "mark": "comind-s"}}', "push.json")
    assert order == Order(push, "comind-s") and order.content == Order(push, run="r").content


@pytest.mark.parametrize("state", ["rehearsing", "refused", "queued", "complete", "failed", "abandoned"])
def test_states_of_pushes_of_the_last_version_are_shown_as_they_were(run: RunFolder, state: str) -> None:
    with Store(run.database) as store:
        store.save(Push(id="r1-a1-s01", agent="r1-a1", round=1, step=1))
    with sqlite3.connect(run.database) as database:
        database.execute("UPDATE pushes SET state = ?", (state,))
    with reading(run.database) as reader:
        assert next(kernel_lines(reader.all(Push)[0])).text == f"At Kaggle: {state}, on CPU"


def test_the_state_of_a_server_of_the_last_version(tmp_path: Path) -> None:
    state = ServerState(unpack("mle_live-0.3.0", tmp_path / "mle_live.sqlite"))
    user = state.user_of_token("tok")
    assert user is not None and user.username == "alice"
    [submission] = state.submissions("digits", user)
    assert (submission.status, submission.public_score, submission.private_score) == ("COMPLETE", 0.5, None)
    assert submission.created_at == NOON
    dataset = DatasetStore(state, tmp_path / "datasets", DatasetBounds()).find("alice", "data")
    assert dataset is not None and dataset.is_private
    assert dataset.settings == DatasetSettings("Title", keywords=("a", "b"))
    assert dataset.newest.files == (DatasetFile("f.txt", 5, "about"),)
    kernels = KernelStore(state)
    kernel = kernels.find("alice", "k")
    assert kernel is not None and kernel.owner == "alice"
    version = kernels.version(kernel)
    assert version is not None and (version.status, version.started_at, version.ended_at) == (
        "RUNNING",
        NOON,
        None,
    )
    assert version.settings == KernelSettings("python", "script", 60, datasets=("alice/data",))
    state.close()
