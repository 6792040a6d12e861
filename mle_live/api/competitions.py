"""Kaggle's competition calls that only read: competitions, pages, data files, leaderboards.

Downloads answer with a redirect to an address that authorises itself (see `downloads`).
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from kagglesdk.competitions.types import competition_api_service as messages
from kagglesdk.competitions.types.competition_enums import CompetitionListTab, CompetitionSortBy
from kagglesdk.datasets.databundles.types import databundle_api_types as tree
from starlette.responses import RedirectResponse, Response

from mle_live.competitions.competition import HostedCompetition
from mle_live.competitions.files import data_files, find_file
from mle_live.service import Service, best_of_users
from mle_live.stores.board import Part, ranked
from mle_live.wire import Call, Method, RpcError, page_of, wire_time

SERVICE = "competitions.CompetitionApiService"


class CompetitionApi:
    def __init__(self, service: Service) -> None:
        self._service = service

    def methods(self) -> Mapping[str, Method]:
        return {
            f"{SERVICE}/{name}": method
            for name, method in {
                "ListCompetitions": Method(messages.ApiListCompetitionsRequest, self.list_competitions),
                "GetCompetition": Method(messages.ApiGetCompetitionRequest, self.get_competition),
                "ListCompetitionPages": Method(messages.ApiListCompetitionPagesRequest, self.list_pages),
                "ListDataFiles": Method(messages.ApiListDataFilesRequest, self.list_files),
                "ListDataTreeFiles": Method(messages.ApiListDataTreeFilesRequest, self.list_tree),
                "DownloadDataFile": Method(messages.ApiDownloadDataFileRequest, self.download_file),
                "DownloadDataFiles": Method(messages.ApiDownloadDataFilesRequest, self.download_files),
                "GetLeaderboard": Method(messages.ApiGetLeaderboardRequest, self.get_leaderboard),
                "ListTeamPublicSubmissions": Method(
                    messages.ApiListTeamPublicSubmissionsRequest, self.list_team_submissions
                ),
                "DownloadLeaderboard": Method(
                    messages.ApiDownloadLeaderboardRequest, self.download_leaderboard
                ),
            }.items()
        }

    def list_competitions(self, call: Call, request: Any) -> Any:
        words = (request.search or "").lower()
        found = [c for c in self._service.competitions if words in f"{c.slug} {c.title}".lower()]
        if request.group == CompetitionListTab.COMPETITION_LIST_TAB_ENTERED:
            found = [c for c in found if self._service.state.submissions(c.slug, call.user)]
        found = self._sorted(call, found, request.sort_by)
        rows, following = page_of(found, request.page_size, request.page_token, request.page)
        response = messages.ApiListCompetitionsResponse()
        response.competitions = [self._competition(call, competition) for competition in rows]
        response.next_page_token = following
        return response

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

    def get_competition(self, call: Call, request: Any) -> Any:
        return self._competition(call, self._service.competition(request.competition_name))

    def list_pages(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        response = messages.ApiListCompetitionPagesResponse()
        for name, content in description_pages(competition.description).items():
            if request.page_name and request.page_name != name:
                continue
            page = messages.ApiCompetitionPage()
            page.name, page.content, page.mime_type = name, content, "text/markdown"
            response.pages = [*response.pages, page]
        return response

    def list_files(self, call: Call, request: Any) -> Any:
        files = data_files(self._service.competition(request.competition_name))
        rows, following = page_of(files, request.page_size, request.page_token)
        response = messages.ApiListDataFilesResponse()
        response.files = [_data_file(messages.ApiDataFile(), row.name, row) for row in rows]
        response.next_page_token = following
        return response

    def list_tree(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        prefix = (request.path or "").strip("/")
        start = f"{prefix}/" if prefix else ""
        below = [file for file in data_files(competition) if file.name.startswith(start)]
        if prefix and not below:
            raise RpcError(404, f"Folder not found: {prefix!r}")
        names = [file.name[len(start) :] for file in below]
        folders = sorted({name.split("/")[0] for name in names if "/" in name})
        here = [file for file, name in zip(below, names, strict=True) if "/" not in name]
        rows, following = page_of(here, request.page_size, request.page_token)
        response = tree.ApiDirectoryContent()
        response.files = [_tree_file(row, row.name[len(start) :]) for row in rows]
        response.directories = [_directory(name, f"{start}{name}") for name in folders]
        response.total_directories, response.total_files = len(folders), len(here)
        response.total_children = len(folders) + len(here)
        response.next_page_token = following
        return response

    def download_file(self, call: Call, request: Any) -> Response:
        competition = self._service.competition(request.competition_name)
        file = find_file(competition, request.file_name)
        if file is None:
            raise RpcError(404, f"File not found: {request.file_name!r}")
        return self._redirect(call, f"{competition.slug}/data/{file.name}")

    def download_files(self, call: Call, request: Any) -> Response:
        competition = self._service.competition(request.competition_name)
        return self._redirect(call, f"{competition.slug}/{competition.slug}.zip")

    def get_leaderboard(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        part = self._shown_part(call, competition, public_wanted=bool(request.override_public))
        board = ranked(self._service.board(competition, call.now), part, competition.higher_is_better)
        rows, following = page_of(board, request.page_size or 50, request.page_token)
        response = messages.ApiGetLeaderboardResponse()
        for _, team in rows:
            row = messages.ApiLeaderboardSubmission()
            row.team_id, row.team_name = team.id, team.name
            row.submission_date, row.score = wire_time(team.submitted_at), f"{team.score(part):.5f}"
            response.submissions = [*response.submissions, row]
        response.next_page_token = following
        return response

    def list_team_submissions(self, call: Call, request: Any) -> Any:
        """The submission that stands on the public board for a team; there is one at most."""
        response = messages.ApiListTeamPublicSubmissionsResponse()
        for competition in self._service.competitions:
            for team in self._service.board(competition, call.now):
                if team.id == request.team_id and not response.submissions:
                    row = messages.ApiPublicSubmission()
                    row.id, row.date_submitted = team.id, wire_time(team.submitted_at)
                    row.public_score = f"{team.public_score:.5f}"
                    response.submissions = [row]
        if not response.submissions:
            raise RpcError(404, f"Team not found: {request.team_id}")
        return response

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
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            day = call.now.strftime("%Y-%m-%dT%H%M%S")
            archive.writestr(f"{competition.slug}-{part}leaderboard-{day}.csv", text.getvalue())
        return Response(packed.getvalue(), media_type="application/zip")

    def _shown_part(self, call: Call, competition: HostedCompetition, *, public_wanted: bool) -> Part:
        # `reveal_private` opens a user's own results only; the private board waits for the deadline.
        return "private" if call.now > competition.deadline and not public_wanted else "public"

    def _redirect(self, call: Call, path: str) -> Response:
        signature = self._service.signature(path)
        return RedirectResponse(f"{call.address}/_download/{signature}/{quote(path)}", status_code=302)

    def _competition(self, call: Call, competition: HostedCompetition) -> Any:
        service = self._service
        own = service.state.submissions(competition.slug, call.user)
        entered = bool(best_of_users(own, competition.higher_is_better))
        board = service.board(competition, call.now)
        message = messages.ApiCompetition()
        message.id = zlib.crc32(competition.slug.encode())
        message.ref = message.url = f"https://www.kaggle.com/competitions/{competition.slug}"
        message.title = competition.title
        message.description = first_sentence(competition.description)
        message.category, message.reward = "MLE-Live", "Knowledge"
        message.organization_name = message.host_name = "MLE-Live"
        message.evaluation_metric = competition.metric
        message.deadline = message.merger_deadline = message.new_entrant_deadline = wire_time(
            competition.deadline
        )
        message.enabled_date = message.date_created = wire_time(competition.enabled_date)
        message.max_daily_submissions, message.max_team_size = competition.max_daily_submissions, 1
        message.team_count = len(board)
        message.kernel_count = len(service.community(competition, call).kernels)
        message.user_has_entered = entered
        if entered:
            part = self._shown_part(call, competition, public_wanted=False)
            places = ranked(board, part, competition.higher_is_better)
            message.user_rank = next((rank for rank, team in places if team.id == call.user.id), None)
        message.tags = [_tag(name) for name in competition.tags]
        return message


def description_pages(description: str) -> dict[str, str]:
    """A description's parts under Kaggle's page names: the text before the first section is Description,
    then one page a `## ` section ("## Data" is "data-description", as on Kaggle)."""
    parts = re.split(r"^##[ \t]+(.+)$", description, flags=re.MULTILINE)
    pages = {"Description": parts[0].strip()} if parts[0].strip() else {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        name = "data-description" if title.strip().lower().startswith("data") else title.strip()
        pages[name] = f"{pages[name]}\n\n{body.strip()}" if name in pages else body.strip()
    return pages


def first_sentence(description: str) -> str:
    """The first line of prose, cut at 200 characters."""
    lines = (line.strip() for line in description.splitlines())
    return next((line for line in lines if line and not line.startswith("#")), "")[:200]


def _data_file(message: Any, name: str, file: Any) -> Any:
    message.ref, message.name, message.total_bytes = file.name, name, file.size
    message.creation_date = wire_time(file.modified)
    return message


def _tree_file(file: Any, name: str) -> Any:
    message = tree.ApiFile()
    message.name, message.relative_url = name, file.name
    message.total_bytes, message.creation_date = file.size, wire_time(file.modified)
    return message


def _directory(name: str, path: str) -> Any:
    message = tree.ApiDirectory()
    message.name, message.relative_url = name, path
    return message


def _tag(name: str) -> Any:
    tag = messages.ApiCategory()
    tag.ref, tag.name = name.lower().replace(" ", "-"), name
    return tag
