"""Kaggle's calls for published kernels and discussions. Reading only: pushing and posting are not here."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.discussions.types import discussions_api_service as discussions
from kagglesdk.discussions.types.discussions_enums import TopicListSortBy
from kagglesdk.kernels.types import kernels_api_service as kernels
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType, KernelsListViewType

from kaggle_runner.notebook_text import text_to_notebook
from mle_live.clock import wire_time
from mle_live.community import Kernel, KernelOrder, Reply, Topic, TopicOrder, sorted_kernels, sorted_topics
from mle_live.competition import Competition
from mle_live.service import Service
from mle_live.wire import Call, Method, RpcError, page_of

_KERNEL_ORDERS: dict[Any, KernelOrder] = {
    KernelsListSortType.DATE_CREATED: "date",
    KernelsListSortType.DATE_RUN: "date",
    KernelsListSortType.SCORE_ASCENDING: "score_ascending",
    KernelsListSortType.SCORE_DESCENDING: "score_descending",
}
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
            "kernels.KernelsApiService/ListKernels": Method(kernels.ApiListKernelsRequest, self.list_kernels),
            "kernels.KernelsApiService/GetKernel": Method(kernels.ApiGetKernelRequest, self.get_kernel),
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

    # -- kernels -----------------------------------------------------------------------------------------

    def list_kernels(self, call: Call, request: Any) -> Any:
        served = self._service.competitions
        if request.competition:
            served = [self._service.competition(request.competition)]
        everything = tuple(k for c in served for k in self._service.community(c, call).kernels)
        wanted = tuple(kernel for kernel in everything if _is_wanted(kernel, request, call))
        order = _KERNEL_ORDERS.get(request.sort_by, "votes")
        rows, following = page_of(
            sorted_kernels(wanted, order), request.page_size, request.page_token, request.page
        )
        response = kernels.ApiListKernelsResponse()
        response.kernels = [_kernel_message(kernel) for kernel in rows]
        response.next_page_token = following
        return response

    def get_kernel(self, call: Call, request: Any) -> Any:
        slug = request.kernel_slug.split("/")[0]  # client 2.2.4 glues the version on: "slug/3"
        wanted = f"{request.user_name}/{slug}".lower()
        kernel = next((kernel for kernel in self._kernels(call) if kernel.ref.lower() == wanted), None)
        if kernel is None:
            # Kaggle's own answer for what is missing or private
            raise RpcError(403, "Permission 'kernels.get' was denied")
        response = kernels.ApiGetKernelResponse()
        response.metadata = _kernel_message(kernel)
        response.blob = kernels.ApiKernelBlob()
        response.blob.source = _source(kernel)
        response.blob.language, response.blob.kernel_type = kernel.language, kernel.kernel_type
        response.blob.slug = slug
        return response

    def _kernels(self, call: Call) -> Iterator[Kernel]:
        for competition in self._service.competitions:
            yield from self._service.community(competition, call).kernels

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


def _is_wanted(kernel: Kernel, request: Any, call: Call) -> bool:
    def fits(asked: str | None, value: str) -> bool:
        return asked in (None, "", "all") or str(asked).lower() == value.lower()

    if request.group == KernelsListViewType.PROFILE and kernel.author != call.user.username:
        return False
    if request.dataset and request.dataset not in kernel.datasets:
        return False
    if request.parent_kernel and request.parent_kernel not in kernel.kernels:
        return False
    if (request.search or "").lower() not in f"{kernel.title} {kernel.ref}".lower():
        return False
    return (
        fits(request.user, kernel.ref.split("/")[0])
        and fits(request.language, kernel.language)
        and fits(request.kernel_type, kernel.kernel_type)
    )


def _kernel_message(kernel: Kernel) -> Any:
    message = kernels.ApiKernelMetadata()
    message.id, message.ref = zlib.crc32(kernel.ref.encode()), kernel.ref
    message.title, message.author = kernel.title, kernel.author
    message.slug = kernel.ref.split("/")[1]
    message.last_run_time, message.total_votes = wire_time(kernel.created_at), kernel.votes
    message.language, message.kernel_type = kernel.language, kernel.kernel_type
    message.is_private, message.enable_gpu, message.enable_internet = False, False, False
    message.dataset_data_sources = list(kernel.datasets)
    message.kernel_data_sources = list(kernel.kernels)
    message.competition_data_sources = list(kernel.competitions)
    message.current_version_number = 1
    return message


def _source(kernel: Kernel) -> str:
    text = kernel.code_path.read_text(encoding="utf-8")
    if kernel.kernel_type == "notebook" and kernel.code_path.suffix != ".ipynb":
        return json.dumps(text_to_notebook(text, kernel.language))
    return text


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
