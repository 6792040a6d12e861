"""Kaggle's calls for discussions, which only read: a competition's topics, forums, messages.

Every competition has one forum; there are no others. Posting is MLE-Live's own (`posts.py`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.discussions.types import discussions_api_service as messages
from kagglesdk.discussions.types.discussions_enums import (
    CommentListSortBy,
    TopicListCategory,
    TopicListGroup,
    TopicListSortBy,
)

from kaggle_runner.kaggle.wire import message
from mle_live.api.competitions import COMPETITIONS
from mle_live.competitions.community import (
    MESSAGES_A_TOPIC,
    Comment,
    MessageOrder,
    PublishedTopic,
    TopicOrder,
    sorted_messages,
    sorted_topics,
)
from mle_live.competitions.competition import HostedCompetition
from mle_live.service import Api, Call, Service
from mle_live.wire import Rpc, denied, not_found, number_of
from mle_live.wire_types import page, page_of

DISCUSSIONS = "discussions.DiscussionApiService"
_TOPIC_ORDERS: dict[Any, TopicOrder] = {
    TopicListSortBy.TOPIC_LIST_SORT_BY_HOT: "hot",
    TopicListSortBy.TOPIC_LIST_SORT_BY_NEW: "date",
    TopicListSortBy.TOPIC_LIST_SORT_BY_RECENT: "active",
    TopicListSortBy.TOPIC_LIST_SORT_BY_ACTIVE: "active",
}
_MESSAGE_ORDERS: dict[Any, MessageOrder] = {
    CommentListSortBy.COMMENT_LIST_SORT_BY_HOT: "hot",
    CommentListSortBy.COMMENT_LIST_SORT_BY_NEW: "date",
    CommentListSortBy.COMMENT_LIST_SORT_BY_TOP: "votes",
}
_SERVED_CATEGORIES = (
    TopicListCategory.TOPIC_LIST_CATEGORY_UNSPECIFIED,
    TopicListCategory.TOPIC_LIST_CATEGORY_ALL,
    TopicListCategory.TOPIC_LIST_CATEGORY_FORUMS,
    TopicListCategory.TOPIC_LIST_CATEGORY_COMPETITIONS,
)


class PlacedTopic(NamedTuple):
    topic: PublishedTopic
    competition: HostedCompetition


class DiscussionApi(Api):
    # -- of a competition --------------------------------------------------------------------------------

    @Rpc(f"{COMPETITIONS}/ListCompetitionTopics", competitions.ApiListCompetitionTopicsRequest)
    def list_competition_topics(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        topics = self._service.community(competition, call).topics
        order = _TOPIC_ORDERS.get(request.sort_by, "votes")
        rows, _ = page_of(sorted_topics(topics, order, call.now), request)
        return message(
            competitions.ApiListCompetitionTopicsResponse,
            topics=[_competition_topic(PlacedTopic(topic, competition)) for topic in rows],
            total_count=len(topics),
        )

    @Rpc(f"{COMPETITIONS}/ListTopicMessages", competitions.ApiListTopicMessagesRequest)
    def list_messages(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        topic = find_topic(self._service, call, request.topic_id, competition).topic
        opening = Comment(
            topic.author, topic.votes, topic.created_at, topic.text, topic.id * MESSAGES_A_TOPIC
        )
        order = _MESSAGE_ORDERS.get(request.sort_by, "oldest")
        tree = _tree(list(topic.replies), order, call)
        posts = [_message(opening, ()), *(_message(reply, below) for reply, below in tree)]
        rows, _ = page_of(posts, request, usual=-1)
        return message(competitions.ApiListTopicMessagesResponse, messages=rows)

    # -- forums ------------------------------------------------------------------------------------------

    @Rpc(f"{DISCUSSIONS}/ListForums", messages.ApiListForumsRequest)
    def list_forums(self, call: Call, request: Any) -> Any:
        forums = [_forum(competition) for competition in self._service.competitions]
        return message(messages.ApiListForumsResponse, forums=forums)

    @Rpc(f"{DISCUSSIONS}/ListTopics", messages.ApiListTopicsRequest)
    def list_topics(self, call: Call, request: Any) -> Any:
        placed = (
            PlacedTopic(topic, competition)
            for competition, community in self._service.communities(call)
            for topic in community.topics
        )
        found = {place.topic.id: place for place in placed if self._is_wanted(place, call, request)}
        order = _TOPIC_ORDERS.get(request.sort_by, "votes")
        topics = sorted_topics(tuple(place.topic for place in found.values()), order, call.now)
        return page(
            messages.ApiListTopicsResponse,
            request,
            "topics",
            topics,
            lambda topic: _discussion_topic(found[topic.id]),
            total_count=len(topics),
        )

    def _is_wanted(self, placed: PlacedTopic, call: Call, request: Any) -> bool:
        topic, user = placed.topic, call.user
        if request.forum_slug and request.forum_slug != placed.competition.slug:
            return False
        if request.category is not None and request.category not in _SERVED_CATEGORIES:
            return False
        words = (request.search_query or "").lower().split()
        if words and not all(word in f"{topic.title} {topic.text}".lower() for word in words):
            return False
        match request.group:
            case TopicListGroup.TOPIC_LIST_GROUP_OWNED:
                return topic.author == user.username
            case TopicListGroup.TOPIC_LIST_GROUP_UPVOTED:
                return str(topic.id) in self._service.posts.voted(user, "topic")
            case TopicListGroup.TOPIC_LIST_GROUP_MY_ACTIVITY:
                return user.username in {topic.author, *(reply.author for reply in topic.replies)}
            case TopicListGroup.TOPIC_LIST_GROUP_BOOKMARKED | TopicListGroup.TOPIC_LIST_GROUP_DRAFTS:
                return False
        return True

    @Rpc(f"{DISCUSSIONS}/ListDatasetTopics", messages.ApiListDatasetTopicsRequest)
    def list_dataset_topics(self, call: Call, request: Any) -> Any:
        if self._service.datasets.readable(call.user, request.owner_slug, request.dataset_slug) is None:
            raise denied("datasets.get")
        return message(messages.ApiListTopicsResponse)

    @Rpc(f"{DISCUSSIONS}/ListKernelTopics", messages.ApiListKernelTopicsRequest)
    def list_kernel_topics(self, call: Call, request: Any) -> Any:
        return message(messages.ApiListTopicsResponse)

    @Rpc(f"{DISCUSSIONS}/GetTopic", messages.ApiGetTopicRequest)
    def get_topic(self, call: Call, request: Any) -> Any:
        placed = find_topic(self._service, call, request.id)
        topic = _discussion_topic(placed, content=placed.topic.text)
        return message(messages.ApiGetTopicResponse, topic=topic)

    @Rpc(f"{DISCUSSIONS}/ListComments", messages.ApiListCommentsRequest)
    def list_comments(self, call: Call, request: Any) -> Any:
        topic = find_topic(self._service, call, request.topic_id).topic
        tree = _tree(list(topic.replies), "oldest", call)
        kind = messages.ApiListCommentsResponse
        return page(kind, request, "comments", tree, lambda placed: _comment(*placed))


def find_topic(
    service: Service, call: Call, topic_id: int, competition: HostedCompetition | None = None
) -> PlacedTopic:
    """The topic as it is now, in any competition or in one. RpcError 404."""
    for served in service.competitions if competition is None else [competition]:
        for topic in service.community(served, call).topics:
            if topic.id == topic_id:
                return PlacedTopic(topic, served)
    raise not_found("Topic", topic_id)


_Tree = list[tuple[Comment, tuple[Comment, ...]]]


def _tree(replies: list[Comment], order: MessageOrder, call: Call) -> _Tree:
    """Messages in order, each with all that was said below it, oldest first; Kaggle nests one level deep."""
    parents = {reply.id: reply.parent for reply in replies}

    def top(number: int) -> int:
        above = parents.get(number)
        return number if above is None or above not in parents else top(above)

    roots = [reply for reply in replies if top(reply.id) == reply.id]
    return [
        (root, tuple(r for r in replies if r.id != root.id and top(r.id) == root.id))
        for root in sorted_messages(roots, order, call.now)
    ]


def _competition_topic(placed: PlacedTopic) -> Any:
    latest = placed.topic.last_active
    kind = competitions.ApiCompetitionTopic
    return _topic(kind, placed, topic_url=topic_url(placed), last_comment_post_date=latest)


def _discussion_topic(placed: PlacedTopic, content: str | None = None) -> Any:
    return _topic(
        messages.ApiDiscussionTopic,
        placed,
        url=topic_url(placed),
        last_comment_date=placed.topic.last_active,
        forum_name=placed.competition.title,
        forum_id=number_of(placed.competition.slug),
        content=content,
    )


def _topic(kind: Any, placed: PlacedTopic, **more: Any) -> Any:
    topic = placed.topic
    return message(
        kind,
        id=topic.id,
        title=topic.title,
        author_name=topic.author,
        comment_count=len(topic.replies),
        votes=topic.votes,
        post_date=topic.created_at,
        **more,
    )


def _message(reply: Comment, below: tuple[Comment, ...]) -> Any:
    replies = [_message(further, ()) for further in below]
    return _post(competitions.ApiTopicMessage, reply, replies=replies, raw_markdown=reply.text)


def _comment(reply: Comment, below: tuple[Comment, ...]) -> Any:
    return _post(messages.ApiDiscussionComment, reply, replies=[_comment(further, ()) for further in below])


def _post(kind: Any, reply: Comment, **more: Any) -> Any:
    return message(
        kind,
        id=reply.id,
        author_name=reply.author,
        votes=reply.votes,
        post_date=reply.created_at,
        content=reply.text,
        **more,
    )


def _forum(competition: HostedCompetition) -> Any:
    return message(
        messages.ApiDiscussionForum,
        id=number_of(competition.slug),
        name=competition.slug,
        subtitle=competition.title,
        url=f"https://www.kaggle.com/competitions/{competition.slug}/discussion",
    )


def topic_url(placed: PlacedTopic) -> str:
    return f"https://www.kaggle.com/competitions/{placed.competition.slug}/discussion/{placed.topic.id}"
