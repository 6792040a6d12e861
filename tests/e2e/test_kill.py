"""`kill -9` at eight random moments of one run, and what must hold after each of them and at the end.

COMIND_KILLS sets another number, and with it more rounds (`make soak`).
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from comind.run.recording import messages_digest
from comind.state.reader import reading
from comind.state.records import Agent, Cell, Evaluation, Event, LlmCall, Run
from comind.state.runs import RunFolder, list_runs
from kaggle_runner.sandbox.processes import gone, tree
from tests.e2e.commands import COMMAND, environment
from tests.e2e.small_competition import write_small_competition
from tests.fakes.journal import JournaledPolicy

KILLS = int(os.environ.get("COMIND_KILLS", "8"))
ROUNDS = 2 * max(1, KILLS // 20)
PATIENCE = 120.0
"""Seconds that an engine gets for its next step before the test gives up on it."""
IN_FLIGHT = 4
"""Requests that may have been under way at a kill: two agents and the calls that just ended."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300 + 60 * KILLS)]


@dataclass
class Memory:
    """What the run had committed at one moment."""

    calls: dict[str, tuple[str, str]] = field(default_factory=dict)
    cells: dict[str, tuple[str, str]] = field(default_factory=dict)
    evaluations: dict[str, str] = field(default_factory=dict)
    events: dict[int, str] = field(default_factory=dict)
    prompts: set[str] = field(default_factory=set)

    @property
    def progress(self) -> int:
        return len(self.calls) + len(self.cells) + len(self.evaluations)

    def holds(self, earlier: Memory) -> bool:
        """Whether nothing of `earlier` is missing or was made again."""
        return (
            earlier.calls.items() <= self.calls.items()
            and earlier.cells.items() <= self.cells.items()
            and earlier.evaluations.items() <= self.evaluations.items()
            and earlier.events.items() <= self.events.items()
        )


def remember(folder: RunFolder) -> Memory:
    with reading(folder.database) as reader:
        calls = reader.all(LlmCall)
        return Memory(
            calls={call.id: (call.at, call.reply) for call in calls},
            cells={
                cell.id: (cell.status, cell.finished_at) for cell in reader.all(Cell, "status != 'running'")
            },
            evaluations={one.id: one.at for one in reader.all(Evaluation)},
            events={event.seq: f"{event.kind} {event.message}" for event in reader.all(Event)},
            prompts={messages_digest(call.messages) for call in calls},
        )


def progress(folder: RunFolder) -> int:
    with reading(folder.database) as reader:
        done = reader.count(Cell, "status != 'running'")
        return done + reader.count(LlmCall) + reader.count(Evaluation)


def is_sound(folder: RunFolder) -> bool:
    connection = sqlite3.connect(folder.database)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
    finally:
        connection.close()


@dataclass
class Story:
    """A run that was killed again and again, and then left to end."""

    folder: RunFolder
    exit_code: int
    narration: str
    lives: list[Memory]
    """What was committed at each kill, and at the end."""
    asked: list[list[str]]
    """Digests of the prompts that reached the model in each life."""
    unsound: list[int]
    """Kills after which the database was damaged."""
    left_over: list[int]
    """Kills that processes of the run outlived."""


