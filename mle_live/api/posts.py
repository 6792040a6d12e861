"""MLE-Live's own addresses for what Kaggle's public protocol cannot do: topics, replies, votes, rules.

    POST   /mle-live/v1/competitions/{slug}/topics                {"title", "text"}    → {"id", "url"}
    POST   /mle-live/v1/competitions/{slug}/topics/{id}/messages  {"text", "parent"?}  → {"id"}
    POST   /mle-live/v1/votes                                     {"kind", "ref"}      → {"votes"}
    DELETE /mle-live/v1/votes                                     {"kind", "ref"}      → {"votes"}
    POST   /mle-live/v1/competitions/{slug}/rules                 {}                   → {"accepted"}

`kind` is topic, message, kernel or dataset; `ref` is an id, or `owner/slug`. One vote a user, and none for
one's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mle_live.api.discussions import PlacedTopic, find_topic, topic_url
from mle_live.service import Service
from mle_live.stores.posts import KINDS, Kind
from mle_live.wire import Call, RpcError

_TITLE, _TEXT = 200, 100_000


def post_topic(service: Service, call: Call, slug: str, body: dict[str, Any]) -> dict[str, Any]:
    competition = service.competition(slug)
    title, text = _text(body, "title", _TITLE), _text(body, "text", _TEXT)
    number = service.posts.add_topic(call.user, slug, title, text, call.now)
    return {"id": number, "url": topic_url(PlacedTopic(find_topic(service, call, number).topic, competition))}


def post_message(
    service: Service, call: Call, slug: str, topic_id: int, body: dict[str, Any]
) -> dict[str, Any]:
    topic = find_topic(service, call, topic_id, service.competition(slug)).topic
    parent = body.get("parent")
    known = parent is None or (type(parent) is int and parent in {reply.id for reply in topic.replies})
    if not known:
        raise RpcError(404, f"Message not found in topic {topic_id}: {parent!r}")
    text = _text(body, "text", _TEXT)
    return {"id": service.posts.add_reply(call.user, slug, topic_id, parent, text, call.now)}


def vote(service: Service, call: Call, body: dict[str, Any], *, taken_back: bool) -> dict[str, Any]:
    kind, given = body.get("kind"), body.get("ref")
    if kind not in KINDS or isinstance(given, bool) or not isinstance(given, (str, int)):
        raise RpcError(400, f"A vote names a kind ({', '.join(KINDS)}) and a ref")
    ref = str(given)
    found = _find(service, call, kind, ref)
    if found is None:
        raise RpcError(404, f"{kind.capitalize()} not found: {ref[:200]!r}")
    ref, author = found
    if author == call.user.username:
        raise RpcError(400, "Nobody can vote for their own")
    if taken_back:
        service.posts.take_back(call.user, kind, ref)
    else:
        service.posts.vote(call.user, kind, ref, call.now)
    return {"votes": _votes(service, call, kind, ref)}


def accept_rules(service: Service, call: Call, slug: str) -> dict[str, Any]:
    service.rules.accept(call.user, service.competition(slug).slug, call.now)
    return {"accepted": True}


def _find(service: Service, call: Call, kind: Kind, ref: str) -> tuple[str, str] | None:
    """(reference as it is kept, author) of what can be voted for and is visible to the caller."""
    if kind == "dataset":
        owner, _, slug = ref.partition("/")
        dataset = service.datasets.readable(call.user, owner, slug)
        return None if dataset is None else (dataset.ref, dataset.owner)
    return next((row for row in _votable(service, call, kind) if row[0].lower() == ref.lower()), None)


def _votable(service: Service, call: Call, kind: Kind) -> Iterator[tuple[str, str]]:
    if kind == "kernel":
        yield from ((kernel.ref, kernel.owner) for kernel in service.kernels.store.visible(call.user))
    for competition in service.competitions:
        community = service.community(competition, call)
        if kind == "kernel":
            yield from ((kernel.ref, kernel.author) for kernel in community.kernels)
        elif kind == "topic":
            yield from ((str(topic.id), topic.author) for topic in community.topics)
        else:
            yield from ((str(r.id), r.author) for topic in community.topics for r in topic.replies)


def _votes(service: Service, call: Call, kind: Kind, ref: str) -> int:
    """All votes there are now, recorded ones included."""
    for competition in service.competitions:
        community = service.community(competition, call)
        counts = {
            "kernel": {kernel.ref: kernel.votes for kernel in community.kernels},
            "topic": {str(topic.id): topic.votes for topic in community.topics},
            "message": {str(r.id): r.votes for topic in community.topics for r in topic.replies},
        }.get(kind, {})
        if ref in counts:
            return counts[ref]
    return service.posts.votes(kind, call.now).get(ref, 0)


def _text(body: dict[str, Any], name: str, most: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise RpcError(400, f"`{name}` must be a text of 1 to {most} characters")
    return value.strip()
