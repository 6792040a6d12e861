"""The Kaggle client's calls about submissions. Whether one should be made is not decided here."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from kagglesdk.competitions.types import competition_api_service as competitions

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.calls import ClientBase, split_ref
from kaggle_runner.kaggle.faults import said
from kaggle_runner.kaggle.records import Submission, SubmissionLimits
from kaggle_runner.kaggle.transport import Wire
from kaggle_runner.kaggle.uploads import put_file
from kaggle_runner.kaggle.wire import submission


class SubmissionCalls(ClientBase):
    async def submit(self, slug: str, file: Path, message: str) -> int:
        """Upload `file` and submit it; returns the submission's reference.

        An upload that was cut off is repeated: nothing is submitted by it. The submission itself is made
        once; where its answer did not come, the KaggleError says `maybe_done`: look at `submissions` then.
        """
        if not file.is_file():
            raise KaggleError(f"there is no file {file} to submit", hint="write the submission first")
        what = f"submission to {slug}"
        create = competitions.ApiCreateSubmissionRequest()
        create.competition_name, create.submission_description = slug, message
        create.blob_file_tokens = await self._read(
            f"upload for the {what}", lambda wire: _upload(wire, slug, file), competition=slug
        )
        created = await self._write(
            what, lambda wire: wire.competitions.create_submission(create), competition=slug
        )
        return _reference(what, created)

    async def submit_kernel(self, slug: str, ref: str, version: int, file_name: str, message: str) -> int:
        """Submit a version of the user's own kernel `ref`, once; Kaggle takes its output file `file_name`.

        As with `submit`, a KaggleError may say `maybe_done`.
        """
        request = competitions.ApiCreateCodeSubmissionRequest()
        request.kernel_owner, request.kernel_slug = split_ref(ref, "kernel")
        request.competition_name, request.kernel_version = slug, version
        request.file_name, request.submission_description = file_name, message
        what = f"submission of {ref} to {slug}"
        created = await self._write(
            what, lambda wire: wire.competitions.create_code_submission(request), competition=slug
        )
        return _reference(what, created)

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
            competition=slug,
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
        return await self._read(
            slug, lambda wire: _limits(wire.competitions.get_submission_limits(request)), competition=slug
        )


def _limits(found: Any) -> SubmissionLimits:
    """Raises TypeError or ValueError for what are no numbers: kagglesdk takes any value."""
    today, total, allowed = (
        max(0, int(number)) for number in (found.num_today, found.num_total, found.num_allowed_now)
    )
    return SubmissionLimits(today, total, allowed, bool(found.limited_by_total))


def _upload(wire: Wire, slug: str, file: Path) -> str:
    """Announce the file and send it whole; returns the token that stands for it."""
    start = competitions.ApiStartSubmissionUploadRequest()
    start.competition_name, start.file_name = slug, file.name
    status = file.stat()
    start.content_length, start.last_modified_epoch_seconds = status.st_size, int(status.st_mtime)
    upload = wire.competitions.start_submission_upload(start)
    put_file(wire, upload.create_url, file)
    return str(upload.token)


def _reference(what: str, created: Any) -> int:
    if not created.ref:
        raise KaggleError(
            f"{what}: {said(created.message) or 'the server gave no reference'}",
            hint="look at the competition's submissions before trying again",
            maybe_done=not created.message,
        )
    return int(created.ref)
