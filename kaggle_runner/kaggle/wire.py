"""kagglesdk's messages made, read as our records, and the byte transfers beside the RPCs. No policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import requests

from kaggle_runner.bodies import BadAnswer
from kaggle_runner.kaggle.answers import too_large
from kaggle_runner.kaggle.records import KernelInfo, Submission, SubmissionStatus, TopicMessage

_CHUNK = 2**20


def message(kind: Any, /, **fields: Any) -> Any:
    """A message of kagglesdk's class `kind` with these fields; None leaves one out.

    Moments become the naive ones, in UTC, that kagglesdk writes with a `Z`. Raises TypeError for a field that
    `kind` does not have, and for a value of another type.
    """
    unknown = fields.keys() - {field.field_name for field in kind._fields}
    if unknown:
        raise TypeError(f"{kind.__name__} has no field {', '.join(sorted(unknown))}")
    made = kind()
    for name, value in fields.items():
        if isinstance(value, datetime):
            value = value.astimezone(UTC).replace(tzinfo=None)
        setattr(made, name, list(value) if isinstance(value, tuple) else value)
    return made


def utc(moment: datetime | None) -> datetime | None:
    """The SDK's naive UTC date-time as an aware one."""
    return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC)


def score_value(text: str | None) -> float | None:
    """Scores are texts on the wire; an empty or unreadable one is no score."""
    try:
        return float(text) if text else None
    except ValueError:
        return None


def kernel_info(message: Any) -> KernelInfo:
    return KernelInfo(
        ref=message.ref,
        title=message.title,
        author=message.author,
        votes=message.total_votes,
        last_run_at=utc(message.last_run_time),
        language=message.language,
        kernel_type=message.kernel_type,
        url=f"https://www.kaggle.com/code/{message.ref}",
    )


def submission(message: Any) -> Submission:
    return Submission(
        ref=message.ref,
        status=cast(SubmissionStatus, message.status.name.lower()),
        file_name=message.file_name,
        message=message.description,
        submitted_at=utc(message.date),
        public_score=score_value(message.public_score),
        private_score=score_value(message.private_score),
        error=message.error_description,
    )


def flattened(messages: Sequence[Any]) -> list[TopicMessage]:
    """A tree of posts in reading order, without the deleted ones (their replies stay)."""
    posts: list[TopicMessage] = []
    waiting = [(message, 0) for message in reversed(messages)]
    while waiting:
        message, depth = waiting.pop()
        if not message.is_deleted:
            text = message.raw_markdown or re.sub(r"<[^>]+>", "", message.content)
            posts.append(
                TopicMessage(
                    message.id, message.author_name, text, message.votes, utc(message.post_date), depth
                )
            )
        waiting += [(reply, depth + 1) for reply in reversed(message.replies or [])]
    return posts


def body_size(response: requests.Response) -> int | None:
    """Bytes that the body will have, where that is told: of a compressed one only what travels is."""
    header = response.headers.get("Content-Length", "")
    return int(header) if header.isdecimal() and "Content-Encoding" not in response.headers else None


def save_body(
    response: requests.Response,
    target: Path,
    told: Callable[[int, int | None], None] | None,
    *,
    most_bytes: int,
    start: int = 0,
) -> None:
    """Stream a download into `target`, behind the `start` bytes that are there.

    Raises requests.ConnectionError when the body ends early, KaggleError when the file would have more than
    `most_bytes`.
    """
    size = body_size(response)
    total = None if size is None else start + size
    done = start
    with target.open("r+b" if start else "wb") as file:
        file.seek(start)
        file.truncate()
        for chunk in response.iter_content(_CHUNK):
            done += len(chunk)
            if done > most_bytes:
                raise too_large("the download", most_bytes, target.parent)
            file.write(chunk)
            if told is not None:
                told(done, total)
    if total is not None and done != total:
        raise requests.ConnectionError(f"the download ended after {done} of {total} bytes")


def http_error(response: requests.Response) -> requests.HTTPError:
    """An error answer with the server's own message where it sent one."""
    try:
        text = response.json()["message"]
    except (BadAnswer, ValueError, KeyError, TypeError, RecursionError):
        text = response.reason
    return requests.HTTPError(text, response=response)
