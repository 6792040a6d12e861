"""A session of more than sixty real `kaggle` commands in proxy mode, with a home of its own.

One competitor's day, in order: look round, download, submit, push, publish, discuss, and meet every error.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
import requests

from mle_live.environment import client_environment, client_home, keep_token
from mle_live.kernels.runs import KernelLimits
from mle_live.service import ServerLimits
from tests.mle_live.api.pushing import Pusher
from tests.tiny_kaggle import (
    CANARY,
    ROWS,
    SLUG,
    TOKEN,
    RunningServer,
    make_root,
    running_server,
    submission_text,
    wait_until_graded,
)

BOB = "token-of-bob"
KERNEL = f"""\
import shutil
print("copying the sample")
shutil.copy("/kaggle/input/{SLUG}/sample_submission.csv", "submission.csv")
"""


@dataclass
class Session:
    """Runs commands of one server's users. A command is one line; names have no spaces."""

    server: RunningServer
    folder: Path

    def ok(self, line: str, *expected: str, user: str = "alice", message: str = "") -> str:
        return self._run(line, 0, expected, user, TOKEN if user == "alice" else BOB, message)

    def fails(self, line: str, *expected: str, user: str = "alice", token: str = "") -> str:
        return self._run(line, 1, expected, user, token or (TOKEN if user == "alice" else BOB), "")

    def _run(
        self, line: str, code: int, expected: tuple[str, ...], user: str, token: str, message: str
    ) -> str:
        home = client_home(self.folder, user)
        keep_token(home, token)
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("kaggle")),
                *line.split(),
                *(["-m", message] if message else []),
            ],
            cwd=self.folder,
            env=client_environment(self.server.url, home, os.environ),
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code and "Traceback" not in said, f"kaggle {line}\n{said}"
        for text in expected:
            assert text in said, f"kaggle {line}: no {text!r} in\n{said}"
        return done.stdout


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("sixty")
    root = make_root(folder / "root")
    with ExitStack() as stack:
        limits = ServerLimits(rules_required=True)
        gpu = KernelLimits(gpu_kernels="cpu")
        server = stack.enter_context(running_server(root, folder / "state", limits=limits, kernel_limits=gpu))
        server.service.state.ensure_user("bob", BOB)
        work = folder / "work"
        work.mkdir()
        yield Session(server, work)


# The tests of this file are one session: each goes on where the one before it stopped.


def test_looking_round(session: Session) -> None:
    ok = session.ok
    ok("competitions list", SLUG)
    ok("competitions list --csv", "2027-01-01")
    ok("competitions list --format json", '"ref"')
    ok("competitions list -s tiny --sort-by latestDeadline", SLUG)
    ok("competitions list -s nothing-like-it", "No competitions found")
    ok("competitions list --group entered", "No competitions found")
    ok(f"competitions files {SLUG}", "train.csv", "images/one.png")
    ok(f"competitions files {SLUG} --csv --page-size 2", "Next Page Token")
    ok(f"competitions leaderboard {SLUG} --show", "Team 1")
    ok(f"competitions leaderboard {SLUG} --show --csv", "10.00000")
    ok(f"competitions leaderboard {SLUG} --download -p board", f"Downloading {SLUG}.zip")
    with ZipFile(session.folder / "board" / f"{SLUG}.zip") as packed:
        assert b"Team 1" in packed.read(packed.namelist()[0])
    ok(f"competitions submission-limits {SLUG}", "Submissions today: 0", "Remaining today: 4")
    ok("kernels list", "ann/starter")
    ok(f"kernels list --competition {SLUG} --sort-by scoreDescending --csv", "ann/strong")
    ok(f"kernels list --competition {SLUG} --sort-by voteCount --page-size 1", "ann/starter")
    ok("kernels list --user ann -s unscored", "ann/unscored")
    ok("kernels pull ann/starter -p code -m", "Source code and metadata downloaded")
    assert json.loads((session.folder / "code" / "kernel-metadata.json").read_text())["id"] == "ann/starter"
    ok("config view", "username: alice")
    ok("quota", "30.00h")


