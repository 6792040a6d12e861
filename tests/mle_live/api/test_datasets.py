"""Datasets on the wire: the official command makes, renews, downloads and deletes them; uploads resume."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mle_live.environment import client_environment, client_home, keep_token
from mle_live.service import NOBODY, Call, ServerLimits
from mle_live.stores.blobs import BlobStore
from mle_live.stores.datasets import DatasetBounds
from mle_live.stores.state import ServerState
from tests.fakes.clocks import HandClock
from tests.tiny_kaggle import NOW, TOKEN, RunningServer, make_root, running_server, tiny_server

DATASETS = "datasets.DatasetApiService"
BOB = "token-of-bob"
Kaggle = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    limits = ServerLimits(blob_bytes=3_000_000, datasets=DatasetBounds(files=20, bytes=2_000_000))
    with tiny_server(tmp_path, limits=limits) as running:
        running.service.state.ensure_user("bob", BOB)
        yield running


@pytest.fixture
def kaggle(server: RunningServer, tmp_path: Path) -> Kaggle:
    def run(*arguments: str, user: str = "alice", token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        home = client_home(tmp_path, user)
        keep_token(home, token)
        return subprocess.run(
            [str(Path(sys.executable).with_name("kaggle")), *arguments],
            cwd=tmp_path,
            env=client_environment(server.url, home, os.environ),
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def rpc(server: RunningServer, name: str, body: dict[str, Any], token: str = TOKEN) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{server.url}/api/v1/{name}", json=body, headers=headers, timeout=30)


def upload(server: RunningServer, content: bytes, name: str, token: str = TOKEN) -> str:
    start = {"type": "DATASET", "name": name, "contentLength": len(content)}
    begun = rpc(server, "blobs.BlobApiService/StartBlobUpload", start, token).json()
    assert requests.put(begun["createUrl"], data=content, timeout=30).status_code == 200
    return str(begun["token"])


def create(server: RunningServer, *files: tuple[str, bytes], slug: str = "my-rows", **more: Any) -> Any:
    tokens = [{"token": upload(server, content, name)} for name, content in files]
    body = {"ownerSlug": "alice", "slug": slug, "title": "Rows of mine", "isPrivate": True, "files": tokens}
    return rpc(server, f"{DATASETS}/CreateDataset", {**body, **more}).json()


def files_of(server: RunningServer, slug: str = "my-rows", **more: Any) -> dict[str, int]:
    body = {"ownerSlug": "alice", "datasetSlug": slug, "pageSize": 200, **more}
    listed = rpc(server, f"{DATASETS}/ListDatasetFiles", body).json()
    return {file["name"]: file["totalBytes"] for file in listed["datasetFiles"]}


def zipped(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def test_the_life_of_a_dataset_by_the_official_command(
    kaggle: Kaggle, server: RunningServer, tmp_path: Path
) -> None:
    folder = tmp_path / "rows"
    (folder / "pictures").mkdir(parents=True)
    (folder / "rows.csv").write_text("id,x\n1,2\n")
    (folder / "pictures" / "one.png").write_bytes(b"\x89PNG" * 50)
    told = {
        "title": "Rows of mine",
        "id": "alice/my-rows",
        "licenses": [{"name": "CC0-1.0"}],
        "resources": [{"path": "rows.csv", "description": "all rows"}],
    }
    (folder / "dataset-metadata.json").write_text(json.dumps(told))
    made = kaggle("datasets", "create", "-p", "rows", "--dir-mode", "zip")
    assert "private Dataset is being created" in made.stdout, made.stdout + made.stderr
    assert kaggle("datasets", "status", "alice/my-rows").stdout.strip().endswith("ready")
    listed = kaggle("datasets", "files", "alice/my-rows", "--csv")
    assert "rows.csv" in listed.stdout and "pictures/one.png" in listed.stdout, listed.stdout + listed.stderr
    assert "alice/my-rows" in kaggle("datasets", "list", "--mine").stdout
    again = kaggle("datasets", "create", "-p", "rows")
    assert "already in use" in again.stdout

    (folder / "rows.csv").write_text("id,x\n1,3\n")
    renewed = kaggle("datasets", "version", "-p", "rows", "-m", "better rows", "--dir-mode", "zip")
    assert "version is being created" in renewed.stdout, renewed.stdout + renewed.stderr
    one = kaggle("datasets", "download", "alice/my-rows", "-f", "rows.csv", "-p", "one")
    assert one.returncode == 0, one.stdout + one.stderr
    assert (tmp_path / "one" / "rows.csv").read_text() == "id,x\n1,3\n" and "CC0-1.0" in one.stdout
    whole = kaggle("datasets", "download", "alice/my-rows", "-p", "all", "--unzip")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert (tmp_path / "all" / "pictures" / "one.png").read_bytes() == b"\x89PNG" * 50
    first = kaggle("datasets", "download", "alice/my-rows/1", "-f", "rows.csv", "-p", "first")
    assert (tmp_path / "first" / "rows.csv").read_text() == "id,x\n1,2\n", first.stdout + first.stderr

    kept = kaggle("datasets", "metadata", "alice/my-rows", "-p", "told")
    assert kept.returncode == 0, kept.stdout + kept.stderr
    assert "Rows of mine" in (tmp_path / "told" / "dataset-metadata.json").read_text()
    assert kaggle("datasets", "delete", "alice/my-rows", "-y").returncode == 0
    gone = kaggle("datasets", "files", "alice/my-rows")
    assert gone.returncode == 1 and "denied" in gone.stdout + gone.stderr


def test_a_private_dataset_is_its_owners_in_every_call(kaggle: Kaggle, server: RunningServer) -> None:
    assert create(server, ("a.csv", b"secret rows"))["status"] == "ok"
    body = {"ownerSlug": "alice", "datasetSlug": "my-rows"}
    changes = {"settings": {"title": "Taken over"}, "body": {"versionNotes": "mine now"}}
    for call in (
        "GetDataset", "GetDatasetStatus", "GetDatasetMetadata", "ListDatasetFiles", "DownloadDataset",
        "DownloadDatasetRaw", "UpdateDatasetMetadata", "CreateDatasetVersion", "DeleteDataset",
    ):  # fmt: skip
        other = rpc(server, f"{DATASETS}/{call}", {**body, **changes}, BOB)
        missing = rpc(server, f"{DATASETS}/{call}", {**body, **changes, "datasetSlug": "no-such"}, BOB)
        assert other.status_code == missing.status_code == 403, call
        assert other.json() == missing.json(), call
    by_id = rpc(server, f"{DATASETS}/CreateDatasetVersionById", {"id": 1, "body": changes["body"]}, BOB)
    assert by_id.status_code == 403
    for group in ("PUBLIC", "ALL", "USER", "MY"):
        asked = {"group": f"DATASET_SELECTION_GROUP_{group}", "user": "alice"}
        assert rpc(server, f"{DATASETS}/ListDatasets", asked, BOB).json() == {}
    found = kaggle("datasets", "list", "-s", "rows", user="bob", token=BOB)
    assert "No datasets found" in found.stdout
    mounted = server.service.dataset_folder
    alice, bob = (server.service.state.user_of_token(token) for token in (TOKEN, BOB))
    assert alice is not None and bob is not None
    folder = mounted(alice, "alice/my-rows")
    assert folder is not None and (folder / "a.csv").read_bytes() == b"secret rows"
    assert mounted(bob, "alice/my-rows") is None and mounted(alice, "alice/other") is None


def test_a_public_dataset_is_read_by_all_and_changed_by_its_owner_only(server: RunningServer) -> None:
    create(server, ("a.csv", b"rows"), isPrivate=False)
    body = {"ownerSlug": "alice", "datasetSlug": "my-rows"}
    read = rpc(server, f"{DATASETS}/DownloadDataset", {**body, "fileName": "a.csv"}, BOB)
    assert read.content == b"rows"
    counted = rpc(server, f"{DATASETS}/GetDataset", body, BOB).json()
    assert counted["downloadCount"] == 1 and counted["currentVersionNumber"] == 1
    assert rpc(server, f"{DATASETS}/DeleteDataset", body, BOB).status_code == 403
    settings = {"title": "Rows, renamed", "isPrivate": True, "licenses": [{"name": "MIT"}]}
    assert rpc(server, f"{DATASETS}/UpdateDatasetMetadata", {**body, "settings": settings}).json() == {}
    assert rpc(server, f"{DATASETS}/GetDataset", body, BOB).status_code == 403
    assert rpc(server, f"{DATASETS}/GetDataset", body).json()["licenseName"] == "MIT"


def test_a_new_version_replaces_the_files_and_may_delete_the_old_ones(server: RunningServer) -> None:
    create(server, ("a.csv", b"one"), ("b.csv", b"two"))
    body = {"files": [{"token": upload(server, b"three", "c.csv"), "description": "the third"}]}
    named = {"ownerSlug": "alice", "datasetSlug": "my-rows"}
    assert rpc(server, f"{DATASETS}/CreateDatasetVersion", {**named, "body": body}).json()["status"] == "ok"
    assert files_of(server) == {"c.csv": 5}
    assert files_of(server, datasetVersionNumber=1) == {"a.csv": 3, "b.csv": 3}
    last = {"files": [{"token": upload(server, b"4", "d.csv")}], "deleteOldVersions": True}
    assert (
        rpc(server, f"{DATASETS}/CreateDatasetVersionById", {"id": 1, "body": last}).json()["status"] == "ok"
    )
    old = rpc(server, f"{DATASETS}/ListDatasetFiles", {**named, "datasetVersionNumber": 1})
    assert old.status_code == 404 and files_of(server) == {"d.csv": 1}
    assert [path.name for path in (server.service.state_dir / "datasets" / "1").iterdir()] == ["3"]


def test_folders_that_are_told_become_folders(server: RunningServer) -> None:
    inner = {"name": "deep", "files": [{"token": upload(server, b"xy", "z.csv")}]}
    made = create(server, ("a.csv", b"x"), directories=[{"name": "top", "directories": [inner]}])
    assert made["status"] == "ok" and files_of(server) == {"a.csv": 1, "top/deep/z.csv": 2}
    outside = {"name": "../..", "files": [{"token": upload(server, b"xy", "z.csv")}]}
    assert create(server, slug="other-rows", directories=[outside])["code"] == 400


def damaged(compression: int) -> bytes:
    """A zip whose only file has other bytes in its middle than it was packed to."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        archive.writestr("x.csv", bytes(range(256)) * 20)
    content = bytearray(packed.getvalue())
    content[45:90] = bytes(45)
    return bytes(content)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.zip", zipped(("../../out.csv", b"x")), "cannot be called"),
        ("a.zip", zipped(("/etc/passwd", b"x")), "cannot be called"),
        ("a.zip", zipped(*((f"{n}.csv", b"x") for n in range(21))), "too many files"),
        ("a.zip", zipped(("bomb.csv", bytes(50_000_000))), "too large"),
        ("a.zip", zipped(("x", b"1"), ("x/y", b"2")), "both a file and a folder"),
        ("a.zip", zipped(("x.csv", b"rows" * 99))[:-30], ""),
        ("a.zip", damaged(zipfile.ZIP_DEFLATED), "cannot be unpacked"),
        ("a.zip", damaged(zipfile.ZIP_BZIP2), "cannot be unpacked"),
        ("a.zip", damaged(zipfile.ZIP_LZMA), "cannot be unpacked"),
    ],
    ids=["above", "absolute", "many", "bomb", "both", "cut off", "bad deflate", "bad bzip2", "bad lzma"],
)
def test_hostile_archives_are_refused_and_leave_nothing(
    server: RunningServer, name: str, content: bytes, reason: str
) -> None:
    made = create(server, (name, content))
    if reason:
        assert made["status"] == "error" and reason in made["error"]
        assert list((server.service.state_dir / "datasets").iterdir()) == []
        assert rpc(server, f"{DATASETS}/ListDatasets", {"group": "DATASET_SELECTION_GROUP_MY"}).json() == {}
    else:  # a broken archive is a file like any other
        assert files_of(server) == {"a.zip": len(content)}


