"""Kaggle's submission calls: upload, create, status, list, limits. A user sees only their own submissions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from kagglesdk.competitions.types import competition_api_service as messages
from kagglesdk.competitions.types.competition_enums import SubmissionGroup
from kagglesdk.competitions.types.submission_status import SubmissionStatus

from mle_live.api_competitions import SERVICE
from mle_live.clock import wire_time
from mle_live.competition import Competition
from mle_live.service import PendingUpload, Service
from mle_live.state import StoredSubmission
from mle_live.wire import Call, Method, RpcError, page_of


class SubmissionCalls:
    def __init__(self, service: Service) -> None:
        self._service = service

    def methods(self) -> Mapping[str, Method]:
        return {
            f"{SERVICE}/{name}": method
            for name, method in {
                "StartSubmissionUpload": Method(messages.ApiStartSubmissionUploadRequest, self.start_upload),
                "CreateSubmission": Method(messages.ApiCreateSubmissionRequest, self.create),
                "GetSubmission": Method(messages.ApiGetSubmissionRequest, self.get),
                "ListSubmissions": Method(messages.ApiListSubmissionsRequest, self.list_submissions),
                "GetSubmissionLimits": Method(messages.ApiGetSubmissionLimitsRequest, self.limits),
            }.items()
        }

    def start_upload(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name or "")
        name = PurePosixPath(request.file_name.replace("\\", "/")).name
        if not name.lower().endswith(".csv"):
            raise RpcError(400, f"A submission is a .csv file; got {name!r}")
        most = self._service.limits.submission_bytes
        if not 0 < request.content_length <= most:
            raise RpcError(400, f"The file has {request.content_length} bytes; 1 to {most} are accepted")
        upload = PendingUpload(call.user.id, competition.slug, name, request.content_length)
        response = messages.ApiStartSubmissionUploadResponse()
        response.token = self._service.begin_upload(upload)
        response.create_url = f"{call.address}/_upload/{response.token}"
        return response

    def create(self, call: Call, request: Any) -> Any:
        service, competition = self._service, self._service.competition(request.competition_name)
        token = request.blob_file_tokens
        upload, path = service.take_upload(token, call, competition.slug)
        ref = service.state.add_submission(
            call.user,
            competition.slug,
            created_at=call.now,
            file_name=upload.file_name,
            total_bytes=upload.size,
            description=request.submission_description or "",
            daily_limit=competition.max_daily_submissions,
        )
        if ref is None:
            service.return_upload(token, upload)
            allowed = competition.max_daily_submissions
            raise RpcError(
                400,
                f"Submission not allowed: your team has used its daily submission allowance ({allowed}). "
                "It resets at midnight UTC.",
            )
        target = service.submission_path(ref)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        service.grade_later(ref)
        response = messages.ApiCreateSubmissionResponse()
        response.message, response.ref = f"Successfully submitted to {competition.title}", ref
        return response

    def get(self, call: Call, request: Any) -> Any:
        return self._message(call, own_submission(self._service, call, request.ref))

    def list_submissions(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        rows = self._service.state.submissions(competition.slug, call.user)
        if request.group == SubmissionGroup.SUBMISSION_GROUP_SUCCESSFUL:
            rows = [row for row in rows if row.status == "COMPLETE"]
        page, following = page_of(rows, request.page_size, request.page_token, request.page)
        response = messages.ApiListSubmissionsResponse()
        response.submissions = [self._message(call, row) for row in page]
        response.next_page_token = following
        return response

    def limits(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        state = self._service.state
        today = state.count_on_day(call.user, competition.slug, call.now)
        response = messages.ApiSubmissionLimits()
        response.num_today = today
        response.num_total = len(state.submissions(competition.slug, call.user))
        response.num_allowed_now = max(0, competition.max_daily_submissions - today)
        return response

    def _message(self, call: Call, row: StoredSubmission) -> Any:
        competition = self._service.competition(row.competition)
        message = messages.ApiSubmission()
        message.ref, message.total_bytes = row.ref, row.total_bytes
        message.date, message.file_name = wire_time(row.created_at), row.file_name
        message.description, message.error_description = row.description, row.error
        message.status = SubmissionStatus[row.status]
        message.submitted_by = message.submitted_by_ref = message.team_name = row.username
        message.url = f"https://www.kaggle.com/submissions/{row.ref}/{row.ref}.raw"
        message.public_score = _score(row.public_score)
        # Kaggle's rule also when `reveal_private` is on: that opens the extension's result only, so that
        # nothing that speaks plain Kaggle can learn a private score early.
        if call.now > competition.deadline:
            message.private_score = _score(row.private_score)
        return message


def own_submission(service: Service, call: Call, ref: int) -> StoredSubmission:
    """A submission of the caller. RpcError 404 for unknown ones, and alike for other people's."""
    row = service.state.submission(ref)
    if row is None or row.user_id != call.user.id or row.competition not in served(service):
        raise RpcError(404, f"Submission not found: {ref}")
    return row


def served(service: Service) -> dict[str, Competition]:
    """The competitions of this server by name."""
    return {competition.slug: competition for competition in service.competitions}


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
