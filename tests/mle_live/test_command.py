"""The `mle-live` command and the server as a child process, for real."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kaggle_runner.errors import KaggleError, MachineError
from kaggle_runner.kaggle.client import KaggleClient
from mle_live.cli import main
from mle_live.process import MleLiveProcess
from tests.tiny_kaggle import CANARY, SLUG, make_root, submission_text

TOKEN = "a-runs-own-token"


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_a_child_server_serves_one_user_and_ends_with_its_block(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    log = tmp_path / "logs" / "mle-live.log"
    log.parent.mkdir()
    (log.parent / "mle-live.log.ready").write_text("left by one that was killed")
    async with MleLiveProcess(
        root, slug=SLUG, log_path=log, token=TOKEN, state_dir=tmp_path / "state", reveal_private=True
    ) as server:
        pid = server.pid
        assert TOKEN not in Path(f"/proc/{pid}/cmdline").read_text()
        client = KaggleClient(server.url, TOKEN)
        file = tmp_path / "s.csv"
        file.write_text(submission_text([value + 2 for value in CANARY]))
        ref = await client.submit(SLUG, file, "")
        await client.wait_for_submission(ref, 60)
        result = await client.extension_result(ref)
        assert result is not None and result["private"]["medal"] == "gold"
        with pytest.raises(KaggleError):
            await KaggleClient(server.url, "another").competition(SLUG)
    assert gone(pid)
    assert list(log.parent.iterdir()) == [log]
    assert not (root / "state.sqlite").exists() and (tmp_path / "state" / "state.sqlite").exists()


async def test_the_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    program = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom mle_live.process import MleLiveProcess\n"
        "async def main():\n"
        f"    p = MleLiveProcess(Path({str(root)!r}), slug={SLUG!r}, log_path=Path({str(tmp_path / 'l')!r}),"
        " token='t')\n"
        "    async with p:\n        print(p.pid, flush=True)\n        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert not gone(pid)
    parent.kill()
    await parent.wait()
    while not gone(pid):
        await asyncio.sleep(0.05)


async def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = MleLiveProcess(tmp_path, slug="absent-comp", log_path=tmp_path / "log", token="t")
    with pytest.raises(MachineError, match="no competition 'absent-comp' is prepared") as failure:
        await server.__aenter__()
    assert "exit code 2" in failure.value.message and str(tmp_path / "log") in failure.value.hint


def test_grade_prints_scores_rank_and_medal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = make_root(tmp_path / "root")
    file = tmp_path / "s.csv"
    file.write_text(submission_text([value + 30.0 for value in CANARY]))
    assert main(["grade", SLUG, str(file), "--root", str(root), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["public_score"], report["private_score"], report["rank"]) == (30.0, 30.0, 3)
    assert (report["medal"], report["teams"], report["public_rows"]) == ("silver", 20, 16)


def test_mistakes_end_with_one_message_and_the_right_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = ["--root", str(make_root(tmp_path / "root"))]
    file = tmp_path / "s.csv"
    file.write_text("id,target\nt00,1\n")
    assert main(["grade", SLUG, str(file), *root]) == 1
    assert "39 of them, first" in capsys.readouterr().err
    assert main(["grade", SLUG, str(tmp_path / "absent.csv"), *root]) == 2
    assert main(["grade", "absent-comp", str(file), *root]) == 2
    assert main(["serve", "--root", str(tmp_path / "empty")]) == 2
    assert "nothing to serve" in capsys.readouterr().err
    assert main(["grade", "census-incom", str(file), *root]) == 2
    assert "did you mean 'census-income'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--port", "99999"], 4),
        (["--kernel-hours", "inf"], 2),
        (["--kernel-memory", "nan"], 2),
        (["--calls-per-minute", "nan"], 2),
        (["--gpu-hours", "-1"], 2),
        (["--at", "0001-01-01T00:00:00+14:00"], 2),
        (["--at", "9999-12-31"], 2),
        (["--live", "nan"], 2),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int
) -> None:
    assert main(["serve", "--root", str(make_root(tmp_path / "root")), *options]) == code
    told = capsys.readouterr().err
    assert options[0].lstrip("-") in told and "→" in told


def test_the_shelf_and_prepared_competitions_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["competitions", "--json", "--root", str(make_root(tmp_path))]) == 0
    rows = {row["slug"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows[SLUG]["prepared"] and not rows["digits-5k"]["prepared"]
    assert main(["competitions", "--root", str(tmp_path)]) == 0
    assert "Tiny Competition" in capsys.readouterr().out


def test_the_command_starts_without_heavy_libraries() -> None:
    code = (
        "import sys, mle_live.cli; print([m for m in ('pandas', 'kagglesdk', 'uvicorn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
