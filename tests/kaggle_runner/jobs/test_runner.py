"""What goes wrong with orders at Kaggle, on a scripted Kaggle: nothing is lost, nothing is pushed twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import KaggleError, KernelRefused
from kaggle_runner.jobs.book import AttemptBook
from kaggle_runner.jobs.looks import find_again
from kaggle_runner.jobs.orders import Attempt, Order, Outcome
from kaggle_runner.jobs.runner import Pace, run_order
from kaggle_runner.kaggle.records import KernelPush, PushedVersion
from tests.fakes.scripted_kernels import Run, ScriptedKaggle, note

AWAY = KaggleError("no connection")
NO_ANSWER = KaggleError("no answer in time", maybe_done=True)
FULL = KernelRefused("push: Maximum batch GPU session count of 2 reached.", full=True)
ORDER = Order(
    KernelPush("comind-r1-a1-p1", "comind-r1-a1-p1", "print(1)", seconds=3600), run="r1", agent="r1-a1"
)


@dataclass
class Desk:
    kaggle: ScriptedKaggle
    book: AttemptBook
    folder: Path

    async def run(self, order: Order = ORDER, **options: Any) -> Outcome:
        return await run_order(
            self.kaggle, self.book, order, self.folder, sleep=self.kaggle.clock.sleep, **options
        )

    def row(self, slug: str = ORDER.push.slug) -> Attempt:
        row = self.book.find(slug)
        assert row is not None
        return row


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    kaggle = ScriptedKaggle()
    with AccountBook(tmp_path / "kaggle.sqlite", "ann@kaggle") as book:
        yield Desk(kaggle, AttemptBook(book, kaggle.clock), tmp_path / "home")


async def test_an_order_is_pushed_waited_for_and_noted(desk: Desk) -> None:
    looks: list[tuple[Attempt, str]] = []
    desk.kaggle.runs = [Run(note=note())]
    result = await desk.run(watch=lambda *look: looks.append(look))
    assert (result.state, result.attempt.ref, result.attempt.version) == (
        "complete",
        "ann/comind-r1-a1-p1",
        1,
    )
    assert [look.state for look, _ in looks[:2]] == ["pushing", "queued"] and looks[-1][0].state == "fetching"
    assert "half way" in next(words for look, words in looks if look.state == "running")
    row = desk.row()
    assert row.state == "complete" and row.run == "r1" and row.agent == "r1-a1" and row.pushes == 1
    assert row.started_at is not None and row.ended_at is not None and 200 < row.charged_seconds < 400


async def test_looks_become_rarer_up_to_one_a_minute(desk: Desk) -> None:
    desk.kaggle.runs = [Run(running=7200)]
    await desk.run()
    waits = [seconds for seconds in desk.kaggle.clock.slept if seconds]
    assert waits[0] == 5.0 and waits == sorted(waits) and waits[-1] == 60.0


async def test_the_intention_is_in_the_book_before_the_push(desk: Desk) -> None:
    seen: list[Attempt] = []
    whole = desk.kaggle.push_kernel

    async def looking(push: KernelPush) -> PushedVersion:
        seen.append(desk.row())
        return await whole(push)

    desk.kaggle.push_kernel = looking  # type: ignore[method-assign]
    await desk.run()
    assert seen[0].state == "pushing" and seen[0].reserved_seconds == 3600


async def test_the_state_of_the_version_before_is_not_believed(desk: Desk) -> None:
    await desk.run()
    desk.kaggle.runs, desk.kaggle.stale_for = [Run(end="error", failure="the new one failed")], 40.0
    other = Order(KernelPush(ORDER.push.slug, ORDER.push.title, "print(2)"))
    result = await desk.run(other)
    assert (result.attempt.version, result.state, result.failure) == (2, "failed", "the new one failed")


async def test_a_version_that_ends_at_once_is_believed_in_the_end(desk: Desk) -> None:
    await desk.run()
    desk.kaggle.runs = [Run(queued=0.0, running=0.0, end="error", failure="broken")]
    result = await desk.run(Order(KernelPush(ORDER.push.slug, ORDER.push.title, "print(2)")))
    assert (result.attempt.version, result.failure) == (2, "broken")


@pytest.mark.parametrize("status", [403, 404])
async def test_a_kernel_that_kaggle_does_not_know_yet_is_asked_for_again(desk: Desk, status: int) -> None:
    desk.kaggle.faults["kernel_status"] = [
        KaggleError("Permission 'kernels.get' was denied", status=status)
    ] * 4
    assert (await desk.run()).state == "complete"


async def test_a_kernel_that_was_deleted_while_it_ran_is_lost_and_holds_no_place(desk: Desk) -> None:
    desk.kaggle.runs = [Run(running=50_000)]
    gone = KaggleError("Permission 'kernels.get' was denied", status=403)
    desk.kaggle.faults["kernel_status"] = [None] * 10 + [gone] * 50
    result = await desk.run()
    assert result.state == "lost" and "deleted" in result.failure and desk.book.unfinished() == []


async def test_an_abandoned_kernel_that_a_person_deletes_does_not_count_for_ever(desk: Desk) -> None:
    desk.kaggle.runs = [Run(running=50_000)]
    await desk.run(deadline_seconds=60)
    desk.kaggle.faults["kernel_status"] = [KaggleError("denied", status=403)] * 2
    assert (await find_again(desk.kaggle, desk.book))[0].unfinished
    desk.kaggle.clock.seconds += 1000
    assert (await find_again(desk.kaggle, desk.book))[0].state == "lost"


async def test_the_slug_that_kaggle_made_is_used_and_told(desk: Desk) -> None:
    desk.kaggle.renamed = "other-name"
    result = await desk.run()
    assert result.attempt.ref == "ann/other-name" and result.state == "complete"
    assert any("ann/other-name" in line for line in result.notes)
    assert desk.row().ref == "ann/other-name"


async def test_a_push_waits_until_a_session_ends(desk: Desk) -> None:
    desk.kaggle.faults["push_kernel"] = [FULL] * 30
    looks: list[tuple[Attempt, str]] = []
    result = await desk.run(watch=lambda *look: looks.append(look))
    assert result.state == "complete" and len(desk.kaggle.pushed) == 1
    waiting = next(words for look, words in looks if look.state == "waiting")
    assert "session count of 2" in waiting


async def test_a_push_that_waits_beyond_the_deadline_is_refused(desk: Desk) -> None:
    desk.kaggle.faults["push_kernel"] = [FULL] * 1000
    with pytest.raises(KernelRefused, match="session count"):
        await desk.run(deadline_seconds=600)
    assert desk.row().state == "refused" and not desk.kaggle.pushed


async def test_an_ended_quota_is_told_with_its_return_and_not_waited_for(desk: Desk) -> None:
    desk.kaggle.faults["push_kernel"] = [KernelRefused("push: GPU quota exceeded", full=True)]
    desk.kaggle.quota_seconds = 3600.0
    with pytest.raises(KernelRefused) as refusal:
        await desk.run()
    assert "2026-06-04 12:00 UTC" in refusal.value.hint and desk.kaggle.calls["push_kernel"] == 1


async def test_a_push_that_kaggle_does_not_take_is_told_at_once(desk: Desk) -> None:
    desk.kaggle.faults["push_kernel"] = [KernelRefused("push: the title is in use")]
    with pytest.raises(KernelRefused, match="title"):
        await desk.run()
    assert desk.kaggle.calls["push_kernel"] == 1


async def test_a_push_whose_answer_was_lost_is_found_and_not_sent_again(desk: Desk) -> None:
    desk.kaggle.lose_answer = True
    result = await desk.run()
    assert result.state == "complete" and len(desk.kaggle.pushed) == 1


async def test_a_push_that_was_lost_altogether_is_sent_again_after_a_while(desk: Desk) -> None:
    desk.kaggle.faults["push_kernel"] = [NO_ANSWER]
    result = await desk.run()
    assert result.state == "complete" and len(desk.kaggle.pushed) == 1
    assert desk.kaggle.pushed[0][1] > Pace().grace


@pytest.mark.parametrize("fault", [AWAY, KaggleError("500", status=500), KaggleError("429", status=429)])
@pytest.mark.parametrize(
    "step", ["push_kernel", "kernel_version", "kernel_status", "kernel_log", "kernel_output"]
)
async def test_a_server_that_is_away_for_minutes_loses_nothing(
    desk: Desk, step: str, fault: KaggleError
) -> None:
    desk.kaggle.faults[step] = [fault] * 6
    desk.kaggle.runs = [Run(note=note())]
    result = await desk.run()
    assert result.state == "complete" and result.progress is not None and len(desk.kaggle.pushed) == 1


async def test_a_server_that_stays_away_is_an_error_and_the_order_is_found_later(desk: Desk) -> None:
    desk.kaggle.faults["kernel_status"] = [AWAY] * 100
    with pytest.raises(KaggleError, match="no connection"):
        await desk.run()
    desk.kaggle.faults.clear()
    result = await desk.run()
    assert result.state == "complete" and len(desk.kaggle.pushed) == 1


async def test_a_refused_token_is_an_error_at_once(desk: Desk) -> None:
    desk.kaggle.faults["kernel_status"] = [KaggleError("401", status=401)]
    with pytest.raises(KaggleError):
        await desk.run()


@pytest.mark.parametrize("method", ["push_kernel", "kernel_status", "kernel_output"])
async def test_an_engine_that_dies_at_any_step_finds_its_kernel_again(desk: Desk, method: str) -> None:
    """The step is done at Kaggle, and the engine ends before it hears of it."""
    whole: Callable[..., Any] = getattr(desk.kaggle, method)

    async def dying(*values: Any, **options: Any) -> None:
        await whole(*values, **options)
        raise asyncio.CancelledError

    setattr(desk.kaggle, method, dying)
    with pytest.raises(asyncio.CancelledError):
        await desk.run()
    setattr(desk.kaggle, method, whole)
    result = await desk.run()
    assert result.state == "complete" and len(desk.kaggle.pushed) == 1


async def test_an_order_that_ended_is_harvested_again_without_a_push(desk: Desk) -> None:
    await desk.run()
    assert (await desk.run()).state == "complete"
    assert len(desk.kaggle.pushed) == 1


async def test_other_content_under_the_same_slug_is_a_new_version(desk: Desk) -> None:
    await desk.run()
    result = await desk.run(Order(KernelPush(ORDER.push.slug, ORDER.push.title, "print(2)")))
    assert result.attempt.version == 2 and len(desk.kaggle.pushed) == 2


async def test_data_that_is_not_mounted_yet_is_pushed_a_second_time_and_no_third(desk: Desk) -> None:
    early = Run(
        running=30.0, end="error", failure="Cell 3 failed.", log="FileNotFoundError: data not mounted: x"
    )
    desk.kaggle.runs = [early, Run(note=note())]
    result = await desk.run()
    assert (result.state, result.attempt.version) == ("complete", 2) and desk.row().pushes == 2
    desk.kaggle.runs = [early, early, Run()]
    order = Order(KernelPush("comind-never", "comind-never", "print(1)"))
    assert ((await desk.run(order)).state, len(desk.kaggle.pushed)) == ("failed", 4)


async def test_files_of_a_first_push_are_not_taken_for_those_of_the_second(desk: Desk) -> None:
    desk.kaggle.runs = [Run(end="error", log="data not mounted: x", note=note()), Run()]
    result = await desk.run()
    assert (result.state, result.attempt.version, result.progress) == ("complete", 2, None)
    assert list(desk.folder.iterdir()) == []


async def test_a_substituted_accelerator_is_told(desk: Desk) -> None:
    def order(slug: str, shape: str) -> Order:
        return Order(KernelPush(slug, slug, "print(1)", accelerator=shape))

    desk.kaggle.runs = [
        Run(note=note(gpus=("Tesla T4", "Tesla T4"))),
        Run(note=note(gpus=("Tesla P100-PCIE",))),
    ]
    assert (await desk.run(order("comind-1", "NvidiaTeslaT4"))).notes == ()
    assert any("Tesla P100" in line for line in (await desk.run(order("comind-2", "NvidiaTeslaT4"))).notes)
    desk.kaggle.runs = [Run(note=note())]
    assert any("without accelerator" in line for line in (await desk.run(order("comind-3", "TpuV5E8"))).notes)


async def test_a_session_that_kaggle_cut_is_timed_out_and_one_that_was_stopped_is_cancelled(
    desk: Desk,
) -> None:
    desk.kaggle.runs = [
        Run(running=3600, end="cancelled", log="half of it"),
        Run(running=60, end="cancelled"),
    ]
    cut = await desk.run()
    assert cut.state == "timed out" and any("log may lack" in line for line in cut.notes)
    stopped = await desk.run(Order(KernelPush("comind-stopped", "comind-stopped", "1", seconds=3600)))
    assert stopped.state == "cancelled"


async def test_notes_of_another_version_are_not_used(desk: Desk) -> None:
    desk.kaggle.runs = [Run(note=note("another"))]
    result = await desk.run(Order(ORDER.push, mark="mine"))
    assert result.progress is None and any("another version" in line for line in result.notes)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"mark": 3}', "\x00", '{"mark": "x", "cells": [{"state": []}]}']
)
async def test_notes_that_agents_code_wrote_over_are_left_aside(desk: Desk, text: str) -> None:
    desk.kaggle.runs = [Run(note=note())]
    whole = desk.kaggle.kernel_output

    async def spoiled(*values: Any, **options: Any) -> Any:
        output = await whole(*values, **options)
        for path in output.saved.values():
            path.write_text(text)
        return output

    desk.kaggle.kernel_output = spoiled  # type: ignore[method-assign]
    result = await desk.run()
    assert result.state == "complete" and result.progress is None


async def test_an_order_beyond_its_deadline_is_abandoned_and_counted_until_it_ends(desk: Desk) -> None:
    desk.kaggle.runs = [Run(running=3000)]
    result = await desk.run(deadline_seconds=600)
    assert result.state == "abandoned"
    assert [row.slug for row in desk.book.unfinished()] == [ORDER.push.slug] and desk.row().abandoned
    assert (await find_again(desk.kaggle, desk.book))[0].unfinished
    desk.kaggle.clock.seconds += 3000
    (row,) = await find_again(desk.kaggle, desk.book)
    assert row.state == "complete" and row.abandoned and row.charged_seconds > 2000
    assert desk.book.unfinished() == []


async def test_an_order_can_be_abandoned_while_somebody_else_waits(desk: Desk) -> None:
    desk.kaggle.runs = [Run(running=300)]

    def stop(attempt: Attempt, words: str) -> None:
        if attempt.state == "running":
            desk.book.abandon(ORDER.push.slug)

    await desk.run(watch=stop)
    assert desk.row().abandoned and desk.row().state == "complete"


async def test_a_push_that_never_reached_kaggle_does_not_count_for_ever(desk: Desk) -> None:
    async def lost(push: KernelPush) -> Any:
        raise asyncio.CancelledError

    desk.kaggle.push_kernel = lost  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await desk.run()
    assert (await find_again(desk.kaggle, desk.book))[0].unfinished
    desk.kaggle.clock.step(-30 * 86_400)  # also where the machine's time was put back since
    assert (await find_again(desk.kaggle, desk.book))[0].state == "lost"


async def test_a_run_that_kaggle_tells_as_running_for_ever_is_given_up(desk: Desk) -> None:
    desk.kaggle.runs = [Run(running=1e9)]
    result = await desk.run()
    assert result.state == "timed out" and "long after" in result.failure


async def test_an_order_that_is_stopped_before_it_was_pushed_holds_no_place(desk: Desk) -> None:
    desk.kaggle.faults["push_kernel"] = [FULL] * 1000
    waiting = asyncio.create_task(desk.run())
    while desk.kaggle.calls["push_kernel"] < 5:
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert desk.row().state == "lost" and desk.book.unfinished() == []


async def test_a_first_version_that_kaggle_does_not_number_yet_is_not_pushed_again(desk: Desk) -> None:
    numbered = desk.kaggle.kernel_version

    async def without_number(ref: str) -> int | None:
        return None if await numbered(ref) is None else 0

    desk.kaggle.kernel_version = without_number  # type: ignore[method-assign]
    desk.kaggle.lose_answer = True
    result = await desk.run()
    assert (result.state, result.attempt.version, len(desk.kaggle.pushed)) == ("complete", 1, 1)
