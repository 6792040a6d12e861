"""Kaggle's competition calls that only read: competitions, pages, data files, leaderboards.

Downloads answer with a redirect to an address that authorises itself.
"""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

from kagglesdk.competitions.types import competition_api_service as messages
from kagglesdk.competitions.types.competition_enums import CompetitionListTab, CompetitionSortBy
from starlette.responses import RedirectResponse, Response

from kaggle_runner.kaggle.wire import message
from mle_live.api.folders import ListedFile, folder_page
from mle_live.competitions.board import BoardPart, Team, ranked
from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.files import CompetitionFile, archive, data_files, find_file
from mle_live.competitions.pages import description_pages
from mle_live.service import Api, Call, best_of_users
from mle_live.wire import Rpc, SignedFiles, not_found, number_of
from mle_live.wire_types import page, page_of

COMPETITIONS = "competitions.CompetitionApiService"


class CompetitionApi(Api):
    @Rpc(f"{COMPETITIONS}/ListCompetitions", messages.ApiListCompetitionsRequest)
    def list_competitions(self, call: Call, request: Any) -> Any:
        words = (request.search or "").lower()
        found = [c for c in self._service.competitions if words in f"{c.slug} {c.title}".lower()]
        if request.group == CompetitionListTab.COMPETITION_LIST_TAB_ENTERED:
            found = [c for c in found if self._service.state.submissions(c.slug, call.user)]
        found = self._sorted(call, found, request.sort_by)
        kind = messages.ApiListCompetitionsResponse
        return page(kind, request, "competitions", found, lambda c: self._competition(call, c))

    def _sorted(self, call: Call, found: list[HostedCompetition], order: Any) -> list[HostedCompetition]:
        match order:
            case CompetitionSortBy.COMPETITION_SORT_BY_EARLIEST_DEADLINE:
                return sorted(found, key=lambda c: c.deadline)
            case CompetitionSortBy.COMPETITION_SORT_BY_LATEST_DEADLINE:
                return sorted(found, key=lambda c: c.deadline, reverse=True)
            case CompetitionSortBy.COMPETITION_SORT_BY_RECENTLY_CREATED:
                return sorted(found, key=lambda c: c.enabled_date, reverse=True)
            case CompetitionSortBy.COMPETITION_SORT_BY_NUMBER_OF_TEAMS:
                return sorted(found, key=lambda c: -len(self._service.board(c, call.now)))
        return found

    @Rpc(f"{COMPETITIONS}/GetCompetition", messages.ApiGetCompetitionRequest)
    def get_competition(self, call: Call, request: Any) -> Any:
        return self._competition(call, self._service.competition(request.competition_name))

    @Rpc(f"{COMPETITIONS}/ListCompetitionPages", messages.ApiListCompetitionPagesRequest)
    def list_pages(self, call: Call, request: Any) -> Any:
        pages = description_pages(self._service.competition(request.competition_name).description)
        return message(
            messages.ApiListCompetitionPagesResponse,
            pages=[
                message(messages.ApiCompetitionPage, name=name, content=content, mime_type="text/markdown")
                for name, content in pages.items()
                if request.page_name in ("", name)
            ],
        )

    @Rpc(f"{COMPETITIONS}/ListDataFiles", messages.ApiListDataFilesRequest)
    def list_files(self, call: Call, request: Any) -> Any:
        files = data_files(self._service.competition(request.competition_name))
        kind, item = messages.ApiListDataFilesResponse, messages.ApiDataFile
        return page(kind, request, "files", files, lambda file: _file(item, file, file.name, ref=file.name))

    @Rpc(f"{COMPETITIONS}/ListDataTreeFiles", messages.ApiListDataTreeFilesRequest)
    def list_tree(self, call: Call, request: Any) -> Any:
        files = data_files(self._service.competition(request.competition_name))
        return folder_page(request, [ListedFile(file.name, file.size, file.modified) for file in files])

    @Rpc(f"{COMPETITIONS}/DownloadDataFile", messages.ApiDownloadDataFileRequest, rules=True)
    def download_file(self, call: Call, request: Any) -> Response:
        competition = self._service.competition(request.competition_name)
        file = find_file(competition, request.file_name)
        if file is None:
            raise not_found("File", request.file_name)
        return self._redirect(call, f"{competition.slug}/data/{file.name}")

    @Rpc(f"{COMPETITIONS}/DownloadDataFiles", messages.ApiDownloadDataFilesRequest, rules=True)
    def download_files(self, call: Call, request: Any) -> Response:
        competition = self._service.competition(request.competition_name)
        return self._redirect(call, f"{competition.slug}/{competition.slug}.zip")

    def _redirect(self, call: Call, path: str) -> Response:
        return RedirectResponse(self._service.signed_address(call, "_download", path), status_code=302)

    @SignedFiles("_download")
    def find_download(self, path: str) -> Path | None:
        """A data file, or the zip of all."""
        slug, _, name = path.partition("/")
        competition = self._service.competition(slug)
        if name == f"{slug}.zip":
            return archive(competition, self._service.state_dir / "downloads")
        file = find_file(competition, name.removeprefix("data/"))
        return None if file is None else file.path

    @Rpc(f"{COMPETITIONS}/GetLeaderboard", messages.ApiGetLeaderboardRequest)
    def get_leaderboard(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        part = self._shown_part(call, competition, public_wanted=bool(request.override_public))
        board = ranked(self._service.board(competition, call.now), part, competition.higher_is_better)
        rows, following = page_of(board, request, usual=50)
        return message(
            messages.ApiGetLeaderboardResponse,
            submissions=[_board_row(team, part) for _, team in rows],
            next_page_token=following,
        )

    @Rpc(f"{COMPETITIONS}/ListTeamPublicSubmissions", messages.ApiListTeamPublicSubmissionsRequest)
    def list_team_submissions(self, call: Call, request: Any) -> Any:
        """The submission that stands on the public board for a team; there is one at most."""
        boards = (self._service.board(competition, call.now) for competition in self._service.competitions)
        team = next((team for board in boards for team in board if team.id == request.team_id), None)
        if team is None:
            raise not_found("Team", request.team_id)
        row = message(
            messages.ApiPublicSubmission,
            id=team.id,
            date_submitted=team.submitted_at,
            public_score=f"{team.public_score:.5f}",
        )
        return message(messages.ApiListTeamPublicSubmissionsResponse, submissions=[row])

    @Rpc(f"{COMPETITIONS}/DownloadLeaderboard", messages.ApiDownloadLeaderboardRequest)
    def download_leaderboard(self, call: Call, request: Any) -> Response:
        competition = self._service.competition(request.competition_name)
        part = self._shown_part(call, competition, public_wanted=False)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["Rank", "TeamId", "TeamName", "LastSubmissionDate", "Score", "TeamMemberUserNames"])
        board = self._service.board(competition, call.now)
        for rank, team in ranked(board, part, competition.higher_is_better):
            date = team.submitted_at.strftime("%Y-%m-%d %H:%M:%S")
            writer.writerow([rank, team.id, team.name, date, f"{team.score(part):.5f}", team.name])
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            day = call.now.strftime("%Y-%m-%dT%H%M%S")
            file.writestr(f"{competition.slug}-{part}leaderboard-{day}.csv", text.getvalue())
        return Response(packed.getvalue(), media_type="application/zip")

    def _shown_part(self, call: Call, competition: HostedCompetition, *, public_wanted: bool) -> BoardPart:
        # `reveal_private` opens a user's own results only; the private board waits for the deadline.
        return "private" if call.now > competition.deadline and not public_wanted else "public"

    def _competition(self, call: Call, competition: HostedCompetition) -> Any:
        service, address = self._service, f"https://www.kaggle.com/competitions/{competition.slug}"
        own = service.state.submissions(competition.slug, call.user)
        entered = bool(best_of_users(own, competition.higher_is_better))
        board = service.board(competition, call.now)
        rank = None
        if entered:
            part = self._shown_part(call, competition, public_wanted=False)
            places = ranked(board, part, competition.higher_is_better)
            rank = next((place for place, team in places if team.id == call.user.id), None)
        return message(
            messages.ApiCompetition,
            id=number_of(competition.slug),
            ref=address,
            url=address,
            title=competition.title,
            description=first_sentence(competition.description),
            category="MLE-Live",
            reward="Knowledge",
            organization_name="MLE-Live",
            host_name="MLE-Live",
            evaluation_metric=competition.metric,
            deadline=competition.deadline,
            merger_deadline=competition.deadline,
            new_entrant_deadline=competition.deadline,
            enabled_date=competition.enabled_date,
            date_created=competition.enabled_date,
            max_daily_submissions=competition.max_daily_submissions,
            max_team_size=1,
            team_count=len(board),
            kernel_count=len(service.community(competition, call).kernels),
            user_has_entered=entered,
            user_rank=rank,
            tags=[
                message(messages.ApiCategory, ref=name.lower().replace(" ", "-"), name=name)
                for name in competition.tags
            ],
        )


def first_sentence(description: str) -> str:
    """The first line of prose, cut at 200 characters."""
    lines = (line.strip() for line in description.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")[:200]


def _file(kind: Any, file: CompetitionFile, name: str, **more: str) -> Any:
    return message(kind, name=name, total_bytes=file.size, creation_date=file.modified, **more)


def _board_row(team: Team, part: BoardPart) -> Any:
    return message(
        messages.ApiLeaderboardSubmission,
        team_id=team.id,
        team_name=team.name,
        submission_date=team.submitted_at,
        score=f"{team.score(part):.5f}",
    )
