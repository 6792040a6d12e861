"""The queue over this machine and Kaggle: order, limits, quota, deadlines, and processes that die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import LimitReached
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.orders import Attempt, Order
from kaggle_runner.jobs.queue import KAGGLE_LIMITS, Needs, Place, SessionQueue, Slot
from kaggle_runner.jobs.runner import run_order
from kaggle_runner.kaggle.records import KernelPush
from tests.fakes.scripted_kernels import Run, ScriptedKaggle

GPU_HOUR = Needs(gpu=True, seconds=3600)
CPU_HOUR = Needs(gpu=False, seconds=3600)
T4 = "NvidiaTeslaT4"


@dataclass
class Hall:
    kaggle: ScriptedKaggle
    attempts: AttemptBook
    path: Path

    def queue(self, limits: dict[Place, int] | None = None, *, alone: bool = False) -> SessionQueue:
        return SessionQueue(
            self.attempts,
            None if alone else self.kaggle,
            limits=KAGGLE_LIMITS if limits is None else limits,
            sleep=self.kaggle.clock.sleep,
        )

    def running(self, slug: str, seconds: float, *, accelerator: str = T4) -> None:
        """A kernel at Kaggle and in the book, for which nobody holds a ticket."""
        self.kaggle.pushed.append((slug, self.kaggle.clock.seconds, Run(queued=0.0, running=seconds)))
        self.attempts.write(
            Attempt(
                slug=slug,
                content="c",
                ref=f"ann/{slug}",
                version=1,
                state="running",
                accelerator=accelerator,
                reserved_seconds=seconds,
                requested_at=self.kaggle.clock.now(),
                started_at=self.kaggle.clock.now(),
            )
        )


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    kaggle = ScriptedKaggle()
    with AccountBook(tmp_path / "kaggle.sqlite", "ann@kaggle") as book:
        yield Hall(kaggle, AttemptBook(book, kaggle.clock), tmp_path / "kaggle.sqlite")


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_no_more_than_the_limit_work_at_once_and_first_come_first_served(hall: Hall) -> None:
    queue, order, at_once = hall.queue(), list[int](), list[int]()
    busy = 0

    async def work(number: int) -> None:
        nonlocal busy
        async with queue.place(GPU_HOUR, slug=f"k{number}") as slot:
            assert slot.place == "kaggle-gpu"
            order.append(number)
            busy += 1
            at_once.append(busy)
            await turns(10)
            busy -= 1

    await asyncio.gather(*(work(number) for number in range(6)))
    assert order == list(range(6)) and max(at_once) == 2


async def test_a_higher_priority_goes_first(hall: Hall) -> None:
    queue, order = hall.queue({"kaggle-cpu": 1}), list[str]()

    async def work(name: str, priority: int) -> None:
        async with queue.place(CPU_HOUR, priority=priority, slug=name):
            order.append(name)

    async with queue.place(CPU_HOUR, slug="first"):
        tasks = [asyncio.create_task(work(name, priority)) for name, priority in (("low", 0), ("high", 5))]
        await turns()
    await asyncio.gather(*tasks)
    assert order == ["high", "low"]


async def test_this_machine_comes_first_and_its_gpus_are_told_apart(hall: Hall) -> None:
    queue = hall.queue({"local-gpu": 2, "local-cpu": 1, "kaggle-gpu": 2, "kaggle-cpu": 5})
    async with contextlib.AsyncExitStack() as stack:
        slots = [await stack.enter_async_context(queue.place(GPU_HOUR)) for _ in range(3)]
        assert [(slot.place, slot.number) for slot in slots] == [
            ("local-gpu", 0), ("local-gpu", 1), ("kaggle-gpu", 0),
        ]  # fmt: skip
        assert (await stack.enter_async_context(queue.place(CPU_HOUR, prefer=["kaggle-cpu"]))).number == 0


async def test_without_a_fitting_place_it_is_an_error_at_once(hall: Hall) -> None:
    with pytest.raises(LimitReached, match="no place"):
        async with hall.queue(alone=True).place(GPU_HOUR):
            pass


async def test_a_running_kernel_without_a_ticket_holds_its_place_until_kaggle_says_that_it_ended(
    hall: Hall,
) -> None:
    hall.running("abandoned-1", 7200)
    hall.running("abandoned-2", 5000)
    queue, reasons = hall.queue(), list[str]()
    async with queue.place(GPU_HOUR, slug="new", watch=reasons.append) as slot:
        assert 5000 <= hall.kaggle.clock.seconds < 5200 and slot.waited >= 5000
    assert reasons == ["all 2 places of kaggle-gpu are taken"]
    row = hall.attempts.find("abandoned-2")
    assert row is not None and row.state == "complete"


async def test_kernels_on_the_cpu_do_not_take_the_gpus_places(hall: Hall) -> None:
    hall.running("cpu-1", 9e9, accelerator="")
    hall.running("cpu-2", 9e9, accelerator="")
    async with hall.queue().place(GPU_HOUR, slug="new"):
        assert hall.kaggle.clock.seconds == 0.0


async def test_a_kernel_that_runs_already_has_its_place(hall: Hall) -> None:
    hall.running("mine", 9e9)
    hall.running("other", 9e9)
    queue = hall.queue()
    async with queue.place(GPU_HOUR, slug="mine", deadline_seconds=4000):
        with pytest.raises(LimitReached, match="places of kaggle-gpu are taken"):
            async with queue.place(GPU_HOUR, slug="third", deadline_seconds=4000):
                pass


async def test_nothing_begins_that_cannot_end_before_the_deadline(hall: Hall) -> None:
    queue = hall.queue({"kaggle-gpu": 1})
    with pytest.raises(LimitReached, match="3600 s, and 600 s are left"):
        async with queue.place(GPU_HOUR, deadline_seconds=600):
            pass
    hall.running("busy", 9e9)
    with pytest.raises(LimitReached, match=r"It waited: all 1 places"):
        async with queue.place(GPU_HOUR, deadline_seconds=5000):
            pass
    assert 1400 <= hall.kaggle.clock.seconds < 1500 and queue.tickets.held() == []


async def test_nothing_begins_that_the_weeks_quota_cannot_hold(hall: Hall) -> None:
    hall.kaggle.quota_seconds, hall.kaggle.used = 30 * 3600.0, 29.5 * 3600
    with pytest.raises(LimitReached) as limit:
        async with hall.queue().place(GPU_HOUR):
            pass
    assert "0.5 h left" in limit.value.message and "2026-06-04 12:00 UTC" in limit.value.hint
    limits: dict[Place, int] = {"kaggle-gpu": 2, "kaggle-cpu": 5}
    async with hall.queue(limits).place(GPU_HOUR, prefer=["kaggle-gpu", "kaggle-cpu"]) as slot:
        assert slot.place == "kaggle-cpu"
    async with hall.queue().place(Needs(gpu=True, seconds=1200)) as slot:
        assert slot.place == "kaggle-gpu"


async def test_quota_that_running_work_may_still_use_is_waited_for_and_smaller_work_goes_first(
    hall: Hall,
) -> None:
    hall.kaggle.quota_seconds = 3 * 3600.0
    hall.running("busy", 2.5 * 3600)
    queue, order, reasons = hall.queue(), list[str](), list[str]()

    async def work(name: str, seconds: float) -> None:
        async with queue.place(Needs(True, seconds), slug=name, watch=reasons.append) as slot:
            order.append(name)
            assert slot.place == "kaggle-gpu"

    big = asyncio.create_task(work("big", 7200))
    await turns(2)
    await work("small", 1200)
    hall.kaggle.used = 0.0
    await big
    assert order == ["small", "big"] and "2.0 h of quota are needed" in reasons[0]


async def test_two_that_fit_alone_are_not_granted_together_beyond_the_quota(hall: Hall) -> None:
    hall.kaggle.quota_seconds = 1.5 * 3600.0
    queue = hall.queue()
    async with queue.place(GPU_HOUR, slug="one"):
        with pytest.raises(LimitReached, match="quota are needed"):
            async with queue.place(GPU_HOUR, slug="two", deadline_seconds=4000):
                pass


async def test_an_order_in_its_place_is_counted_once(hall: Hall) -> None:
    queue = hall.queue({"kaggle-gpu": 2})
    order = Order(KernelPush("comind-x", "comind-x", "1", accelerator=T4, seconds=3600))

    async def second() -> None:
        async with queue.place(GPU_HOUR, slug="comind-y", deadline_seconds=4000):
            granted.append("y")

    granted: list[str] = []
    async with queue.place(GPU_HOUR, slug="comind-x"):
        waiting = asyncio.create_task(second())
        await run_order(hall.kaggle, hall.attempts, order, hall.path.parent, sleep=hall.kaggle.clock.sleep)
        await waiting
    assert granted == ["y"]


async def test_a_cancelled_wait_leaves_no_ticket(hall: Hall) -> None:
    queue = hall.queue({"local-cpu": 1})

    async def wait() -> None:
        async with queue.place(CPU_HOUR):
            pass

    async with queue.place(CPU_HOUR):
        waiting = asyncio.create_task(wait())
        await turns()
        assert len(queue.tickets.held()) == 2
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert len(queue.tickets.held()) == 1
    assert queue.tickets.held() == []


_HOLDER = """
import asyncio, sys
from pathlib import Path
from kaggle_runner.account import AccountBook
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.jobs.queue import Needs, SessionQueue

