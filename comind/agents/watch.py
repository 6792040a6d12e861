"""Watches one running cell: cheap rules every second, the model at sensible moments (CoMind paper, Monitor).

The model is first asked when a tenth of the cell's time is gone (at least 5 s, at most 5 minutes), then each
time the elapsed time has doubled, at most every 20 minutes (as in the paper), and when a rule is in doubt.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from comind.control import Control
from comind.llm.client import CallKey
from comind.llm.formats import MalformedReply
from comind.roles import monitor
from comind.roles.desk import Desk
from comind.state.records import Cell, MonitorDecision
from comind.state.store import Store
from kaggle_runner.errors import LimitReached, ModelError
from kaggle_runner.moments import Clock, stamp
from kaggle_runner.notebook.cell import CellProgress

_POLL_SECONDS = 1.0
_NAN_LOSS = re.compile(
    r"\b(?:loss|rmse|mae|error|nll|objective)\b[^\n]{0,40}?\b(?:nan|-?inf(?:inity)?)\b", re.I
)
_TRACEBACK = re.compile(r"^(\w*(?:Error|Exception)): .*$", re.M)
_BAR = re.compile(r"(?P<percent>\d{1,3})%\|[^\n]*?\[(?P<gone>[\d:]+)<(?P<left>[\d:]+)")
_SILENCE_SECONDS = 300.0


class WatchedCell(Protocol):
    """A notebook session, as far as the watcher needs it."""

    def progress(self) -> CellProgress | None: ...
    async def interrupt(self, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule's verdict. `sure` findings stop the cell, the others are put to the model."""

    rule: Literal["nan_loss", "repeated_error", "cannot_finish", "silence"]
    reason: str
    sure: bool


def check_rules(progress: CellProgress, limit: float) -> RuleHit | None:
    """The first rule that fires on what the cell has shown so far."""
    bad_losses = _NAN_LOSS.findall(progress.tail)
    if bad_losses:
        return RuleHit(
            "nan_loss", f"{len(bad_losses)} lines show a loss that is NaN or infinite", len(bad_losses) >= 3
        )
    errors = Counter(match[0] for match in _TRACEBACK.finditer(progress.tail)).most_common(1)
    if errors and errors[0][1] >= 3:
        return RuleHit(
            "repeated_error", f"the same error came {errors[0][1]} times: {errors[0][0][:200]}", True
        )
    bars = list(_BAR.finditer(progress.tail))
    if bars:
        needed = progress.elapsed + _bar_seconds(bars[-1]["left"])
        if int(bars[-1]["percent"]) >= 5 and needed > 1.1 * limit:
            reason = f"its progress bar needs {needed:.0f} s in all, the limit is {limit:.0f} s"
            return RuleHit("cannot_finish", reason, needed > 2 * limit)
    if progress.seconds_since_output > _SILENCE_SECONDS:
        return RuleHit("silence", f"no output for {progress.seconds_since_output:.0f} s", False)
    return None


class Watcher:
    """Decides on one cell until it ends. Every decision is stored before it is acted on."""

    def __init__(
        self,
        session: WatchedCell,
        cell: Cell,
        *,
        limit: float,
        where: str,
        desk: Desk | None,
        store: Store,
        control: Control,
        clock: Clock,
        deadline: Callable[[], float],
    ) -> None:
        """`limit`: seconds that the cell may take. `deadline()` gives the seconds the agent has left in all.

        Without `desk` only the rules watch. `where` is set where one step has a second run to watch: it tells
        the two runs' questions and decisions apart.
        """
        self._session = session
        self._cell = cell
        self._limit = limit
        self._where = where
        self._desk = desk
        self._store = store
        self._control = control
        self._clock = clock
        self._deadline = deadline
        self._asked = 0
        self._decisions = 0
        self._next_question = min(max(0.1 * limit, 5.0), 300.0)
        self._doubts: set[str] = set()

    async def run(self) -> None:
        """Returns after it stopped the cell; is cancelled when the cell ends by itself."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            progress = self._session.progress()
            if progress is None:
                continue
            decision = await self._decide(progress)
            if decision is not None and decision.action == "STOP":
                await self._session.interrupt(decision.reason)
                return

    async def _decide(self, progress: CellProgress) -> MonitorDecision | None:
        stop = self._control.stop_reason(self._cell.agent)
        if stop:
            person = self._control.stopped_by_person(self._cell.agent)
            source: Literal["limit", "person"] = "person" if person else "limit"
            return self._record("STOP", stop, source, "", progress)
        if self._deadline() <= 0:
            return self._record("STOP", "this agent's time is over", "limit", "", progress)
        finding = check_rules(progress, self._limit)
        if finding and finding.sure:
            return self._record("STOP", finding.reason, "rule", finding.rule, progress)
        if self._desk is None:
            return None
        new_doubt = finding is not None and finding.rule not in self._doubts
        if not new_doubt and progress.elapsed < self._next_question:
            return None
        if finding:
            self._doubts.add(finding.rule)
        self._next_question = progress.elapsed + min(progress.elapsed, 1200.0)
        return await self._ask(self._desk, progress, finding)

    async def _ask(
        self, desk: Desk, progress: CellProgress, finding: RuleHit | None
    ) -> MonitorDecision | None:
        self._asked += 1
        left = max(0.0, self._limit - progress.elapsed)
        time = (
            f"elapsed: {progress.elapsed:.0f} s\nlimit: {self._limit:.0f} s\nremaining: {left:.0f} s\n"
            f"since the last output: {progress.seconds_since_output:.0f} s"
        )
        if finding:
            time += f"\nnoticed: {finding.reason}"
        key = CallKey(self._cell.agent, self._cell.step, f"watch{self._where}{self._asked}")
        try:
            verdict = await monitor.watch(
                desk, key, goal=self._cell.goal, code=self._cell.code, time=time, output=progress.tail
            )
        except (MalformedReply, ModelError, LimitReached) as error:
            # a monitor that cannot be asked must not cost the agent its cell: the limits still hold
            self._store.event(
                "monitor_silent", f"The monitor gave no verdict: {error.message}", agent=self._cell.agent
            )
            return None
        return self._record(
            verdict.action, verdict.explanation, "model", finding.rule if finding else "", progress
        )

    def _record(
        self,
        action: Literal["CONTINUE", "STOP"],
        reason: str,
        source: Literal["rule", "model", "person", "limit"],
        rule: str,
        progress: CellProgress,
    ) -> MonitorDecision:
        self._decisions += 1
        decision = MonitorDecision(
            id=f"{self._cell.agent}-s{self._cell.step:02d}-m{self._where}{self._decisions}",
            agent=self._cell.agent,
            step=self._cell.step,
            action=action,
            reason=reason,
            source=source,
            rule=rule,
            elapsed=round(progress.elapsed, 1),
            at=stamp(self._clock.now()),
        )
        self._store.save(decision)
        self._store.event(
            "monitor", f"{action} after {progress.elapsed:.0f} s: {reason}", agent=self._cell.agent
        )
        return decision


def _bar_seconds(text: str) -> float:
    """`01:02:03` or `02:03` as seconds."""
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part or 0)
    return seconds
