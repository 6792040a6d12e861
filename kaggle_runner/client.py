"""Kaggle for the rest of the program: competitions, data, kernels, discussions, submissions, leaderboards.

kaggle.com and MLE-Live on loopback differ in their address only. Every method is a coroutine; the
work is done in threads. Failures are KaggleError with a hint. Pushing kernels is not here.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import quote

from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.discussions.types.discussions_enums import TopicListSortBy
from kagglesdk.kernels.types import kernels_api_service as kernels
from kagglesdk.kernels.types.kernels_enums import KernelsListSortType

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle_archive import unpack
from kaggle_runner.kaggle_records import (
    BoardRow,
    Competition,
    DataFile,
    KernelInfo,
    KernelSource,
    Submission,
    SubmissionLimits,
    Topic,
    TopicMessage,
)
from kaggle_runner.kaggle_transport import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUTS,
    Credentials,
    KaggleTransport,
    Retries,
    Timeouts,
    Wire,
)
from kaggle_runner.kaggle_wire import (
    flattened,
    http_error,
    kernel_info,
    save_body,
    score_value,
    submission,
    upload_and_submit,
    utc,
)
from kaggle_runner.notebook_text import notebook_to_text

Answer = TypeVar("Answer")
KernelSort = Literal["votes", "score", "date"]
Progress = Callable[[int, int | None], None]
"""Called with bytes so far and bytes in all (None when unknown), from another thread."""

_PAGE = 200  # the most that Kaggle gives at once
_MOST_UNPACKED_BYTES = 200 * 2**30


class KaggleClient:
    """One user's view of one Kaggle. `credentials` is an API token or (user name, key)."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        retries: Retries = DEFAULT_RETRIES,
    ) -> None:
        self._transport = KaggleTransport(base_url, credentials, timeouts=timeouts, retries=retries)

    @property
    def base_url(self) -> str:
        return self._transport.base_url

    # -- competitions --------------------------------------------------------------------------------------

    async def competition(self, slug: str) -> Competition:
        request = competitions.ApiGetCompetitionRequest()
        request.competition_name = slug
        found = await self._read(slug, lambda wire: wire.competitions.get_competition(request))
        return Competition(
            slug=str(found.ref).rstrip("/").rsplit("/", 1)[-1] or slug,
            title=found.title,
            summary=found.description,
            url=found.url,
            category=found.category,
            reward=found.reward,
            metric=found.evaluation_metric,
            deadline=utc(found.deadline),
            enabled_date=utc(found.enabled_date),
            max_daily_submissions=found.max_daily_submissions,
            team_count=found.team_count,
            kernels_only=found.is_kernels_submissions_only,
            entered=found.user_has_entered,
            rank=found.user_rank or None,
            tags=tuple(tag.name for tag in found.tags or []),
        )

    async def pages(self, slug: str) -> dict[str, str]:
        """The competition's pages (description, evaluation, rules, …) by name, as Markdown or HTML."""
        request = competitions.ApiListCompetitionPagesRequest()
        request.competition_name = slug
        found = await self._read(slug, lambda wire: wire.competitions.list_competition_pages(request))
        return {page.name: page.content for page in found.pages or []}

    async def files(self, slug: str) -> list[DataFile]:
        request = competitions.ApiListDataFilesRequest()
        request.competition_name = slug
        found = await self._all_pages(
            slug, request, lambda wire: wire.competitions.list_data_files(request), "files"
        )
        return [DataFile(file.name, file.total_bytes, utc(file.creation_date)) for file in found]

    async def download_all(
        self,
        slug: str,
        dest: Path,
        progress: Progress | None = None,
        *,
        most_bytes: int = _MOST_UNPACKED_BYTES,
    ) -> None:
        """Replace the folder `dest` by all data files; it has its old content until everything is there."""
        request = competitions.ApiDownloadDataFilesRequest()
        request.competition_name = slug

        def fetch(wire: Wire) -> None:
            with wire.competitions.download_data_files(request) as response:
                save_body(response, archive, progress)

        dest.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{dest.name}.download-", dir=dest.parent) as folder:
            archive = Path(folder) / "data.zip"
            await self._read(f"download of {slug}", fetch)
            await asyncio.to_thread(unpack, archive, dest, most_bytes=most_bytes)

    # -- the community -------------------------------------------------------------------------------------

    async def kernels(
        self,
        slug: str,
        sort: KernelSort = "votes",
        limit: int = 100,
        *,
        higher_is_better: bool | None = None,
    ) -> list[KernelInfo]:
        """Public kernels of a competition: most votes, best score or latest run first.

        Kaggle orders by score but tells neither the score nor its direction. MLE-Live tells the direction;
        for kaggle.com give `higher_is_better`, or "score" takes the highest for the best.
        """
        request = kernels.ApiListKernelsRequest()
        request.competition, request.sort_by = slug, await self._kernel_order(slug, sort, higher_is_better)
        found = await self._all_pages(
            f"kernels of {slug}", request, lambda wire: wire.kernels.list_kernels(request), "kernels", limit
        )
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
        author, _, name = ref.partition("/")
        if not author or not name:
            raise KaggleError(f"{ref!r} is not a kernel's reference", hint="it looks like author/name")
        request = kernels.ApiGetKernelRequest()
        request.user_name, request.kernel_slug = author, name
        found = await self._read(f"kernel {ref}", lambda wire: wire.kernels.get_kernel(request))
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
        request = competitions.ApiListCompetitionTopicsRequest()
        request.competition_name = slug
        request.sort_by = TopicListSortBy.TOPIC_LIST_SORT_BY_TOP
        found: list[Any] = []
        while len(found) < limit:
            request.page = (request.page or 0) + 1
            page = await self._read(
                f"discussions of {slug}", lambda wire: wire.competitions.list_competition_topics(request)
            )
            found += page.topics or []
            if not page.topics or len(found) >= page.total_count:
                break
        return [
            Topic(t.id, t.title, t.author_name, t.votes, t.comment_count, t.topic_url, utc(t.post_date))
            for t in found[:limit]
        ]

    async def topic_messages(self, slug: str, topic_id: int) -> list[TopicMessage]:
        """All posts of a discussion in reading order, the opening first; deleted ones are left out."""
        request = competitions.ApiListTopicMessagesRequest()
        request.competition_name, request.topic_id, request.page_size = slug, topic_id, -1
        found = await self._read(
            f"discussion {topic_id}", lambda wire: wire.competitions.list_topic_messages(request)
        )
        return flattened(found.messages or [])

    # -- submissions ---------------------------------------------------------------------------------------

    async def submit(self, slug: str, file: Path, message: str) -> int:
        """Upload `file` and submit it, once; returns the submission's reference. Nothing is retried."""
        if not file.is_file():
            raise KaggleError(f"there is no file {file} to submit", hint="write the submission first")
        return await asyncio.to_thread(
            self._transport.write,
            f"submission to {slug}",
            lambda wire: upload_and_submit(wire, slug, file, message),
        )

    async def submission(self, ref: int) -> Submission:
        request = competitions.ApiGetSubmissionRequest()
        request.ref = ref
        found = await self._read(f"submission {ref}", lambda wire: wire.competitions.get_submission(request))
        return submission(found)

    async def submissions(self, slug: str, limit: int = 1000) -> list[Submission]:
        """The user's submissions to a competition, newest first."""
        request = competitions.ApiListSubmissionsRequest()
        request.competition_name = slug
        found = await self._all_pages(
            f"submissions to {slug}",
            request,
            lambda wire: wire.competitions.list_submissions(request),
            "submissions",
            limit,
        )
        return [submission(item) for item in found]

    async def wait_for_submission(self, ref: int, timeout: float, poll: float = 0.25) -> Submission:
        """Ask until the submission is scored or refused; waits grow from `poll` to 10 seconds.

        Raises KaggleError when it is still pending after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = await self.submission(ref)
            if found.status != "pending":
                return found
            if time.monotonic() + poll > deadline:
                raise KaggleError(
                    f"submission {ref} is still pending after {timeout:g} s",
                    hint="it was received; look at it again later",
                )
            await asyncio.sleep(poll)
            poll = min(poll * 1.5, 10.0)

    async def submission_limits(self, slug: str) -> SubmissionLimits:
        request = competitions.ApiGetSubmissionLimitsRequest()
        request.competition_name = slug
        found = await self._read(slug, lambda wire: wire.competitions.get_submission_limits(request))
        return SubmissionLimits(found.num_today, found.num_total, found.num_allowed_now)

    async def leaderboard(self, slug: str, limit: int = 20_000) -> list[BoardRow]:
        """The public leaderboard, best first; equal scores share a rank."""
        request = competitions.ApiGetLeaderboardRequest()
        request.competition_name, request.override_public = slug, True
        found = await self._all_pages(
            f"leaderboard of {slug}",
            request,
            lambda wire: wire.competitions.get_leaderboard(request),
            "submissions",
            limit,
        )
        rows: list[BoardRow] = []
        for position, row in enumerate(found, start=1):
            score = score_value(row.score)
            value = math.nan if score is None else score
            rank = rows[-1].rank if rows and rows[-1].score == value else position
            rows.append(BoardRow(rank, row.team_id, row.team_name, value, utc(row.submission_date)))
        return rows

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

    # -- shared --------------------------------------------------------------------------------------------

    async def _read(self, what: str, call: Callable[[Wire], Answer]) -> Answer:
        return await asyncio.to_thread(self._transport.read, what, call)

    async def _all_pages(
        self, what: str, request: Any, call: Callable[[Wire], Any], field: str, limit: int = 100_000
    ) -> list[Any]:
        request.page_size = min(_PAGE, limit)
        rows: list[Any] = []
        while True:
            page = await self._read(what, call)
            rows += getattr(page, field) or []
            token = page.next_page_token
            if not token or len(rows) >= limit:
                return rows[:limit]
            request.page_token = token
