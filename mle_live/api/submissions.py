"""Kaggle's submission calls: upload, create, status, list, limits. A user sees only their own submissions."""

from __future__ import annotations

import shutil
from functools import partial
from typing import Any

from kagglesdk.competitions.types import competition_api_service as messages
from kagglesdk.competitions.types.competition_enums import SubmissionGroup
from kagglesdk.competitions.types.submission_status import SubmissionStatus

from kaggle_runner.kaggle.wire import message
from mle_live.api.competitions import COMPETITIONS
from mle_live.api.kernels import find_kernel
from mle_live.competitions.competition import HostedCompetition
from mle_live.service import Api, Call, Service
from mle_live.stores.state import StoredSubmission, User
from mle_live.wire import Rpc, RpcError, denied, not_found
from mle_live.wire_types import page


class SubmissionApi(Api):
    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._announced: dict[str, tuple[int, str]] = {}
        """Token of an upload → user's id and competition's slug, oldest first."""

    @Rpc(f"{COMPETITIONS}/StartSubmissionUpload", messages.ApiStartSubmissionUploadRequest, rules=True)
    def start_upload(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name or "")
        self._check(request.file_name, request.content_length)
        self._make_room(call.user)
        blob = self._service.blobs.start(call.user, request.file_name, request.content_length)
        self._announced[blob.token] = (call.user.id, competition.slug)
        address = f"{call.address}/_blob/{blob.token}"
        return message(messages.ApiStartSubmissionUploadResponse, token=blob.token, create_url=address)

    def _make_room(self, user: User) -> None:
        """Of a user's uploads that wait to be submitted, the oldest are forgotten."""
        own = [token for token, (user_id, _) in list(self._announced.items()) if user_id == user.id]
        for token in own[: 1 - self._service.limits.open_uploads]:
            self._announced.pop(token, None)
            if blob := self._service.blobs.find(token):
                self._service.blobs.forget(blob)

    @Rpc(f"{COMPETITIONS}/CreateSubmission", messages.ApiCreateSubmissionRequest, rules=True)
    def create(self, call: Call, request: Any) -> Any:
        service, competition = self._service, self._service.competition(request.competition_name)
        token = request.blob_file_tokens
        whose = (call.user.id, competition.slug)
        # taken once only, unless the submission is refused
        if self._announced.get(token) != whose or self._announced.pop(token, None) is None:
            raise RpcError(400, "Unknown upload token. Start the upload again.")
        try:
            blob = service.blobs.complete(token, call.user)
            description = request.submission_description or ""
            ref = self._add(call, competition, blob.name, blob.size, description)
        except RpcError:
            self._announced[token] = whose
            raise
        service.grade_kept(ref, blob.path.replace)
        service.blobs.forget(blob)
        told = f"Successfully submitted to {competition.title}"
        return message(messages.ApiCreateSubmissionResponse, message=told, ref=ref)

    @Rpc(f"{COMPETITIONS}/CreateCodeSubmission", messages.ApiCreateCodeSubmissionRequest, rules=True)
    def create_from_kernel(self, call: Call, request: Any) -> Any:
        """Submit an output file of a finished version of the caller's own kernel: graded like an upload."""
        service, competition = self._service, self._service.competition(request.competition_name)
        owner, slug, number = request.kernel_owner, request.kernel_slug, request.kernel_version
        pushed = find_kernel(service, call, owner, slug, str(number) if number else None)
        if pushed is None or pushed.kernel.owner_id != call.user.id:
            raise denied("kernels.get")
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
        told = f"Successfully submitted to {competition.title}"
        return message(messages.ApiCreateCodeSubmissionResponse, message=told, ref=ref)

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

    @Rpc(f"{COMPETITIONS}/GetSubmission", messages.ApiGetSubmissionRequest)
    def get(self, call: Call, request: Any) -> Any:
        return self._submission(call, own_submission(self._service, call, request.ref))

    @Rpc(f"{COMPETITIONS}/ListSubmissions", messages.ApiListSubmissionsRequest)
    def list_submissions(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        rows = self._service.state.submissions(competition.slug, call.user)
        if request.group == SubmissionGroup.SUBMISSION_GROUP_SUCCESSFUL:
            rows = [row for row in rows if row.status == "COMPLETE"]
        kind = messages.ApiListSubmissionsResponse
        return page(kind, request, "submissions", rows, lambda row: self._submission(call, row))

    @Rpc(f"{COMPETITIONS}/GetSubmissionLimits", messages.ApiGetSubmissionLimitsRequest)
    def limits(self, call: Call, request: Any) -> Any:
        competition = self._service.competition(request.competition_name)
        state = self._service.state
        today = state.count_on_day(call.user, competition.slug, call.now)
        return message(
            messages.ApiSubmissionLimits,
            num_today=today,
            num_total=len(state.submissions(competition.slug, call.user)),
            num_allowed_now=max(0, competition.max_daily_submissions - today),
        )

    def _submission(self, call: Call, row: StoredSubmission) -> Any:
        # Kaggle's rule also when `reveal_private` is on: that opens the extension's result only, so that
        # nothing that speaks plain Kaggle can learn a private score early.
        is_over = call.now > self._service.by_slug[row.competition].deadline
        return message(
            messages.ApiSubmission,
            ref=row.ref,
            total_bytes=row.total_bytes,
            date=row.created_at,
            file_name=row.file_name,
            description=row.description,
            error_description=row.error,
            status=SubmissionStatus[row.status],
            submitted_by=row.username,
            submitted_by_ref=row.username,
            team_name=row.username,
            url=f"https://www.kaggle.com/submissions/{row.ref}/{row.ref}.raw",
            public_score=_score(row.public_score),
            private_score=_score(row.private_score) if is_over else None,
        )


def own_submission(service: Service, call: Call, ref: int) -> StoredSubmission:
    """A submission of the caller. RpcError 404 for unknown ones, and alike for other people's."""
    row = service.state.submission(ref)
    if row is None or row.user_id != call.user.id or row.competition not in service.by_slug:
        raise not_found("Submission", ref)
    return row


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
