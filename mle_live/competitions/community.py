"""What a competition's community has published: kernels and discussions, read from its artifacts folder.

A reader sees only what existed at its moment (`Community.at`): kernels in the version of that time, replies
and votes that had been given. An exported vote count without dates cannot be told as of a moment; it stays as
it was recorded, and `votes_are_dated` says so. Nothing is written here.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from kaggle_runner.errors import BadCompetition
from kaggle_runner.moments import parse_moment

KernelOrder = Literal["votes", "date", "score_descending", "score_ascending"]
Record = TypeVar("Record")
TopicOrder = Literal["hot", "votes", "date", "active"]
MessageOrder = Literal["hot", "votes", "date", "oldest"]
MESSAGES_A_TOPIC = 1000
"""A recorded message's id is its topic's times this, and its number in the topic; the opening post has 0."""


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A kernel as it was from `created_at` on."""

    number: int
    created_at: datetime
    code_path: Path
    public_score: float | None


@dataclass(frozen=True, slots=True)
class PublishedKernel:
    """One public kernel. `public_score` is None when it made no scored submission.

    `versions`, oldest first, is empty where only one was recorded; `vote_dates`, sorted, is None where only
    their number is known.
    """

    ref: str
    title: str
    author: str
    author_tier: str
    created_at: datetime
    votes: int
    public_score: float | None
    language: str
    kernel_type: str
    code_path: Path
    datasets: tuple[str, ...]
    kernels: tuple[str, ...]
    competitions: tuple[str, ...]
    version: int = 1
    versions: tuple[PublishedVersion, ...] = ()
    vote_dates: tuple[datetime, ...] | None = None

    def at(self, moment: datetime) -> PublishedKernel:
        """The kernel as it was at `moment`, which is not before its first version."""
        voted = replace(self, votes=_votes_at(self, moment))
        there = [version for version in self.versions if version.created_at <= moment]
        if not there:
            return voted
        newest = there[-1]
        return replace(
            voted, version=newest.number, code_path=newest.code_path, public_score=newest.public_score
        )


@dataclass(frozen=True, slots=True)
class Comment:
    """A message under a topic, or under the message `parent` of it."""

    author: str
    votes: int
    created_at: datetime
    text: str
    id: int
    parent: int | None = None
    vote_dates: tuple[datetime, ...] | None = None

    def at(self, moment: datetime) -> Comment:
        return replace(self, votes=_votes_at(self, moment))


@dataclass(frozen=True, slots=True)
class PublishedTopic:
    """One discussion; the opening post is `body`, or the text of that file."""

    id: int
    title: str
    author: str
    votes: int
    created_at: datetime
    body: str | Path
    replies: tuple[Comment, ...]
    vote_dates: tuple[datetime, ...] | None = None

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else self.body.read_text(encoding="utf-8")

    def at(self, moment: datetime) -> PublishedTopic:
        """The topic with the replies and votes of `moment`."""
        replies = tuple(reply.at(moment) for reply in self.replies if reply.created_at <= moment)
        return replace(self, votes=_votes_at(self, moment), replies=replies)

    @property
    def last_active(self) -> datetime:
        return max([self.created_at, *(reply.created_at for reply in self.replies)])


@dataclass(frozen=True, slots=True)
class Community:
    kernels: tuple[PublishedKernel, ...] = ()
    topics: tuple[PublishedTopic, ...] = ()

    def at(self, moment: datetime) -> Community:
        """The part that existed at `moment`."""
        return Community(
            tuple(kernel.at(moment) for kernel in self.kernels if kernel.created_at <= moment),
            tuple(topic.at(moment) for topic in self.topics if topic.created_at <= moment),
        )

    @property
    def votes_are_dated(self) -> bool:
        """True when every vote's date is known, so that none of a later day is counted."""
        items: list[PublishedKernel | PublishedTopic | Comment] = [*self.kernels, *self.topics]
        items += [reply for topic in self.topics for reply in topic.replies]
        return all(item.vote_dates is not None or item.votes == 0 for item in items)


def _votes_at(item: PublishedKernel | PublishedTopic | Comment, moment: datetime) -> int:
    return item.votes if item.vote_dates is None else bisect_right(item.vote_dates, moment)


def load_community(artifacts: Path | None) -> Community:
    """Read kernels.jsonl and discussions.jsonl; what is absent is empty. Raises BadCompetition."""
    if artifacts is None:
        return Community()
    return Community(
        tuple(_records(artifacts / "kernels.jsonl", _kernel)),
        tuple(_records(artifacts / "discussions.jsonl", _topic)),
    )


