"""A run's submissions after its rounds, against a real server that takes three a day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from comind.community.upstream import Upstream
from comind.run.results import write_report
from comind.run.submission import Submitter, candidates_of
from comind.state.reader import reading
from comind.state.records import Event, Push
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.submissions.records import KernelFile
from tests.comind.run.run_to_submit import add_solution, make_run
from tests.fakes.kaggle_line import KaggleLine
from tests.kaggle_runner.submissions.governors import QUICK, client_of, three_a_day
from tests.tiny_kaggle import SLUG, RunningServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with three_a_day(tmp_path / "kaggle") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, server: RunningServer) -> RunFolder:
    return make_run(tmp_path / "state", kaggle_url=server.url)


def submitter(folder: RunFolder, store: Store, url: str, *, simulated: bool = False) -> Submitter:
    upstream = Upstream(client_of(url), SLUG, simulated)
    return Submitter(store, folder, upstream, SYSTEM_CLOCK, patience=QUICK)


def told(store: Store) -> list[tuple[str, int]]:
    kinds = "kind LIKE 'submi%'"
    return [(event.kind, event.round) for event in store.all(Event, kinds, order="seq")]


def test_the_best_of_each_agent_may_be_submitted(folder: RunFolder) -> None:
    add_solution(folder, "r1-a1", 20.0)
    add_solution(folder, "r1-a2", 10.0)
    with Store(folder.database) as store:
        store.save(
            Push(id="r1-a2-s01", agent="r1-a2", round=1, step=1, state="complete", ref="me/k", version=2)
        )
    with reading(folder.database) as reader:
        best, second = candidates_of(reader, folder)
    assert (best.evaluation, best.score.value, best.title) == ("r1-a2-s01", 10.0, "Title of r1-a2")
    assert best.kernel == KernelFile("me/k", 2, "submission.csv") and second.kernel is None
    assert best.facts.problems == () and best.facts.rows == 40


def test_the_id_need_not_be_the_first_column(folder: RunFolder) -> None:
    columns_turned(folder.original / "sample_submission.csv")
    columns_turned(folder.evaluation(add_solution(folder, "r1-a1", 20.0)) / "submission.csv")
    with Store(folder.database) as store:
        run = store.run()
        assert run is not None
        [before] = candidates_of(store, folder)
        assert before.facts.problems == (
            f"nothing can be checked: {folder.original}/sample_submission.csv has repeated ids",
        )
        store.save(replace(run, id_column="id"))
        [after] = candidates_of(store, folder)
        assert after.facts.problems == () and after.facts.rows == 40


def columns_turned(path: Path) -> None:
    path.write_text(
        "".join(",".join(reversed(line.split(","))) + "\n" for line in path.read_text().splitlines())
    )


@pytest.mark.parametrize("how", ["attached", "weak sandbox"])
def test_scores_of_a_run_whose_labels_could_be_read_are_not_trusted(folder: RunFolder, how: str) -> None:
    add_solution(folder, "r1-a1", 20.0)
    with Store(folder.database) as store:
        assert [one.score.trusted for one in candidates_of(store, folder)] == [True]
        run = store.run()
        assert run is not None
        if how == "attached":
            store.save(replace(run, config={**run.config, "attach_competition": True}))
        else:
            store.event("sandbox", "fenced in", data={"labels_readable": True})
        assert [one.score.trusted for one in candidates_of(store, folder)] == [False]


async def test_each_round_sends_what_is_worth_it_and_tells_the_score(
    folder: RunFolder, server: RunningServer
) -> None:
    with Store(folder.database) as store:
        ways = submitter(folder, store, server.url)
        add_solution(folder, "r1-a1", 20.0)
        await ways.after_round(1)
        add_solution(folder, "r2-a1", 25.0, round=2)
        await ways.after_round(2)
        add_solution(folder, "r3-a1", 10.0, round=3)
        await ways.after_round(3)
        await ways.at_end(3)
        assert told(store) == [
            ("submitted", 1),
            ("submission_scored", 1),
            ("submission_held", 2),
            ("submitted", 3),
            ("submission_scored", 3),
        ]
        (event,) = store.all(Event, "kind = 'submission_scored' AND round = 3")
        assert "public score" in event.message and "local 10.000" in event.message
        report = write_report(store, folder).read_text()
    assert "## Submissions\n\n- round 1: Submitted r1-a1-s01 as submission 1: nothing with" in report
    assert "- round 2: Nothing was submitted: " in report
    sent = await client_of(server.url).submissions(SLUG)
    assert [one.message.split()[2] for one in sent] == ["r3-a1-s01", "r1-a1-s01"]


async def test_a_resumed_run_considers_no_round_again(folder: RunFolder, server: RunningServer) -> None:
    with Store(folder.database) as store:
        add_solution(folder, "r1-a1", 20.0)
        await submitter(folder, store, server.url).after_round(1)
        add_solution(folder, "r2-a1", 10.0, round=2)
        await submitter(folder, store, server.url).after_round(1)
        assert [kind for kind, _ in told(store)].count("submitted") == 1


async def test_a_kaggle_that_is_away_ends_nothing(folder: RunFolder, server: RunningServer) -> None:
    add_solution(folder, "r1-a1", 20.0)
    with Store(folder.database) as store, KaggleLine(server.url) as line:
        line.down = True
        ways = submitter(folder, store, line.url)
        await ways.after_round(1)
        assert told(store) == [("submission_failed", 1)]
        line.down = False
        await ways.at_end(1)
        assert [kind for kind, _ in told(store)][1:] == ["submitted", "submission_scored"]


async def test_a_run_of_its_own_mle_live_submits_nothing(folder: RunFolder, server: RunningServer) -> None:
    add_solution(folder, "r1-a1", 20.0)
    with Store(folder.database) as store:
        ways = submitter(folder, store, server.url, simulated=True)
        await ways.after_round(1)
        await ways.at_end(1)
        (event,) = store.all(Event, "kind = 'submission_held'")
    assert "own MLE-Live" in event.message
    assert await client_of(server.url).submissions(SLUG) == []
