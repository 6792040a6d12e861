"""Kaggle's calls about the account and across everything: accelerator quota, and search."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kagglesdk.kernels.types import kernels_api_service as kernels
from kagglesdk.search.types import search_api_service as search
from kagglesdk.search.types.search_enums import DocumentType, ListSearchContentOrderBy
from starlette.responses import JSONResponse, Response

from kaggle_runner.moments import stamp
from mle_live.api.datasets import search_text
from mle_live.service import Service
from mle_live.wire import Call, Method, page_of, wire_time


@dataclass(frozen=True, slots=True)
class _Found:
    """One thing that a search can find. `text` is where words are looked for."""

    kind: DocumentType
    id: int
    slug: str
    title: str
    owner: str
    text: str
    votes: int
    created_at: datetime
    updated_at: datetime
    is_private: bool = False


class AccountApi:
    def __init__(self, service: Service) -> None:
        self._service = service

    def methods(self) -> Mapping[str, Method]:
        calls: dict[str, tuple[Any, Callable[[Call, Any], Any]]] = {
            "kernels.KernelsApiService/GetAcceleratorQuotaStatistics": (
                kernels.ApiGetAcceleratorQuotaStatisticsRequest, self.get_quota,
            ),
            "search.SearchApiService/ListEntities": (search.ListEntitiesRequest, self.list_entities),
        }  # fmt: skip
        return {name: Method(*call) for name, call in calls.items()}

    def get_quota(self, call: Call, request: Any) -> Response:
        """Hours a week as the server was told to say. Nothing uses them up: no accelerator runs kernels here.

        Written by hand: kagglesdk loses whole days of a duration.
        """
        limits = self._service.limits
        days = (5 - call.now.weekday()) % 7 or 7  # Kaggle's week begins on Saturday, UTC
        refresh = call.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return JSONResponse(
            {
                "quotaRefreshTime": stamp(refresh + timedelta(days=days)),
                "gpuQuota": _hours(limits.gpu_hours),
                "tpuQuota": _hours(limits.tpu_hours),
            }
        )

    def list_entities(self, call: Call, request: Any) -> Any:
        filters = request.filters
        words = ((filters.query if filters else "") or "").lower().split()
        kinds = list(filters.document_types or ()) if filters else []
        found = [
            entity
            for entity in self._entities(call)
            if (not kinds or entity.kind in kinds) and all(word in entity.text.lower() for word in words)
        ]
        order = ListSearchContentOrderBy
        key: Callable[[_Found], float] = {
            order.LIST_SEARCH_CONTENT_ORDER_BY_DATE_CREATED: lambda e: e.created_at.timestamp(),
            order.LIST_SEARCH_CONTENT_ORDER_BY_DATE_UPDATED: lambda e: e.updated_at.timestamp(),
        }.get(request.canonical_order_by, lambda e: float(e.votes))
        found.sort(key=key, reverse=True)
        rows, following = page_of(found[request.skip or 0 :], request.page_size, request.page_token)
        response = search.ListEntitiesResponse()
        response.documents = [_document(entity) for entity in rows]
        response.total_documents, response.next_page_token = len(found), following
        return response

    def _entities(self, call: Call) -> Iterator[_Found]:
        for c in self._service.competitions:
            text = f"{c.slug} {c.title} {c.description} {' '.join(c.tags)}"
            number = zlib.crc32(c.slug.encode())
            start = c.enabled_date
            yield _Found(DocumentType.COMPETITION, number, c.slug, c.title, "", text, 0, start, start)
            community = self._service.community(c, call)
            for kernel in community.kernels:
                text, number = f"{kernel.ref} {kernel.title}", zlib.crc32(kernel.ref.encode())
                yield _Found(
                    DocumentType.KERNEL, number, kernel.ref, kernel.title, kernel.author, text,
                    kernel.votes, kernel.created_at, kernel.created_at,
                )  # fmt: skip
            for topic in community.topics:
                text = f"{topic.title} {topic.text}"
                yield _Found(
                    DocumentType.TOPIC, topic.id, str(topic.id), topic.title, topic.author, text,
                    topic.votes, topic.created_at, topic.last_active,
                )  # fmt: skip
        votes = self._service.posts.votes("dataset", call.now)
        for dataset in self._service.datasets.visible(call.user):
            yield _Found(
                DocumentType.DATASET, dataset.id, dataset.ref, dataset.settings.title, dataset.owner,
                search_text(dataset), votes.get(dataset.ref, 0), dataset.versions[0].created_at,
                dataset.newest.created_at, dataset.is_private,
            )  # fmt: skip
        votes = self._service.posts.votes("kernel", call.now)
        store = self._service.kernels.store
        for pushed in store.visible(call.user):
            version = store.version(pushed)
            if version is not None:
                text = f"{pushed.ref} {pushed.title}"
                yield _Found(
                    DocumentType.KERNEL, pushed.id, pushed.ref, pushed.title, pushed.owner, text,
                    votes.get(pushed.ref, 0), version.created_at, version.created_at, pushed.is_private,
                )  # fmt: skip


def _document(entity: _Found) -> Any:
    document = search.ListEntitiesDocument()
    document.id, document.document_type, document.slug = entity.id, entity.kind, entity.slug
    document.title, document.votes, document.is_private = entity.title, entity.votes, entity.is_private
    document.create_time, document.update_time = wire_time(entity.created_at), wire_time(entity.updated_at)
    if entity.owner:
        document.owner_user = search.ApiUserAvatar()
        document.owner_user.user_name = document.owner_user.display_name = entity.owner
    return document


def _hours(hours: float) -> dict[str, Any]:
    return {"timeUsed": "0s", "timeReserved": "0s", "totalTimeAllowed": f"{round(hours * 3600)}s"}
