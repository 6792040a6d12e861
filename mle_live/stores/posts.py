"""What users of this server say: topics, replies and votes, in the server's database.

They join what was recorded of a community (`joined`), and obey the clock like it: what was said later than
the moment does not exist yet. Kaggle's public protocol cannot post; the addresses for it are MLE-Live's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Literal, TypeVar, get_args

from kaggle_runner.moments import parse_moment, stamp
from mle_live.competitions.community import Comment, Community, PublishedKernel, PublishedTopic
from mle_live.stores.state import ServerState, User

Item = TypeVar("Item", PublishedKernel, Comment)
PostKind = Literal["topic", "message", "kernel", "dataset"]
KINDS: tuple[PostKind, ...] = get_args(PostKind)

FIRST_ID = 2_000_000_000
"""Above every id of a recorded topic or message."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    competition TEXT NOT NULL,
    topic_id INTEGER,
    parent_id INTEGER,
    user_id INTEGER NOT NULL REFERENCES users(id),
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS posts_by_competition ON posts (competition, id);
CREATE TABLE IF NOT EXISTS votes (
    kind TEXT NOT NULL, ref TEXT NOT NULL, user_id INTEGER NOT NULL REFERENCES users(id),
    created_at TEXT NOT NULL, PRIMARY KEY (kind, ref, user_id)
)
"""


class PostStore:
    """Posts and votes. Safe to call from several threads."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        for statement in _SCHEMA.split(";"):
            state.run(statement, ())

    def add_topic(self, user: User, competition: str, title: str, text: str, now: datetime) -> int:
        """A new topic's id."""
        return self._add(competition, None, None, user.id, title, text, stamp(now))

    def add_reply(
        self, user: User, competition: str, topic_id: int, parent_id: int | None, text: str, now: datetime
    ) -> int:
        """A reply to a topic, or to the message `parent_id` in it; its id."""
        return self._add(competition, topic_id, parent_id, user.id, "", text, stamp(now))

    def _add(self, *values: str | int | None) -> int:
        with self._state.transaction() as database:
            number = database.execute(
                "INSERT INTO posts (competition, topic_id, parent_id, user_id, title, text, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            assert number is not None
            return FIRST_ID + number

    def vote(self, user: User, kind: PostKind, ref: str, now: datetime) -> None:
        """One vote a user; a second one changes nothing."""
        self._state.run("INSERT OR IGNORE INTO votes VALUES (?, ?, ?, ?)", (kind, ref, user.id, stamp(now)))

    def take_back(self, user: User, kind: PostKind, ref: str) -> None:
        self._state.run("DELETE FROM votes WHERE kind = ? AND ref = ? AND user_id = ?", (kind, ref, user.id))

    def votes(self, kind: PostKind, moment: datetime) -> Mapping[str, int]:
        """Votes that users of this server had given until `moment`, by reference."""
        rows = self._state.run(
            "SELECT ref, count(*) AS n FROM votes WHERE kind = ? AND created_at <= ? GROUP BY ref",
            (kind, stamp(moment)),
        )
        return Counter({row["ref"]: row["n"] for row in rows})

    def voted(self, user: User, kind: PostKind) -> set[str]:
        """What the user has voted for."""
        rows = self._state.run("SELECT ref FROM votes WHERE kind = ? AND user_id = ?", (kind, user.id))
        return {row["ref"] for row in rows}

    def joined(self, competition: str, recorded: Community, moment: datetime) -> Community:
        """A recorded community and what users of this server said and voted until `moment`."""
        rows = self._state.run(
            "SELECT posts.*, username FROM posts JOIN users ON users.id = user_id"
            " WHERE competition = ? AND created_at <= ? ORDER BY posts.id",
            (competition, stamp(moment)),
        )
        votes = {kind: self.votes(kind, moment) for kind in KINDS}
        replies: dict[int, list[Comment]] = {}
        topics = list(recorded.topics)
        for row in rows:
            number, written = FIRST_ID + row["id"], parse_moment(row["created_at"])
            if row["topic_id"] is None:
                topics.append(
                    PublishedTopic(number, row["title"], row["username"], 0, written, row["text"], ())
                )
            else:
                reply = Comment(row["username"], 0, written, row["text"], number, row["parent_id"])
                replies.setdefault(row["topic_id"], []).append(reply)
        return Community(
            tuple(_voted_for(kernel, votes["kernel"].get(kernel.ref, 0)) for kernel in recorded.kernels),
            tuple(
                replace(
                    topic,
                    votes=topic.votes + votes["topic"].get(str(topic.id), 0),
                    replies=tuple(
                        _voted_for(reply, votes["message"].get(str(reply.id), 0))
                        for reply in (*topic.replies, *replies.get(topic.id, ()))
                    ),
                )
                for topic in topics
            ),
        )


def _voted_for(item: Item, more: int) -> Item:
    return replace(item, votes=item.votes + more) if more else item
