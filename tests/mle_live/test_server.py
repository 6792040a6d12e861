"""The server's wire behaviour: refusals, limits, ranges, and no label in any answer."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from mle_live.server import apis_of
from mle_live.service import NOBODY, Call, ServerLimits
from mle_live.wire import Rpc, handlers
from tests.tiny_kaggle import (
    CANARY,
    DEADLINE,
    NOW,
    ROWS,
    SLUG,
    TOKEN,
    RunningServer,
    make_root,
    running_server,
    submission_text,
    tiny_server,
    wait_until_graded,
)

COMPETITIONS = "competitions.CompetitionApiService"
OFF_BY_ROW = [value + 3.0 + row / 7 for row, value in enumerate(CANARY)]


def rpc(server: RunningServer, name: str, body: dict[str, Any] | None = None, token: str = TOKEN) -> Any:
    return requests.post(
        f"{server.url}/api/v1/{name}",
        json=body or {},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


def submit(server: RunningServer, text: str, token: str = TOKEN) -> Any:
    start = rpc(
        server,
        f"{COMPETITIONS}/StartSubmissionUpload",
        {"competitionName": SLUG, "contentLength": len(text), "fileName": "s.csv"},
        token,
    ).json()
    assert requests.put(start["createUrl"], data=text, timeout=30).status_code == 200
    created = rpc(
        server,
        f"{COMPETITIONS}/CreateSubmission",
        {"competitionName": SLUG, "blobFileTokens": start["token"]},
        token,
    )
    wait_until_graded(server)
    return created


def all_answers(server: RunningServer, ref: int) -> bytes:
    """Everything the server can be made to say: every RPC, every download unpacked, every extension read."""
    body = {
        "competitionName": SLUG, "competition": SLUG, "fileName": "sample_submission.csv", "ref": ref,
        "userName": "ann", "kernelSlug": "starter", "topicId": 7, "id": 7, "pageSize": 200,
        "contentLength": 10, "token": TOKEN,
    }  # fmt: skip
    said = []
    for name in (contract.name for contract, _ in handlers(apis_of(server.service), Rpc)):
        answer = rpc(server, name, {**body, "fileName": "s.csv"} if "Upload" in name else body)
        said.append(f"{name} {answer.status_code} {dict(answer.headers)}")
        if answer.content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
                said += [f"{entry} {packed.read(entry)!r}" for entry in packed.namelist()]
        else:
            said.append(answer.text)
    for path in (f"competitions/{SLUG}", f"competitions/{SLUG}/kernel-scores", f"submissions/{ref}/result"):
        said.append(get(server, f"/mle-live/v1/{path}").text)
    return "\n".join(said).encode()


def get(server: RunningServer, path: str, **headers: str) -> requests.Response:
    return requests.get(
        server.url + path, headers={"Authorization": f"Bearer {TOKEN}", **headers}, timeout=30
    )


def test_no_answer_holds_a_label_or_a_private_score_before_the_deadline(server: RunningServer) -> None:
    ref = submit(server, submission_text(OFF_BY_ROW)).json()["ref"]
    row = server.service.state.submission(ref)
    assert row is not None and row.private_score is not None and row.public_score is not None
    said = all_answers(server, ref)
    assert f"{row.public_score:.5f}".encode() in said and b"Team 20" in said
    for value in CANARY:
        assert str(value).encode() not in said
    assert f"{row.private_score:.3f}".encode() not in said
    assert b"220.0" not in said  # the last team's private score


def test_private_scores_come_out_after_the_deadline_and_when_the_server_is_told_to(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    text = submission_text(OFF_BY_ROW)
    with running_server(root, tmp_path / "late", now=DEADLINE + timedelta(days=1)) as server:
        ref = submit(server, text).json()["ref"]
        late = rpc(server, f"{COMPETITIONS}/GetSubmission", {"ref": ref}).json()
        assert float(late["privateScore"]) > 0
        board = rpc(server, f"{COMPETITIONS}/GetLeaderboard", {"competitionName": SLUG}).json()
        assert board["submissions"][0]["score"] == "11.00000"
        assert "alice" not in {row["teamName"] for row in board["submissions"]}  # too late for the board
    with running_server(root, tmp_path / "revealing", reveal_private=True) as server:
        ref = submit(server, text).json()["ref"]
        result = get(server, f"/mle-live/v1/submissions/{ref}/result").json()
        assert result["private"]["rank"] == 1 and result["private"]["medal"] == "gold"
        assert result["private_score"] > 0
        assert "privateScore" not in rpc(server, f"{COMPETITIONS}/GetSubmission", {"ref": ref}).json()
        board = rpc(server, f"{COMPETITIONS}/GetLeaderboard", {"competitionName": SLUG}).json()
        assert "11.00000" not in {row["score"] for row in board["submissions"]}


@pytest.mark.parametrize(
    "name",
    [
        "../competition.yaml",
        "images/../../competition.yaml",
        "../../../private/tiny-comp/solution.csv",
        "/etc/passwd",
        "..\\competition.yaml",
        "images",
        "",
        "train.csv\0.png",
        ".",
        "link.csv",
        ".hidden",
    ],
)
def test_file_names_that_lead_elsewhere_are_not_found(server: RunningServer, name: str) -> None:
    data = server.competition.data_dir
    solution = server.competition.solution_path
    assert solution is not None
    (data / "link.csv").symlink_to(solution)
    (data / ".hidden").write_text("secret")
    answer = rpc(server, f"{COMPETITIONS}/DownloadDataFile", {"competitionName": SLUG, "fileName": name})
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
    listed = rpc(server, f"{COMPETITIONS}/ListDataFiles", {"competitionName": SLUG}).json()["files"]
    assert {"link.csv", ".hidden"}.isdisjoint(file["name"] for file in listed)
    call = Call(NOBODY, NOW, server.url)
    direct = requests.get(server.service.signed_address(call, "_download", f"{SLUG}/data/{name}"), timeout=30)
    assert direct.status_code in (400, 403, 404)


def test_download_addresses_cannot_be_forged(server: RunningServer) -> None:
    answer = rpc(
        server, f"{COMPETITIONS}/DownloadDataFile", {"competitionName": SLUG, "fileName": "test.csv"}
    )
    address = answer.url
    assert address.endswith(f"/{SLUG}/data/test.csv") and answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert requests.get(address.replace("test.csv", "train.csv"), timeout=30).status_code == 403


def test_a_range_of_a_file_is_answered_for_resuming(server: RunningServer) -> None:
    whole = rpc(
        server, f"{COMPETITIONS}/DownloadDataFile", {"competitionName": SLUG, "fileName": "train.csv"}
    )
    rest = requests.get(
        whole.url, headers={"Range": "bytes=20-", "If-Range": whole.headers["ETag"]}, timeout=30
    )
    assert rest.status_code == 206 and rest.content == whole.content[20:]
    stale = requests.get(whole.url, headers={"Range": "bytes=20-", "If-Range": '"old"'}, timeout=30)
    assert stale.status_code == 200 and stale.content == whole.content


@pytest.mark.parametrize(
    "authorization", ["", "Bearer nobody", "Basic !!!", "Basic Ym9iOnRva2VuLW9mLWFsaWNl"]
)
def test_without_valid_credentials_nothing_is_told(server: RunningServer, authorization: str) -> None:
    headers = {"Authorization": authorization}
    call = requests.post(
        f"{server.url}/v1/{COMPETITIONS}/ListCompetitions", json={}, headers=headers, timeout=30
    )
    assert (call.status_code, call.json()["code"]) == (401, 401)
    facts = requests.get(f"{server.url}/mle-live/v1/competitions/{SLUG}", headers=headers, timeout=30)
    assert facts.status_code == 401


def test_introspection_of_a_bad_token_is_inactive_not_an_error(server: RunningServer) -> None:
    answer = rpc(server, "security.OAuthService/IntrospectToken", {"token": "nobody"}, token="nobody")
    assert (answer.status_code, answer.json()) == (200, {})


def test_calls_that_are_not_offered_or_not_readable_get_kaggles_error_body(server: RunningServer) -> None:
    absent = rpc(server, "models.ModelApiService/CreateModel")
    assert (absent.status_code, absent.json()["code"]) == (501, 501)
    nowhere = get(server, "/api/v1/whatever")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, 404)
    address = f"{server.url}/api/v1/{COMPETITIONS}/GetCompetition"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for body in (b"{", b"[1]", b"\xff"):
        assert requests.post(address, data=body, headers=headers, timeout=30).json()["code"] == 400
    enum = rpc(server, "kernels.KernelsApiService/ListKernels", {"sortBy": "NO_SUCH_ORDER"})
    assert enum.json()["code"] == 400
    page = rpc(server, "kernels.KernelsApiService/ListKernels", {"pageToken": "x"})
    assert page.json()["code"] == 400
    large = requests.post(address, data=b" " * (2**20 + 1), headers=headers, timeout=30)
    assert large.json()["code"] == 413


def test_pages_follow_each_other_to_the_end(server: RunningServer) -> None:
    names: list[str] = []
    token = ""
    while True:
        page = rpc(
            server,
            f"{COMPETITIONS}/GetLeaderboard",
            {"competitionName": SLUG, "pageSize": 7, "pageToken": token},
        ).json()
        names += [row["teamName"] for row in page["submissions"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert names == [f"Team {number}" for number in range(1, 21)]


def test_folders_of_data_are_listed_as_a_tree(server: RunningServer) -> None:
    top = rpc(server, f"{COMPETITIONS}/ListDataTreeFiles", {"competitionName": SLUG}).json()
    assert [folder["name"] for folder in top["directories"]] == ["images"] and top["totalFiles"] == 3
    inner = rpc(server, f"{COMPETITIONS}/ListDataTreeFiles", {"competitionName": SLUG, "path": "images"})
    assert [file["relativeUrl"] for file in inner.json()["files"]] == ["images/one.png"]


def test_uploads_are_bounded_and_belong_to_their_user(tmp_path: Path) -> None:
    limits = ServerLimits(submission_bytes=1000)
    with tiny_server(tmp_path, limits=limits) as server:
        server.service.state.ensure_user("bob", "token-of-bob")
        start = f"{COMPETITIONS}/StartSubmissionUpload"
        body = {"competitionName": SLUG, "contentLength": 1001, "fileName": "s.csv"}
        assert rpc(server, start, body).json()["code"] == 400
        assert rpc(server, start, {**body, "contentLength": 10, "fileName": "s.exe"}).json()["code"] == 400
        upload = rpc(server, start, {**body, "contentLength": 10, "fileName": "../../s.csv"}).json()
        assert requests.put(upload["createUrl"], data=b"x" * 11, timeout=30).json()["code"] == 413
        assert requests.put(upload["createUrl"], data=b"x" * 9, timeout=30).status_code == 308
        create = {"competitionName": SLUG, "blobFileTokens": upload["token"]}
        unfinished = rpc(server, f"{COMPETITIONS}/CreateSubmission", create)
        assert "not complete" in unfinished.json()["message"]
        assert requests.put(upload["createUrl"], data=b"x" * 10, timeout=30).status_code == 200
        assert rpc(server, f"{COMPETITIONS}/CreateSubmission", create, "token-of-bob").status_code == 400
        assert rpc(server, f"{COMPETITIONS}/CreateSubmission", create).status_code == 200
        again = rpc(server, f"{COMPETITIONS}/CreateSubmission", create)
        assert "Unknown upload token" in again.json()["message"]
        assert requests.put(f"{server.url}/_blob/..%2f..%2fx", data=b"x", timeout=30).status_code == 404


def test_one_user_cannot_see_anothers_submission(server: RunningServer) -> None:
    server.service.state.ensure_user("bob", "token-of-bob")
    ref = submit(server, submission_text(OFF_BY_ROW)).json()["ref"]
    other = rpc(server, f"{COMPETITIONS}/GetSubmission", {"ref": ref}, "token-of-bob")
    missing = rpc(server, f"{COMPETITIONS}/GetSubmission", {"ref": 999}, "token-of-bob")
    assert other.status_code == missing.status_code == 404
    listed = rpc(server, f"{COMPETITIONS}/ListSubmissions", {"competitionName": SLUG}, "token-of-bob")
    assert listed.json() == {}


def test_the_daily_count_starts_again_at_midnight_utc(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    text = submission_text([1.0] * ROWS)
    evening = NOW.replace(hour=23, minute=59)
    with running_server(root, tmp_path / "state", now=evening) as server:
        assert [submit(server, text).status_code for _ in range(5)] == [200] * 4 + [400]
    with running_server(root, tmp_path / "state", now=evening + timedelta(minutes=2)) as server:
        limits = rpc(server, f"{COMPETITIONS}/GetSubmissionLimits", {"competitionName": SLUG}).json()
        assert limits == {"numTotal": 4, "numAllowedNow": 4}


def test_a_submission_left_pending_is_graded_when_the_server_comes_back(tmp_path: Path) -> None:
    root, state = make_root(tmp_path / "root"), tmp_path / "state"
    with running_server(root, state) as server:
        ref = submit(server, submission_text(OFF_BY_ROW)).json()["ref"]
        first = server.service.state.submission(ref)
        server.service.state.run("UPDATE submissions SET status='PENDING', public_score=NULL", ())
    with running_server(root, state) as server:
        wait_until_graded(server)
        assert server.service.state.submission(ref) == first


def test_a_broken_solution_is_the_graders_fault_and_costs_no_submission(server: RunningServer) -> None:
    assert server.competition.solution_path is not None
    server.competition.solution_path.write_text("id,target\nt00,1\n")
    ref = submit(server, submission_text(OFF_BY_ROW)).json()["ref"]
    row = rpc(server, f"{COMPETITIONS}/GetSubmission", {"ref": ref}).json()
    assert row["status"] == "ERROR" and "not the submission's fault" in row["errorDescription"]
    limits = rpc(server, f"{COMPETITIONS}/GetSubmissionLimits", {"competitionName": SLUG}).json()
    assert limits["numAllowedNow"] == 4
