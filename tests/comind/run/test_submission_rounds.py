"""When a run submits and what it tells, beside a governor whose words are given here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from comind.community.upstream import Upstream
from comind.config import RunConfig
from comind.run.submission import (
    Submitter,
    candidates_of,
    check_leave,
    held,
    insist_on_entry,
    read_candidates,
    scored_line,
)
from comind.state.reader import reading
from comind.state.records import Event
from comind.state.runs import RunFolder
from comind.state.store import Store
from kaggle_runner.entry.kinds import IS_CODE
from kaggle_runner.errors import KaggleError, UsageError
from kaggle_runner.findings import Finding
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.score import Score
from kaggle_runner.submissions.policy import judge
from kaggle_runner.submissions.records import Candidate, FileFacts, SentSubmission, Verdict
from tests.comind.run.run_to_submit import RUN, add_solution, make_run
from tests.kaggle_runner.submissions.test_policy import situation


class Words:
    """A governor that judges as the real one does and keeps what it was asked."""

    def __init__(self) -> None:
        self.history: list[SentSubmission] = []
        self.scores: list[float] = []
        """Of the next submissions, told when they are followed up."""
        self.waited: list[float] = []
        self.fault: KaggleError | None = None

    @asynccontextmanager
    async def opened(self, *_: Any, **__: Any) -> AsyncIterator[Words]:
        yield self

    async def consider(self, candidates: Sequence[Candidate]) -> tuple[None, list[Verdict]]:
        if self.fault:
            raise self.fault
        return None, judge(candidates, self.history, situation())

    async def send(self, candidate: Candidate) -> SentSubmission:
        row = SentSubmission(
            token=candidate.token, competition="c", state="sent", run=candidate.run, reason="the reason",
            evaluation=candidate.evaluation, score=candidate.score, ref=len(self.history) + 1,
        )  # fmt: skip
        self.history.append(row)
        return row

    async def follow_up(self, seconds: float) -> list[SentSubmission]:
        self.waited.append(seconds)
        for place, row in enumerate(self.history):
            if row.state == "sent" and self.scores:
                score = self.scores.pop(0)
                self.history[place] = replace(row, state="scored", public_score=score)
        return self.history


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> Words:
    made = Words()
    monkeypatch.setattr("comind.run.submission.open_governor", made.opened)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "state", kaggle_url="http://127.0.0.1:1")


def submitter(folder: RunFolder, store: Store, *, simulated: bool = False) -> Submitter:
    return Submitter(store, folder, Upstream(cast(Any, None), "c", simulated), SYSTEM_CLOCK)


def told(store: Store) -> list[tuple[str, int, str]]:
    events = store.all(Event, "kind LIKE 'submi%'", order="seq")
    return [(event.kind, event.round, event.message) for event in events]


async def test_a_round_sends_the_best_and_tells_each_score_once(folder: RunFolder, words: Words) -> None:
    add_solution(folder, "r1-a1", 20.0)
    add_solution(folder, "r1-a2", 10.0)
    with Store(folder.database) as store:
        ways = submitter(folder, store)
        await ways.after_round(1)
        assert told(store) == [("submitted", 1, "Submitted r1-a2-s01 as submission 1: the reason")]
        assert store.all(Event, "kind = 'submitted'")[0].data == {"ref": 1}
        words.scores = [11.5]
        await ways.after_round(1)
        assert len(words.waited) == 1, "a round is considered once"
        await ways.after_round(2)
        await ways.at_end(2)
        assert told(store)[1:] == [
            ("submission_held", 2, f"Nothing was submitted: r1-a2-s01: {held_reason()}"),
            ("submission_scored", 2, "Submission 1 (r1-a2-s01): public score 11.500, local 10.000"),
        ]
        assert words.waited == [5.0, 5.0, 90.0]
        (scored,) = store.all(Event, "kind = 'submission_scored'")
        assert scored.data == {"ref": 1, "public_score": 11.5}


def held_reason() -> str:
    return "it says the same as submission 1 (r1-a2-s01), which waits for its score"


async def test_the_end_considers_a_round_that_was_not_and_waits_longer(
    folder: RunFolder, words: Words
) -> None:
    add_solution(folder, "r1-a1", 20.0)
    words.scores = [3.0]
    with Store(folder.database) as store:
        await submitter(folder, store).at_end(1)
        assert [kind for kind, _, _ in told(store)] == ["submitted", "submission_scored"]
    assert words.waited == [90.0]


async def test_scores_of_other_runs_are_not_this_runs_news(folder: RunFolder, words: Words) -> None:
    other = SentSubmission(
        token="t", competition="c", state="scored", run="another", evaluation="e", public_score=1.0, ref=9
    )
    mine = replace(other, run=RUN, state="failed", error="bad file", ref=8)
    words.history = [other, mine, replace(other, run=RUN, state="intended", ref=None)]
    with Store(folder.database) as store:
        await submitter(folder, store).after_round(1)
        assert told(store) == [
            ("submission_held", 1, "Nothing was submitted: no valid solution yet"),
            ("submission_scored", 1, "Submission 8 (e) was refused: bad file"),
        ]


async def test_a_fault_is_told_and_the_round_may_be_considered_again(folder: RunFolder, words: Words) -> None:
    add_solution(folder, "r1-a1", 20.0)
    words.fault = KaggleError("Kaggle is away")
    with Store(folder.database) as store:
        await submitter(folder, store).after_round(1)
        assert told(store) == [("submission_failed", 1, "Submission: Kaggle is away")]
        words.fault = None
        await submitter(folder, store).after_round(1)
        assert [kind for kind, _, _ in told(store)] == ["submission_failed", "submitted"]


async def test_a_run_of_its_own_mle_live_asks_no_governor(folder: RunFolder, words: Words) -> None:
    with Store(folder.database) as store:
        ways = submitter(folder, store, simulated=True)
        await ways.after_round(1)
        assert told(store) == []
        await ways.at_end(1)
        assert [kind for kind, _, _ in told(store)] == ["submission_held"]
    assert words.waited == []


async def test_leave_to_submit_needs_a_kaggle_to_submit_to(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is served by the run itself"):
        await check_leave(RunConfig(competition=str(tmp_path)), {})


@pytest.mark.parametrize("still_open", [True, False])
@pytest.mark.parametrize("missing", ["kaggle", "competition", "rules", "deadline", "quota"])
async def test_entry_is_insisted_on_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, missing: str, still_open: bool
) -> None:
    names = ("quota", "deadline", "rules", "competition", "kaggle")
    found = [Finding(name, "missing" if name == missing else "ok", "is not there") for name in names]
    asked: list[Any] = []

    async def given(client: object, slug: str, *, purpose: str) -> list[Finding]:
        asked.append((slug, purpose))
        return found

    monkeypatch.setattr("comind.run.submission.preflight", given)
    wanted = missing != "quota" and (still_open or missing != "deadline")
    with pytest.raises(KaggleError, match=f"{missing}: is not there") if wanted else nullcontext():
        await insist_on_entry(cast(Any, None), "c", still_open=still_open)
    if still_open:
        config = RunConfig(competition="c", kaggle_url="http://127.0.0.1:1")
        with pytest.raises(KaggleError, match=missing) if wanted else nullcontext():
            await check_leave(config, {"COMIND_KAGGLE_TOKEN": "token", "KAGGLE_API_TOKEN": "token"})
    assert asked == [("c", "submit")] * (1 + still_open)


def test_six_agents_at_most_stand_best_first_and_a_file_is_looked_at_once(folder: RunFolder) -> None:
    for number in range(8):
        add_solution(folder, f"r1-a{number + 1}", 20.0 - number)
    looked: dict[Path, FileFacts] = {}
    with Store(folder.database) as store:
        found = candidates_of(store, folder, looked=looked)
        assert [one.score.value for one in found] == [13.0, 14.0, 15.0, 16.0, 17.0, 18.0]
        assert all(one.facts.rows == 40 and one.facts.problems == () for one in found)
        assert {one.path: one.facts for one in found} == looked
        found[0].path.write_text("changed")
        assert candidates_of(store, folder, looked=looked) == found == read_candidates(folder, looked)
        assert candidates_of(store, folder)[0].facts.problems != ()


def test_scores_are_trusted_of_a_run_that_is_not_written_down(folder: RunFolder) -> None:
    add_solution(folder, "r1-a1", 20.0)
    with Store(folder.database) as store:
        store.event("sandbox", "fenced in", data={"labels_readable": False})
    with reading(folder.database) as reader:
        assert [one.score.trusted for one in candidates_of(reader, folder)] == [True]


@pytest.mark.parametrize(
    ("public", "score", "line"),
    [
        (0.5, Score(0.25, 0.2, 0.3, 9, True), "public score 0.50000, local 0.25000"),
        (None, Score(0.25, 0.2, 0.3, 9, True), "no public score, local 0.25000"),
        (0.5, None, "public score 0.50000"),
    ],
)
def test_a_score_is_told_beside_the_local_one(public: float | None, score: Score | None, line: str) -> None:
    row = SentSubmission(
        token="t", competition="c", state="scored", evaluation="e", ref=7, public_score=public, score=score
    )
    assert scored_line(row) == f"Submission 7 (e): {line}"


def test_what_is_held_back_has_the_best_candidates_reason(folder: RunFolder) -> None:
    for agent, value in (("r1-a1", 20.0), ("r1-a2", 10.0)):
        add_solution(folder, agent, value)
    verdicts = judge(read_candidates(folder), [], situation(closed="it is closed"))
    assert held(verdicts) == "Nothing was submitted: r1-a2-s01: it is closed"


async def test_files_are_not_submitted_to_a_code_competition(monkeypatch: pytest.MonkeyPatch) -> None:
    async def given(client: object, slug: str, *, purpose: str) -> list[Finding]:
        return [Finding("kind", "optional", f"{slug} {IS_CODE}: notebooks are submitted")]

    monkeypatch.setattr("comind.run.submission.preflight", given)
    config = RunConfig(competition="c", kaggle_url="http://127.0.0.1:1")
    token = {"COMIND_KAGGLE_TOKEN": "token"}
    with pytest.raises(UsageError, match="c is a code competition") as refused:
        await check_leave(config, token)
    assert "--kaggle-push" in refused.value.hint
    await check_leave(replace(config, executor="kaggle"), token)
