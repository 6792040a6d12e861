"""Cells that break whatever a cell can break, one after the other, then one that searches, and a good one.

A scripted model writes them; engine, sandbox, kernel, grader and client are the real ones.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from comind.offline.responder import respond
from comind.state.reader import Reader, reading
from comind.state.records import Agent, Cell, Event
from comind.state.runs import list_runs
from tests.e2e.commands import comind
from tests.e2e.searching import searching_cell
from tests.e2e.small_competition import write_small_competition
from tests.fakes.plain_policy import turn
from tests.fakes.scripted_llm import Scripted, ScriptedModel

pytestmark = pytest.mark.e2e

ENDED_BY_TIME = {
    "first": "kept = 1",
    "endless": "import time\nprint('on')\nwhile True: time.sleep(0.1)",
    "after endless": "print('kept is', kept)",
    "deaf": "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(0.1)",
    "after deaf": "print(kept)",
}
"""Cells that end in time or never."""
CELLS = {
    "lines": (
        "kept = 1\nfor start in range(0, 300_000, 100):\n"
        "    print('\\n'.join(f'row {n}' for n in range(start, start + 100)))"
    ),
    "megabytes": "print('x' * 60_000_000)\nprint('the end', kept)",
    "binary": (
        "import os, sys\nfor _ in range(100):\n    junk = os.urandom(200_000)\n    os.write(2, junk)\n"
        "    print(junk.decode('latin-1'), file=sys.stderr)"
    ),
    "after binary": "print('kept is', kept)",
    "exits": "import sys\nsys.exit('enough')",
    "after exits": "print('kept is', kept)",
    "suicide": "import os, time\nprint('last words', flush=True)\ntime.sleep(1)\nos.kill(os.getpid(), 9)",
    "hog": "hoard = []\nwhile True: hoard.append(bytearray(20_000_000))",
    "quits": "quit()",
    "exit": "exit()",
    "searches": searching_cell("{state}", "{port}"),
    "good": (
        "import pandas as pd\nroot = '/kaggle/input/{slug}/'\n"
        "for part in ('validation_', ''):\n"
        "    inputs = pd.read_csv(root + (part.rstrip('_') or 'test') + '.csv')\n"
        "    sample = pd.read_csv(root + f'sample_{part}submission.csv')\n"
        "    sample['ripe'] = (2 * inputs['height'] - inputs['weight']).rank(pct=True)\n"
        "    sample.to_csv(f'{part}submission.csv', index=False)\n"
    ),
}
CELL_SECONDS = {"by time": 5, "by all else": 600}
"""Whatever ends otherwise has all the time that a busy machine needs."""
RUNS = {"by time": ENDED_BY_TIME, "by all else": CELLS}
NAMES = [name for cells in RUNS.values() for name in cells]


def answer(cells: dict[str, str], request: dict[str, Any], facts: dict[str, str]) -> Scripted | str:
    """Scripted cells for the coder, by how many it has been shown; the offline policy for the other roles.

    `facts`: what cells are told of this run.
    """
    names, messages = list(cells), request["messages"]
    if not messages[0]["content"].startswith("# Role: coder") or "# Task: report" in messages[-1]["content"]:
        return respond(messages)
    observed = re.match(r"## Observation\ncell (\d+):", messages[-1]["content"])
    step = int(observed[1]) if observed else 0
    if step >= len(names):
        return turn("finished", "")
    name = names[step]
    files = ("validation_submission.csv", "submission.csv") if name == "good" else ("None", "None")
    slug = messages[1]["content"].partition("competition folder: /kaggle/input/")[2].split()[0]
    code = cells[name]
    for word, value in {**facts, "slug": slug}.items():
        code = code.replace(f"{{{word}}}", value)
    return turn(name, code, *files)


class Outcome:
    """The cells of both runs' one agent by name, and what else the run with a solution wrote down."""

    def __init__(self, parts: dict[str, Part]) -> None:
        self.cells = {name: cell for part in parts.values() for name, cell in part.cells.items()}
        self.failed = {message for part in parts.values() for message in part.failed}
        self.solved = parts["by all else"]


class Part:
    """One run."""

    def __init__(self, shown: dict[str, Any], path: Path, reader: Reader) -> None:
        self.shown = shown
        self.path = path
        self.cells = {cell.goal: cell for cell in reader.all(Cell, order="step")}
        self.failed = {event.message for event in reader.all(Event, "kind = 'cell_failed'")}
        [self.agent] = reader.all(Agent)


