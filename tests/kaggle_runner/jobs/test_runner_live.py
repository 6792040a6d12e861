"""Gathered notebooks that really run on MLE-Live: what they keep, what comes home, what is carried on."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.gathered import CarriedWork, cell_logs, gather, longest
from kaggle_runner.jobs.orders import Attempt, Order, Outcome
from kaggle_runner.jobs.runner import Pace, run_order
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import KernelPush
from kaggle_runner.kaggle.transport import Retries
from kaggle_runner.moments import SYSTEM_CLOCK
from tests.fakes.kaggle_line import KaggleLine
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer, tiny_server

PACE = Pace(first=0.1, most=0.5, grace=2.0, patience=60.0)
LOAD = (
    f"import csv\nwith open('/kaggle/input/{SLUG}/train.csv') as file:\n    rows = list(csv.DictReader(file))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with tiny_server(folder) as running:
        yield running


@dataclass
class Kaggle:
    client: KaggleClient
    book: AttemptBook
    folder: Path

    async def run(
        self, slug: str, *cells: str, carried: CarriedWork | None = None, **options: Any
    ) -> Outcome:
        """Push the gathered cells; what they finish is kept after each."""
        options = {"worth": 0.0, **options}
        text = gather(cells, slug=SLUG, carried=carried, title=slug, mark=slug, **options)
        kernels = (carried.ref,) if carried else ()
        push = KernelPush(slug, slug, text, competitions=(SLUG,), kernels=kernels, seconds=300)
        self.looks: list[tuple[Attempt, str]] = []
        return await run_order(
            self.client, self.book, Order(push, run="r", mark=slug), self.folder / slug, pace=PACE,
            watch=lambda *look: self.looks.append(look),
        )  # fmt: skip


@pytest.fixture
def kaggle(server: RunningServer, tmp_path: Path) -> Iterator[Kaggle]:
    with AccountBook(tmp_path / "kaggle.sqlite", "alice@here") as book:
        yield Kaggle(KaggleClient(server.url, TOKEN), AttemptBook(book, SYSTEM_CLOCK), tmp_path / "home")


async def test_cells_run_as_they_are_and_their_files_come_home(kaggle: Kaggle) -> None:
    result = await kaggle.run(
        "comind-plain-p1", LOAD, "len(rows)", "%%time\nopen('out.txt', 'w').write(rows[0]['id'])"
    )
    assert (result.state, result.failure) == ("complete", "")
    assert result.saved["out.txt"].read_text() == "r0"
    assert not [name for name in result.saved if name.startswith("comind_")]
    logs = cell_logs(result.log)
    assert "Out: 60" in logs[2] and "CPU times" in logs[3]
    assert result.progress is not None and [cell.state for cell in result.progress.cells] == ["ok"] * 3
    row = kaggle.book.find("comind-plain-p1")
    assert row is not None and row.state == "complete" and row.ended_at is not None


SETTING_UP = """\
import random, threading
random.seed(7)
scale = 2
def scaled(x):
    return x * scale
class Model:
    def __init__(self, weights):
        self.weights = weights
model = Model([1, 2, 3])
weights = model.weights
open('made-once.txt', 'a').write('x')
"""
USING = """\
weights.append(4)
scale = 10
open('made-once.txt', 'a').write('y')
open('seen.txt', 'w').write(repr((model.weights, scaled(1), isinstance(model, Model), random.random(),
                                  open('made-once.txt').read())))
