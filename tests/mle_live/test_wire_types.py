"""Requests with values of the wrong type: refused by their field's name, and never a fault of the server."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import requests
from kagglesdk.datasets.types.dataset_api_service import ApiCreateDatasetRequest
from kagglesdk.kernels.types.kernels_api_service import (
    ApiKernelMetadata,
    ApiListKernelsRequest,
    ApiSaveKernelRequest,
)
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType

from kaggle_runner.kaggle.wire import message
from mle_live.server import apis_of
from mle_live.wire import Rpc, handlers
from mle_live.wire_types import read_message
from tests.tiny_kaggle import SLUG, TOKEN, tiny_server

ODD = (-1, float("inf"), "x", "\ud800", "\0", "../..", [1], {"a": [1]}, "9" * 5000)


def test_a_message_takes_moments_and_tuples_and_no_unknown_field() -> None:
    there = datetime(2026, 1, 31, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    made = message(ApiKernelMetadata, id=3, last_run_time=there, category_ids=("a", "b"), machine_shape=None)
    assert made.to_dict() == {
        "id": 3, "lastRunTime": "2026-01-31T01:30:00.000Z", "categoryIds": ["a", "b"]
    }  # fmt: skip
    for wrong in ("ident", "_id", "to_dict", "lastRunTime"):
        with pytest.raises(TypeError, match=f"ApiKernelMetadata has no field {wrong}"):
            message(ApiKernelMetadata, **{wrong: 1})
    with pytest.raises(TypeError):
        message(ApiKernelMetadata, title=1)


def test_every_handler_is_declared_under_the_name_of_its_request(tmp_path: Path) -> None:
    with tiny_server(tmp_path) as server:
        contracts = [contract for contract, _ in handlers(apis_of(server.service), Rpc)]
    assert len({contract.name for contract in contracts}) == len(contracts) == 51
    for contract in contracts:
        if contract.name == "api.v1.DiagnosticsService/Hello":
            continue  # kagglehub sends it; kagglesdk has no message for it
        assert contract.request_type.__name__.removeprefix("Api") == f"{contract.name.split('/')[1]}Request"
    asking = {contract.name.split("/")[1] for contract in contracts if contract.rules}
    assert asking == {
        "DownloadDataFile", "DownloadDataFiles", "StartSubmissionUpload",
        "CreateSubmission", "CreateCodeSubmission",
    }  # fmt: skip
    assert [contract.name for contract in contracts if contract.anonymous] == [
        "security.OAuthService/IntrospectToken"
    ]


def test_numbers_may_be_text_and_null_is_absent() -> None:
    message = read_message(
        ApiListKernelsRequest, {"page": "2", "search": None, "sortBy": "voteCount", "new": 1}
    )
    assert (message.page, message.search, message.sort_by) == (2, "", KernelsListSortType.VOTE_COUNT)
    saved = read_message(ApiSaveKernelRequest, {"isPrivate": False, "datasetDataSources": ["a/b"], "id": 3})
    assert (saved.is_private, saved.dataset_data_sources, saved.id) == (False, ["a/b"], 3)


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        (ApiSaveKernelRequest, {"text": 5}, "text: text is expected"),
        (ApiSaveKernelRequest, {"text": "\ud800"}, "text: the text holds half a character"),
        (ApiSaveKernelRequest, {"isPrivate": "yes"}, "isPrivate: true or false"),
        (ApiSaveKernelRequest, {"id": True}, "id: a number is expected"),
        (ApiSaveKernelRequest, {"id": 10**30}, "id: a number of 64 bits"),
        (ApiSaveKernelRequest, {"id": float("inf")}, "id: a finite number"),
        (ApiSaveKernelRequest, {"id": 1.5}, "id: a number of 64 bits"),
        (ApiSaveKernelRequest, {"datasetDataSources": "a/b"}, "datasetDataSources: a list"),
        (ApiSaveKernelRequest, {"datasetDataSources": [["a/b"]]}, "datasetDataSources: text"),
        (ApiCreateDatasetRequest, {"files": ["token"]}, "files: an object is expected"),
        (ApiCreateDatasetRequest, {"files": [{"token": 1}]}, "files: token: text is expected"),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_fields_name(
    kind: Any, body: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        read_message(kind, body)


def test_no_odd_value_of_any_field_of_any_call_is_a_fault_of_the_server(tmp_path: Path) -> None:
    with tiny_server(tmp_path) as server:
        known = {"competitionName": SLUG, "competition": SLUG, "userName": "ann", "kernelSlug": "starter"}
        headers = {"Authorization": f"Bearer {TOKEN}"}

        def fault(call: tuple[str, str, Any]) -> str:
            name, field, value = call
            body = json.dumps({**known, field: value})
            address = f"{server.url}/api/v1/{name}"
            answer = requests.post(address, data=body, headers=headers, timeout=60)
            return f"{call} {answer.text}"[:300] if answer.status_code == 500 else ""

        calls = [
            (contract.name, field.json_name, value)
            for contract, _ in handlers(apis_of(server.service), Rpc)
            for field in contract.request_type._fields
            for value in (*ODD, None)
        ]
        with ThreadPoolExecutor(16) as pool:
            assert [told for told in pool.map(fault, calls) if told] == []