def test_rules_come_before_the_data(session: Session) -> None:
    session.fails(f"competitions download {SLUG} -f train.csv", "accept this competition's rules")
    (session.folder / "good.csv").write_text(submission_text([value + 25.0 for value in CANARY]))
    session.fails(f"competitions submit {SLUG} -f good.csv -m early", "accept this competition's rules")
    accepted = requests.post(
        f"{session.server.url}/mle-live/v1/competitions/{SLUG}/rules",
        json={},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=30,
    )
    assert accepted.json() == {"accepted": True}
    session.ok(f"competitions download {SLUG} -f train.csv -p one", "Downloading train.csv")
    original = session.server.competition.data_dir / "train.csv"
    assert (session.folder / "one" / "train.csv").read_bytes() == original.read_bytes()
    session.ok(f"competitions download {SLUG} -f train.csv -p one", "Skipping")
    session.ok(f"competitions download {SLUG} -f images/one.png -p one", "Downloading one.png")
    image = session.server.competition.data_dir / "images" / "one.png"
    assert (session.folder / "one" / "one.png").read_bytes() == image.read_bytes()
    session.ok(f"competitions download {SLUG} -p all", f"Downloading {SLUG}.zip")
    session.ok(f"competitions download {SLUG} -p all --force", f"Downloading {SLUG}.zip")
    with ZipFile(session.folder / "all" / f"{SLUG}.zip") as packed:
        assert packed.read("train.csv") == original.read_bytes()
    session.fails(f"competitions download {SLUG} -f train.csv", "rules", user="bob")


def test_submitting(session: Session) -> None:
    ok = session.ok
    ok(f"competitions submit {SLUG} -f good.csv", "Successfully submitted", message="a good one")
    (session.folder / "short.csv").write_text(submission_text([1.0] * (ROWS - 1)))
    ok(f"competitions submit {SLUG} -f short.csv", "Successfully submitted", message="too short")
    wait_until_graded(session.server)
    ok(f"competitions submissions {SLUG} --csv", "25.00000", "COMPLETE", "ERROR", "too short")
    ok(f"competitions submissions {SLUG}", "a good one")
    ok("competitions list --group entered", SLUG)
    board = ok(f"competitions leaderboard {SLUG} --show --csv", "alice")
    team = next(line.split(",")[0] for line in board.splitlines() if "alice" in line)
    ok(f"competitions team-submissions {team}", "25.00000")
    session.fails(f"competitions submit {SLUG} -f missing.csv -m x", "No such file")
    session.fails("competitions submit no-such-comp -f good.csv -m x", "no-such-comp")


def test_kernels(session: Session) -> None:
    ok = session.ok
    folder = session.folder / "kernel"
    folder.mkdir()
    (folder / "code.py").write_text(KERNEL)
    told = {
        "id": "alice/copy-sample", "title": "Copy sample", "code_file": "code.py", "language": "python",
        "kernel_type": "script", "is_private": "true", "enable_internet": "false",
        "competition_sources": [SLUG],
    }  # fmt: skip
    (folder / "kernel-metadata.json").write_text(json.dumps(told))
    ok("kernels push -p kernel", "successfully pushed")
    ok("kernels logs -f alice/copy-sample", "copying the sample")
    assert Pusher(session.server).wait("copy-sample") == ("COMPLETE", "")
    ok("kernels status alice/copy-sample", "COMPLETE")
    ok("kernels output alice/copy-sample -p out", "Output file downloaded")
    sample = session.server.competition.data_dir / "sample_submission.csv"
    assert (session.folder / "out" / "submission.csv").read_bytes() == sample.read_bytes()
    ok("kernels files alice/copy-sample", "submission.csv")
    ok("kernels list -m", "alice/copy-sample")
    ok("kernels pull alice/copy-sample -p pulled -m", "Source code and metadata downloaded")
    assert (session.folder / "pulled" / "copy-sample.py").read_text() == KERNEL
    submit = f"competitions submit {SLUG} -k alice/copy-sample -v 1 -f submission.csv"
    ok(submit, "Successfully submitted", message="from a kernel")
    wait_until_graded(session.server)
    ok(f"competitions submissions {SLUG}", "from a kernel")
    session.fails("kernels status alice/copy-sample", "Cannot access kernel", user="bob")
    session.fails("kernels pull alice/copy-sample -p stolen", "denied", user="bob")
    ok("kernels push -p kernel", "version 2")
    ok("kernels delete alice/copy-sample -y", "deleted successfully")
    session.fails("kernels status alice/copy-sample", "Cannot access kernel")