"""


async def test_what_a_push_finished_is_carried_by_the_next_and_gives_the_same(kaggle: Kaggle) -> None:
    cells = (LOAD, SETTING_UP, USING)
    whole = await kaggle.run("comind-whole-p1", *cells)
    failed = await kaggle.run(
        "comind-carry-p1", LOAD, SETTING_UP, "weights.append(99)\nscale = 0\n1 / 0", "None"
    )
    assert (failed.state, failed.failure) == ("failed", "Cell 3 failed. ZeroDivisionError: division by zero")
    assert failed.progress is not None and failed.progress.failed is not None
    assert "1 / 0" in failed.progress.failed.traceback
    assert [cell.state for cell in failed.progress.cells] == ["ok", "ok", "error", "not run"]
    assert failed.carried is not None and failed.carried.cells == 2

    carried = await kaggle.run("comind-carry-p2", *cells, carried=failed.carried)
    assert carried.state == "complete" and carried.progress is not None
    assert [cell.state for cell in carried.progress.cells] == ["carried", "carried", "ok"]
    assert carried.saved["seen.txt"].read_text() == whole.saved["seen.txt"].read_text()
    assert "[1, 2, 3, 4], 10, True" in whole.saved["seen.txt"].read_text()

    assert carried.carried is not None and carried.carried.cells == 3
    onward = await kaggle.run("comind-carry-p3", *cells, "len(rows)", carried=carried.carried)
    assert onward.state == "complete" and "Out: 60" in cell_logs(onward.log)[4]
    assert longest([carried.carried, failed.carried], [*cells, "1"], SLUG) == carried.carried
    assert longest([carried.carried, failed.carried], [LOAD, SETTING_UP, "2"], SLUG) == failed.carried
    assert longest([carried.carried, failed.carried], ["other", SETTING_UP], SLUG) is None
    assert longest([carried.carried], cells, "other-data") is None


async def test_variables_that_cannot_be_kept_are_named_and_cells_that_need_them_run_everything(
    kaggle: Kaggle,
) -> None:
    cells = (LOAD, "import threading\nguard = threading.Lock()\nkept = 1\nnumbers = (n for n in rows)")
    first = await kaggle.run("comind-locks-p1", *cells)
    assert first.carried is not None and set(first.carried.lost) == {"guard", "numbers"}
    assert longest([first.carried], [*cells, "f'{kept + 1}'"], SLUG) == first.carried
    assert longest([first.carried], [*cells, "%time guard.acquire()"], SLUG) is None
    again = (*cells, "with guard:\n    kept += 1")
    assert longest([first.carried], again, SLUG) is None
    second = await kaggle.run("comind-locks-p2", *again, carried=first.carried)
    assert second.progress is not None and [c.state for c in second.progress.cells] == ["ok"] * 3


async def test_work_ends_before_the_session_is_cut_and_what_was_finished_is_carried(kaggle: Kaggle) -> None:
    cells = (LOAD, "import time\nwhile True:\n    time.sleep(0.05)")
    result = await kaggle.run("comind-slow-p1", *cells, "print('never')", seconds=9)
    assert result.state == "timed out" and "a little before" in result.failure
    assert result.progress is not None
    assert [cell.state for cell in result.progress.cells] == ["ok", "out of time", "not run"]
    assert result.carried is not None and result.carried.cells == 1


async def test_a_session_that_is_cut_is_told_and_carries_nothing(kaggle: Kaggle) -> None:
    push = KernelPush("comind-endless", "comind-endless", "while True: pass", kernel_type="script", seconds=1)
    result = await run_order(kaggle.client, kaggle.book, Order(push), kaggle.folder, pace=PACE)
    assert result.state == "timed out" and result.carried is None
    assert any("cut the session" in note for note in result.notes)


async def test_carried_work_that_is_not_there_runs_everything(kaggle: Kaggle) -> None:
    first = await kaggle.run("comind-gone-p1", LOAD, "a = 1")
    assert first.carried is not None
    await kaggle.client.delete_kernel(first.attempt.ref)
    other = await kaggle.run("comind-gone-p1", "print('another kernel of that name')")
    assert other.attempt.version == 1
    second = await kaggle.run("comind-gone-p2", LOAD, "a = 1", "a", carried=first.carried)
    assert second.progress is not None and [c.state for c in second.progress.cells] == ["ok"] * 3
    assert "cannot be used" in cell_logs(second.log)[0]


async def test_the_notebook_to_submit_runs_every_cell_and_fails_where_a_cell_fails(kaggle: Kaggle) -> None:
    def push(slug: str, *cells: str) -> Order:
        return Order(
            KernelPush(slug, slug, gather(cells, slug=SLUG, title=slug, keep=False), competitions=(SLUG,))
        )

    good = await run_order(
        kaggle.client, kaggle.book, push("comind-final-good", LOAD, USING_ROWS), kaggle.folder
    )
    assert good.state == "complete" and good.saved["n.txt"].read_text() == "60"
    bad = await run_order(kaggle.client, kaggle.book, push("comind-final-bad", LOAD, "1 / 0"), kaggle.folder)
    assert bad.state == "failed" and "ZeroDivisionError" in bad.failure


USING_ROWS = "open('n.txt', 'w').write(str(len(rows)))"


async def test_data_that_is_not_mounted_is_pushed_once_more_and_then_told(kaggle: Kaggle) -> None:
    text = gather(["1"], slug="nowhere", title="comind-unmounted").replace(
        "find('nowhere')", "find('nowhere', seconds=0.0)"
    )
    order = Order(KernelPush("comind-unmounted", "comind-unmounted", text))
    result = await run_order(kaggle.client, kaggle.book, order, kaggle.folder, pace=PACE)
    assert result.state == "failed" and "data not mounted" in result.failure
    assert result.attempt.version == 2 and any("second time" in note for note in result.notes)
    again = await run_order(kaggle.client, kaggle.book, order, kaggle.folder, pace=PACE)
    assert again.attempt.version == 2 and await kaggle.client.kernel_version(result.attempt.ref) == 2


async def test_a_job_that_was_pushed_before_is_found_again(kaggle: Kaggle) -> None:
    first = await kaggle.run("comind-found-p1", LOAD)
    second = await kaggle.run("comind-found-p1", LOAD)
    assert second.attempt.version == first.attempt.version == 1 and second.state == "complete"
    assert await kaggle.client.kernel_version(first.attempt.ref) == 1


async def test_cells_of_any_kind_run_as_in_a_plain_notebook(kaggle: Kaggle) -> None:
    cells = (
        "import asyncio\nawait asyncio.sleep(0)\nvalue = 5",
        "%%capture said\nprint('captured')",
        "said.stdout, value",
        "!echo from the shell",
        "# only a comment",
        "   ",
        "%%writefile helper.py\nanswer = 42",
        "from helper import answer\nanswer",
        "raise ExceptionGroup('many', [ValueError(1), KeyError(2)])",
    )
    result = await kaggle.run("comind-kinds-p1", *cells)
    assert result.failure.startswith("Cell 8 failed. ExceptionGroup: many")
    logs = cell_logs(result.log)
    assert "('captured\\n', 5)" in logs[3].replace("\r", "") and "from the shell" in logs[4]
    assert "Out: 42" in logs[7] and "KeyError: 2" in logs[8]
    assert result.carried is not None and result.carried.cells == 7
    onward = await kaggle.run(
        "comind-kinds-p2", *cells[:-1], "answer + value", "import sys\nsys.exit(3)", carried=result.carried
    )
    assert "Out: 47" in cell_logs(onward.log)[8]
    assert onward.failure == "Cell 9 failed. SystemExit: 3"


async def test_random_states_environment_and_data_frames_are_carried_as_they_were(kaggle: Kaggle) -> None:
    begin = (
        "import os, sys, numpy as np, pandas as pd\nfrom dataclasses import dataclass\n"
        "np.random.seed(3)\nos.environ['MODE'] = 'fast'\nsys.path.append('/kaggle/working/lib')\n"
        "@dataclass\nclass Fold:\n    frame: pd.DataFrame\n"
        "frame = pd.DataFrame({'a': np.random.rand(5)})\nfolds = [Fold(frame)]\n"
        "pick = lambda fold: fold.frame is frame\n_hidden = 7"
    )
    end = (
        "(pick(folds[0]), isinstance(folds[0], Fold), os.environ['MODE'], sys.path[-1], _hidden,"
        " float(frame.a.sum()), float(np.random.rand()))"
    )
    whole = await kaggle.run("comind-states-p1", begin, end)
    first = await kaggle.run("comind-states-p2", begin)
    second = await kaggle.run("comind-states-p3", begin, end, carried=first.carried)
    assert second.progress is not None and second.progress.cells[0].state == "carried"
    out = [line for line in cell_logs(second.log)[2].splitlines() if "Out:" in line]
    assert out == [line for line in cell_logs(whole.log)[2].splitlines() if "Out:" in line]
    assert "(True, True, 'fast', '/kaggle/working/lib', 7" in out[0]


async def test_a_state_that_is_too_large_is_not_kept_and_that_is_told(kaggle: Kaggle) -> None:
    result = await kaggle.run(
        "comind-large-p1", "small = 1", "large = b'x' * 3_000_000", most_bytes=1_000_000
    )
    assert result.state == "complete"
    assert result.carried is not None and result.carried.cells == 1
    assert any("more than 1000000 bytes, large among them" in note for note in result.notes)


async def test_cheap_cells_are_not_kept_after_each_but_at_the_end(kaggle: Kaggle) -> None:
    failed = await kaggle.run("comind-cheap-p1", "a = 1", "b = 2", "1 / 0", worth=60.0)
    assert failed.carried is None
    whole = await kaggle.run("comind-cheap-p2", "a = 1", "import time\ntime.sleep(0.01)", worth=60.0)
    assert whole.carried is not None and whole.carried.cells == 2


async def test_the_wanted_ones_of_five_hundred_files_come_home(kaggle: Kaggle) -> None:
    code = "import os\nfor n in range(495):\n    open(f'part-{n:03}.txt', 'w').write(str(n))"
    text = gather([code], slug=SLUG, title="comind-many", mark="comind-many")
    order = Order(KernelPush("comind-many", "comind-many", text, competitions=(SLUG,)), mark="comind-many")
    result = await run_order(
        kaggle.client,
        kaggle.book,
        order,
        kaggle.folder,
        pace=PACE,
        wanted=lambda name: name.endswith("7.txt"),
    )
    assert result.state == "complete" and len(result.names) == 500 and len(result.saved) == 49
    assert result.progress is not None and result.carried is not None


async def test_a_line_that_breaks_in_every_step_loses_nothing_and_pushes_once(
    kaggle: Kaggle, server: RunningServer
) -> None:
    with KaggleLine(server.url) as line:
        retries = Retries(tries=1, first_wait=0.0)
        kaggle.client = KaggleClient(line.url, TOKEN, retries=retries)
        line.spoil("SaveKernel", "never arrived", "500", "answer lost")
        line.spoil("GetKernelSessionStatus", "never arrived", "429", "html", "answer lost")
        line.spoil("ListKernelSessionOutput", "500", "answer lost", "body cut")
        line.spoil("_kernel/", "body cut", "answer lost")
        result = await kaggle.run("comind-line-p1", LOAD, "open('out.txt', 'w').write('home')")
    assert result.state == "complete" and result.saved["out.txt"].read_text() == "home"
    assert await KaggleClient(server.url, TOKEN).kernel_version("alice/comind-line-p1") == 1


async def test_generators_of_torch_are_carried_and_broken_libraries_end_nothing(kaggle: Kaggle) -> None:
    """Torch is not needed for it: a module of that name that answers as torch does."""
    module = """\
