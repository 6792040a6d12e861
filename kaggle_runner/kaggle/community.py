"""The Kaggle client's calls about what others published: kernels, discussions, datasets."""

from __future__ import annotations

from typing import Any, Literal, cast
from urllib.parse import quote

from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.discussions.types.discussions_enums import TopicListSortBy
from kagglesdk.kernels.types import kernels_api_service as kernels
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.calls import ClientBase, split_ref
from kaggle_runner.kaggle.records import KernelInfo, KernelSource, Topic, TopicMessage
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.wire import flattened, http_error, kernel_info, message, utc
from kaggle_runner.notebook.text import notebook_to_text

KernelSort = Literal["votes", "score", "date"]


class CommunityCalls(ClientBase):
    async def kernels(
        self, slug: str, sort: KernelSort = "votes", limit: int = 100, *, higher_is_better: bool | None = None
    ) -> list[KernelInfo]:
        """Public kernels of a competition: most votes, best score or latest run first.

        Kaggle orders by score but tells neither the score nor its direction. MLE-Live tells the direction;
        for kaggle.com give `higher_is_better`, or "score" takes the highest for the best.
        """
        order = await self._kernel_order(slug, sort, higher_is_better)
        request = message(kernels.ApiListKernelsRequest, competition=slug, sort_by=order)
        what, call = f"kernels of {slug}", "kernels.list_kernels"
        # more than a hundred on a page are not given here
        found = await self._all_pages(what, call, request, "kernels", limit, competition=slug, page_size=100)
        return [kernel_info(item) for item in found]

    async def _kernel_order(self, slug: str, sort: KernelSort, higher: bool | None) -> Any:
        if sort == "votes":
            return KernelsListSortType.VOTE_COUNT
        if sort == "date":
            return KernelsListSortType.DATE_RUN
        if higher is None:
            facts = await self.extension_competition(slug) or {}
            higher = facts.get("higher_is_better", True)
        return KernelsListSortType.SCORE_DESCENDING if higher else KernelsListSortType.SCORE_ASCENDING

    async def kernel_source(self, ref: str) -> KernelSource:
        """The code of the kernel `ref` (author/name). A notebook becomes `# %%` text."""
        author, name = split_ref(ref, "kernel")
        request = message(kernels.ApiGetKernelRequest, user_name=author, kernel_slug=name)
        found = await self._ask(f"kernel {ref}", "kernels.get_kernel", request)
        text = found.blob.source
        if (found.blob.kernel_type or "").lower() == "notebook":
            try:
                text = notebook_to_text(text)
            except ValueError as error:
                raise KaggleError(
                    f"kernel {ref} is not a readable notebook: {error}", hint="skip it"
                ) from error
        return KernelSource(
            info=kernel_info(found.metadata),
            text=text,
            datasets=tuple(found.metadata.dataset_data_sources or ()),
            kernels=tuple(found.metadata.kernel_data_sources or ()),
            competitions=tuple(found.metadata.competition_data_sources or ()),
        )

    async def topics(self, slug: str, limit: int = 100) -> list[Topic]:
        """Discussions of a competition, most votes first."""
        order = TopicListSortBy.TOPIC_LIST_SORT_BY_TOP
        request = message(competitions.ApiListCompetitionTopicsRequest, competition_name=slug, sort_by=order)
        found: list[Any] = []
        while len(found) < limit:
            request.page = (request.page or 0) + 1
            call = "competitions.list_competition_topics"
            page = await self._ask(f"discussions of {slug}", call, request)
            found += page.topics or []
            if not page.topics or len(found) >= page.total_count:
                break
        return [
            Topic(t.id, t.title, t.author_name, t.votes, t.comment_count, t.topic_url, utc(t.post_date))
            for t in found[:limit]
        ]

    async def topic_messages(self, slug: str, topic_id: int) -> list[TopicMessage]:
        """All posts of a discussion in reading order, the opening first; deleted ones are left out."""
        kind = competitions.ApiListTopicMessagesRequest
        request = message(kind, competition_name=slug, topic_id=topic_id, page_size=-1)
        found = await self._ask(f"discussion {topic_id}", "competitions.list_topic_messages", request)
        return flattened(found.messages or [])

    # -- what only MLE-Live tells --------------------------------------------------------------------------

    async def extension_competition(self, slug: str) -> dict[str, Any] | None:
        """Metric, direction, columns and kind of board; None where the server does not have them."""
        return await self._extension(f"competitions/{quote(slug)}")

    async def extension_kernel_scores(self, slug: str) -> dict[str, float]:
        """Public scores by kernel reference; empty where the server does not tell them."""
        found = await self._extension(f"competitions/{quote(slug)}/kernel-scores")
        return {} if found is None else {ref: float(score) for ref, score in found["scores"].items()}

    async def extension_result(self, ref: int) -> dict[str, Any] | None:
        """Scores, rank and medal of a graded submission; None where the server does not have them."""
        return await self._extension(f"submissions/{ref}/result")

    async def _extension(self, path: str) -> dict[str, Any] | None:
        if not self._transport.is_loopback:
            return None  # kaggle.com has no such addresses, and would answer with a page

        def fetch(wire: Wire) -> dict[str, Any]:
            response = wire.session.get(f"{self.base_url}/mle-live/v1/{path}")
            if response.status_code >= 400:
                raise http_error(response)
            return cast(dict[str, Any], response.json())

        return await self._read(path, fetch)