class Killer:
    """Starts engines of one run and kills them at seeded moments."""

    def __init__(self, root: Path, server: JournaledPolicy, seed: int) -> None:
        self._state = root / "state"
        self._data = write_small_competition(root / "fruit")
        self._server = server
        self._rng = random.Random(seed)
        self._log = root / "narration.log"
        self._engine: subprocess.Popen[bytes] | None = None

    def start(self, folder: RunFolder | None) -> subprocess.Popen[bytes]:
        words = ["resume", folder.id] if folder else [
            "run", f"{self._data}/", "--model", "scripted", "--base-url", self._server.url,
            "--coders", "2", "--rounds", str(ROUNDS), "--time-limit", "24h",
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self._engine = subprocess.Popen(
                [COMMAND, *words, "--headless", "--state", str(self._state)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=environment(),
            )  # fmt: skip
        return self._engine

    def first_folder(self, engine: subprocess.Popen[bytes]) -> RunFolder:
        for _ in self._moments(engine):
            if runs := list_runs(self._state):
                return runs[0]
        raise AssertionError(f"the run did not begin: {self._log.read_text()}")

    def kill(self, engine: subprocess.Popen[bytes], folder: RunFolder) -> bool:
        """Kill at the next moment drawn; whether every process of the engine was gone soon after."""
        if self._rng.random() < 0.4:
            time.sleep(self._rng.uniform(0.1, 2.5))  # often before it has done anything new
        else:
            target = progress(folder) + self._rng.randint(1, 3)
            for _ in self._moments(engine):
                if progress(folder) >= target:
                    break
            time.sleep(self._rng.uniform(0.0, 0.1))
        members = tree(engine.pid)
        assert engine.poll() is None, f"the run ended before its last kill: {self._log.read_text()}"
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
        return asyncio.run(gone(members, seconds=10.0))

    def _moments(self, engine: subprocess.Popen[bytes]) -> Iterator[None]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            yield
            if engine.poll() is not None:
                return
            time.sleep(0.02)

    def story(self) -> Story:
        try:
            return self._story()
        finally:
            if self._engine is not None and self._engine.poll() is None:
                self._engine.kill()  # a failing test must not leave a run behind
                self._engine.wait()

    def _story(self) -> Story:
        engine = self.start(None)
        folder = self.first_folder(engine)
        lives, asked, unsound, left_over, seen = [], [], [], [], 0
        for number in range(KILLS):
            if not self.kill(engine, folder):
                left_over.append(number)
            journal = [one.digest for one in self._server.journal(seen) if not one.is_check]
            seen += len(self._server.journal(seen))
            if not is_sound(folder):
                unsound.append(number)
            lives.append(remember(folder))
            asked.append(journal)
            engine = self.start(folder)
        code = engine.wait(10 * PATIENCE)
        asked.append([one.digest for one in self._server.journal(seen) if not one.is_check])
        lives.append(remember(folder))
        return Story(folder, code, self._log.read_text(), lives, asked, unsound, left_over)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    with JournaledPolicy(delay=0.05) as server:
        return Killer(tmp_path_factory.mktemp("kill"), server, seed=KILLS).story()


def test_it_ends_as_if_nothing_had_happened(story: Story) -> None:
    assert story.exit_code == 0, story.narration
    with reading(story.folder.database) as reader:
        [run] = reader.all(Run)
        agents = reader.all(Agent)
    assert (run.status, run.round) == ("finished", ROUNDS)
    assert [agent.status for agent in agents if agent.round] == ["finished"] * 2 * ROUNDS
    assert (story.folder.best / "submission.csv").is_file()
    assert (story.folder.best / "solution.py").is_file()
    assert run.id in story.folder.report.read_text()


def test_the_database_is_sound_after_every_kill(story: Story) -> None:
    assert story.unsound == []
    assert is_sound(story.folder)


def test_nothing_committed_is_lost_or_made_again(story: Story) -> None:
    lost = [n for n, (before, after) in enumerate(zip(story.lives, story.lives[1:], strict=False))
            if not after.holds(before)]  # fmt: skip
    assert lost == []


def test_no_recorded_reply_is_asked_for_again(story: Story) -> None:
    for number, (before, asked) in enumerate(zip(story.lives[:-1], story.asked[1:], strict=True)):
        assert before.prompts.isdisjoint(asked), f"after kill {number}"


def test_only_requests_in_flight_at_a_kill_are_paid_for_in_vain(story: Story) -> None:
    recorded = [0, *(len(life.calls) for life in story.lives)]
    for number, asked in enumerate(story.asked[:-1]):
        assert len(asked) - (recorded[number + 1] - recorded[number]) <= IN_FLIGHT, f"kill {number}"
    assert len(story.asked[-1]) == recorded[-1] - recorded[-2]


def test_kills_met_the_run_at_work_and_at_its_start(story: Story) -> None:
    steps = [life.progress for life in story.lives]
    assert len(set(steps)) > KILLS // 3
    assert len(set(steps)) < len(steps)


def test_no_process_outlives_the_engine(story: Story) -> None:
    assert story.left_over == []
    mine = str(story.folder.path).encode()
    alive = [path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if mine in _read(path)]
    assert alive == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # it ended while we looked
