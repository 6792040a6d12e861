"""Time on MLE-Live: standing, running, and what a reader sees of a competition at a moment."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from kaggle_runner.moments import parse_moment
from mle_live.clock import LAST_MOMENT, RunningClock, StandingClock
from mle_live.rates import RateLimit
from mle_live.service import ServerLimits
from tests.fakes.clocks import HandClock
from tests.tiny_kaggle import (
    DEADLINE,
    NOW,
    ROWS,
    SLUG,
    TOKEN,
    RunningServer,
    kernel_row,
    make_root,
    running_server,
    submission_text,
    tiny_server,
    wait_until_graded,
)

COMPETITIONS = "competitions.CompetitionApiService"
START = datetime(2026, 2, 1, tzinfo=UTC)


def rpc(server: RunningServer, name: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return requests.post(f"{server.url}/api/v1/{name}", json=body, headers=headers, timeout=30).json()


def test_a_standing_clock_stands() -> None:
    clock = StandingClock(START)
    assert clock.now() == clock.now() == START


def test_a_running_clock_goes_as_many_times_as_fast(tmp_path: Path) -> None:
    machine = HandClock()
    clock = RunningClock(START, 3600, tmp_path / "clock.json", machine)
    assert clock.now() == START
    machine.advance(seconds=24)
    assert clock.now() == START + timedelta(days=1)


def test_a_running_clock_goes_on_after_a_restart_and_pauses_between(tmp_path: Path) -> None:
    machine, kept = HandClock(), tmp_path / "clock.json"
    clock = RunningClock(START, 60, kept, machine)
    machine.advance(minutes=5)
    clock.close()
    machine.advance(days=9)
    again = RunningClock(START, 60, kept, machine)
    assert again.now() == START + timedelta(hours=5)
    machine.advance(minutes=1)
    assert again.now() == START + timedelta(hours=6)
    killed = RunningClock(START, 60, kept, machine)  # nothing was closed: each call keeps what it tells
    assert killed.now() == START + timedelta(hours=6)
    assert RunningClock(START, 61, kept, machine).now() == START  # another factor is another beginning
    kept.write_text("no JSON")
    assert RunningClock(START, 60, kept, machine).now() == START


def test_rival_teams_appear_as_their_dates_say(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    for day, teams in ((3, 3), (20, 20)):
        now = datetime(2026, 2, day, 12, tzinfo=UTC)
        with running_server(root, tmp_path / f"state{day}", now=now) as server:
            body = {"competitionName": SLUG, "pageSize": 200}
            board = rpc(server, f"{COMPETITIONS}/GetLeaderboard", body)["submissions"]
            assert [row["teamName"] for row in board] == [f"Team {n}" for n in range(1, teams + 1)]
            assert rpc(server, f"{COMPETITIONS}/GetCompetition", body)["teamCount"] == teams


def test_a_rank_counts_the_teams_of_the_day_and_the_private_board_opens_after_the_deadline(
    tmp_path: Path,
) -> None:
    root, state = make_root(tmp_path / "root"), tmp_path / "state"
    with running_server(root, state, now=datetime(2026, 2, 3, 12, tzinfo=UTC)) as server:
        ref = _submit(server)
        result = _result(server, ref)
        assert result["public"]["teams"] == 3 and result["private"] is None
    for late, score in ((timedelta(0), "10.00000"), (timedelta(seconds=1), "11.00000")):
        with running_server(root, state, now=DEADLINE + late) as server:
            board = rpc(server, f"{COMPETITIONS}/GetLeaderboard", {"competitionName": SLUG})["submissions"]
            assert board[0]["score"] == score and len(board) == 21
            assert (_result(server, ref)["private"] is not None) == bool(late)


def _submit(server: RunningServer) -> int:
    text = submission_text([1.0] * ROWS)
    body = {"competitionName": SLUG, "contentLength": len(text), "fileName": "s.csv"}
    begun = rpc(server, f"{COMPETITIONS}/StartSubmissionUpload", body)
    assert requests.put(begun["createUrl"], data=text, timeout=30).status_code == 200
    made = rpc(
        server,
        f"{COMPETITIONS}/CreateSubmission",
        {"competitionName": SLUG, "blobFileTokens": begun["token"]},
    )
    wait_until_graded(server)
    return int(made["ref"])


def _result(server: RunningServer, ref: int) -> Any:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    address = f"{server.url}/mle-live/v1/submissions/{ref}/result"
    return requests.get(address, headers=headers, timeout=30).json()


def _dated_root(root: Path) -> Path:
    """The tiny competition with one kernel of two versions, and dates for every vote."""
    make_root(root)
    artifacts = root / "competitions" / SLUG / "artifacts"
    versions = [
        {"created_at": "2026-03-01", "code_path": "code/first.py", "public_score": 55.5},
        {"created_at": "2026-04-01", "code_path": "code/second.py", "public_score": 3.5},
    ]
    dates = ["2026-04-05", "2026-03-02", "2026-03-03"]
    kernel = {**kernel_row("starter", 3, 3.5, 1, "script"), "versions": versions, "vote_dates": dates}
    (artifacts / "kernels.jsonl").write_text(json.dumps(kernel) + "\n")
    (artifacts / "code" / "first.py").write_text("print('first')\n")
    (artifacts / "code" / "second.py").write_text("print('second')\n")
    reply = {
        "author": "bob",
        "votes": 1,
        "vote_dates": ["2026-05-02"],
        "created_at": "2026-03-03",
        "text": "!",
    }
    topic = {
        "id": 7, "title": "Mind the split", "author": "ann", "votes": 1, "vote_dates": ["2026-03-09"],
        "created_at": "2026-03-02", "body_path": "posts/7.md", "replies": [reply],
    }  # fmt: skip
    (artifacts / "discussions.jsonl").write_text(json.dumps(topic) + "\n")
    return root


@pytest.mark.parametrize(
    ("day", "source", "kernel_votes", "topic_votes", "reply_votes"),
    [
        ("2026-03-04", "first", 2, 0, 0),
        ("2026-03-10", "first", 2, 1, 0),
        ("2026-06-01", "second", 3, 1, 1),
    ],
)
def test_kernels_and_votes_are_as_they_were_on_the_day(
    tmp_path: Path, day: str, source: str, kernel_votes: int, topic_votes: int, reply_votes: int
) -> None:
    root = _dated_root(tmp_path / "root")
    with running_server(root, tmp_path / "state", now=parse_moment(day)) as server:
        pulled = rpc(
            server, "kernels.KernelsApiService/GetKernel", {"userName": "ann", "kernelSlug": "starter"}
        )
        assert f"print('{source}')" in pulled["blob"]["source"]
        assert pulled["metadata"].get("totalVotes", 0) == kernel_votes
        shown = rpc(server, f"{COMPETITIONS}/ListTopicMessages", {"competitionName": SLUG, "topicId": 7})
        assert [message.get("votes", 0) for message in shown["messages"]] == [topic_votes, reply_votes]
        scores = requests.get(
            f"{server.url}/mle-live/v1/competitions/{SLUG}/kernel-scores",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=30,
        ).json()["scores"]
        assert scores == {"ann/starter": 55.5 if source == "first" else 3.5}


def test_it_is_said_whether_votes_have_dates(tmp_path: Path) -> None:
    for root, dated in ((_dated_root(tmp_path / "dated"), True), (make_root(tmp_path / "undated"), False)):
        with running_server(root, tmp_path / f"state{dated}", now=NOW) as server:
            facts = requests.get(
                f"{server.url}/mle-live/v1/competitions/{SLUG}",
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=30,
            )
            assert facts.json()["votes_are_dated"] is dated


def test_too_many_calls_are_told_when_to_come_back(tmp_path: Path) -> None:
    limits = ServerLimits(calls_per_minute=3)
    with tiny_server(tmp_path, limits=limits) as server:
        server.service.state.ensure_user("bob", "token-of-bob")
        headers = {"Authorization": f"Bearer {TOKEN}"}
        address = f"{server.url}/api/v1/{COMPETITIONS}/ListCompetitions"
        answers = [requests.post(address, json={}, headers=headers, timeout=30) for _ in range(5)]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        refused = answers[-1]
        assert (refused.status_code, refused.json()["code"]) == (429, 429)
        assert 1 <= int(refused.headers["Retry-After"]) <= 20
        other = {"Authorization": "Bearer token-of-bob"}
        assert requests.post(address, json={}, headers=other, timeout=30).status_code == 200


def test_a_bucket_fills_steadily() -> None:
    clock = HandClock()
    rates = RateLimit(2, clock)
    assert [rates.wait_for(1) for _ in range(3)] == [0, 0, 30]
    clock.seconds = 29.0
    assert rates.wait_for(1) == 1
    clock.seconds = 30.0
    assert rates.wait_for(1) == 0
    clock.seconds = 10_000.0
    assert [rates.wait_for(1) for _ in range(3)] == [0, 0, 30]
    assert RateLimit(None).wait_for(1) == 0


def test_a_running_clock_never_goes_back_and_goes_on_after_the_machines_did(tmp_path: Path) -> None:
    machine = HandClock()
    clock = RunningClock(START, 60, tmp_path / "clock.json", machine)
    machine.advance(hours=1)
    reached = clock.now()
    machine.step(-400 * 86400)
    assert clock.now() == reached
    machine.advance(minutes=1)
    assert clock.now() == reached + timedelta(hours=1)


def test_a_running_clock_stops_before_the_calendar_ends(tmp_path: Path) -> None:
    machine = HandClock()
    clock = RunningClock(START, 1e6, tmp_path / "clock.json", machine)
    machine.advance(days=5)
    assert clock.now() == clock.now() == LAST_MOMENT == datetime(9000, 1, 1, tzinfo=UTC)


def test_a_running_clock_is_kept_every_two_seconds_in_a_folder_that_it_makes(tmp_path: Path) -> None:
    machine, kept = HandClock(), tmp_path / "state" / "live" / "clock.json"
    clock = RunningClock(START, 1, kept, machine)
    reached = []
    for _ in range(6):
        machine.advance(seconds=1)
        clock.now()
        reached.append(json.loads(kept.read_text())["reached"] if kept.exists() else "")
    after = [parse_moment(one) - START if one else None for one in reached]
    assert after == [None, *(timedelta(seconds=n) for n in (2, 2, 4, 4, 6))]


def test_a_running_clock_goes_on_when_its_time_cannot_be_kept(tmp_path: Path) -> None:
    machine = HandClock()
    (tmp_path / "file").write_text("in the folder's place")
    clock = RunningClock(START, 1, tmp_path / "file" / "clock.json", machine)
    machine.advance(minutes=1)
    assert clock.now() == START + timedelta(minutes=1)
    clock.close()