def sorted_kernels(kernels: tuple[PublishedKernel, ...], order: KernelOrder) -> list[PublishedKernel]:
    """Kernels in the given order, ties by reference. Kernels without a score come last in score orders."""
    by_ref = sorted(kernels, key=lambda kernel: kernel.ref)
    if order == "votes":
        return sorted(by_ref, key=lambda kernel: -kernel.votes)
    if order == "date":
        return sorted(by_ref, key=lambda kernel: kernel.created_at, reverse=True)
    scored = [kernel for kernel in by_ref if kernel.public_score is not None]
    scored.sort(key=lambda kernel: kernel.public_score or 0.0, reverse=order == "score_descending")
    return scored + [kernel for kernel in by_ref if kernel.public_score is None]


def sorted_topics(
    topics: tuple[PublishedTopic, ...], order: TopicOrder, now: datetime
) -> list[PublishedTopic]:
    """Discussions, hottest, most votes, newest, or latest activity first; ties by id."""
    by_id = sorted(topics, key=lambda topic: topic.id)
    if order == "hot":
        return sorted(
            by_id,
            key=lambda topic: _heat(topic.votes + len(topic.replies), topic.last_active, now),
            reverse=True,
        )
    if order == "votes":
        return sorted(by_id, key=lambda topic: -topic.votes)
    if order == "date":
        return sorted(by_id, key=lambda topic: topic.created_at, reverse=True)
    return sorted(by_id, key=lambda topic: topic.last_active, reverse=True)


def sorted_messages(messages: list[Comment], order: MessageOrder, now: datetime) -> list[Comment]:
    """Messages, hottest, most votes, newest or oldest first; ties by time."""
    by_time = sorted(messages, key=lambda message: (message.created_at, message.id))
    if order == "hot":
        return sorted(
            by_time, key=lambda message: _heat(message.votes, message.created_at, now), reverse=True
        )
    if order == "votes":
        return sorted(by_time, key=lambda message: -message.votes)
    return by_time[::-1] if order == "date" else by_time


def _heat(weight: int, latest: datetime, now: datetime) -> float:
    """Attention that cools with age in days; Kaggle's own formula is not public."""
    days = max((now - latest).total_seconds(), 0.0) / 86_400
    return (weight + 1) / math.pow(days + 2, 1.5)


def _records(path: Path, build: Callable[[dict[str, Any], Path], Record]) -> Iterator[Record]:
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield build(json.loads(line), path.parent)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = "JSON" if isinstance(error, json.JSONDecodeError) else "a valid record"
            raise BadCompetition(
                f"{path}:{number} is not {what}: {type(error).__name__}: {error}",
                hint="prepare the competition again",
            ) from error


def _kernel(row: dict[str, Any], artifacts: Path) -> PublishedKernel:
    author, _, name = str(row["ref"]).partition("/")
    if not author or not name or "/" in name:
        raise ValueError(f"ref {row['ref']!r} is not author/name")
    score = row.get("public_score")
    return PublishedKernel(
        ref=str(row["ref"]),
        title=str(row["title"]),
        author=str(row.get("author") or author),
        author_tier=str(row.get("author_tier", "")),
        created_at=parse_moment(row["created_at"]),
        votes=int(row.get("votes", 0)),
        public_score=None if score is None else float(score),
        language=str(row.get("language", "python")),
        kernel_type=str(row.get("kernel_type", "script")),
        code_path=_inside(artifacts, row["code_path"]),
        datasets=tuple(row.get("datasets", ())),
        kernels=tuple(row.get("kernels", ())),
        competitions=tuple(row.get("competitions", ())),
        versions=_versions(row, artifacts),
        vote_dates=_vote_dates(row),
    )


def _versions(row: dict[str, Any], artifacts: Path) -> tuple[PublishedVersion, ...]:
    versions = []
    for number, version in enumerate(row.get("versions", ()), start=1):
        score = version.get("public_score")
        versions.append(
            PublishedVersion(
                int(version.get("number", number)),
                parse_moment(version["created_at"]),
                _inside(artifacts, version["code_path"]),
                None if score is None else float(score),
            )
        )
    return tuple(sorted(versions, key=lambda version: version.created_at))


def _vote_dates(row: dict[str, Any]) -> tuple[datetime, ...] | None:
    dates = row.get("vote_dates")
    return None if dates is None else tuple(sorted(parse_moment(date) for date in dates))


def _topic(row: dict[str, Any], artifacts: Path) -> PublishedTopic:
    return PublishedTopic(
        id=int(row["id"]),
        title=str(row["title"]),
        author=str(row["author"]),
        votes=int(row.get("votes", 0)),
        created_at=parse_moment(row["created_at"]),
        body=_inside(artifacts, row["body_path"]),
        vote_dates=_vote_dates(row),
        replies=tuple(
            Comment(
                author=str(reply["author"]),
                votes=int(reply.get("votes", 0)),
                created_at=parse_moment(reply["created_at"]),
                text=str(reply["text"]),
                id=int(row["id"]) * MESSAGES_A_TOPIC + number,
                vote_dates=_vote_dates(reply),
            )
            for number, reply in enumerate(row.get("replies", ()), start=1)
        ),
    )


def _inside(folder: Path, name: object) -> Path:
    path = (folder / str(name)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of the artifacts folder")
    return path
