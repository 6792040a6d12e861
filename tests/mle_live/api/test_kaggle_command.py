"""The official `kaggle` command, unmodified, against our server in proxy mode."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mle_live.api.official_command import Kaggle
from tests.tiny_kaggle import (
    CANARY,
    ROWS,
    SLUG,
    RunningServer,
    submission_text,
    tiny_server,
    wait_until_graded,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with tiny_server(folder) as running:
        yield running


def test_competitions_and_files_are_listed(kaggle: Kaggle) -> None:
    listed = kaggle("competitions", "list", "--csv")
    assert listed.returncode == 0 and SLUG in listed.stdout and "2027-01-01" in listed.stdout
    files = kaggle("competitions", "files", SLUG, "--csv")
    assert files.returncode == 0
    assert {line.split(",")[0] for line in files.stdout.splitlines()[1:]} >= {"train.csv", "images/one.png"}


def test_one_file_and_all_files_are_downloaded(kaggle: Kaggle, server: RunningServer, tmp_path: Path) -> None:
    one = kaggle("competitions", "download", SLUG, "-f", "train.csv", "-p", "one")
    assert one.returncode == 0, one.stdout + one.stderr
    original = server.competition.data_dir / "train.csv"
    assert (tmp_path / "one" / "train.csv").read_bytes() == original.read_bytes()
    again = kaggle("competitions", "download", SLUG, "-f", "train.csv", "-p", "one")
    assert "Skipping" in again.stdout
    everything = kaggle("competitions", "download", SLUG, "-p", "all")
    assert everything.returncode == 0, everything.stdout + everything.stderr
    with zipfile.ZipFile(tmp_path / "all" / f"{SLUG}.zip") as packed:
        assert "images/one.png" in packed.namelist() and packed.testzip() is None


def test_a_submission_goes_in_and_its_score_comes_out(
    kaggle: Kaggle, server: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "submission.csv").write_text(submission_text([value + 25.0 for value in CANARY]))
    sent = kaggle("competitions", "submit", SLUG, "-f", "submission.csv", "-m", "from the command")
    assert sent.returncode == 0 and "Successfully submitted to Tiny Competition" in sent.stdout
    wait_until_graded(server)
    listed = kaggle("competitions", "submissions", SLUG, "--csv")
    assert "from the command" in listed.stdout and "25.00000" in listed.stdout
    assert "COMPLETE" in listed.stdout
    limits = kaggle("competitions", "submission-limits", SLUG)
    assert limits.returncode == 0, limits.stdout + limits.stderr


def test_a_bad_submission_is_listed_with_its_reason(
    kaggle: Kaggle, server: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "submission.csv").write_text(submission_text([1.0] * (ROWS - 1)))
    assert kaggle("competitions", "submit", SLUG, "-f", "submission.csv", "-m", "short").returncode == 0
    wait_until_graded(server)
    assert "SubmissionStatus.ERROR" in kaggle("competitions", "submissions", SLUG).stdout


def test_the_leaderboard_is_shown_and_downloaded(kaggle: Kaggle, tmp_path: Path) -> None:
    shown = kaggle("competitions", "leaderboard", SLUG, "--show", "--csv")
    assert shown.returncode == 0 and "Team 1" in shown.stdout and "10.00000" in shown.stdout
    saved = kaggle("competitions", "leaderboard", SLUG, "--download", "-p", "board")
    assert saved.returncode == 0, saved.stdout + saved.stderr
    with zipfile.ZipFile(tmp_path / "board" / f"{SLUG}.zip") as packed:
        (name,) = packed.namelist()
        assert "publicleaderboard" in name and packed.read(name).startswith(b"Rank,TeamId,TeamName")


def test_kernels_are_listed_and_pulled(kaggle: Kaggle, tmp_path: Path) -> None:
    listed = kaggle("kernels", "list", "--competition", SLUG, "--sort-by", "voteCount", "--csv")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert [line.split(",")[0] for line in listed.stdout.splitlines()[1:] if line][:3] == [
        "ann/starter",
        "ann/unscored",
        "ann/strong",
    ]
    pulled = kaggle("kernels", "pull", "ann/starter", "-p", "code", "-m")
    assert pulled.returncode == 0, pulled.stdout + pulled.stderr
    assert 'print("hi")' in (tmp_path / "code" / "starter.py").read_text()
    assert kaggle("kernels", "pull", "ann/strong", "-p", "book").returncode == 0
    assert (tmp_path / "book" / "strong.ipynb").read_text().startswith('{"nbformat": 4')


def test_discussions_are_listed_and_shown(kaggle: Kaggle) -> None:
    listed = kaggle("competitions", "topics", "list", SLUG, "--csv")
    assert listed.returncode == 0 and "Mind the split" in listed.stdout, listed.stdout + listed.stderr
    posts = kaggle("competitions", "topic-messages", SLUG, "7")
    assert "I agree." in posts.stdout and "Written after today." not in posts.stdout
    shown = kaggle("competitions", "topics", "show", "7")
    assert "Rows of a day belong together." in shown.stdout, shown.stdout + shown.stderr


def test_wrong_names_and_tokens_fail_with_a_message(kaggle: Kaggle) -> None:
    missing = kaggle("competitions", "files", "no-such-comp")
    assert missing.returncode == 1 and "no-such-comp" in missing.stdout + missing.stderr
    stranger = kaggle("competitions", "list", token="not-a-token")
    assert stranger.returncode == 1 and "Traceback" not in stranger.stderr
    outside = kaggle("competitions", "download", SLUG, "-f", "../competition.yaml")
    assert outside.returncode == 1 and "File not found" in outside.stdout + outside.stderr
    absent = kaggle("models", "list")
    assert absent.returncode == 1 and "does not offer" in absent.stdout + absent.stderr
