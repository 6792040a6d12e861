"""Discussions on the wire: Kaggle's calls that read, our own that post, forums, search and quota."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from mle_live.environment import client_environment, client_home, keep_token
from mle_live.kernels.runs import KernelLimits
from mle_live.service import ServerLimits
from tests.mle_live.api.pushing import Pusher
from tests.tiny_kaggle import NOW, SLUG, TOKEN, RunningServer, make_root, running_server, tiny_server

COMPETITIONS = "competitions.CompetitionApiService"
DISCUSSIONS = "discussions.DiscussionApiService"
BOB = "token-of-bob"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    limits = ServerLimits(gpu_hours=37.5, tpu_hours=2)
    with tiny_server(tmp_path, limits=limits, kernel_limits=KernelLimits(gpu_kernels="cpu")) as running:
        running.service.state.ensure_user("bob", BOB)
        yield running


def rpc(server: RunningServer, name: str, body: dict[str, Any], token: str = TOKEN) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.post(f"{server.url}/api/v1/{name}", json=body, headers=headers, timeout=30).json()


def own(
    server: RunningServer, path: str, body: Any, token: str = TOKEN, method: str = "POST"
) -> requests.Response:
    return requests.request(
        method,
        f"{server.url}/mle-live/v1/{path}",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


def topic_ids(server: RunningServer, sort: str, token: str = TOKEN) -> list[int]:
    body = {"competitionName": SLUG, "sortBy": f"TOPIC_LIST_SORT_BY_{sort}"}
    return [
        topic["id"] for topic in rpc(server, f"{COMPETITIONS}/ListCompetitionTopics", body, token)["topics"]
    ]


def post_topic(server: RunningServer, title: str = "A leak?", token: str = TOKEN) -> int:
    posted = own(server, f"competitions/{SLUG}/topics", {"title": title, "text": "Look at x."}, token)
    assert posted.status_code == 200, posted.text
    return int(posted.json()["id"])


def test_every_order_of_topics(server: RunningServer) -> None:
    assert topic_ids(server, "TOP") == [8, 7]  # 50 votes before 5
    assert topic_ids(server, "NEW") == [7, 8]
    assert topic_ids(server, "RECENT") == topic_ids(server, "ACTIVE") == [7, 8]
    assert topic_ids(server, "HOT") == [8, 7]
    fresh = post_topic(server)
    assert topic_ids(server, "NEW")[0] == topic_ids(server, "ACTIVE")[0] == fresh
    assert topic_ids(server, "HOT")[0] == fresh and topic_ids(server, "TOP")[-1] == fresh


def test_a_topic_a_reply_and_votes_are_seen_by_everybody(server: RunningServer) -> None:
    topic = post_topic(server)
    messages = f"competitions/{SLUG}/topics/{topic}/messages"
    reply = own(server, messages, {"text": "No leak."}, BOB).json()["id"]
    below = own(server, messages, {"text": "Sure?", "parent": reply}).json()["id"]
    deeper = own(server, messages, {"text": "Yes.", "parent": below}, BOB).json()["id"]
    assert own(server, "votes", {"kind": "topic", "ref": topic}, BOB).json() == {"votes": 1}
    assert own(server, "votes", {"kind": "message", "ref": reply}).json() == {"votes": 1}
    shown = rpc(server, f"{COMPETITIONS}/ListTopicMessages", {"competitionName": SLUG, "topicId": topic}, BOB)
    opening, answer = shown["messages"]
    assert (opening["content"], opening["authorName"], opening["votes"]) == ("Look at x.", "alice", 1)
    assert (answer["id"], answer["authorName"], answer["votes"]) == (reply, "bob", 1)
    assert [further["id"] for further in answer["replies"]] == [below, deeper]
    told = rpc(server, f"{DISCUSSIONS}/GetTopic", {"id": topic})["topic"]
    assert (told["votes"], told["commentCount"], told["authorName"]) == (1, 3, "alice")
    comments = rpc(server, f"{DISCUSSIONS}/ListComments", {"topicId": topic})["comments"]
    assert [len(comment["replies"]) for comment in comments] == [2]


def test_recorded_topics_kernels_and_messages_take_replies_and_votes(server: RunningServer) -> None:
    reply = own(server, f"competitions/{SLUG}/topics/7/messages", {"text": "True."}).json()["id"]
    assert own(server, "votes", {"kind": "topic", "ref": 7}).json() == {"votes": 6}
    assert own(server, "votes", {"kind": "topic", "ref": "7"}).json() == {"votes": 6}  # once a user
    assert own(server, "votes", {"kind": "message", "ref": 7001}).json() == {"votes": 3}
    assert own(server, "votes", {"kind": "kernel", "ref": "ann/strong"}).json() == {"votes": 13}
    listed = rpc(server, "kernels.KernelsApiService/ListKernels", {"competition": SLUG, "user": "ann"})
    assert {k["ref"]: k["totalVotes"] for k in listed["kernels"]}["ann/strong"] == 13
    body = {"competitionName": SLUG, "topicId": 7, "sortBy": "COMMENT_LIST_SORT_BY_NEW"}
    shown = rpc(server, f"{COMPETITIONS}/ListTopicMessages", body)["messages"]
    assert [message["id"] for message in shown] == [7000, reply, 7001]
    body["sortBy"] = "COMMENT_LIST_SORT_BY_TOP"
    assert [m["id"] for m in rpc(server, f"{COMPETITIONS}/ListTopicMessages", body)["messages"]][1] == 7001
    gone = own(server, "votes", {"kind": "topic", "ref": 7}, method="DELETE")
    assert gone.json() == {"votes": 5}


def test_a_pushed_kernel_and_a_public_dataset_take_votes_of_others(server: RunningServer) -> None:
    Pusher(server).push("Public one", "print(1)", isPrivate=False, kernelExecutionType="QUICK_SAVE")
    Pusher(server).push("Private one", "print(1)", kernelExecutionType="QUICK_SAVE")
    assert own(server, "votes", {"kind": "kernel", "ref": "alice/public-one"}, BOB).json() == {"votes": 1}
    assert own(server, "votes", {"kind": "kernel", "ref": "alice/private-one"}, BOB).status_code == 404
    assert own(server, "votes", {"kind": "kernel", "ref": "alice/public-one"}).status_code == 400
    assert own(server, "votes", {"kind": "dataset", "ref": "alice/no-such"}, BOB).status_code == 404
    listed = rpc(server, "kernels.KernelsApiService/ListKernels", {"user": "alice"}, BOB)["kernels"]
    assert [(kernel["ref"], kernel["totalVotes"]) for kernel in listed] == [("alice/public-one", 1)]


def test_posts_that_cannot_be_are_refused(server: RunningServer) -> None:
    topics = f"competitions/{SLUG}/topics"
    good = {"title": "A title", "text": "A text"}
    assert own(server, topics, good, "nobody").status_code == 401
    assert own(server, "competitions/no-such/topics", good).status_code == 404
    for bad in (
        {},
        {"title": "x"},
        {**good, "text": " "},
        {**good, "title": 5},
        {**good, "title": "x" * 201},
    ):
        assert own(server, topics, bad).json()["code"] == 400
    assert own(server, topics, [1]).json()["code"] == 400
    assert own(server, f"{topics}/999/messages", {"text": "x"}).status_code == 404
    assert own(server, f"{topics}/7/messages", {"text": "x", "parent": 8000}).status_code == 404
    mine = post_topic(server)
    assert "their own" in own(server, "votes", {"kind": "topic", "ref": mine}).json()["message"]
    assert own(server, "votes", {"kind": "user", "ref": "bob"}).status_code == 400
    assert own(server, "votes", {"kind": "topic", "ref": 999}).status_code == 404
    assert own(server, "votes", {"kind": "topic", "ref": True}).status_code == 400
    assert own(server, "votes", {"kind": "kernel", "ref": "ann/from-the-future"}).status_code == 404


def test_posts_obey_the_clock_and_outlive_a_restart(tmp_path: Path) -> None:
    root, state = make_root(tmp_path / "root"), tmp_path / "state"
    with running_server(root, state) as server:
        topic = post_topic(server)
        own(server, "votes", {"kind": "topic", "ref": 7})
    with running_server(root, state, now=NOW - timedelta(days=1)) as server:
        assert topic not in topic_ids(server, "NEW")
        assert rpc(server, f"{DISCUSSIONS}/GetTopic", {"id": 7})["topic"]["votes"] == 5
    with running_server(root, state, now=NOW + timedelta(days=1)) as server:
        assert topic in topic_ids(server, "NEW")
        assert rpc(server, f"{DISCUSSIONS}/GetTopic", {"id": 7})["topic"]["votes"] == 6


def test_forums_and_their_filters(server: RunningServer) -> None:
    (forum,) = rpc(server, f"{DISCUSSIONS}/ListForums", {})["forums"]
    assert (forum["name"], forum["subtitle"]) == (SLUG, "Tiny Competition")
    mine = post_topic(server)

    def found(**body: Any) -> list[int]:
        listed = rpc(server, f"{DISCUSSIONS}/ListTopics", body)
        return [topic["id"] for topic in listed.get("topics", [])]

    assert set(found()) == set(found(forumSlug=SLUG)) == {7, 8, mine}
    assert found(forumSlug="no-such") == [] and found(searchQuery="rows DAY") == [7]
    assert found(group="TOPIC_LIST_GROUP_OWNED") == found(group="TOPIC_LIST_GROUP_MY_ACTIVITY") == [mine]
    own(server, "votes", {"kind": "topic", "ref": 8})
    assert found(group="TOPIC_LIST_GROUP_UPVOTED") == [8]
    assert found(group="TOPIC_LIST_GROUP_DRAFTS") == []
    assert found(category="TOPIC_LIST_CATEGORY_MODELS") == []
    assert len(found(category="TOPIC_LIST_CATEGORY_COMPETITIONS")) == 3
    first = rpc(server, f"{DISCUSSIONS}/ListTopics", {"pageSize": 2})
    rest = rpc(server, f"{DISCUSSIONS}/ListTopics", {"pageSize": 2, "pageToken": first["nextPageToken"]})
    assert len(first["topics"]) == 2 and len(rest["topics"]) == 1 and first["totalCount"] == 3


def test_search_finds_what_the_caller_may_see(server: RunningServer) -> None:
    def found(query: str, *kinds: str, token: str = TOKEN) -> list[str]:
        body = {"filters": {"query": query, "documentTypes": list(kinds)}, "pageSize": 50}
        listed = rpc(server, "search.SearchApiService/ListEntities", body, token)
        return [document["slug"] for document in listed.get("documents", [])]

    assert found("tiny") == [SLUG] and found("strong", "KERNEL") == ["ann/strong"]
    assert found("split", "TOPIC") == ["7"] and found("split", "KERNEL") == []
    assert found("future") == [] and found("kernel", "KERNEL")[0] == "ann/starter"  # by votes


def test_quota_is_told_in_whole_hours(server: RunningServer) -> None:
    told = rpc(server, "kernels.KernelsApiService/GetAcceleratorQuotaStatistics", {})
    assert told["gpuQuota"]["totalTimeAllowed"] == "135000s"  # more than a day, which kagglesdk would lose
    assert told["quotaRefreshTime"] == "2026-06-06T00:00:00.000Z"  # the Saturday after


def test_the_official_command_reads_forums_topics_and_quota(server: RunningServer, tmp_path: Path) -> None:
    topic = post_topic(server)
    home = client_home(tmp_path, "alice")
    keep_token(home, TOKEN)

    def kaggle(*arguments: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("kaggle")), *arguments],
            env=client_environment(server.url, home, os.environ),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "A leak?" in kaggle("competitions", "topics", "list", SLUG, "--sort-by", "new", "--csv")
    assert "Look at x." in kaggle("competitions", "topic-messages", SLUG, str(topic))
    assert SLUG in kaggle("forums", "list")
    assert "Mind the split" in kaggle("forums", "topics", "list", SLUG, "--sort-by", "hot")
    assert "A leak?" in kaggle("forums", "topics", "show", str(topic))
    assert "37.50h" in kaggle("quota")
