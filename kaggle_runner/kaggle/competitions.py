"""The Kaggle client's calls about competitions: heads, pages, data files, leaderboards."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

from kagglesdk.competitions.types import competition_api_service as competitions
from kagglesdk.competitions.types.competition_enums import CompetitionListTab

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.board import read_board
from kaggle_runner.kaggle.calls import Progress
from kaggle_runner.kaggle.downloads import MOST_UNPACKED_BYTES, ArchiveCalls
from kaggle_runner.kaggle.records import BoardRow, BoardTeam, Competition, DataFile
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.wire import message, save_body, score_value, utc

_MOST_BOARD_BYTES = 2**28


class CompetitionCalls(ArchiveCalls):
    async def competitions(
        self, search: str = "", *, entered: bool = False, limit: int = 50
    ) -> list[Competition]:
        """Competitions with these words in their names, in Kaggle's order; `entered`: the user's own."""
        group = CompetitionListTab.COMPETITION_LIST_TAB_ENTERED if entered else None
        request = message(competitions.ApiListCompetitionsRequest, search=search or None, group=group)
        call = "competitions.list_competitions"
        found = await self._all_pages("competitions", call, request, "competitions", limit)
        return [_competition(item) for item in found]

    async def competition(self, slug: str) -> Competition:
        """One competition. For a name that does not exist Kaggle may answer 403, as for a closed one."""
        request = message(competitions.ApiGetCompetitionRequest, competition_name=slug)
        found = await self._ask(slug, "competitions.get_competition", request, competition=slug)
        return _competition(found, slug)

    async def pages(self, slug: str) -> dict[str, str]:
        """The competition's pages (description, evaluation, rules, …) by name, as Markdown or HTML."""
        request = message(competitions.ApiListCompetitionPagesRequest, competition_name=slug)
        found = await self._ask(slug, "competitions.list_competition_pages", request)
        return {page.name: page.content for page in found.pages or []}

    async def files(self, slug: str) -> list[DataFile]:
        request = message(competitions.ApiListDataFilesRequest, competition_name=slug)
        call = "competitions.list_data_files"
        found = await self._all_pages(slug, call, request, "files", competition=slug)
        return [DataFile(file.name, file.total_bytes, utc(file.creation_date)) for file in found]

    async def download_all(self, slug: str, dest: Path, progress: Progress | None = None) -> None:
        """Replace the folder `dest` by all data files; it has its old content until everything is there."""
        request = message(competitions.ApiDownloadDataFilesRequest, competition_name=slug)
        call = "competitions.download_data_files"
        await self._download(slug, call, request, dest, progress, MOST_UNPACKED_BYTES, competition=slug)

    async def may_download(self, slug: str) -> bool | None:
        """Whether the data can be had, which Kaggle grants to who has accepted the rules; None without data.

        A download of the smallest file is opened, and closed before its bytes come.
        """
        listed = await self.files(slug)
        if not listed:
            return None
        smallest = min(listed, key=lambda file: file.size).name
        request = message(competitions.ApiDownloadDataFileRequest, competition_name=slug, file_name=smallest)

        def probe(wire: Wire) -> None:
            # Answers to be streamed are left unread: only the status counts.
            wire.competitions.download_data_file(request).close()

        try:
            await self._read(f"data of {slug}", probe, competition=slug)
        except KaggleError as error:
            if error.status == 403:
                return False
            raise
        return True

    async def leaderboard(self, slug: str, limit: int = 20_000) -> list[BoardRow]:
        """The public leaderboard, best first; equal scores share a rank."""
        request = message(competitions.ApiGetLeaderboardRequest, competition_name=slug, override_public=True)
        what, call = f"leaderboard of {slug}", "competitions.get_leaderboard"
        found = await self._all_pages(what, call, request, "submissions", limit, competition=slug)
        rows: list[BoardRow] = []
        for position, row in enumerate(found, start=1):
            score = score_value(row.score)
            value = math.nan if score is None else score
            rank = rows[-1].rank if rows and rows[-1].score == value else position
            rows.append(BoardRow(rank, row.team_id, row.team_name, value, utc(row.submission_date)))
        return rows

    async def leaderboard_table(self, slug: str) -> list[BoardTeam]:
        """The whole public leaderboard with its members in one call, in the board's own order."""
        request = message(competitions.ApiDownloadLeaderboardRequest, competition_name=slug)

        def fetch(wire: Wire) -> list[BoardTeam]:
            with wire.competitions.download_leaderboard(request) as response:
                save_body(response, archive, None, most_bytes=_MOST_BOARD_BYTES)
            return read_board(archive)

        with tempfile.TemporaryDirectory(prefix="comind-board-") as folder:
            archive = Path(folder) / "board.zip"
            return await self._read(f"leaderboard of {slug}", fetch, competition=slug)


def _competition(found: Any, slug: str = "") -> Competition:
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
        max_team_size=found.max_team_size or 0,
        submissions_disabled=found.submissions_disabled,
        new_entrant_deadline=utc(found.new_entrant_deadline),
        license=str(getattr(found, "license_name", "") or ""),
    )
