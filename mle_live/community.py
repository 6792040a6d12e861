"""What a competition's community has published: kernels and discussions, read from its artifacts folder.

A reader sees only what existed at its moment (`Community.at`). Nothing is written here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar

from kaggle_runner.errors import BadCompetition
from mle_live.clock import parse_moment

KernelOrder = Literal["votes", "date", "score_descending", "score_ascending"]
Record = TypeVar("Record")
TopicOrder = Literal["votes", "date", "active"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One public kernel. `public_score` is None when it made no scored submission."""

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


@dataclass(frozen=True, slots=True)
class Reply:
    author: str
    votes: int
    created_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """One discussion; the opening post is the text of `body_path`."""

    id: int
    title: str
    author: str
    votes: int
    created_at: datetime
    body_path: Path
    replies: tuple[Reply, ...]

    @property
    def last_active(self) -> datetime:
        return max([self.created_at, *(reply.created_at for reply in self.replies)])


@dataclass(frozen=True, slots=True)
class Community:
    kernels: tuple[Kernel, ...] = ()
    topics: tuple[Topic, ...] = ()

    def at(self, moment: datetime) -> Community:
        """The part that existed at `moment`."""
        topics = (topic for topic in self.topics if topic.created_at <= moment)
        return Community(
            tuple(kernel for kernel in self.kernels if kernel.created_at <= moment),
            tuple(
                replace(topic, replies=tuple(r for r in topic.replies if r.created_at <= moment))
                for topic in topics
            ),
        )


def load_community(artifacts: Path | None) -> Community:
    """Read kernels.jsonl and discussions.jsonl; what is absent is empty. Raises BadCompetition."""
    if artifacts is None:
        return Community()
    kernels = tuple(
        _record(_kernel, row, artifacts, place) for row, place in _rows(artifacts / "kernels.jsonl")
    )
    topics = tuple(
        _record(_topic, row, artifacts, place) for row, place in _rows(artifacts / "discussions.jsonl")
    )
    return Community(kernels, topics)


def sorted_kernels(kernels: tuple[Kernel, ...], order: KernelOrder) -> list[Kernel]:
    """Kernels in the given order, ties by reference. Kernels without a score come last in score orders."""
    by_ref = sorted(kernels, key=lambda kernel: kernel.ref)
    if order == "votes":
        return sorted(by_ref, key=lambda kernel: -kernel.votes)
    if order == "date":
        return sorted(by_ref, key=lambda kernel: kernel.created_at, reverse=True)
    scored = [kernel for kernel in by_ref if kernel.public_score is not None]
    scored.sort(key=lambda kernel: kernel.public_score or 0.0, reverse=order == "score_descending")
    return scored + [kernel for kernel in by_ref if kernel.public_score is None]


def sorted_topics(topics: tuple[Topic, ...], order: TopicOrder) -> list[Topic]:
    """Discussions, most votes, newest, or latest activity first; ties by id."""
    by_id = sorted(topics, key=lambda topic: topic.id)
    if order == "votes":
        return sorted(by_id, key=lambda topic: -topic.votes)
    if order == "date":
        return sorted(by_id, key=lambda topic: topic.created_at, reverse=True)
    return sorted(by_id, key=lambda topic: topic.last_active, reverse=True)


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    if not path.is_file():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadCompetition(
                f"{place} is not JSON: {error}", hint="prepare the competition again"
            ) from error
        if not isinstance(row, dict):
            raise BadCompetition(f"{place} is not a JSON object", hint="prepare the competition again")
        yield row, place


def _record(
    build: Callable[[dict[str, Any], Path], Record], row: dict[str, Any], artifacts: Path, place: str
) -> Record:
    try:
        return build(row, artifacts)
    except (KeyError, TypeError, ValueError) as error:
        raise BadCompetition(
            f"{place} is not a valid record: {type(error).__name__}: {error}",
            hint="prepare the competition again",
        ) from error


def _kernel(row: dict[str, Any], artifacts: Path) -> Kernel:
    author, _, name = str(row["ref"]).partition("/")
    if not author or not name or "/" in name:
        raise ValueError(f"ref {row['ref']!r} is not author/name")
    score = row.get("public_score")
    return Kernel(
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
    )


def _topic(row: dict[str, Any], artifacts: Path) -> Topic:
    return Topic(
        id=int(row["id"]),
        title=str(row["title"]),
        author=str(row["author"]),
        votes=int(row.get("votes", 0)),
        created_at=parse_moment(row["created_at"]),
        body_path=_inside(artifacts, row["body_path"]),
        replies=tuple(
            Reply(
                author=str(reply["author"]),
                votes=int(reply.get("votes", 0)),
                created_at=parse_moment(reply["created_at"]),
                text=str(reply["text"]),
            )
            for reply in row.get("replies", ())
        ),
    )


def _inside(folder: Path, name: object) -> Path:
    path = (folder / str(name)).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} leads out of the artifacts folder")
    return path
