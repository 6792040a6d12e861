"""The headless printer: one plain line an event, a sign of life when nothing happens, a summary at the end.

Lines go to one stream (stderr), so that stdout carries the result alone.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Self, TextIO

from comind.analysis.forecast import forecast
from comind.run.summary import read_best, summarize
from comind.state.reader import Reader, reading
from comind.state.records import Agent, Event, Run
from comind.state.runs import RunFolder
from comind_tui.commands.listing import summary_text
from comind_tui.text.events import event_line
from comind_tui.text.plain import foreseen, interval, labels_mark, run_times, spending
from kaggle_runner.console import json_text, put, put_lines
from kaggle_runner.errors import RunNotFound, Unusable
from kaggle_runner.moments import Clock, duration
from kaggle_runner.texts import one_line

QUIET_SECONDS = 15.0
_EARLIER_EVENTS = 50


class Printer:
    """Prints events as the engine reports them, from whichever thread; a thread of its own fills silences."""

    def __init__(self, folder: RunFolder, stream: TextIO, *, clock: Clock) -> None:
        self._folder = folder
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._last_line = clock.monotonic()
        self._heart = threading.Thread(target=self._beat, name="headless-printer", daemon=True)

    def __enter__(self) -> Self:
        self._write(f"Run {self._folder.id}; its folder is {self._folder.path}")
        self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._heart.join()

    def catch_up(self) -> None:
        """The events that were recorded before the engine began."""
        with reading(self._folder.database) as reader:
            earlier = reader.last_events(_EARLIER_EVENTS)
        for event in earlier:
            self._write(event_line(event))

    def event(self, event: Event) -> None:
        """One line for one event: local time, round, agent, what happened.

        A round that begins after others, and the winding down, are followed by a line on cost and forecast.
        """
        self._write(event_line(event))
        if (event.kind == "round" and event.round > 1) or event.kind == "winding_down":
            self._write(self._progress())

    def sign_of_life(self) -> bool:
        """After a silence, a line on time, best score and cost. Whether one was due."""
        if self._clock.monotonic() - self._last_line < QUIET_SECONDS:
            return False
        self._write(self._progress())
        return True

    def finish(self, stream: TextIO, *, as_json: bool) -> None:
        """The run's result: for people, or the `show --json` document."""
        with reading(self._folder.database) as reader:
            document = summarize(reader, self._folder, self._clock)
        put(json_text(document) if as_json else summary_text(document, self._folder, width=None), stream)

    def _beat(self) -> None:
        while not self._done.wait(1.0):
            with suppress(OSError):  # a stream that nobody reads any more, or a full disk behind it
                self.sign_of_life()

    def _progress(self) -> str:
        """A run that cannot be read just now is told as that: its engine may well be at work."""
        try:
            with reading(self._folder.database) as reader:
                return progress_line(reader, self._clock)
        except (RunNotFound, Unusable) as error:
            return _line(self._clock, error.message)

    def _write(self, line: str) -> None:
        with self._lock:
            put_lines(line, stream=self._stream)
            self._last_line = self._clock.monotonic()


def progress_line(reader: Reader, clock: Clock) -> str:
    """Elapsed, left, working agents, best so far, cost and forecast, of a run that may not have begun."""
    run = reader.run() or Run(id="", competition="")
    elapsed, left = run_times(run, clock.now(), alive=True)
    working = [agent for agent in reader.all(Agent, "round = ?", (run.round,)) if not agent.finished_at]
    best = read_best(reader, run)
    cost, used = spending(reader.totals(), run.settings)
    parts = [
        f"… {duration(elapsed)} elapsed",
        f"{duration(left)} left at most" if left is not None else "",
        f"round {run.round}/{run.rounds}",
        " ".join(f"{agent.id} {agent.status} {agent.step}/{agent.max_steps}" for agent in working),
        f"best {interval(best.score if best else None)}{labels_mark(run.labels_readable)}",
        ", ".join(fact for fact in (used, cost) if fact),
        foreseen(forecast(reader, clock), offline=run.settings.offline),
    ]
    return _line(clock, "; ".join(one_line(part) for part in parts if part))


def _line(clock: Clock, words: str) -> str:
    return f"{clock.now().astimezone():%H:%M:%S}  {'run':<8}  {words}"
