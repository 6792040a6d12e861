"""The dialog that submits: file, checks, verdict and what is left, then a person's yes or no.

It looks live at the competition when it opens, and the governor looks again before it sends.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from comind.run.submission import read_candidates
from comind.state.runs import RunFolder
from comind_tui.core.submission import Target, after_score, governed, offered, outcome_line, target_of
from comind_tui.text.submissions import offer_text
from kaggle_runner.errors import ComindError
from kaggle_runner.moments import Clock
from kaggle_runner.submissions.records import Candidate
from kaggle_runner.texts import plain

_WIDTH = 64


class SubmitDialog(ModalScreen[None]):
    """Asks about one submission. Enter alone never sends."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "send", "Yes"),
        Binding("n,escape,q", "close", "No"),
    ]

    def __init__(self, folder: RunFolder, clock: Clock) -> None:
        super().__init__()
        self._folder = folder
        self._clock = clock
        self._target: Target | None = None
        self._candidate: Candidate | None = None
        self._sending = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            with VerticalScroll(id="offer-body"):
                yield Static(Text("Looking at the competition …"), markup=False, id="offer")
            yield Static(Text("n no"), markup=False, classes="keys", id="answers")

    def on_mount(self) -> None:
        self.look()

    @work(exclusive=True, group="submission")
    async def look(self) -> None:
        """Find the candidate and show it with everything that speaks for and against it."""
        try:
            target = await asyncio.to_thread(target_of, self._folder)
            candidates = await asyncio.to_thread(read_candidates, self._folder)
            async with governed(self._folder, target, self._clock) as governor:
                standing, verdicts = await governor.consider(candidates)
        except ComindError as error:
            self._say(str(error), "n close")
            return
        best = offered(verdicts)
        if best is None:
            why = verdicts[0].reason if verdicts else "this run has no valid solution yet"
            self._say(f"Nothing can be submitted: {why}.", "n close")
            return
        self._target, self._candidate = target, best.candidate
        text = offer_text(best, standing.situation, kaggle=target.kaggle.name, slug=target.slug, width=_WIDTH)
        self._say(f"Submit this?\n\n{text}", "y yes, send it    n no")

    def action_send(self) -> None:
        if self._candidate is not None and self._target is not None and not self._sending:
            self._sending = True
            self._say(f"Sending {self._candidate.evaluation} …", "")
            self.send(self._candidate, self._target)

    @work(exclusive=True, group="submission")
    async def send(self, candidate: Candidate, target: Target) -> None:
        """Send it, and stay for its score."""
        self._candidate = None
        try:
            async with governed(self._folder, target, self._clock) as governor:
                row = await governor.send(candidate, by_person=True)
                self._sending = False
                self._say(f"Submitted as {row.ref}. Waiting for its score …", "n close")
                row = await after_score(governor, row)
        except ComindError as error:
            self._say(str(error), "n close")
            return
        finally:
            self._sending = False
        self._say(outcome_line(row), "n close")

    def action_close(self) -> None:
        """Not while the file is on its way: what is sent cannot be called back."""
        if not self._sending:
            self.dismiss(None)

    def _say(self, text: str, answers: str) -> None:
        if self.display:  # else the person has left, and the widgets are going
            self.query_one("#offer", Static).update(Text(plain(text)))
            self.query_one("#answers", Static).update(Text(answers))
