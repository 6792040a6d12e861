"""Gathered notebooks that really run on MLE-Live: what they keep, what comes home, what is carried on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from comind.clock import utc_now
from kaggle_runner.account import AccountBook
from kaggle_runner.client import KaggleClient
from kaggle_runner.gathering import CarriedWork, cell_logs, gather, longest
from kaggle_runner.job_records import Job, JobProgress, JobResult, Pace
from kaggle_runner.jobs import run_job
from kaggle_runner.kaggle_records import KernelPush
from kaggle_runner.kernel_book import KernelBook
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer, make_root, running_server

PACE = Pace(first=0.1, most=0.5, grace=2.0, patience=60.0)
LOAD = (
    f"import csv\nwith open('/kaggle/input/{SLUG}/train.csv') as file:\n    rows = list(csv.DictReader(file))"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    root = make_root(folder / "root")
    with running_server(root, folder / "state") as running:
        yield running


@dataclass
class Kaggle:
    client: KaggleClient
    book: KernelBook
    folder: Path

    async def run(
        self, slug: str, *cells: str, carried: CarriedWork | None = None, seconds: float | None = None
    ) -> JobResult:
        """Push the gathered cells; their work ends a little before `seconds`."""
        text = gather(cells, slug=SLUG, carried=carried, title=slug, mark=slug, seconds=seconds, worth=0.0)
        kernels = (carried.ref,) if carried else ()
        push = KernelPush(slug, slug, text, competitions=(SLUG,), kernels=kernels, seconds=300)
        self.looks: list[JobProgress] = []
        return await run_job(
            self.client, self.book, Job(push, run="r", mark=slug), self.folder / slug, pace=PACE,
            watch=self.looks.append,
        )  # fmt: skip


@pytest.fixture
def kaggle(server: RunningServer, tmp_path: Path) -> Iterator[Kaggle]:
    with AccountBook(tmp_path / "kaggle.sqlite", "alice@here") as book:
        yield Kaggle(KaggleClient(server.url, TOKEN), KernelBook(book, utc_now), tmp_path / "home")


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
    assert (failed.state, failed.failure) == ("error", "Cell 3 failed. ZeroDivisionError: division by zero")
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
    result = await run_job(kaggle.client, kaggle.book, Job(push), kaggle.folder, pace=PACE)
    assert result.state == "timed out" and result.carried is None
    assert any("cut the session" in note for note in result.notes)


async def test_carried_work_that_is_not_there_runs_everything(kaggle: Kaggle) -> None:
    first = await kaggle.run("comind-gone-p1", LOAD, "a = 1")
    assert first.carried is not None
    await kaggle.client.delete_kernel(first.ref)
    other = await kaggle.run("comind-gone-p1", "print('another kernel of that name')")
    assert other.version == 1
    second = await kaggle.run("comind-gone-p2", LOAD, "a = 1", "a", carried=first.carried)
    assert second.progress is not None and [c.state for c in second.progress.cells] == ["ok"] * 3
    assert "cannot be used" in cell_logs(second.log)[0]


async def test_the_notebook_to_submit_runs_every_cell_and_fails_where_a_cell_fails(kaggle: Kaggle) -> None:
    def push(slug: str, *cells: str) -> Job:
        return Job(
            KernelPush(slug, slug, gather(cells, slug=SLUG, title=slug, keep=False), competitions=(SLUG,))
        )

    good = await run_job(
        kaggle.client, kaggle.book, push("comind-final-good", LOAD, USING_ROWS), kaggle.folder
    )
    assert good.state == "complete" and good.saved["n.txt"].read_text() == "60"
    bad = await run_job(kaggle.client, kaggle.book, push("comind-final-bad", LOAD, "1 / 0"), kaggle.folder)
    assert bad.state == "error" and "ZeroDivisionError" in bad.failure


USING_ROWS = "open('n.txt', 'w').write(str(len(rows)))"


async def test_data_that_is_not_mounted_is_pushed_once_more_and_then_told(kaggle: Kaggle) -> None:
    text = gather(["1"], slug="nowhere", title="comind-unmounted").replace(
        "find('nowhere')", "find('nowhere', seconds=0.0)"
    )
    job = Job(KernelPush("comind-unmounted", "comind-unmounted", text))
    result = await run_job(kaggle.client, kaggle.book, job, kaggle.folder, pace=PACE)
    assert result.state == "error" and "data not mounted" in result.failure
    assert result.version == 2 and any("second time" in note for note in result.notes)
    again = await run_job(kaggle.client, kaggle.book, job, kaggle.folder, pace=PACE)
    assert again.version == 2 and await kaggle.client.kernel_version(result.ref) == 2


async def test_a_job_that_was_pushed_before_is_found_again(kaggle: Kaggle) -> None:
    first = await kaggle.run("comind-found-p1", LOAD)
    second = await kaggle.run("comind-found-p1", LOAD)
    assert second.version == first.version == 1 and second.state == "complete"
    assert await kaggle.client.kernel_version(first.ref) == 1
