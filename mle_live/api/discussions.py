"""Kaggle's calls for discussions, which only read: a competition's topics, forums, messages.

Every competition has one forum; there are no others. Posting is MLE-Live's own (`api_posts.py`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.discussions.types import discussions_api_service as messages
from kagglesdk.discussions.types.discussions_enums import (
    CommentListSortBy,
    TopicListCategory,
    TopicListGroup,
    TopicListSortBy,
)

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
from mle_live.service import Service
from mle_live.wire import Call, Method, RpcError, page_of, wire_time

SERVICE = "discussions.DiscussionApiService"
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


class DiscussionApi:
    def __init__(self, service: Service) -> None:
        self._service = service

    def methods(self) -> Mapping[str, Method]:
        topics, posts = competitions.ApiListCompetitionTopicsRequest, competitions.ApiListTopicMessagesRequest
        calls: dict[str, tuple[Any, Callable[[Call, Any], Any]]] = {
            "competitions.CompetitionApiService/ListCompetitionTopics": (
                topics,
                self.list_competition_topics,
            ),
            "competitions.CompetitionApiService/ListTopicMessages": (posts, self.list_messages),
            f"{SERVICE}/ListForums": (messages.ApiListForumsRequest, self.list_forums),
            f"{SERVICE}/ListTopics": (messages.ApiListTopicsRequest, self.list_topics),
            f"{SERVICE}/ListDatasetTopics": (messages.ApiListDatasetTopicsRequest, self.list_dataset_topics),
            f"{SERVICE}/ListKernelTopics": (messages.ApiListKernelTopicsRequest, self.list_kernel_topics),
            f"{SERVICE}/GetTopic": (messages.ApiGetTopicRequest, self.get_topic),
            f"{SERVICE}/ListComments": (messages.ApiListCommentsRequest, self.list_comments),
        }
        return {name: Method(*call) for name, call in calls.items()}

    # -- of a competition --------------------------------------------------------------------------------

    def list_competition_topics(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        topics = self._service.community(competition, call).topics
        order = _TOPIC_ORDERS.get(request.sort_by, "votes")
        rows, _ = page_of(sorted_topics(topics, order, call.now), 20, None, request.page)
        response = competitions.ApiListCompetitionTopicsResponse()
        response.topics = [_competition_topic(PlacedTopic(topic, competition)) for topic in rows]
        response.total_count = len(topics)
        return response

    def list_messages(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        topic = find_topic(self._service, call, request.topic_id, competition).topic
        opening = Comment(
            topic.author, topic.votes, topic.created_at, topic.text, topic.id * MESSAGES_A_TOPIC
        )
        order = _MESSAGE_ORDERS.get(request.sort_by, "oldest")
        tree = _tree(list(topic.replies), order, call)
        posts = [_message(opening, ()), *(_message(reply, below) for reply, below in tree)]
        response = competitions.ApiListTopicMessagesResponse()
        response.messages, _ = page_of(posts, request.page_size or -1, None)
        return response

    # -- forums ------------------------------------------------------------------------------------------

    def list_forums(self, call: Call, request: Any) -> Any:
        response = messages.ApiListForumsResponse()
        response.forums = [_forum(competition) for competition in self._service.competitions]
        return response

    def list_topics(self, call: Call, request: Any) -> Any:
        found = {
            placed.topic.id: placed for placed in self._placed(call) if self._is_wanted(placed, call, request)
        }
        order = _TOPIC_ORDERS.get(request.sort_by, "votes")
        topics = sorted_topics(tuple(placed.topic for placed in found.values()), order, call.now)
        rows, following = page_of(topics, request.page_size, request.page_token)
        response = messages.ApiListTopicsResponse()
        response.topics = [_discussion_topic(found[topic.id], with_text=False) for topic in rows]
        response.total_count, response.next_page_token = len(topics), following
        return response

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

    def list_dataset_topics(self, call: Call, request: Any) -> Any:
        if self._service.datasets.readable(call.user, request.owner_slug, request.dataset_slug) is None:
            raise RpcError(403, "Permission 'datasets.get' was denied")
        return messages.ApiListTopicsResponse()

    def list_kernel_topics(self, call: Call, request: Any) -> Any:
        return messages.ApiListTopicsResponse()

    def get_topic(self, call: Call, request: Any) -> Any:
        response = messages.ApiGetTopicResponse()
        response.topic = _discussion_topic(find_topic(self._service, call, request.id), with_text=True)
        return response

    def list_comments(self, call: Call, request: Any) -> Any:
        topic = find_topic(self._service, call, request.topic_id).topic
        rows, following = page_of(
            _tree(list(topic.replies), "oldest", call), request.page_size, request.page_token
        )
        response = messages.ApiListCommentsResponse()
        response.comments = [_comment(reply, below) for reply, below in rows]
        response.next_page_token = following
        return response

    def _placed(self, call: Call) -> list[PlacedTopic]:
        return [
            PlacedTopic(topic, competition)
            for competition in self._service.competitions
            for topic in self._service.community(competition, call).topics
        ]


def find_topic(
    service: Service, call: Call, topic_id: int, competition: HostedCompetition | None = None
) -> PlacedTopic:
    """The topic as it is now, in any competition or in one. RpcError 404."""
    for served in service.competitions if competition is None else [competition]:
        for topic in service.community(served, call).topics:
            if topic.id == topic_id:
                return PlacedTopic(topic, served)
    raise RpcError(404, f"Topic not found: {topic_id}")


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
    topic = placed.topic
    message = competitions.ApiCompetitionTopic()
    message.id, message.title, message.author_name = topic.id, topic.title, topic.author
    message.topic_url = topic_url(placed)
    message.comment_count, message.votes = len(topic.replies), topic.votes
    message.post_date = wire_time(topic.created_at)
    message.last_comment_post_date = wire_time(topic.last_active)
    return message


def _discussion_topic(placed: PlacedTopic, *, with_text: bool) -> Any:
    topic, competition = placed
    message = messages.ApiDiscussionTopic()
    message.id, message.title, message.votes = topic.id, topic.title, topic.votes
    message.author_name, message.comment_count = topic.author, len(topic.replies)
    message.post_date, message.last_comment_date = wire_time(topic.created_at), wire_time(topic.last_active)
    message.url = topic_url(placed)
    message.forum_name, message.forum_id = competition.title, zlib.crc32(competition.slug.encode())
    if with_text:
        message.content = topic.text
    return message


def _message(reply: Comment, below: tuple[Comment, ...]) -> Any:
    message = competitions.ApiTopicMessage()
    message.id, message.author_name, message.votes = reply.id, reply.author, reply.votes
    message.post_date = wire_time(reply.created_at)
    message.content = message.raw_markdown = reply.text
    message.replies = [_message(further, ()) for further in below]
    return message


def _comment(reply: Comment, below: tuple[Comment, ...]) -> Any:
    comment = messages.ApiDiscussionComment()
    comment.id, comment.author_name, comment.votes = reply.id, reply.author, reply.votes
    comment.content, comment.post_date = reply.text, wire_time(reply.created_at)
    comment.replies = [_comment(further, ()) for further in below]
    return comment


def _forum(competition: HostedCompetition) -> Any:
    forum = messages.ApiDiscussionForum()
    forum.id, forum.name = zlib.crc32(competition.slug.encode()), competition.slug
    forum.subtitle = competition.title
    forum.url = f"https://www.kaggle.com/competitions/{competition.slug}/discussion"
    return forum


def topic_url(placed: PlacedTopic) -> str:
    return f"https://www.kaggle.com/competitions/{placed.competition.slug}/discussion/{placed.topic.id}"
