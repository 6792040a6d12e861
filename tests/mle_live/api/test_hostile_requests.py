"""Requests and data that were made to break the server: refused, and never a fault of the server."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from mle_live.service import GRADER_FAULT, ServerLimits
from tests.tiny_kaggle import (
    NOW,
    ROWS,
    SLUG,
    TOKEN,
    RunningServer,
    make_root,
    running_server,
    submission_text,
    tiny_server,
)

COMPETITIONS = "/api/v1/competitions.CompetitionApiService"
TOPICS = f"/mle-live/v1/competitions/{SLUG}/topics"
DEEP = '{"files":[],"directories":[' * 300 + "]}" * 300


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    limits = ServerLimits(open_uploads=3)
    with tiny_server(tmp_path, limits=limits) as running:
        yield running


def ask(server: RunningServer, path: str, body: object = None) -> requests.Response:
    """POST a body (text goes as it is, None makes it a GET)."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if body is None:
        return requests.get(server.url + path, headers=headers, timeout=60)
    sent = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return requests.post(server.url + path, data=sent, headers=headers, timeout=60)


def announce(server: RunningServer, size: int) -> dict[str, str]:
    body = {"competitionName": SLUG, "contentLength": size, "fileName": "s.csv"}
    answer: dict[str, str] = ask(server, f"{COMPETITIONS}/StartSubmissionUpload", body).json()
    return answer


def send(server: RunningServer, text: str) -> str:
    """Upload a submission's file; the token."""
    started = announce(server, len(text))
    assert requests.put(started["createUrl"], data=text, timeout=60).status_code == 200
    return started["token"]


def submit(server: RunningServer, token: str) -> requests.Response:
    return ask(server, f"{COMPETITIONS}/CreateSubmission", {"competitionName": SLUG, "blobFileTokens": token})


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{COMPETITIONS}/ListDataFiles", '{"a":' + "[" * 100_000, 400),
        ("/api/v1/datasets.DatasetApiService/CreateDataset", DEEP, 400),
        (f"{COMPETITIONS}/ListDataFiles", b'{"competitionName": "\xed\xa0\x80"}', 400),
        ("/api/v1/security.OAuthService/IntrospectToken", {"token": "\ud800"}, 400),
        (TOPICS, {"title": "\ud800", "text": "x"}, 400),
        (f"{TOPICS}/7/messages", {"text": "a", "parent": [1]}, 404),
        (f"{TOPICS}/{'9' * 40}/messages", {"text": "a"}, 404),
        ("/mle-live/v1/votes", {"kind": ["topic"], "ref": 7}, 400),
        (f"/mle-live/v1/submissions/{'9' * 30}/result", None, 404),
        (f"/mle-live/v1/submissions/{'9' * 5000}/result", None, 404),
        (f"/_download/%C3%A9/{SLUG}/data/train.csv", None, 403),
        ("/_dataset/%C3%A9/file/1/1/a.csv", None, 403),
        ("/_kernel/%C3%A9/1/a.csv", None, 403),
        (f"/_kernel/0/{'9' * 5000}/a.csv", None, 403),
    ],
)
def test_what_no_client_sends_is_refused(server: RunningServer, path: str, body: Any, status: int) -> None:
    answer = ask(server, path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, status)


def test_data_with_odd_names_and_old_dates_are_listed_and_packed(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    data = root / "competitions" / SLUG / "data"
    (tmp_path / "root" / "competitions" / SLUG / "data" / os.fsdecode(b"caf\xe9.csv")).write_text("no UTF-8")
    os.utime(data / "train.csv", (0, 0))
    with running_server(root, tmp_path / "state") as server:
        listed = ask(server, f"{COMPETITIONS}/ListDataFiles", {"competitionName": SLUG}).json()["files"]
        packed = ask(server, f"{COMPETITIONS}/DownloadDataFiles", {"competitionName": SLUG})
    names = ["images/one.png", "sample_submission.csv", "test.csv", "train.csv"]
    assert [file["name"] for file in listed] == names
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert archive.namelist() == names


def test_one_upload_sent_by_many_at_once_arrives_whole(server: RunningServer) -> None:
    text = submission_text([1.5] * ROWS)
    started = announce(server, len(text))
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: requests.put(started["createUrl"], data=text, timeout=60), range(16))
        )
    assert {answer.status_code for answer in answers} == {200}
    assert submit(server, started["token"]).status_code == 200
    assert list((server.service.state_dir / "blobs").iterdir()) == []


def test_uploads_that_are_never_submitted_make_room_for_later_ones(server: RunningServer) -> None:
    text = submission_text([1.5] * ROWS)
    tokens = [send(server, text) for _ in range(5)]
    assert {path.name for path in (server.service.state_dir / "blobs").iterdir()} == set(tokens[2:])
    assert submit(server, tokens[0]).status_code == 400
    assert submit(server, tokens[4]).status_code == 200


def test_a_submission_whose_file_cannot_be_kept_ends_as_the_servers_fault(server: RunningServer) -> None:
    token = send(server, submission_text([1.5] * ROWS))
    (server.service.state_dir / "submissions").write_text("a file in the folder's place")
    assert submit(server, token).status_code == 500
    (row,) = server.service.state.submissions(SLUG)
    assert (row.status, row.error) == ("ERROR", GRADER_FAULT)


def test_a_submission_whose_file_was_lost_is_not_its_authors_fault(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    with running_server(root, tmp_path / "state") as server:
        user = server.service.state.user_of_token(TOKEN)
        assert user is not None
        server.service.state.add_submission(
            user, SLUG, created_at=NOW, file_name="s.csv", total_bytes=1, description="", daily_limit=5
        )
    with running_server(root, tmp_path / "state") as server:
        while server.service.state.pending():
            pass
        (row,) = server.service.state.submissions(SLUG)
    assert (row.status, row.error) == ("ERROR", GRADER_FAULT)


@pytest.mark.parametrize(
    "fault", [OSError(28, "No space left on device"), sqlite3.OperationalError("database or disk is full")]
)
def test_a_full_disk_is_told_as_such(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def full(*_: object) -> None:
        raise fault

    monkeypatch.setattr(type(server.service.posts), "add_topic", full)
    answer = ask(server, TOPICS, {"title": "A title", "text": "A text"})
    assert answer.status_code == 507 and "disk is full" in answer.json()["message"]
    assert ask(server, f"{COMPETITIONS}/ListCompetitions", {}).status_code == 200
