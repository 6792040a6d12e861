"""The monitor's rules on real-looking output, and its loop on a session that only tells progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from comind.agents import watch
from comind.agents.watch import Watcher, check_rules
from comind.control import GRACE_SECONDS, Control
from comind.roles.desk import Desk
from comind.roles.prompts import Prompts
from comind.state.records import Cell, MonitorDecision
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.notebook.cell import CellProgress
from tests.fakes.clocks import HandClock
from tests.fakes.models import InstantModel


def progress(*, elapsed: float = 10.0, seconds_since_output: float = 1.0, tail: str = "") -> CellProgress:
    return CellProgress(elapsed, seconds_since_output, tail, 0)


@dataclass
class Session:
    """Progress as scripted; the last one stays."""

    script: list[CellProgress]
    interrupted: list[str] = field(default_factory=list)

    def progress(self) -> CellProgress | None:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    async def interrupt(self, reason: str) -> None:
        self.interrupted.append(reason)


def saying(action: str) -> InstantModel:
    """Answers every question with one verdict."""
    verdict = f"<action>{action}</action><explanation>because</explanation>"
    return InstantModel(lambda question: verdict)


@pytest.mark.parametrize(
    ("tail", "rule", "sure"),
    [
        ("epoch 3 loss: nan\n" * 3, "nan_loss", True),
        ("epoch 3 loss: nan\n", "nan_loss", False),
        ("train loss=inf val 3\n" * 4, "nan_loss", True),
        ("ValueError: bad shape\n" * 3, "repeated_error", True),
        (" 10%|█         | 10/100 [01:00<09:00, 6.0s/it]", "cannot_finish", True),
        (" 10%|█         | 10/100 [00:30<04:30, 6.0s/it]", "cannot_finish", False),
    ],
)
def test_a_rule_fires(tail: str, rule: str, sure: bool) -> None:
    finding = check_rules(progress(elapsed=20, tail=tail), limit=250)
    assert finding is not None
    assert (finding.rule, finding.sure) == (rule, sure)


@pytest.mark.parametrize(
    "tail",
    [
        "a    NaN\nb    1.0\n" * 10,  # a frame with missing values is no diverging loss
        "epoch 3 loss: 0.31\n" * 10,
        " 50%|█████     | 50/100 [01:00<01:00, 1.2s/it]",
        "FutureWarning: x\n" * 10,
        "",
    ],
)
def test_ordinary_output_fires_no_rule(tail: str) -> None:
    assert check_rules(progress(elapsed=60, tail=tail), limit=250) is None


def test_silence_is_a_doubt_only() -> None:
    finding = check_rules(progress(elapsed=900, seconds_since_output=400), limit=18000)
    assert finding is not None
    assert not finding.sure


OpenWatch = Callable[..., tuple[Watcher, Store, Session]]


@pytest.fixture
def watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenWatch:
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.001)

    def make(
        script: list[CellProgress],
        model: InstantModel,
        *,
        left: float = 1000.0,
        control: Control | None = None,
    ) -> tuple[Watcher, Store, Session]:
        store = Store(tmp_path / "run.sqlite")
        session = Session(script)
        watcher = Watcher(
            session,
            Cell(id="r1-a1-s02", agent="r1-a1", step=2, goal="train", code="fit()"),
            limit=100.0,
            where="",
            desk=Desk(model, Prompts()),
            store=store,
            control=control or Control(time_limit=1e6, seconds_used=0, clock=HandClock()),
            clock=SYSTEM_CLOCK,
            deadline=lambda: left,
        )
        return watcher, store, session

    return make


async def test_a_sure_rule_stops_without_asking(
    watching: OpenWatch,
) -> None:
    model = saying("CONTINUE")
    watcher, store, session = watching([progress(tail="loss: nan\n" * 5)], model)
    await watcher.run()
    decision = store.all(MonitorDecision)[0]
    assert (decision.action, decision.source, decision.rule) == ("STOP", "rule", "nan_loss")
    assert session.interrupted == [decision.reason]
    assert model.questions == []


async def test_the_model_is_asked_at_a_tenth_of_the_limit_and_then_as_time_doubles(
    watching: OpenWatch,
) -> None:
    model = saying("CONTINUE")
    script = [progress(elapsed=float(n)) for n in range(1, 60)]
    watcher, store, _ = watching([*script, progress(tail="loss: nan\n" * 3, elapsed=60)], model)
    await watcher.run()
    asked_at = [one.elapsed for one in store.all(MonitorDecision) if one.source == "model"]
    assert asked_at == [10.0, 20.0, 40.0]


async def test_a_models_stop_is_obeyed_and_its_reason_kept(
    watching: OpenWatch,
) -> None:
    watcher, store, session = watching([progress(elapsed=50)], saying("STOP"))
    await watcher.run()
    assert session.interrupted == ["because"]
    assert store.all(MonitorDecision)[0].source == "model"


async def test_an_agent_without_time_is_stopped(
    watching: OpenWatch,
) -> None:
    watcher, store, session = watching([progress()], saying("CONTINUE"), left=0.0)
    await watcher.run()
    assert store.all(MonitorDecision)[0].source == "limit"
    assert session.interrupted


@pytest.mark.parametrize(
    ("end", "source"),
    [
        (lambda control: control.set_agent_deadline("r1-a1", 0.0), "limit"),
        (lambda control: control.wind_down("what is left of the run's budget is too little"), "limit"),
        (lambda control: control.stop_agent("r1-a1", "stopped by a person"), "person"),
        (lambda control: control.stop("interrupted"), "person"),
    ],
    ids=["agent's time", "money", "agent stopped", "run stopped"],
)
async def test_who_ended_a_cell_is_told_from_why(
    watching: OpenWatch, end: Callable[[Control], None], source: str
) -> None:
    clock = HandClock()
    control = Control(time_limit=1e6, seconds_used=0, clock=clock)
    end(control)
    clock.advance(GRACE_SECONDS)
    watcher, store, session = watching([progress()], saying("CONTINUE"), control=control)
    await watcher.run()
    assert store.all(MonitorDecision)[0].source == source
    assert session.interrupted == [control.stop_reason("r1-a1")]


async def test_an_unreadable_verdict_costs_no_cell(
    watching: OpenWatch,
) -> None:
    script = [progress(elapsed=50), progress(elapsed=51, tail="loss: nan\n" * 3)]
    watcher, store, _ = watching(script, saying("MAYBE"))
    await watcher.run()
    assert [event.kind for event in store.events()] == ["monitor_silent", "monitor"]