async def main():
    with AccountBook(Path(sys.argv[1]), "ann@kaggle") as book:
        queue = SessionQueue(AttemptBook(book, SYSTEM_CLOCK), None, limits={"local-gpu": 1})
        async with queue.place(Needs(True, 60.0)):
            print("held", flush=True)
            await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_another_process_holds_its_place_and_a_killed_one_does_not(hall: Hall) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(hall.path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        queue = hall.queue({"local-gpu": 1})
        with pytest.raises(LimitReached, match="are taken"):
            async with queue.place(GPU_HOUR, deadline_seconds=3700):
                pass
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()
    async with queue.place(GPU_HOUR) as slot:
        assert slot == Slot("local-gpu", 0, slot.waited)


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ("begun = '1'", False),  # the pid is another process's by now
        ("host = 'elsewhere', pid = 1", True),
        ("host = 'elsewhere', pid = 1, seconds = 10, seen_at = '2026-06-01T11:00:00+00:00'", False),
        ("host = 'elsewhere', pid = 1, seconds = 7200, seen_at = '2026-06-01T11:00:00+00:00'", True),
        # our time was put back since: it is not held until that moment comes again
        ("host = 'elsewhere', pid = 1, seconds = 10, seen_at = '2026-07-01T11:00:00Z'", False),
    ],
)
async def test_a_ticket_counts_while_its_holder_may_live(hall: Hall, changes: str, held: bool) -> None:
    queue = hall.queue({"local-cpu": 1})
    async with queue.place(CPU_HOUR):
        with hall.attempts.book.writing() as database:
            database.execute(f"UPDATE session_tickets SET {changes}")
        if held:
            with pytest.raises(LimitReached):
                async with queue.place(CPU_HOUR, deadline_seconds=3605):
                    pass
        else:
            async with queue.place(CPU_HOUR) as slot:
                assert slot.number == 0
