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
from kaggle_runner.kaggle.uploads import announced, put_file
from kaggle_runner.kaggle.wire import message, submission


class SubmissionCalls(ClientBase):
    async def submit(self, slug: str, file: Path, told: str) -> int:
        """Upload `file` and submit it; returns the submission's reference.

        An upload that was cut off is repeated: nothing is submitted by it. The submission itself is made
        once; where its answer did not come, the KaggleError says `maybe_done`: look at `submissions` then.
        """
        if not file.is_file():
            raise KaggleError(f"there is no file {file} to submit", hint="write the submission first")
        what = f"submission to {slug}"
        token = await self._read(
            f"upload for the {what}", lambda wire: _upload(wire, slug, file), competition=slug
        )
        create = message(
            competitions.ApiCreateSubmissionRequest,
            competition_name=slug,
            submission_description=told,
            blob_file_tokens=token,
        )
        call = "competitions.create_submission"
        return _reference(what, await self._ask(what, call, create, competition=slug, write=True))

    async def submit_kernel(self, slug: str, ref: str, version: int, file_name: str, told: str) -> int:
        """Submit a version of the user's own kernel `ref`, once; Kaggle takes its output file `file_name`.

        As with `submit`, a KaggleError may say `maybe_done`.
        """
        owner, name = split_ref(ref, "kernel")
        request = message(
            competitions.ApiCreateCodeSubmissionRequest,
            kernel_owner=owner,
            kernel_slug=name,
            kernel_version=version,
            competition_name=slug,
            file_name=file_name,
            submission_description=told,
        )
        what, call = f"submission of {ref} to {slug}", "competitions.create_code_submission"
        return _reference(what, await self._ask(what, call, request, competition=slug, write=True))

    async def submission(self, ref: int) -> Submission:
        request = message(competitions.ApiGetSubmissionRequest, ref=ref)
        return submission(await self._ask(f"submission {ref}", "competitions.get_submission", request))

    async def submissions(self, slug: str, limit: int = 1000) -> list[Submission]:
        """The user's submissions to a competition, newest first."""
        request = message(competitions.ApiListSubmissionsRequest, competition_name=slug)
        what, call = f"submissions to {slug}", "competitions.list_submissions"
        found = await self._all_pages(what, call, request, "submissions", limit, competition=slug)
        return [submission(item) for item in found]

    async def wait_for_submission(self, ref: int, timeout: float) -> Submission:
        """Ask until the submission is scored or refused; waits grow from a quarter to 10 seconds.

        Raises KaggleError when it is still pending after `timeout` seconds.
        """
        deadline, poll = time.monotonic() + timeout, 0.25
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
        request = message(competitions.ApiGetSubmissionLimitsRequest, competition_name=slug)
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
    start = announced(competitions.ApiStartSubmissionUploadRequest, file)
    start.competition_name, start.file_name = slug, file.name
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
