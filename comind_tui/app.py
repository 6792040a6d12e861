"""The Textual application: which screen is up, themes, and leaving. Everything it shows is read from runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from rich.segment import Segment
from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.filter import LineFilter
from textual.screen import Screen

from comind.state.runs import RunFolder, runs_folder
from comind_tui.core.ranks import Watched
from comind_tui.launch import Launcher, launch_quietly
from comind_tui.screens.home import Home
from comind_tui.screens.ranks import RanksScreen
from comind_tui.screens.requests import WatchRanks, WatchRun
from comind_tui.screens.run import RunScreen
from comind_tui.style.themes import PLAIN, theme_name
from kaggle_runner.kaggle.catalogue import database_of
from kaggle_runner.moments import SYSTEM_CLOCK, Clock
from kaggle_runner.texts import without_controls

WIDE = 140
"""Columns from which the run screen shows panes and a second view side by side."""
TALL = 36
"""Rows from which the leaderboard shares its side with the plot and the events."""


class Inert(LineFilter):
    """Nothing that is drawn steers the terminal, whichever widget drew it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(without_controls(text), style, control) for text, style, control in segments]


_INERT = Inert()


class ComindApp(App[None]):
    """Home, or one run, or one board of ranks, when given. `launcher` starts runs (see comind_tui.launch)."""

    TITLE = "CoMind"
    CSS_PATH: ClassVar[Any] = ["style/base.tcss", "style/run.tcss", "style/forms.tcss", "style/ranks.tcss"]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012  Textual declares it so
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", "Leave", show=False, system=True),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, system=True),
    ]

    def __init__(
        self,
        state: Path,
        *,
        run_id: str | None = None,
        ranks: Watched | None = None,
        launcher: Launcher = launch_quietly,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self.state = state
        self._launcher = launcher
        self._run_id = run_id
        self._ranks = ranks
        self._clock = clock
        self._watched: set[str] = set()

    def on_mount(self) -> None:
        self.register_theme(PLAIN)
        self.theme = theme_name(os.environ)
        if self._run_id is not None:
            self._watch_run(WatchRun(self._run_id))
        elif self._ranks is not None:
            self._watch_ranks(WatchRanks(self._ranks))
        else:
            self.push_screen(Home(self.state, self._clock, self._launcher))

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), _INERT]

    @on(WatchRun)
    def _watch_run(self, asked: WatchRun) -> None:
        self._watched.add(asked.run_id)
        self.push_screen(RunScreen(RunFolder(runs_folder(self.state) / asked.run_id), self._clock))

    @on(WatchRanks)
    def _watch_ranks(self, asked: WatchRanks) -> None:
        self.push_screen(RanksScreen(asked.watched, database_of(self.state), self._clock))

    def action_leave(self) -> None:
        """Back to the screen from which a run or a board was opened, else out. Runs go on."""
        below = any(isinstance(screen, Home | RunScreen) for screen in self.screen_stack[:-1])
        if isinstance(self.screen, RunScreen | RanksScreen) and below:
            self.pop_screen()
        else:
            self.exit()

    def runs_watched(self) -> set[str]:
        """Ids of the runs that were on screen."""
        return set(self._watched)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The palette holds every key of the screen besides Textual's own commands."""
        yield from super().get_system_commands(screen)
        for binding in screen.BINDINGS:
            if isinstance(binding, Binding) and binding.description:
                help_text = f"key {binding.key_display or binding.key}"
                yield SystemCommand(
                    binding.description, help_text, partial(self.run_action, binding.action, screen)
                )
