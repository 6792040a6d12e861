"""What is found before anything is spent: one sentence each for what stands in the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kaggle_runner.entry.preflight import Purpose, insist, preflight, reached
from kaggle_runner.errors import KaggleError
from kaggle_runner.findings import Finding
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.transport import Retries
from mle_live.api.competitions import CompetitionApi
from mle_live.competitions.competition import load_competition
from mle_live.kernels.runs import KernelLimits
from mle_live.service import ServerLimits
from tests.fakes.clocks import HandClock
from tests.tiny_kaggle import (
    DEADLINE,
    NOW,
    ROWS,
    SLUG,
    TOKEN,
    RunningServer,
    make_root,
    running_server,
    submission_text,
)

ONCE = Retries(tries=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root")


@pytest.fixture
def server(root: Path, tmp_path: Path) -> Iterator[RunningServer]:
    limits, gpu = ServerLimits(gpu_hours=30, tpu_hours=0), KernelLimits(gpu_kernels="run")
    with running_server(root, tmp_path / "state", limits=limits, kernel_limits=gpu) as running:
        yield running


async def look(
    server: RunningServer,
    purpose: Purpose = "submit",
    slug: str = SLUG,
    token: str = TOKEN,
    **settings: Any,
) -> dict[str, Finding]:
    client = KaggleClient(server.url, token, retries=ONCE)
    found = await preflight(client, slug, purpose=purpose, clock=HandClock(NOW), **settings)
    return {one.name: one for one in found}


async def test_all_is_well(server: RunningServer, tmp_path: Path) -> None:
    client = KaggleClient(server.url, TOKEN, retries=ONCE)
    found = await preflight(client, SLUG, purpose="submit", folder=tmp_path / "not" / "there")
    by_name = {one.name: one for one in found}
    assert {name for name, one in by_name.items() if one.verdict != "ok"} == {"clock"}  # it stands in June
    assert "knows alice (API token)" in by_name["kaggle"].detail
    assert "2027-01-01 00:00 UTC" in by_name["deadline"].detail and "here)" in by_name["deadline"].detail
    assert "open for 213d " in by_name["deadline"].detail  # by the server's clock, not by ours
    assert "4 allowed now; 0 of 4 used today" in by_name["submissions"].detail
    assert "30.0 of 30.0 GPU hours left" in by_name["quota"].detail
    insist(found)


async def test_the_deadline_is_told_in_the_time_of_the_machine_too(
    server: RunningServer, in_kolkata: None
) -> None:
    assert "2027-01-01 00:00 UTC (2027-01-01 05:30 IST here)" in (await look(server))["deadline"].detail


async def test_a_wrong_token_and_a_wrong_user_stop_everything(server: RunningServer) -> None:
    found = await look(server, token="wrong")
    assert list(found) == ["kaggle"] and "not valid" in found["kaggle"].detail
    legacy = KaggleClient(server.url, ("alice", "wrong-key"), retries=ONCE)
    assert [one.verdict for one in await reached(legacy)] == ["missing"]
    with pytest.raises(KaggleError, match="not valid"):
        insist(list(found.values()))


async def test_nobody_at_the_address_is_one_message() -> None:
    found = await reached(KaggleClient("http://127.0.0.1:9", "t", retries=ONCE))
    assert len(found) == 1 and "no connection (http://127.0.0.1:9)" in found[0].detail
    stranger = KaggleClient("https://api.kagle.invalid", "t", retries=ONCE)
    (found_host,) = await reached(stranger)
    assert "api.kagle.invalid" in found_host.detail and found_host.verdict == "missing"


async def test_a_misspelt_competition_gets_a_suggestion(server: RunningServer) -> None:
    found = await look(server, slug="tiny-cmop")
    assert found["competition"].verdict == "missing" and f"Did you mean {SLUG}?" in found["competition"].hint
    assert "deadline" not in found


async def test_rules_that_are_not_accepted_stop_what_needs_them(root: Path, tmp_path: Path) -> None:
    with running_server(root, tmp_path / "state", limits=ServerLimits(rules_required=True)) as server:
        found = await look(server, "push")
        assert found["rules"].verdict == "missing" and f"competitions/{SLUG}/rules" in found["rules"].hint
        assert (await look(server, "look"))["rules"].verdict == "optional"
        user = server.service.state.user_of_token(TOKEN)
        assert user is not None
        server.service.rules.accept(user, SLUG, NOW)
        assert (await look(server, "push"))["rules"].verdict == "ok"


@pytest.mark.parametrize(("purpose", "verdict"), [("submit", "missing"), ("push", "optional")])
async def test_a_closed_competition_takes_no_submission(
    root: Path, tmp_path: Path, purpose: Purpose, verdict: str
) -> None:
    after = DEADLINE + timedelta(days=1)
    with running_server(root, tmp_path / "state", now=after) as server:
        client = KaggleClient(server.url, TOKEN, retries=ONCE)
        found = {one.name: one for one in await preflight(client, SLUG, purpose=purpose)}
    assert found["deadline"].verdict == verdict and "closed since 2027-01-01" in found["deadline"].detail


async def test_a_day_whose_submissions_are_used_up_is_seen_before_sending(root: Path, tmp_path: Path) -> None:
    competition = dataclasses.replace(load_competition(root, SLUG), max_daily_submissions=1)
    file = tmp_path / "submission.csv"
    file.write_text(submission_text([1.0] * ROWS))
    with running_server([competition], tmp_path / "state") as server:
        client = KaggleClient(server.url, TOKEN)
        await client.wait_for_submission(await client.submit(SLUG, file, ""), 60)
        found = await look(server, "submit")
    assert found["submissions"].verdict == "missing" and "midnight UTC" in found["submissions"].hint
    assert "1 of 1 used today" in found["submissions"].detail


async def test_a_server_that_refuses_gpus_tells_no_hours_and_stops_only_who_needs_one(
    root: Path, tmp_path: Path
) -> None:
    gpu = KernelLimits(gpu_kernels="refuse")
    with running_server(root, tmp_path / "state", kernel_limits=gpu) as server:
        quota = await KaggleClient(server.url, TOKEN).quota()
        assert quota is not None and quota.gpu.allowed == quota.tpu.allowed == 0
        assert (await look(server, "push", gpu=True))["quota"].verdict == "missing"
        found = (await look(server, "push"))["quota"]
    assert found.verdict == "optional" and "no GPU" in found.detail and "--gpu-kernels cpu" in found.hint


async def test_a_server_that_runs_gpu_kernels_on_its_cpu_says_so(root: Path, tmp_path: Path) -> None:
    gpu = KernelLimits(gpu_kernels="cpu")
    with running_server(root, tmp_path / "state", kernel_limits=gpu) as server:
        found = (await look(server, "push", gpu=True))["quota"]
    assert found.verdict == "ok" and "on this server's CPU" in found.detail


def told_as(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """The server tells these fields of its competition, as kaggle.com would of one of another kind."""
    plain = CompetitionApi._competition

    def changed(self: CompetitionApi, *of: Any) -> Any:
        found = plain(self, *of)
        for name, value in changes.items():
            setattr(found, name, value)
        return found

    monkeypatch.setattr(CompetitionApi, "_competition", changed)


async def test_what_nobody_predicts_for_is_declined_before_a_run(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_as(monkeypatch, category="Hackathon", evaluation_metric="")
    assert (await look(server, "look"))["kind"].verdict == "optional"
    found = await look(server, "push")
    assert found["kind"].verdict == "missing" and "is a hackathon" in found["kind"].detail
    with pytest.raises(KaggleError, match="no leaderboard scores predictions"):
        insist(list(found.values()))


async def test_a_code_competition_is_served_and_says_so(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_as(monkeypatch, is_kernels_submissions_only=True)
    found = (await look(server, "push"))["kind"]
    assert found.verdict == "optional" and "notebooks are submitted" in found.detail
    assert "--kaggle-push" in found.hint


async def test_the_rules_are_quoted(server: RunningServer) -> None:
    rules = "## Rules\n\nNo external data. Teams of up to two people are fine.\n"
    object.__setattr__(server.competition, "description", f"{server.competition.description}\n{rules}")
    found = await look(server, "look")
    assert found["external data"].detail == "“No external data.”"
    assert found["team limits"].detail == "“Teams of up to two people are fine.”"
    assert found["private sharing"].detail == "not said"


async def test_pages_that_cannot_be_read_are_not_told_as_silent(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def closed(self: KaggleClient, slug: str) -> dict[str, str]:
        raise KaggleError("pages: Permission was denied", status=403)

    monkeypatch.setattr(KaggleClient, "pages", closed)
    found = await look(server, "push")
    assert (
        found["external data"].detail == "not known, the pages cannot be read: pages: Permission was denied"
    )
    assert found["kind"].verdict == "ok"