def test_datasets(session: Session) -> None:
    ok = session.ok
    folder = session.folder / "rows"
    folder.mkdir()
    ok("datasets init -p rows", "template written")
    told = {"title": "Rows of mine", "id": "alice/my-rows", "licenses": [{"name": "CC0-1.0"}]}
    (folder / "dataset-metadata.json").write_text(json.dumps(told))
    (folder / "rows.csv").write_text("id,x\n1,2\n")
    ok("datasets create -p rows", "private Dataset is being created")
    ok("datasets create -p rows", "already in use")
    ok("datasets status alice/my-rows", "ready")
    ok("datasets list --mine", "alice/my-rows")
    ok("datasets list", "No datasets found", user="bob")
    (folder / "rows.csv").write_text("id,x\n1,3\n")
    ok("datasets version -p rows", "version is being created", message="better")
    ok("datasets files alice/my-rows", "rows.csv")
    ok("datasets download alice/my-rows -p whole --unzip", "CC0-1.0")
    assert (session.folder / "whole" / "rows.csv").read_text() == "id,x\n1,3\n"
    ok("datasets download alice/my-rows -f rows.csv -p single", "Downloading rows.csv")
    assert (session.folder / "single" / "rows.csv").read_text() == "id,x\n1,3\n"
    ok("datasets metadata alice/my-rows -p told", "Downloaded metadata")
    ok("datasets metadata alice/my-rows -p told --update", "successfully updated")
    session.fails("datasets files alice/my-rows", "denied", user="bob")
    ok("datasets delete alice/my-rows -y", "deleted successfully")
    session.fails("datasets files alice/my-rows", "denied")


def test_discussions(session: Session) -> None:
    posted = requests.post(
        f"{session.server.url}/mle-live/v1/competitions/{SLUG}/topics",
        json={"title": "A leak?", "text": "Look at x."},
        headers={"Authorization": f"Bearer {BOB}"},
        timeout=30,
    ).json()
    session.ok(f"competitions topics list {SLUG}", "Mind the split")
    session.ok(f"competitions topics list {SLUG} --sort-by new", "A leak?")
    session.ok(f"competitions topics show {posted['id']}", "Look at x.")
    session.ok(f"competitions topic-messages {SLUG} 7", "I agree.")
    session.ok("forums list", SLUG)
    session.ok("forums topics list --group owned", "A leak?", user="bob")
    session.ok(f"forums topics list {SLUG} --sort-by hot --search leak", "A leak?")
    session.ok("forums topics show 8", "Welcome, everybody.")


def test_errors(session: Session) -> None:
    session.fails("competitions list", "Authentication required", token="not-a-token")  # 401
    session.fails("competitions files no-such-comp", "no-such-comp")  # 404
    session.fails(f"competitions topic-messages {SLUG} 999", "Topic not found")
    session.fails(f"competitions download {SLUG} -f ../competition.yaml", "File not found")
    session.fails("datasets files ann/no-such", "denied")  # 403
    session.fails("models list", "does not offer")  # 501
    (session.server.competition.data_dir.parent / "artifacts" / "posts" / "8.md").unlink()
    session.fails("forums topics show 8", "MLE-Live failed: FileNotFoundError")  # 500
    limits = ServerLimits(calls_per_minute=1)
    with running_server([session.server.competition], session.folder / "strict", limits=limits) as server:
        strict = Session(server, session.folder)
        strict.ok("competitions list", SLUG)
        strict.fails("competitions list", "Too many requests; try again in")  # 429


def test_the_session_has_more_than_sixty_commands() -> None:
    """Counted as they stand above, so that it holds whichever of its tests were selected."""
    calls = [
        node.func for node in ast.walk(ast.parse(Path(__file__).read_text())) if isinstance(node, ast.Call)
    ]
    names = [call.attr if isinstance(call, ast.Attribute) else ast.unparse(call) for call in calls]
    assert sum(name in ("ok", "fails") for name in names) > 60
