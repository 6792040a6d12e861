"""What live ranks cost on a large board: CPU of a refresh, beside pandas reading the same table; and idling.

    python -m benchmarks.ranks_board [--teams 10000] [--repeats 10] [--idle 30]

A refresh is everything `comind-tui ranks` does for one look: download from an MLE-Live in a process of its
own, read, find our place and the medal lines, tell who moved since a board on which one team in ten has
another score, and store it. Idle is the ranks screen between two looks, drawn into memory. CPU is this
process's alone, by the process clock.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import random
import secrets
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pandas as pd

from comind_tui.app import ComindApp
from comind_tui.core.ranks import Watched
from kaggle_runner.account import AccountBook, account_name
from kaggle_runner.kaggle.addresses import Kaggle
from kaggle_runner.kaggle.catalogue import database_of
from kaggle_runner.kaggle.client import KaggleClient
from kaggle_runner.kaggle.records import BoardTeam
from kaggle_runner.moments import SYSTEM_CLOCK
from kaggle_runner.ranks.look import Asked, Head, ask, ask_head, record
from kaggle_runner.ranks.records import Look
from mle_live.process import MleLiveProcess

SLUG = "large-board"
USER = "comind"
BAR_SECONDS = 0.5
"""Of CPU: "well under a second"."""


class Timing(NamedTuple):
    """CPU seconds of the two halves of a refresh, and of pandas over the same zip."""

    asking: float
    keeping: float
    pandas: float


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--teams", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds to watch an idle screen")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure(Path(folder), options.teams, options.repeats, options.idle))


async def measure(folder: Path, teams: int, repeats: int, idle: float) -> int:
    make_competition(folder / "root", teams)
    token = secrets.token_hex(16)
    server = MleLiveProcess(
        folder / "root", log_path=folder / "log", token=token, slug=SLUG, state_dir=folder / "server"
    )
    async with server:
        client = KaggleClient(server.url, token)
        head = await ask_head(client, SLUG)
        state = folder / "state"
        timings = []
        with AccountBook(database_of(state), account_name(USER, server.url)) as book:
            for seed in range(repeats):
                timing, look = await one_refresh(client, head, book, seed)
                timings.append(timing)
        share = await idling(Kaggle("large", server.url, token, "the benchmark"), state, idle)
    report(timings, look, database_of(state).stat().st_size, share)
    return 0 if median(one.asking + one.keeping for one in timings) < BAR_SECONDS else 1


async def one_refresh(client: KaggleClient, head: Head, book: AccountBook, seed: int) -> tuple[Timing, Look]:
    """One look, after a board of a minute ago on which one team in ten had another score."""
    earlier = await ask(client, head, SYSTEM_CLOCK)
    before = Asked(head, shaken(earlier.table, seed), earlier.limits, earlier.at - timedelta(minutes=1))
    record(book, before)
    packed = zipped(earlier.table)
    start = time.process_time()
    asked = await ask(client, head, SYSTEM_CLOCK)
    middle = time.process_time()
    look = record(book, asked)
    end = time.process_time()
    frame = pd.read_csv(io.BytesIO(packed), compression="zip", parse_dates=["LastSubmissionDate"])
    assert len(frame) == look.teams
    return Timing(middle - start, end - middle, time.process_time() - end), look


def shaken(table: Sequence[BoardTeam], seed: int) -> list[BoardTeam]:
    chance = random.Random(seed)
    moved = [
        replace(team, score=team.score * chance.uniform(1.0, 1.2)) if chance.random() < 0.1 else team
        for team in table
    ]
    ordered = sorted(moved, key=lambda team: team.score)
    return [replace(team, rank=place) for place, team in enumerate(ordered, start=1)]


def zipped(table: Sequence[BoardTeam]) -> bytes:
    """The board as the server sends it, for pandas."""
    lines = ["Rank,TeamId,TeamName,LastSubmissionDate,Score,TeamMemberUserNames"]
    lines += [
        f"{t.rank},{t.team_id},{t.team},{t.submitted_at:%Y-%m-%d %H:%M:%S},{t.score:.5f},{t.members[0]}"
        for t in table
    ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("board.csv", "\n".join(lines))
    return packed.getvalue()


async def idling(kaggle: Kaggle, state: Path, seconds: float) -> float:
    """CPU as a share of one core while the screen waits for its next look."""
    app = ComindApp(state, ranks=Watched(kaggle, SLUG, seconds=3600))
    async with app.run_test(size=(200, 50)) as pilot:
        await pilot.pause(5.0)  # the first look, and everything drawn
        start = time.process_time()
        await asyncio.sleep(seconds)
        return (time.process_time() - start) / seconds


def make_competition(root: Path, teams: int) -> None:
    """A prepared competition with nothing in it but its board."""
    folder = root / "competitions" / SLUG
    (folder / "data").mkdir(parents=True)
    (root / "private" / SLUG).mkdir(parents=True)
    (folder / "competition.yaml").write_text(
        f"slug: {SLUG}\ntitle: Large board\nmetric: rmse\nhigher_is_better: false\nid_column: id\n"
        "target_columns: [target]\ndeadline: 2030-01-01T00:00:00Z\nenabled_date: 2026-01-01\n"
        "modality: tabular\ntags: []\nlicense: CC0\nboard: synthetic\nmax_daily_submissions: 4\n"
        "source: the benchmark\npublic_fraction: 0.4\n"
    )
    (folder / "description.md").write_text("# Large board\n")
    (folder / "data" / "train.csv").write_text("id,x,target\na,1,1\n")
    (folder / "data" / "test.csv").write_text("id,x\nb,1\n")
    (folder / "data" / "sample_submission.csv").write_text("id,target\nb,0\n")
    (root / "private" / SLUG / "solution.csv").write_text("id,target,Usage\nb,1,Public\n")
    chance = random.Random(0)
    names = [USER, *(f"Team {n} of the large board" for n in range(1, teams))]
    rows = [f"{name},{chance.uniform(0.4, 0.9):.5f},0.5,2026-02-01T00:00:00Z\n" for name in names]
    (folder / "leaderboard.csv").write_text(
        "team_name,public_score,private_score,submission_date\n" + "".join(rows)
    )


def report(timings: Sequence[Timing], look: Look, size: int, idle: float) -> None:
    asking = median(one.asking for one in timings)
    keeping = median(one.keeping for one in timings)
    reading = median(one.pandas for one in timings)
    print(f"board of {look.teams:,} teams, median of {len(timings)} refreshes; CPU seconds")
    print(f"  ask and read      {asking:8.3f}")
    print(f"  compare and store {keeping:8.3f}")
    print(f"  refresh in all    {asking + keeping:8.3f}   bar {BAR_SECONDS:g}")
    print(f"  pandas.read_csv   {reading:8.3f}   ratio {(asking + keeping) / reading:.1f}")
    print(f"the database after that: {size / 1e6:.2f} MB; an idle screen: {100 * idle:.2f} % of a core")


if __name__ == "__main__":
    raise SystemExit(main())
