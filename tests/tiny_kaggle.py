"""A tiny prepared competition and a real MLE-Live server on loopback, for tests of both sides of the wire."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mle_live.clock import StandingClock
from mle_live.competitions.competition import HostedCompetition, load_competition
from mle_live.kernels.runs import KernelLimits
from mle_live.server import build_server, listen
from mle_live.service import ServerLimits, Service

SLUG = "tiny-comp"
TOKEN = "token-of-alice"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEADLINE = datetime(2027, 1, 1, tzinfo=UTC)
ROWS = 40
CANARY = [round(73_190.25 + 17 * row, 2) for row in range(ROWS)]
"""True values that appear nowhere else, so that one of them in an answer is a leak."""

_SETTINGS = """\
slug: tiny-comp
title: Tiny Competition
metric: rmse
higher_is_better: false
id_column: id
target_columns: [target]
deadline: 2027-01-01T00:00:00Z
enabled_date: 2026-01-01
modality: tabular
tags: [tabular, tests]
license: CC0
board: synthetic
max_daily_submissions: 4
source: made by the tests
public_fraction: 0.4
"""
_DESCRIPTION = """\
# Tiny Competition

Guess a number from another one.

## Evaluation

Submissions are scored by root mean squared error.

## Data

train.csv and test.csv, and a picture.
"""


@dataclass(frozen=True)
class RunningServer:
    url: str
    service: Service
    competition: HostedCompetition


def make_root(root: Path) -> Path:
    """A prepared competition `tiny-comp` with labels, board and community under `root`."""
    folder = root / "competitions" / SLUG
    (folder / "data" / "images").mkdir(parents=True)
    (folder / "artifacts" / "code").mkdir(parents=True)
    (folder / "artifacts" / "posts").mkdir()
    (folder / "competition.yaml").write_text(_SETTINGS)
    (folder / "description.md").write_text(_DESCRIPTION)
    data = folder / "data"
    (data / "train.csv").write_text("id,x,target\n" + "".join(f"r{i},{i},{i * 2}\n" for i in range(60)))
    (data / "test.csv").write_text("id,x\n" + "".join(f"t{i:02},{i}\n" for i in range(ROWS)))
    (data / "sample_submission.csv").write_text(submission_text([0.0] * ROWS))
    (data / "images" / "one.png").write_bytes(b"\x89PNG" + bytes(range(200)))
    (folder / "leaderboard.csv").write_text(
        "team_name,public_score,private_score,submission_date\n"
        + "".join(f"Team {n},{n * 10.0},{n * 11.0},2026-02-{n:02}T00:00:00Z\n" for n in range(1, 21))
    )
    private = root / "private" / SLUG
    private.mkdir(parents=True)
    (private / "solution.csv").write_text(
        "id,target,Usage\n"
        + "".join(f"t{i:02},{v},{'Public' if i % 5 < 2 else 'Private'}\n" for i, v in enumerate(CANARY))
    )
    _make_community(folder / "artifacts")
    return root


def submission_text(values: list[float]) -> str:
    return "id,target\n" + "".join(f"t{row:02},{value}\n" for row, value in enumerate(values))


def kernel_row(name: str, votes: int, score: float | None, day: int, kind: str) -> dict[str, object]:
    return {
        "ref": f"ann/{name}",
        "title": f"Kernel {name}",
        "author": "ann",
        "author_tier": "expert",
        "created_at": f"2026-03-{day:02}T00:00:00Z",
        "votes": votes,
        "public_score": score,
        "language": "python",
        "kernel_type": kind,
        "code_path": f"code/{name}.py",
        "datasets": ["ann/extra-rows"],
        "kernels": [],
        "competitions": [SLUG],
    }


def _make_community(artifacts: Path) -> None:
    kernels = [
        kernel_row("starter", 90, 55.5, 1, "script"),
        kernel_row("strong", 12, 3.25, 9, "notebook"),
        kernel_row("unscored", 40, None, 5, "script"),
        {**kernel_row("from-the-future", 500, 0.1, 2, "script"), "created_at": "2026-12-01T00:00:00Z"},
    ]
    (artifacts / "kernels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in kernels))
    for row in kernels:
        code = '# %% [markdown]\n# A note\n\n# %%\nprint("hi")\n'
        (artifacts / str(row["code_path"])).write_text(code)
    reply = {"author": "bob", "votes": 2, "created_at": "2026-03-03T00:00:00Z", "text": "I agree."}
    late = {**reply, "created_at": "2026-12-03T00:00:00Z", "text": "Written after today."}
    topics = [
        {"id": 7, "title": "Mind the split", "author": "ann", "votes": 5, "created_at": "2026-03-02",
         "body_path": "posts/7.md", "replies": [reply, late]},
        {"id": 8, "title": "Welcome", "author": "host", "votes": 50, "created_at": "2026-01-02",
         "body_path": "posts/8.md", "replies": []},
    ]  # fmt: skip
    (artifacts / "discussions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in topics))
    (artifacts / "posts" / "7.md").write_text("Rows of a day belong together.")
    (artifacts / "posts" / "8.md").write_text("Welcome, everybody.")


@contextmanager
def running_server(
    competitions: list[HostedCompetition] | Path,
    state_dir: Path,
    *,
    now: datetime = NOW,
    reveal_private: bool = False,
    limits: ServerLimits | None = None,
    kernel_limits: KernelLimits | None = None,
) -> Iterator[RunningServer]:
    """The real server on a free port in a thread; its clock stands at `now`, alice owns TOKEN."""
    if isinstance(competitions, Path):
        competitions = [load_competition(competitions, SLUG)]
    service = Service(
        competitions,
        state_dir,
        clock=StandingClock(now),
        reveal_private=reveal_private,
        limits=limits or ServerLimits(),
        kernel_limits=kernel_limits or KernelLimits(),
    )
    service.state.ensure_user("alice", TOKEN)
    listener = listen(0)
    server = build_server(service)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield RunningServer(f"http://127.0.0.1:{listener.getsockname()[1]}", service, competitions[0])
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()


@contextmanager
def tiny_server(folder: Path, **settings: Any) -> Iterator[RunningServer]:
    """A server of the tiny competition, with its root and its state under `folder`."""
    with running_server(make_root(folder / "root"), folder / "server", **settings) as running:
        yield running


def wait_until_graded(server: RunningServer) -> None:
    while server.service.state.pending():
        time.sleep(0.02)


def client_environment(server: RunningServer, home: Path, token: str) -> dict[str, str]:
    """For a client of Kaggle's own in a home of its own; https goes nowhere, so no credential can leave."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
        "KAGGLE_API_TOKEN": token,
        "HTTP_PROXY": server.url,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
    }
