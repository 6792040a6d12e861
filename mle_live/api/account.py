"""Kaggle's calls about the account and across everything: tokens, accelerator quota, search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from kagglesdk.kernels.types import kernels_api_service as kernels
from kagglesdk.search.types import search_api_service as search
from kagglesdk.search.types.search_enums import DocumentType as Kind
from kagglesdk.search.types.search_enums import ListSearchContentOrderBy
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest, IntrospectTokenResponse
from starlette.responses import JSONResponse, Response

from kaggle_runner.kaggle.wire import message
from kaggle_runner.moments import stamp
from mle_live.api.datasets import search_text
from mle_live.api.kernels import KERNELS
from mle_live.service import Api, Call
from mle_live.wire import Rpc, number_of
from mle_live.wire_types import page


class _Entity(NamedTuple):
    """One thing that a search can find. Words are looked for in `text`; `number` is its id, if it has one."""

    kind: Kind
    text: str
    ref: str
    title: str
    owner: str
    votes: int
    created_at: datetime
    updated_at: datetime
    number: int | None = None
    is_private: bool = False


class AccountApi(Api):
    @Rpc("security.OAuthService/IntrospectToken", IntrospectTokenRequest, anonymous=True)
    def introspect(self, call: Call, request: Any) -> Any:
        """Whose a token is. A bad one is "not active", with status 200: clients cannot handle a 401 here."""
        user = self._service.state.user_of_token(request.token)
        if user is None:
            return message(IntrospectTokenResponse)
        return message(IntrospectTokenResponse, active=True, username=user.username, user_id=user.id)

    @Rpc("api.v1.DiagnosticsService/Hello", kernels.ApiGetAcceleratorQuotaStatisticsRequest)
    def hello(self, call: Call, request: Any) -> Response:
        """Who calls, as `kagglehub.whoami` asks; kagglesdk has no messages of this call."""
        return JSONResponse({"userName": call.user.username})

    @Rpc(f"{KERNELS}/GetAcceleratorQuotaStatistics", kernels.ApiGetAcceleratorQuotaStatisticsRequest)
    def get_quota(self, call: Call, request: Any) -> Response:
        """Hours a week as the server was told to say, none where pushes are refused. Nothing uses them up.

        Written by hand: kagglesdk loses whole days of a duration.
        """
        limits, policy = self._service.limits, self._service.kernels.limits.with_gpu
        days = (5 - call.now.weekday()) % 7 or 7  # Kaggle's week begins on Saturday, UTC
        refresh = call.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return JSONResponse(
            {
                "quotaRefreshTime": stamp(refresh + timedelta(days=days)),
                "gpuQuota": _hours(0 if policy == "refuse" else limits.gpu_hours),
                "tpuQuota": _hours(limits.tpu_hours if policy == "cpu" else 0),
            }
        )

    @Rpc("search.SearchApiService/ListEntities", search.ListEntitiesRequest)
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
        key: Callable[[_Entity], float] = {
            order.LIST_SEARCH_CONTENT_ORDER_BY_DATE_CREATED: lambda e: e.created_at.timestamp(),
            order.LIST_SEARCH_CONTENT_ORDER_BY_DATE_UPDATED: lambda e: e.updated_at.timestamp(),
        }.get(request.canonical_order_by, lambda e: float(e.votes))
        found.sort(key=key, reverse=True)
        rows, kind = found[request.skip or 0 :], search.ListEntitiesResponse
        return page(kind, request, "documents", rows, _document, total_documents=len(found))

    def _entities(self, call: Call) -> Iterator[_Entity]:
        for c, community in self._service.communities(call):
            text, start = f"{c.slug} {c.title} {c.description} {' '.join(c.tags)}", c.enabled_date
            yield _Entity(Kind.COMPETITION, text, c.slug, c.title, "", 0, start, start)
            for k in community.kernels:
                text, made = f"{k.ref} {k.title}", k.created_at
                yield _Entity(Kind.KERNEL, text, k.ref, k.title, k.author, k.votes, made, made)
            for t in community.topics:
                text, times = f"{t.title} {t.text}", (t.created_at, t.last_active)
                yield _Entity(Kind.TOPIC, text, str(t.id), t.title, t.author, t.votes, *times, t.id)
        votes = self._service.posts.votes("dataset", call.now)
        for d in self._service.datasets.visible(call.user):
            text, title, given = search_text(d), d.settings.title, votes.get(d.ref, 0)
            times, rest = (d.versions[0].created_at, d.newest.created_at), (d.id, d.is_private)
            yield _Entity(Kind.DATASET, text, d.ref, title, d.owner, given, *times, *rest)
        votes = self._service.posts.votes("kernel", call.now)
        store = self._service.kernels.store
        for pushed in store.visible(call.user):
            version = store.version(pushed)
            if version is not None:
                ref, title, given = pushed.ref, pushed.title, votes.get(pushed.ref, 0)
                text, made, rest = f"{ref} {title}", version.created_at, (pushed.id, pushed.is_private)
                yield _Entity(Kind.KERNEL, text, ref, title, pushed.owner, given, made, made, *rest)


def _document(entity: _Entity) -> Any:
    owner = entity.owner
    return message(
        search.ListEntitiesDocument,
        id=number_of(entity.ref) if entity.number is None else entity.number,
        document_type=entity.kind,
        slug=entity.ref,
        title=entity.title,
        votes=entity.votes,
        is_private=entity.is_private,
        create_time=entity.created_at,
        update_time=entity.updated_at,
        owner_user=message(search.ApiUserAvatar, user_name=owner, display_name=owner) if owner else None,
    )


def _hours(hours: float) -> dict[str, Any]:
    return {"timeUsed": "0s", "timeReserved": "0s", "totalTimeAllowed": f"{round(hours * 3600)}s"}