def test_links_and_devices_in_archives_are_refused(server: RunningServer) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        link = tarfile.TarInfo("rows.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert "is not a file" in create(server, ("a.tar", packed.getvalue()))["error"]
    zip_link = zipfile.ZipInfo("rows.csv")
    zip_link.external_attr = (stat.S_IFLNK | 0o777) << 16
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(zip_link, "/etc/passwd")
    assert "is not a file" in create(server, ("b.zip", other.getvalue()))["error"]


def test_names_sizes_and_owners_are_checked(server: RunningServer) -> None:
    start = "blobs.BlobApiService/StartBlobUpload"
    assert rpc(server, start, {"name": "a.csv", "contentLength": 3_000_001}).status_code == 400
    assert rpc(server, start, {"name": ".hidden", "contentLength": 1}).status_code == 400
    assert rpc(server, start, {"name": "../x.csv", "contentLength": 2_000_000}).status_code == 200
    assert rpc(server, start, {"name": "b.csv", "contentLength": 2_000_000}).status_code == 400
    assert rpc(server, start, {"name": "b.csv", "contentLength": 2_000_000}, BOB).status_code == 200
    for slug in ("short", "../../etc", "UPPER-case", "a" * 51):
        assert create(server, ("a.csv", b"x"), slug=slug)["status"] == "error"
    assert create(server, ("a.csv", b"x"), title="no")["status"] == "error"
    assert create(server)["error"] == "A dataset needs at least one file"
    assert create(server, ("a.csv", b"x"), ownerSlug="bob")["code"] == 403
    stolen = rpc(
        server,
        f"{DATASETS}/CreateDataset",
        {"slug": "bobs-rows", "title": "Rows of Bob", "files": [{"token": upload(server, b"x", "a.csv")}]},
        BOB,
    )
    assert stolen.status_code == 400 and "Unknown upload token" in stolen.json()["message"]


def test_an_interrupted_upload_goes_on_where_it_stopped(server: RunningServer) -> None:
    content = bytes(range(256)) * 1000
    start = {"type": "DATASET", "name": "a.bin", "contentLength": len(content)}
    begun = rpc(server, "blobs.BlobApiService/StartBlobUpload", start).json()
    address, question = begun["createUrl"], {"Content-Range": f"bytes */{len(content)}"}
    asked = requests.put(address, headers=question, timeout=30)
    assert asked.status_code == 308 and "Range" not in asked.headers
    _send_and_hang_up(server, address, content[:100_000], len(content))
    while (arrived := requests.put(address, headers=question, timeout=30).headers.get("Range")) is None:
        time.sleep(0.02)
    got = int(arrived.removeprefix("bytes=0-")) + 1
    assert 0 < got <= 100_000
    gap = {"Content-Range": f"bytes {got + 5}-{len(content) - 1}/{len(content)}"}
    assert requests.put(address, data=content[got + 5 :], headers=gap, timeout=30).status_code == 308
    rest = {"Content-Range": f"bytes {got}-{len(content) - 1}/{len(content)}"}
    assert requests.put(address, data=content[got:], headers=rest, timeout=30).status_code == 200
    files = [{"token": begun["token"]}]
    body = {"slug": "my-rows", "title": "Rows of mine", "files": files}
    assert rpc(server, f"{DATASETS}/CreateDataset", body).json()["status"] == "ok"
    named = {"ownerSlug": "alice", "datasetSlug": "my-rows", "fileName": "a.bin"}
    assert rpc(server, f"{DATASETS}/DownloadDataset", named).content == content
    assert requests.put(address, headers=question, timeout=30).status_code == 404  # used up


@pytest.mark.parametrize(
    ("header", "body", "status"),
    [
        ("bytes x-y/10", b"x", 400),
        ("bytes 5-3/10", b"x", 400),
        ("bytes 0-10/10", b"x", 400),
        ("bytes 0-4/11", b"x", 400),
        ("items 0-4/10", b"x", 400),
        ("bytes 0-9/10", b"x" * 11, 413),
        ("", b"x" * 11, 413),
        ("", b"x" * 9, 308),
        ("bytes 3-9/10", b"x" * 7, 308),
        ("", b"x" * 10, 200),
    ],
)
def test_uploads_take_what_was_announced_and_no_more(
    server: RunningServer, header: str, body: bytes, status: int
) -> None:
    start = {"type": "DATASET", "name": "a.bin", "contentLength": 10}
    begun = rpc(server, "blobs.BlobApiService/StartBlobUpload", start).json()
    headers = {"Content-Range": header} if header else {}
    assert requests.put(begun["createUrl"], data=body, headers=headers, timeout=30).status_code == status
    assert requests.put(f"{server.url}/_blob/..%2fstate.sqlite", data=b"x", timeout=30).status_code == 404
    if status != 200:
        files = {"slug": "my-rows", "title": "Rows of mine", "files": [{"token": begun["token"]}]}
        unfinished = rpc(server, f"{DATASETS}/CreateDataset", files)
        assert unfinished.status_code == 400 and "not complete" in unfinished.json()["message"]


def _send_and_hang_up(server: RunningServer, address: str, part: bytes, whole: int) -> None:
    host, path = address.removeprefix("http://").split("/", 1)
    name, port = host.split(":")
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        head = f"PUT /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {whole}\r\n\r\n"
        connection.sendall(head.encode() + part)


def test_uploads_and_datasets_outlive_a_restart(tmp_path: Path) -> None:
    root, state = make_root(tmp_path / "root"), tmp_path / "state"
    with running_server(root, state) as server:
        create(server, ("a.csv", b"rows"))
        token = upload(server, b"later", "b.csv")
        (state / "datasets" / "new-of-a-killed-server").mkdir()
    with running_server(root, state) as server:
        assert files_of(server) == {"a.csv": 4}
        assert not (state / "datasets" / "new-of-a-killed-server").exists()
        body = {"slug": "other-rows", "title": "More rows", "files": [{"token": token}]}
        assert rpc(server, f"{DATASETS}/CreateDataset", body).json()["status"] == "ok"
        assert files_of(server, "other-rows") == {"b.csv": 5}


def test_downloads_resume_and_addresses_cannot_be_forged(server: RunningServer) -> None:
    create(server, ("a.csv", b"0123456789"), ("b.csv", b"x"))
    named = {"ownerSlug": "alice", "datasetSlug": "my-rows"}
    whole = rpc(server, f"{DATASETS}/DownloadDataset", {**named, "fileName": "a.csv"})
    resumed = {"Range": "bytes=4-", "If-Range": whole.headers["ETag"]}
    rest = requests.get(whole.url, headers=resumed, timeout=30)
    assert (rest.status_code, rest.content) == (206, b"456789")
    assert requests.get(whole.url.replace("a.csv", "b.csv"), timeout=30).status_code == 403
    packed = rpc(server, f"{DATASETS}/DownloadDataset", named)
    assert packed.url.endswith("/my-rows.zip") and packed.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        assert sorted(archive.namelist()) == ["a.csv", "b.csv"]
    for name in ("../1.zip", "../../state.sqlite", "/etc/passwd", "c.csv"):
        asked = {**named, "fileName": name}
        assert rpc(server, f"{DATASETS}/DownloadDataset", asked).status_code == 404
        call = Call(NOBODY, NOW, server.url)
        forged = server.service.signed_address(call, "_dataset", f"file/1/1/{name}")
        assert requests.get(forged, timeout=30).status_code in (403, 404)


def test_an_upload_that_was_never_used_is_forgotten_after_a_week(tmp_path: Path) -> None:
    clock = HandClock()
    state = ServerState(tmp_path / "state.sqlite")
    blob = BlobStore(state, tmp_path, 100, clock).start(state.ensure_user("ada", "t"), "rows.csv", 3)
    blob.path.write_bytes(b"abc")
    clock.advance(days=6)
    assert BlobStore(state, tmp_path, 100, clock).find(blob.token) == blob
    clock.advance(days=2)
    assert BlobStore(state, tmp_path, 100, clock).find(blob.token) is None
    assert not blob.path.exists()
    state.close()