def run(name: str, root: Path) -> Part:
    folder, cells = write_small_competition(root / "fruit"), RUNS[name]
    config = root / "run.yaml"
    config.write_text(
        f"cell_time_limit: {CELL_SECONDS[name]}\nmemory_limit: 900000000\nsteps: {len(cells) + 2}\n"
    )
    facts = {"state": str(root / "state")}
    with ScriptedModel(lambda request, number: answer(cells, request, facts)) as server:
        facts["port"] = server.url.split(":")[2].split("/")[0]
        done = comind(
            "run", f"{folder}/", "--model", "scripted", "--base-url", server.url, "--coders", "1",
            "--rounds", "1", "--time-limit", "30m", "--config", str(config), "--json",
            state=root / "state",
        )  # fmt: skip
    assert done.returncode == (0 if "good" in cells else 1), done.stderr
    [found] = list_runs(root / "state")
    with reading(found.database) as reader:
        return Part(json.loads(done.stdout), found.path, reader)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Two runs at once: they wait for most of their time."""
    with ThreadPoolExecutor() as pool:
        parts = pool.map(lambda name: run(name, tmp_path_factory.mktemp("hard")), RUNS)
        return Outcome(dict(zip(RUNS, parts, strict=True)))


def test_every_cell_ran_and_ended_with_its_status(outcome: Outcome) -> None:
    assert list(outcome.cells) == NAMES
    assert {name: cell.status for name, cell in outcome.cells.items()} == {
        "first": "ok",
        "lines": "ok",
        "megabytes": "ok",
        "binary": "ok",
        "after binary": "ok",
        "endless": "timeout",
        "after endless": "ok",
        "exits": "error",
        "after exits": "ok",
        "deaf": "timeout",
        "after deaf": "error",
        "suicide": "died",
        "hog": "died",
        "quits": "died",
        "exit": "died",
        "searches": "ok",
        "good": "ok",
    }


@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("lines", "megabytes", "binary", "searches", "good")]
)
def test_every_end_that_is_not_a_success_is_an_event(outcome: Outcome, name: str) -> None:
    cell = outcome.cells[name]
    told = [message for message in outcome.failed if message.startswith(f"cell {cell.step}: {cell.status} ")]
    assert bool(told) == (cell.status != "ok")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("endless", f"limit of {CELL_SECONDS['by time']} s"),
        ("exits", "the kernel goes on"),
        ("deaf", "did not obey two interrupts"),
        ("suicide", "last words"),
        ("suicide", "the kernel was killed"),
        ("hog", "GiB of memory; the limit is 0.8 GiB"),
        ("quits", "quit() or exit()"),
        ("exit", "quit() or exit()"),
    ],
)
def test_the_agent_is_told_what_ended_its_cell(outcome: Outcome, name: str, said: str) -> None:
    assert said.lower() in outcome.cells[name].output.lower()


def test_variables_outlive_what_spares_the_kernel_and_their_loss_is_told(outcome: Outcome) -> None:
    assert "\nthe end 1\n" in outcome.cells["megabytes"].output
    for name in ("after binary", "after endless", "after exits"):
        assert outcome.cells[name].output == "kept is 1"
    assert "NameError" in outcome.cells["after deaf"].output
    assert "fresh kernel" in outcome.cells["after deaf"].output


def test_what_is_told_and_what_is_kept_is_bounded(outcome: Outcome) -> None:
    assert all(len(cell.output) < 20_000 for cell in outcome.cells.values())
    assert outcome.cells["lines"].output.startswith("row 0\n")
    assert "row 299999" in outcome.cells["lines"].output
    assert sum(file.stat().st_size for file in outcome.solved.path.rglob("*") if file.is_file()) < 200_000_000


def test_the_agent_ends_with_a_valid_submission(outcome: Outcome) -> None:
    assert outcome.solved.agent.status == "finished"
    assert outcome.solved.shown["best"]["interval"][0] > outcome.solved.shown["baseline_score"]


def test_a_searching_agent_finds_no_label_no_key_no_network(outcome: Outcome) -> None:
    output = outcome.cells["searches"].output
    assert "SEEN True HITS []" in output
    assert "STATE False ENV []" in output
    assert "NETWORK reached" not in output
    assert output.count("NETWORK closed") == 2
    assert "INPUT read-only" in output
