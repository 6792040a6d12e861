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

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mle_live.api.discussions import find_topic, topic_url
from mle_live.service import Api, Call
from mle_live.stores.datasets import StoredDataset
from mle_live.stores.kernels import PushedKernel
from mle_live.stores.posts import KINDS, PostKind
from mle_live.wire import OwnAddress, RpcError, not_found

_TITLE, _TEXT = 200, 100_000


class PostApi(Api):
    @OwnAddress("POST", "competitions/{slug}/topics")
    def post_topic(self, call: Call, body: dict[str, Any], slug: str) -> dict[str, Any]:
        self._service.competition(slug)
        title, text = _text(body, "title", _TITLE), _text(body, "text", _TEXT)
        number = self._service.posts.add_topic(call.user, slug, title, text, call.now)
        return {"id": number, "url": topic_url(find_topic(self._service, call, number))}

    @OwnAddress("POST", "competitions/{slug}/topics/{topic:number}/messages")
    def post_message(self, call: Call, body: dict[str, Any], slug: str, topic: int) -> dict[str, Any]:
        replies = find_topic(self._service, call, topic, self._service.competition(slug)).topic.replies
        parent = body.get("parent")
        known = parent is None or (type(parent) is int and parent in {reply.id for reply in replies})
        if not known:
            raise RpcError(404, f"Message not found in topic {topic}: {parent!r}")
        text = _text(body, "text", _TEXT)
        return {"id": self._service.posts.add_reply(call.user, slug, topic, parent, text, call.now)}

    @OwnAddress("POST", "votes")
    def vote(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        kind, ref = self._voted_for(call, body)
        self._service.posts.vote(call.user, kind, ref, call.now)
        return {"votes": self._find(call, kind, ref).votes}

    @OwnAddress("DELETE", "votes")
    def take_back(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        kind, ref = self._voted_for(call, body)
        self._service.posts.take_back(call.user, kind, ref)
        return {"votes": self._find(call, kind, ref).votes}

    @OwnAddress("POST", "competitions/{slug}/rules")
    def accept_rules(self, call: Call, body: dict[str, Any], slug: str) -> dict[str, Any]:
        self._service.rules.accept(call.user, self._service.competition(slug).slug, call.now)
        return {"accepted": True}

    def _voted_for(self, call: Call, body: dict[str, Any]) -> tuple[PostKind, str]:
        """What a vote names, its reference as it is kept. RpcError 400 for nothing, and for one's own."""
        kind, given = body.get("kind"), body.get("ref")
        if kind not in KINDS or isinstance(given, bool) or not isinstance(given, (str, int)):
            raise RpcError(400, f"A vote names a kind ({', '.join(KINDS)}) and a ref")
        found = self._find(call, kind, str(given))
        if found.author == call.user.username:
            raise RpcError(400, "Nobody can vote for their own")
        return kind, found.ref

    def _find(self, call: Call, kind: PostKind, ref: str) -> _Votable:
        """What the caller may see and vote for, with all votes that it has now. RpcError 404."""
        found = next((row for row in self._votables(call, kind) if row.ref.lower() == ref.lower()), None)
        if found is None:
            raise not_found(kind.capitalize(), ref)
        return found

    def _votables(self, call: Call, kind: PostKind) -> Iterator[_Votable]:
        service, given = self._service, self._service.posts.votes(kind, call.now)
        for _, community in service.communities(call):
            if kind == "kernel":
                yield from (_Votable(kernel.ref, kernel.author, kernel.votes) for kernel in community.kernels)
            for topic in community.topics:
                if kind == "topic":
                    yield _Votable(str(topic.id), topic.author, topic.votes)
                elif kind == "message":
                    yield from (_Votable(str(r.id), r.author, r.votes) for r in topic.replies)
        own: Sequence[PushedKernel | StoredDataset] = ()
        if kind == "kernel":
            own = service.kernels.store.visible(call.user)
        elif kind == "dataset":
            own = service.datasets.visible(call.user)
        yield from (_Votable(row.ref, row.owner, given.get(row.ref, 0)) for row in own)


class _Votable(NamedTuple):
    """`ref` is the reference as it is kept."""

    ref: str
    author: str
    votes: int


def _text(body: dict[str, Any], name: str, most: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise RpcError(400, f"`{name}` must be a text of 1 to {most} characters")
    return value.strip()