%%writefile torch.py
state = [1]
get_rng_state = lambda: list(state)
def set_rng_state(value):
    state[:] = value
class cuda:
    is_initialized = lambda: True
    get_rng_state_all = lambda: ["on the card"]
    set_rng_state_all = print
"""
    cells = (module, "import torch\ntorch.set_rng_state([7])")
    first = await kaggle.run("comind-torch-p1", *cells)
    second = await kaggle.run("comind-torch-p2", *cells, "import torch\ntorch.state", carried=first.carried)
    assert "Out: [7]" in cell_logs(second.log)[3] and "['on the card']" in cell_logs(second.log)[0]
    broken = await kaggle.run("comind-torch-p3", *cells, "torch.get_rng_state = None", "'goes on'")
    assert broken.state == "complete" and "'goes on'" in cell_logs(broken.log)[4]
    assert broken.carried is not None and broken.carried.cells == 2
    assert any("TypeError" in note or "not callable" in note for note in broken.notes)


_DYING = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from kaggle_runner.account import AccountBook
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.jobs.orders import Order
from kaggle_runner.jobs.runner import run_order
from kaggle_runner.kaggle.records import KernelPush
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.moments import SYSTEM_CLOCK

class Dying(KaggleClient):
    async def push_kernel(self, push):
        await super().push_kernel(push)
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    with AccountBook(Path(sys.argv[3]), "alice@here") as book:
        client, kernels = Dying(sys.argv[1], sys.argv[2]), AttemptBook(book, SYSTEM_CLOCK)
        push = KernelPush("comind-killed", "comind-killed", "print('ran')", "script")
        await run_order(client, kernels, Order(push), Path(sys.argv[3]).parent)

asyncio.run(main())
"""


async def test_an_engine_killed_between_push_and_confirmation_pushes_once(
    kaggle: Kaggle, server: RunningServer
) -> None:
    command = [sys.executable, "-c", _DYING, server.url, TOKEN, str(kaggle.book.book.path)]
    ended = await asyncio.to_thread(subprocess.run, command, check=False)
    assert ended.returncode == -signal.SIGKILL
    row = kaggle.book.find("comind-killed")
    assert row is not None and row.state == "pushing" and row.version == 0
    push = KernelPush("comind-killed", "comind-killed", "print('ran')", "script")
    result = await run_order(kaggle.client, kaggle.book, Order(push), kaggle.folder, pace=PACE)
    assert result.state == "complete" and result.attempt.version == 1
    assert await kaggle.client.kernel_version("alice/comind-killed") == 1
