"""`submit` and `submissions` as a script runs them, against a real server that takes three a day."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comind.state.runs import RunFolder, list_runs
from comind.state.store import Store
from comind_tui.cli import main
from mle_live.stores.rules import RulesStore
from tests.comind.run.run_to_submit import RUN, add_solution, make_run
from tests.kaggle_runner.submissions.governors import client_of, three_a_day, write_candidate
from tests.tiny_kaggle import SLUG, TOKEN, RunningServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with three_a_day(tmp_path / "kaggle") as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("COMIND_KAGGLE_TOKEN", TOKEN)
    monkeypatch.delenv("COMIND_KAGGLE_URL", raising=False)
    run = make_run(tmp_path / "state", kaggle_url=server.url)
    add_solution(run, "r1-a1", 20.0)
    return run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def state_of(folder: RunFolder) -> list[str]:
    return ["--state", str(folder.state)]


async def count(server: RunningServer) -> int:
    return len(await client_of(server.url).submissions(SLUG))


def test_a_dry_run_shows_all_and_sends_nothing(
    folder: RunFolder, server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", RUN, "--dry-run", *state_of(folder)]) == 0
    shown = capsys.readouterr().out
    assert "r1-a1-s01" in shown and "worth sending" in shown and "3 left today of 3 a day" in shown
    assert "40 rows, columns and ids as in the sample" in shown
    assert main(["submit", RUN, "--dry-run", "--json", *state_of(folder)]) == 0
    told = document(capsys)
    assert told["submission"] is None and told["limits"]["allowed_now"] == 3
    assert told["candidates"][0]["verdict"] == "send"
    assert main(["submissions", SLUG, "--kaggle-url", server.url, "--json", *state_of(folder)]) == 0
    assert document(capsys)["submissions"] == []


def test_yes_sends_what_is_worth_it_and_then_holds_back(
    folder: RunFolder, server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", RUN, "--yes", "--message", "my  note", "--json", *state_of(folder)]) == 0
    sent = document(capsys)["submission"]
    assert sent["state"] == "scored" and sent["public_score"] is not None
    assert sent["message"].startswith(f"comind {RUN} r1-a1-s01 #") and sent["message"].endswith(" my note")
    add_solution(folder, "r1-a2", 21.0)
    assert main(["submit", RUN, "--yes", "--json", *state_of(folder)]) == 3
    captured = capsys.readouterr()
    assert "says the same" in captured.err or "no better" in captured.err
    assert main(["submissions", SLUG, "--kaggle-url", server.url, "--json", *state_of(folder)]) == 0
    told = document(capsys)
    assert [row["ref"] for row in told["submissions"]] == [sent["ref"]]
    assert told["limits"]["allowed_now"] == 2
    assert told["ledger"]["points"] == 1 and told["ledger"]["spearman"] is None
    assert told["ledger"]["final_picks"][0]["ref"] == sent["ref"]


@pytest.mark.parametrize(("answer", "expected"), [("y\n", 1), ("n\n", 0), ("\n", 0), ("", 0)])
async def test_on_a_terminal_only_a_typed_yes_sends(
    answer: str,
    expected: int,
    folder: RunFolder,
    server: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert await asyncio.to_thread(main, ["submit", RUN, *state_of(folder)]) == 0
    assert "Submit r1-a1-s01? [y/N]" in capsys.readouterr().err
    assert await count(server) == expected


def test_without_a_terminal_and_without_yes_nothing_is_asked(
    folder: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", RUN, *state_of(folder)]) == 2
    assert "needs a person's yes" in capsys.readouterr().err


def test_an_offline_run_says_that_it_was_graded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COMIND_KAGGLE_URL", raising=False)
    run = make_run(tmp_path / "state")
    with Store(run.database) as store:
        row = store.run()
        assert row is not None
        config = {**row.config, "competition": "digits-5k"}
        store.save(replace(row, config=config, competition="digits-5k", test={"score": 0.97}))
    assert main(["submit", RUN, "--yes", "--state", str(run.state)]) == 2
    told = capsys.readouterr().err
    assert "its own MLE-Live grades its final submission (0.97000 on the hidden labels)" in told
    assert "--kaggle-url" in told


async def test_submissions_shows_those_by_hand_too(
    folder: RunFolder, server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand = write_candidate(tmp_path / "hand", "hand", 3.0)
    ref = await client_of(server.url).submit(SLUG, by_hand.path, "with the official command")
    await client_of(server.url).wait_for_submission(ref, timeout=60)
    words = ["submissions", SLUG, "--kaggle-url", server.url, *state_of(folder)]
    assert await asyncio.to_thread(main, words) == 0
    shown = capsys.readouterr().out
    assert "by hand" in shown and "with the official command" in shown and "2 left today" in shown


def test_a_run_that_may_submit_is_checked_before_anything_is_spent(
    folder: RunFolder, server: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--offline", "--submit", "--headless", *state_of(folder)]
    assert main(["run", "digits-5k", *words]) == 2
    assert "is served by the run itself" in capsys.readouterr().err
    assert main(["run", "tiny-compp", "--kaggle-url", server.url, *words]) == 3
    assert "Did you mean tiny-comp?" in capsys.readouterr().err
    server.service.rules = RulesStore(server.service.state, required=True)
    assert main(["run", SLUG, "--kaggle-url", server.url, *words]) == 3
    assert "not accepted yet" in capsys.readouterr().err
    assert main(["submit", RUN, "--yes", *state_of(folder)]) == 3
    assert "not accepted yet" in capsys.readouterr().err
    assert [run.id for run in list_runs(folder.state)] == [RUN]


def test_a_missing_token_is_one_message(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COMIND_KAGGLE_TOKEN")
    assert main(["submit", RUN, "--yes", *state_of(folder)]) == 2
    assert "COMIND_KAGGLE_TOKEN" in capsys.readouterr().err
