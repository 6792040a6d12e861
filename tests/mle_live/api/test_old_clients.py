"""The REST protocol of `kaggle` 1.7 and older, by its own requests."""

from __future__ import annotations

import pytest
import requests

from tests.tiny_kaggle import SLUG, TOKEN, RunningServer


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "competitions/list?page=1&search="),
        ("GET", f"competitions/data/list/{SLUG}"),
        ("GET", f"competitions/data/download-all/{SLUG}"),
        ("GET", f"competitions/{SLUG}/leaderboard/view"),
        ("POST", f"competitions/submissions/submit/{SLUG}"),
        ("POST", "competitions/submissions/url/10/1700000000"),
        ("POST", "competitions/submission-url"),
        ("GET", "datasets/list?page=1"),
        ("GET", "kernels/pull?userName=ann&kernelSlug=starter"),
        ("POST", "kernels/push"),
        ("GET", "hello"),
    ],
)
def test_what_an_old_client_asks_is_refused_in_one_sentence_that_it_prints(
    server: RunningServer, verb: str, path: str
) -> None:
    form = {"fileName": "submission.csv"} if verb == "POST" else None
    answer = requests.request(
        verb, f"{server.url}/api/v1/{path}", auth=("alice", TOKEN), data=form, timeout=30
    )
    body = answer.json()
    assert answer.status_code == body["code"] == 501  # what it reads as "no such competition" is 404
    assert "kaggle 1.7" in body["message"] and "pip install" in body["message"]
