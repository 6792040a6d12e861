"""The headless printer against a run that is filled."""

from __future__ import annotations

import io
import json
import threading
from datetime import timedelta
from pathlib import Path

from comind.state.records import Event
from comind.state.runs import RunFolder
from comind_tui.commands.headless import Printer
from tests.comind_tui import sample_run
from tests.comind_tui.bad_runs import spoil_pages
from tests.comind_tui.sample_run import HOSTILE, START
from tests.fakes.clocks import HandClock

MOMENT = START + timedelta(minutes=31)


def test_the_metric_is_shown_with_its_source_and_its_sentence(live_run: RunFolder) -> None:
    out = io.StringIO()
    Printer(live_run, io.StringIO(), clock=HandClock(MOMENT)).finish(out, as_json=False)
    (line,) = [line for line in out.getvalue().splitlines() if line.startswith("metric ")]
    assert line.split(maxsplit=1)[1] == "read from its pages: “Submissions are evaluated on accuracy.”"


def test_an_event_is_one_clean_line(live_run: RunFolder) -> None:
    out = io.StringIO()
    printer = Printer(live_run, out, clock=HandClock(MOMENT))
    printer.event(Event(kind="cell", message=f"ran\n{HOSTILE}", agent="r2-a1", at="2026-11-21T09:00:00.000Z"))
    line = out.getvalue()
    assert line.count("\n") == 1
    assert line.rstrip("\n").isprintable()
    assert "r2-a1" in line


def test_a_silence_is_broken_by_time_agents_best_and_cost(live_run: RunFolder) -> None:
    out, clock = io.StringIO(), HandClock(MOMENT)
    printer = Printer(live_run, out, clock=clock)
    assert not printer.sign_of_life()
    clock.step(-86_400)  # the machine's time is put back
    clock.advance(15)
    assert printer.sign_of_life()
    clock.step(86_400)
    assert not printer.sign_of_life()
    line = out.getvalue()
    for part in (
        "31m 00s elapsed",
        "1h 29m left",
        "round 2/2",
        "r2-a1 running 3/12",
        "best 0.94400 [",
        "$0.00",
    ):
        assert part in line


def test_a_run_without_a_first_word_still_gives_signs_of_life(tmp_path: Path) -> None:
    folder = sample_run.build_empty(tmp_path)
    out, clock = io.StringIO(), HandClock(MOMENT)
    printer = Printer(folder, out, clock=clock)
    clock.advance(20)
    assert printer.sign_of_life()
    assert "best –" in out.getvalue()


def test_a_run_that_cannot_be_read_is_told_and_the_printer_goes_on(live_run: RunFolder) -> None:
    out, clock = io.StringIO(), HandClock(MOMENT)
    printer = Printer(live_run, out, clock=clock)
    spoil_pages(live_run)
    clock.advance(15)
    assert printer.sign_of_life()
    printer.event(Event(kind="winding_down", message="no money", at="2026-11-21T09:00:00.000Z"))
    live_run.database.unlink()
    clock.advance(15)
    assert printer.sign_of_life()
    told = out.getvalue().splitlines()
    assert "cannot be used" in told[0] and "no money" in told[1] and "cannot be used" in told[2]
    assert "No run database" in told[3]


def test_a_stream_that_nobody_reads_does_not_end_the_signs_of_life(live_run: RunFolder) -> None:
    class Broken(io.StringIO):
        failures = 0

        def write(self, text: str) -> int:
            if "elapsed" not in text:
                return len(text)
            self.failures += 1
            if self.failures == 2:
                twice.set()
            raise BrokenPipeError

    twice, clock = threading.Event(), HandClock(MOMENT)
    with Printer(live_run, Broken(), clock=clock):
        clock.advance(15)
        assert twice.wait(60)


def test_the_end_is_a_summary_for_people_or_the_document(finished_run: RunFolder) -> None:
    people, script = io.StringIO(), io.StringIO()
    with Printer(finished_run, io.StringIO(), clock=HandClock(MOMENT)) as printer:
        pass
    printer.finish(people, as_json=False)
    printer.finish(script, as_json=True)
    assert json.loads(script.getvalue())["test"]["rank"] == 14
    for part in (
        "95 % interval on 500",
        "rank 14 of 212 on a synthetic board",
        "silver",
        "best/submission.csv",
    ):
        assert part in people.getvalue()
