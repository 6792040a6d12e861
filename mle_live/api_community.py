"""Kaggle's calls for discussions. Reading only: posting is not here."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.discussions.types import discussions_api_service as discussions
from kagglesdk.discussions.types.discussions_enums import TopicListSortBy

from mle_live.clock import wire_time
from mle_live.community import Reply, Topic, TopicOrder, sorted_topics
from mle_live.competition import Competition
from mle_live.service import Service
from mle_live.wire import Call, Method, RpcError, page_of

_TOPIC_ORDERS: dict[Any, TopicOrder] = {
    TopicListSortBy.TOPIC_LIST_SORT_BY_NEW: "date",
    TopicListSortBy.TOPIC_LIST_SORT_BY_RECENT: "active",
    TopicListSortBy.TOPIC_LIST_SORT_BY_ACTIVE: "active",
}
_MESSAGES_A_TOPIC = 1000


class CommunityCalls:
    def __init__(self, service: Service) -> None:
        self._service = service

    def methods(self) -> Mapping[str, Method]:
        return {
            "competitions.CompetitionApiService/ListCompetitionTopics": Method(
                competitions.ApiListCompetitionTopicsRequest, self.list_topics
            ),
            "competitions.CompetitionApiService/ListTopicMessages": Method(
                competitions.ApiListTopicMessagesRequest, self.list_messages
            ),
            "discussions.DiscussionApiService/GetTopic": Method(
                discussions.ApiGetTopicRequest, self.get_topic
            ),
            "discussions.DiscussionApiService/ListComments": Method(
                discussions.ApiListCommentsRequest, self.list_comments
            ),
        }

    # -- discussions -------------------------------------------------------------------------------------

    def list_topics(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        topics = self._service.community(competition, call).topics
        order = _TOPIC_ORDERS.get(request.sort_by, "votes")
        rows, _ = page_of(sorted_topics(topics, order), 20, None, request.page)
        response = competitions.ApiListCompetitionTopicsResponse()
        response.topics = [_topic_message(topic, competition) for topic in rows]
        response.total_count = len(topics)
        return response

    def list_messages(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        topics = self._service.community(competition, call).topics
        topic = next((topic for topic in topics if topic.id == request.topic_id), None)
        if topic is None:
            raise RpcError(404, f"Topic not found: {request.topic_id}")
        opening = Reply(topic.author, topic.votes, topic.created_at, _body(topic))
        posts = [
            _post_message(topic, number, reply) for number, reply in enumerate([opening, *topic.replies])
        ]
        response = competitions.ApiListTopicMessagesResponse()
        response.messages, _ = page_of(posts, request.page_size or -1, None)
        return response

    def get_topic(self, call: Call, request: Any) -> Any:
        topic, competition = self._find_topic(call, request.id)
        message = discussions.ApiDiscussionTopic()
        message.id, message.title, message.votes = topic.id, topic.title, topic.votes
        message.author_name, message.comment_count = topic.author, len(topic.replies)
        message.post_date, message.last_comment_date = (
            wire_time(topic.created_at),
            wire_time(topic.last_active),
        )
        message.url, message.content = _topic_url(topic, competition), _body(topic)
        message.forum_name, message.forum_id = competition.title, zlib.crc32(competition.slug.encode())
        response = discussions.ApiGetTopicResponse()
        response.topic = message
        return response

    def list_comments(self, call: Call, request: Any) -> Any:
        topic, _ = self._find_topic(call, request.topic_id)
        rows, following = page_of(
            list(enumerate(topic.replies, start=1)), request.page_size, request.page_token
        )
        response = discussions.ApiListCommentsResponse()
        for number, reply in rows:
            comment = discussions.ApiDiscussionComment()
            comment.id, comment.author_name = topic.id * _MESSAGES_A_TOPIC + number, reply.author
            comment.content, comment.votes = reply.text, reply.votes
            comment.post_date = wire_time(reply.created_at)
            response.comments = [*response.comments, comment]
        response.next_page_token = following
        return response

    def _find_topic(self, call: Call, topic_id: int) -> tuple[Topic, Competition]:
        for competition in self._service.competitions:
            for topic in self._service.community(competition, call).topics:
                if topic.id == topic_id:
                    return topic, competition
        raise RpcError(404, f"Topic not found: {topic_id}")


def _topic_message(topic: Topic, competition: Competition) -> Any:
    message = competitions.ApiCompetitionTopic()
    message.id, message.title, message.author_name = topic.id, topic.title, topic.author
    message.topic_url = _topic_url(topic, competition)
    message.comment_count, message.votes = len(topic.replies), topic.votes
    message.post_date = wire_time(topic.created_at)
    message.last_comment_post_date = wire_time(topic.last_active)
    return message


def _post_message(topic: Topic, number: int, reply: Reply) -> Any:
    message = competitions.ApiTopicMessage()
    message.id = topic.id * _MESSAGES_A_TOPIC + number
    message.post_date, message.author_name, message.votes = (
        wire_time(reply.created_at),
        reply.author,
        reply.votes,
    )
    message.content = message.raw_markdown = reply.text
    return message


def _topic_url(topic: Topic, competition: Competition) -> str:
    return f"https://www.kaggle.com/competitions/{competition.slug}/discussion/{topic.id}"


def _body(topic: Topic) -> str:
    return topic.body_path.read_text(encoding="utf-8")
