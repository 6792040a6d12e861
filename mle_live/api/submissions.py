"""Kaggle's submission calls: upload, create, status, list, limits. A user sees only their own submissions."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from kagglesdk.competitions.types import competition_api_service as messages
from kagglesdk.competitions.types.competition_enums import SubmissionGroup
from kagglesdk.competitions.types.submission_status import SubmissionStatus

from mle_live.api.competitions import SERVICE
from mle_live.api.kernels import KernelApi, denied
from mle_live.competitions.competition import HostedCompetition
from mle_live.service import PendingUpload, Service
from mle_live.stores.state import StoredSubmission
from mle_live.wire import Call, Method, RpcError, page_of, wire_time


class SubmissionApi:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._kernels = KernelApi(service)

    def methods(self) -> Mapping[str, Method]:
        return {
            f"{SERVICE}/{name}": method
            for name, method in {
                "StartSubmissionUpload": Method(messages.ApiStartSubmissionUploadRequest, self.start_upload),
                "CreateSubmission": Method(messages.ApiCreateSubmissionRequest, self.create),
                "CreateCodeSubmission": Method(
                    messages.ApiCreateCodeSubmissionRequest, self.create_from_kernel
                ),
                "GetSubmission": Method(messages.ApiGetSubmissionRequest, self.get),
                "ListSubmissions": Method(messages.ApiListSubmissionsRequest, self.list_submissions),
                "GetSubmissionLimits": Method(messages.ApiGetSubmissionLimitsRequest, self.limits),
            }.items()
        }

    def start_upload(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name or "")
        name = PurePosixPath(request.file_name.replace("\\", "/")).name
        self._check(name, request.content_length)
        upload = PendingUpload(call.user.id, competition.slug, name, request.content_length)
        response = messages.ApiStartSubmissionUploadResponse()
        response.token = self._service.begin_upload(upload)
        response.create_url = f"{call.address}/_upload/{response.token}"
        return response

    def create(self, call: Call, request: Any) -> Any:
        service, competition = self._service, self._service.competition(request.competition_name)
        token = request.blob_file_tokens
        upload, path = service.take_upload(token, call, competition.slug)
        description = request.submission_description or ""
        try:
            ref = self._add(call, competition, upload.file_name, upload.size, description)
        except RpcError:
            service.return_upload(token, upload)
            raise
        service.grade_kept(ref, path.replace)
        response = messages.ApiCreateSubmissionResponse()
        response.message, response.ref = f"Successfully submitted to {competition.title}", ref
        return response

    def create_from_kernel(self, call: Call, request: Any) -> Any:
        """Submit an output file of a finished version of the caller's own kernel: graded like an upload."""
        service, competition = self._service, self._service.competition(request.competition_name)
        owner, slug, number = request.kernel_owner, request.kernel_slug, request.kernel_version
        pushed = self._kernels.find(call, owner, slug, str(number) if number else None)
        if pushed is None or pushed.kernel.owner_id != call.user.id:
            raise denied()
        if pushed.version.status != "COMPLETE":
            raise RpcError(
                400,
                f"Version {pushed.version.number} of {pushed.kernel.ref} is {pushed.version.status}; "
                "only a version that ran to its end (COMPLETE) can be submitted.",
            )
        name = request.file_name or "submission.csv"
        file = service.kernels.files(pushed.kernel.id, pushed.version).find_output(name)
        if file is None:
            raise RpcError(404, f"Version {pushed.version.number} has no output file {name!r}")
        self._check(name, file.size)
        ref = self._add(call, competition, name, file.size, request.submission_description or "")
        service.kernels.store.submitted(pushed.kernel, ref)
        service.grade_kept(ref, partial(shutil.copyfile, file.path))
        response = messages.ApiCreateCodeSubmissionResponse()
        response.message, response.ref = f"Successfully submitted to {competition.title}", ref
        return response

    def _add(self, call: Call, competition: HostedCompetition, name: str, size: int, description: str) -> int:
        """Record a submission whose file comes to `submission_path`. RpcError 400 at the day's limit."""
        allowed = competition.max_daily_submissions
        ref = self._service.state.add_submission(
            call.user,
            competition.slug,
            created_at=call.now,
            file_name=name,
            total_bytes=size,
            description=description,
            daily_limit=allowed,
        )
        if ref is None:
            raise RpcError(
                400,
                f"Submission not allowed: your team has used its daily submission allowance ({allowed}). "
                "It resets at midnight UTC.",
            )
        return ref

    def _check(self, name: str, size: int) -> None:
        if not name.lower().endswith(".csv"):
            raise RpcError(400, f"A submission is a .csv file; got {name!r}")
        most = self._service.limits.submission_bytes
        if not 0 < size <= most:
            raise RpcError(400, f"The file has {size} bytes; 1 to {most} are accepted")

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


def served(service: Service) -> dict[str, HostedCompetition]:
    """The competitions of this server by name."""
    return {competition.slug: competition for competition in service.competitions}


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
