"""The history of ranks in the account's book: every look of the last two days, then one an hour.

Of whole boards only the last one is kept, to tell who moved since. Moments are seconds since 1970.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple
from sqlite3 import Connection

from kaggle_runner.account import AccountBook
from kaggle_runner.errors import Unusable
from kaggle_runner.ranks.board import movement, moves
from kaggle_runner.ranks.records import Look, Point, Row, point, with_moves
from kaggle_runner.rows import Field, columns, from_json, to_json

DAY = 86_400.0
KEPT_WHOLE = 2 * DAY
_POINT = 'at, "rank", teams, score, gold, silver, bronze'
_BOARD = list[tuple[int, int, str, float | None]]
"""Rows of a board without the names of their fields: boards are long."""
_OURS = "account = ? AND competition = ? AND watched = ?"
_NEWEST = "ORDER BY rowid DESC"
"""As they were stored: where the machine's time was put back, later looks have earlier moments."""


class RankBook:
    """One competition's looks of one account, its own team's or those of the team `watched`.

    Use it from the book's thread.
    """

    def __init__(self, book: AccountBook, competition: str, watched: str = "") -> None:
        self._book = book
        self._key = (book.account, competition, watched.casefold())
        key, whose = ("account", "competition", "watched"), (Field("competition"), Field("watched"))
        book.require("rank_looks", (*whose, *columns(Point), Field("document")), (*key, "at"))
        book.require("rank_boards", (*whose, Field("at", "REAL"), Field("rows", "BLOB")), key)

    def record(self, look: Look, board: Sequence[Row]) -> Look:
        """Store a look with the board it was made of; returned with what changed since earlier ones.

        One transaction, so that of two processes each compares with what the other has stored.
        """
        with self._book.writing() as database:
            before = self._board()
            own_id = look.own.team_id if look.own else None
            complete = with_moves(
                look,
                moves(before, board, own_id, higher_is_better=look.higher_is_better),
                since_last=movement(look.own, look.teams, self._one(f"at != ? {_NEWEST}", look.at)),
                since_day=movement(look.own, look.teams, self._a_day_ago(look.at)),
            )
            self._store(database, complete, board)
        return complete

    def last(self) -> Look | None:
        """The newest look; None without one, or when another version of the program wrote it."""
        found = self._looks(1)
        return found[0] if found else None

    def with_moves(self, limit: int = 100) -> list[Look]:
        """Newest first, those of the last looks between which somebody moved."""
        return [look for look in self._looks(limit) if look.moves.any]

    def newest_at(self) -> float | None:
        """The moment of the newest look; cheap enough to ask often."""
        found = self._book.rows(f"SELECT at FROM rank_looks WHERE {_OURS} {_NEWEST} LIMIT 1", self._key)
        return float(found[0]["at"]) if found else None

    def history(self, since: float = 0.0) -> list[Point]:
        """Oldest first."""
        query = f"SELECT {_POINT} FROM rank_looks WHERE {_OURS} AND at >= ? ORDER BY at"
        return self._book.records(Point, query, (*self._key, since))

    def _looks(self, limit: int) -> list[Look]:
        query = f"SELECT document FROM rank_looks WHERE {_OURS} {_NEWEST} LIMIT ?"
        looks = []
        for row in self._book.rows(query, (*self._key, limit)):
            with suppress(Unusable):  # another version's: its numbers stay in the history
                looks.append(from_json(Look, row["document"], self._book.path))
        return looks

    def _a_day_ago(self, now: float) -> Point | None:
        return self._one("at <= ? ORDER BY at DESC", now - DAY) or self._one("at < ? ORDER BY at", now)

    def _one(self, condition: str, at: float) -> Point | None:
        query = f"SELECT {_POINT} FROM rank_looks WHERE {_OURS} AND {condition} LIMIT 1"
        return next(iter(self._book.records(Point, query, (*self._key, at))), None)

    def _board(self) -> list[Row]:
        found = self._book.rows(f"SELECT rows FROM rank_boards WHERE {_OURS}", self._key)
        if not found:
            return []
        return [Row(*row) for row in from_json(_BOARD, zlib.decompress(found[0]["rows"]), self._book.path)]

    def _store(self, database: Connection, look: Look, board: Sequence[Row]) -> None:
        database.execute(
            f"INSERT OR REPLACE INTO rank_looks (account, competition, watched, {_POINT}, document) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*self._key, *astuple(point(look)), to_json(look)),
        )
        packed = zlib.compress(to_json([astuple(row) for row in board]).encode(), 1)
        database.execute(
            "INSERT OR REPLACE INTO rank_boards (account, competition, watched, at, rows) "
            "VALUES (?, ?, ?, ?, ?)",
            (*self._key, look.at, packed),
        )
        self._thin(database, look.at - KEPT_WHOLE)

    def _thin(self, database: Connection, until: float) -> None:
        """Of the looks before `until`, only the last of each hour stays."""
        database.execute(
            f"DELETE FROM rank_looks WHERE {_OURS} AND at < ? AND at NOT IN "
            f"(SELECT max(at) FROM rank_looks WHERE {_OURS} AND at < ? GROUP BY CAST(at / 3600 AS INTEGER))",
            (*self._key, until, *self._key, until),
        )
