"""The engine: the one process that runs a run and writes its store. `python -m comind.engine RUN_DIR`.

It may be killed at any moment and started again on the same folder; `comind.coordinator` then walks through
what is recorded. Screens and scripts read the store and drop commands into the inbox; they never call in
here. How a run is made and its engine started is `comind.run.start`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from comind.agents.executor import Executor, LocalExecutor
from comind.agents.kaggle_executor import KaggleExecutor
from comind.agents.workshop import Workshop
from comind.at_kaggle.setup import open_backend
from comind.community.upstream import Upstream, open_upstream
from comind.config import from_mapping
from comind.control import Control, while_wanted
from comind.coordinator import Coordinator
from comind.evaluator.evaluator import Evaluator
from comind.in_kaggle.session import confine, watch_session
from comind.llm.formats import MalformedReply
from comind.roles.briefing import prompt_tokens
from comind.roles.desk import Brief, Desk
from comind.roles.prompts import Prompts
from comind.run.confinement import Confinement
from comind.run.ending import (
    INTERRUPTED,
    RUN_STOPPED,
    close_agents,
    reopen_agents,
    tell_winding,
    watch_limits,
)
from comind.run.models import ModelDesk, Timely, open_models
from comind.run.preparation import fetch_competition, prepare_evaluation
from comind.run.recording import describe_replay
from comind.run.results import grade_on_test, write_best, write_report
from comind.run.submission import Submitter, labels_were_readable
from comind.run.window import fitted_config
from comind.state.inbox import Command, take
from comind.state.records import EndpointFacts, Event, Idea, LlmCall, Run, RunStatus
from comind.state.runs import RunFolder, engine_lock, read_run
from comind.state.store import Store
from kaggle_runner.console import say, say_error
from kaggle_runner.errors import ComindError, LimitReached, ModelError
from kaggle_runner.inside_kaggle import with_secrets
from kaggle_runner.moments import SYSTEM_CLOCK, stamp

_INBOX_SECONDS = 0.5
_HEARTBEAT_SECONDS = 2.0

log = logging.getLogger("comind.engine")

OnEvent = Callable[[Event], None]


def run_engine(folder: RunFolder, *, on_event: OnEvent | None = None) -> int:
    """Run or resume in this process until the run ends; returns the exit code for scripts.

    SIGINT and SIGTERM wind the run down: agents stop, the best so far is kept and reported (code 130).
    """
    with engine_lock(folder):
        run = read_run(folder)  # before anything is written: the database may be another program's
        if run.status == "finished":
            return 0
        logging.basicConfig(
            filename=folder.engine_log, level=logging.INFO, format="%(asctime)s %(name)s %(message)s"
        )
        with _EventStore(folder.database, on_event) as store:
            return asyncio.run(_Engine(folder, store, run).run())


class _EventStore(Store):
    """A store that also hands every event to the headless printer."""

    def __init__(self, path: Path, on_event: OnEvent | None) -> None:
        super().__init__(path)
        self._on_event = on_event

    def event(
        self,
        kind: str,
        message: str,
        *,
        agent: str = "",
        round: int = 0,
        data: dict[str, object] | None = None,
    ) -> Event:
        event = super().event(kind, message, agent=agent, round=round, data=data)
        log.info("%s %s %s", event.kind, event.agent, event.message)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except Exception:
                # who watches must never end what is watched: the printer is dropped, the run goes on
                log.exception("the printer failed and is left out from here on")
                self._on_event = None
        return event


class _Engine:
    def __init__(self, folder: RunFolder, store: Store, run: Run) -> None:
        self._folder = folder
        self._store = store
        self._run_id = run.id
        settings = dict(run.config)
        self._state = Path(settings.pop("state"))
        config = from_mapping(settings, where=f"run {run.id}")
        self._config = fitted_config(config, store.all(EndpointFacts))
        self._control = Control(
            time_limit=self._config.time_limit, seconds_used=run.seconds_used, clock=SYSTEM_CLOCK
        )
        self._interrupted = False
        self._model_lost = False
        self._failure = ""

    async def run(self) -> int:
        """The whole life of the run in this process; every end is recorded."""
        self._listen_to_signals()
        self._save(
            status="preparing" if not self._row.round else "running", engine_pid=os.getpid(), finished_at=""
        )
        self._save_clock()
        if self._row.round:
            reopen_agents(self._store)
            self._store.event(
                "resumed", f"A new engine goes on in round {self._row.round}", round=self._row.round
            )
        watching = watch_limits(self._store, self._control, SYSTEM_CLOCK)
        session = watch_session(self._store, self._control, os.environ)
        chores = (self._serve_inbox(), self._heartbeat(), watching, session)
        errands = [asyncio.create_task(chore) for chore in chores]
        try:
            await self._compete()
        except ComindError as error:
            if self._control.stopped:  # while it was prepared, which `resume` does again
                self._end("stopped", error.message)
            else:
                self._store.event("failed", str(error))
                self._end("failed", error.message)
            write_report(self._store, self._folder)
            return 130 if self._interrupted else error.exit_code
        except Exception as error:
            # the last line of defence: whatever it was, the run's folder must say so
            log.exception("the engine failed")
            self._store.event(
                "failed", f"The engine failed: {error!r}; {self._folder.engine_log} tells where."
            )
            self._end("failed", repr(error))
            return 1
        finally:
            for errand in errands:
                errand.cancel()
            await asyncio.gather(*errands, return_exceptions=True)
        return self._exit_code()

    async def _compete(self) -> None:
        """Prepare, run the rounds, finish."""
        await confine(self._store, self._state)
        async with (
            open_upstream(self._config, self._folder, self._state, tell=self._tell_preparation) as upstream,
            open_models(
                self._config,
                with_secrets(os.environ),
                self._store,
                SYSTEM_CLOCK,
                seconds_left=lambda: self._control.seconds_left,
            ) as models,
        ):
            prompts = Prompts(most_tokens=prompt_tokens(self._config.context_tokens))
            desk = Desk(Timely(models.client, self._control), prompts)
            facts = await fetch_competition(upstream, self._folder, self._store, self._config, SYSTEM_CLOCK)
            stated = facts.metric.recorded(facts.metric_name)
            self._save(title=facts.title, higher_is_better=facts.higher_is_better, **stated)
            preparing = prepare_evaluation(facts, self._folder, self._store, desk, self._config, SYSTEM_CLOCK)
            # a limit that is reached leaves a begun split its time; a person's stop does not
            prepared = await while_wanted(
                preparing, lambda: self._control.stop_reason() if self._control.stopped else ""
            )
            profile = prepared.evaluator.profile
            self._save(
                status="running",
                baseline=prepared.baseline.selection,
                higher_is_better=profile.higher_is_better,
                id_column=profile.id_column,
                **prepared.metric.recorded(),
            )
            shop = self._workshop(upstream, desk, prepared.brief, prepared.evaluator)
            executor = await self._executor(upstream, prepared.evaluator)
            self._save(labels_readable=labels_were_readable(self._store))
            submitter = Submitter(self._store, self._folder, upstream, SYSTEM_CLOCK)
            coordinator = Coordinator(
                shop,
                self._config,
                prepared.baseline.score("feedback"),
                executor=executor,
                after_round=submitter.after_round if self._config.submit else None,
            )
            reason = await self._rounds(coordinator, models)
            await self._finish(upstream, reason, submitter if self._config.submit else None)

    def _tell_preparation(self, line: str) -> None:
        self._store.event("prepare", line)

    async def _rounds(self, coordinator: Coordinator, models: ModelDesk) -> str:
        try:
            return await coordinator.run() or models.budget.exhausted()
        except LimitReached as error:
            return error.message
        except (ModelError, MalformedReply) as error:
            self._model_lost = True
            self._store.event("model_lost", f"No further rounds: {error}")
            return error.message
        except Exception as error:
            # what was scored before must still become best/ and a report
            log.exception("the rounds failed")
            self._failure = f"{error!r}; {self._folder.engine_log} tells where"
            self._store.event("failed", f"The rounds ended: {self._failure}")
            return self._failure

    def _workshop(self, upstream: Upstream, desk: Desk, brief: Brief, evaluator: Evaluator) -> Workshop:
        confined = Confinement.of(self._config, self._state, self._store)
        return Workshop(
            folder=self._folder,
            store=self._store,
            desk=desk,
            brief=brief,
            evaluator=evaluator,
            control=self._control,
            clock=SYSTEM_CLOCK,
            open_notebook=confined.open_notebook,
            slug=upstream.slug,
            context_tokens=self._config.context_tokens,
            cell_seconds=self._config.cell_time_limit,
            memory_bytes=confined.memory_bytes,
            installs=confined.packages is not None,
        )

    async def _executor(self, upstream: Upstream, evaluator: Evaluator) -> Executor:
        """Where coding agents' notebooks run; for Kaggle, with the run's data there."""
        if self._config.executor != "kaggle":
            return LocalExecutor(upstream.slug, self._folder.public)
        backend = await open_backend(
            client=upstream.client,
            simulated=upstream.simulated,
            competition=upstream.slug,
            facts=evaluator.profile.facts,
            folder=self._folder,
            store=self._store,
            config=self._config,
            clock=SYSTEM_CLOCK,
        )
        return KaggleExecutor(backend)

    async def _finish(self, upstream: Upstream, reason: str, submitter: Submitter | None) -> None:
        """Keep the best, have it graded where that is free, and write the report."""
        tell_winding(self._store, self._control)  # a run may end before anybody looked
        best = write_best(self._store, self._folder)
        self._save_clock()
        if best is not None:
            self._save(best_evaluation=best.id)
            self._store.event(
                "best",
                f"Best on the selection rows: {best.score('selection')} by {best.agent}",
                agent=best.agent,
            )
            try:
                self._save(test=await grade_on_test(upstream, self._folder, best))
            except ComindError as error:
                self._store.event("ungraded", f"The submission was not graded: {error}")
        if submitter is not None and not self._interrupted:
            await submitter.at_end(self._row.round)
        if self._config.replay:
            told = describe_replay(self._folder, self._store.all(LlmCall))
            self._store.event("replayed", told)
        early = self._control.stopped or self._model_lost
        if not early:
            close_agents(self._store, reason, SYSTEM_CLOCK)
        self._save(status_detail=reason)
        write_report(self._store, self._folder)
        failed = best is None or bool(self._failure)
        status: RunStatus = "failed" if failed else "stopped" if early else "finished"
        self._end(status, reason or ("" if best else "no valid submission"))

    def _exit_code(self) -> int:
        if self._interrupted:
            return 130
        if self._model_lost:
            return ModelError.exit_code
        return 0 if self._row.status in ("finished", "stopped") else 1

    # --- errands beside the rounds

    async def _serve_inbox(self) -> None:
        while True:
            try:
                for command in take(self._folder.inbox):
                    self._obey(command)
            except OSError as error:
                self._store.event("inbox_failed", f"The inbox cannot be read: {error}")
                await asyncio.sleep(10 * _INBOX_SECONDS)
            await asyncio.sleep(_INBOX_SECONDS)

    def _obey(self, command: Command) -> None:
        match command.action:
            case "pause":
                self._control.pause()
                self._save_clock()
                self._save(status="paused")
                self._store.event("paused", "Paused: running cells end, no new ones begin")
            case "resume":
                self._control.resume()
                self._save_clock()
                self._save(status="running")
                self._store.event("resumed", "Goes on")
            case "stop":
                self._control.stop(RUN_STOPPED)
                self._store.event("stopping", "Stopping: agents wind down, the best so far is kept")
            case "stop_agent":
                self._control.stop_agent(command.target, "stopped by a person")
                self._store.event("stopping", "Stopping this agent", agent=command.target)
            case "add_idea":
                count = self._store.count(Idea, "origin = 'person'")
                idea = Idea(
                    id=f"idea-{900_001 + count}",
                    round=0,
                    text=command.text,
                    origin="person",
                    created_at=stamp(SYSTEM_CLOCK.now()),
                )
                self._store.save(idea)
                late = (
                    ""
                    if self._row.round < self._config.rounds
                    else " (this is the last round: it is only kept)"
                )
                self._store.event("idea", f"An idea from a person{late}: {command.text}")

    async def _heartbeat(self) -> None:
        """So that a resumed run knows how much of its time is gone."""
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            self._save_clock()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError):
                loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: int) -> None:
        if self._interrupted:
            # asked twice: leave at once; everything shown is committed, `resume` goes on from there
            os._exit(130)
        self._interrupted = True
        self._store.event("stopping", f"{signal.Signals(number).name}: winding down; again to leave at once")
        self._control.stop(INTERRUPTED)

    # --- the run's row

    @property
    def _row(self) -> Run:
        run = self._store.run()
        assert run is not None, "prepare_run wrote the row"
        return run

    def _save(self, **changes: object) -> None:
        self._store.save(replace(self._row, **changes))  # type: ignore[arg-type]

    def _save_clock(self) -> None:
        self._save(seconds_used=self._control.seconds_used, used_at=stamp(SYSTEM_CLOCK.now()))

    def _end(self, status: RunStatus, detail: str) -> None:
        self._save(status=status, status_detail=detail, finished_at=stamp(SYSTEM_CLOCK.now()), engine_pid=0)
        self._save_clock()
        self._store.event("ended", f"{status}" + (f": {detail}" if detail else ""))


def main() -> int:
    if len(sys.argv) != 2:
        say("usage: python -m comind.engine RUN_DIR")
        return 2
    try:
        return run_engine(RunFolder(Path(sys.argv[1])))
    except ComindError as error:
        say_error("engine", error)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
