"""Fifty clients at once: nothing that they download, submit, upload, post or vote is lost or mixed up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from tests.tiny_kaggle import CANARY, SLUG, RunningServer, submission_text, tiny_server, wait_until_graded

COMPETITIONS = "competitions.CompetitionApiService"
CLIENTS = 50


class Client:
    """One user with a connection of its own. Each answer must be good."""

    def __init__(self, server: RunningServer, number: int) -> None:
        self._url = server.url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer token-{number}"
        self.number = number

    def call(self, name: str, /, **body: Any) -> Any:
        return self._good(self._session.post(f"{self._url}/api/v1/{name}", json=body, timeout=60)).json()

    def own(self, path: str, **body: Any) -> Any:
        return self._good(self._session.post(f"{self._url}/mle-live/v1/{path}", json=body, timeout=60)).json()

    def download(self, name: str) -> bytes:
        address = f"{self._url}/api/v1/{COMPETITIONS}/DownloadDataFile"
        body = {"competitionName": SLUG, "fileName": name}
        return self._good(self._session.post(address, json=body, timeout=60)).content

    def send(self, address: str, content: bytes) -> None:
        self._good(self._session.put(address, data=content, timeout=60))

    @staticmethod
    def _good(answer: requests.Response) -> requests.Response:
        assert answer.ok, answer.text
        return answer


def take_part(client: Client) -> None:
    """What one client does, all of it with its own number in it."""
    assert client.call(f"{COMPETITIONS}/ListCompetitions")["competitions"][0]["title"] == "Tiny Competition"
    assert (
        client.download("train.csv").startswith(b"id,x,target")
        and len(client.download("images/one.png")) == 204
    )
    text = submission_text([value + client.number for value in CANARY]).encode()
    named = {"competitionName": SLUG, "contentLength": len(text), "fileName": f"{client.number}.csv"}
    begun = client.call(f"{COMPETITIONS}/StartSubmissionUpload", **named)
    client.send(begun["createUrl"], text)
    client.call(f"{COMPETITIONS}/CreateSubmission", competitionName=SLUG, blobFileTokens=begun["token"])
    rows = f"{client.number}\n".encode() * 1000
    blob = client.call("blobs.BlobApiService/StartBlobUpload", name="rows.csv", contentLength=len(rows))
    client.send(blob["createUrl"], rows)
    made = client.call(
        "datasets.DatasetApiService/CreateDataset",
        title="Rows of one", slug="my-rows", isPrivate=True, files=[{"token": blob["token"]}],
    )  # fmt: skip
    assert made["status"] == "ok"
    client.own(f"competitions/{SLUG}/topics", title=f"Topic {client.number}", text="?")
    client.own("votes", kind="kernel", ref="ann/strong")


def test_fifty_clients_at_once_lose_nothing(tmp_path: Path) -> None:
    with tiny_server(tmp_path) as server:
        for number in range(1, CLIENTS + 1):
            server.service.state.ensure_user(f"user{number}", f"token-{number}")
        clients = [Client(server, number) for number in range(1, CLIENTS + 1)]
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(take_part, clients))
        wait_until_graded(server)
        for client in clients:
            (row,) = client.call(f"{COMPETITIONS}/ListSubmissions", competitionName=SLUG)["submissions"]
            assert (row["fileName"], row["publicScore"]) == (f"{client.number}.csv", f"{client.number}.00000")
            whose = {"ownerSlug": f"user{client.number}", "datasetSlug": "my-rows"}
            (file,) = client.call("datasets.DatasetApiService/ListDatasetFiles", **whose)["datasetFiles"]
            assert file["totalBytes"] == len(f"{client.number}\n") * 1000
        board = clients[0].call(f"{COMPETITIONS}/GetLeaderboard", competitionName=SLUG, pageSize=200)
        users = [row["teamName"] for row in board["submissions"] if row["teamName"].startswith("user")]
        assert users == [f"user{number}" for number in range(1, CLIENTS + 1)]
        topics = clients[0].call("discussions.DiscussionApiService/ListTopics", pageSize=200)["topics"]
        assert {f"Topic {number}" for number in range(1, CLIENTS + 1)} <= {topic["title"] for topic in topics}
        listed = clients[0].call("kernels.KernelsApiService/ListKernels", user="ann")["kernels"]
        assert {k["ref"]: k["totalVotes"] for k in listed}["ann/strong"] == 12 + CLIENTS
