"""A leaderboard: who stands on it, and its table as it is downloaded, a zip with one CSV."""

from __future__ import annotations

import csv
import io
import math
import zipfile
import zlib
from datetime import datetime
from pathlib import Path

from kaggle_runner.errors import KaggleError
from kaggle_runner.kaggle.records import BoardTeam
from kaggle_runner.kaggle.wire import score_value
from kaggle_runner.moments import parse_moment

_MOST_BYTES = 2**27
"""Of the table itself: a million teams."""
_LARGEST_NUMBER = 2**63 - 1
_NOT_READABLE = (
    zipfile.BadZipFile, UnicodeDecodeError, csv.Error, zlib.error, EOFError, ValueError,
    RuntimeError,  # zipfile's word for an encrypted archive, and with NotImplementedError for a strange one
)  # fmt: skip


def read_board(archive: Path) -> list[BoardTeam]:
    """The rows of the board in the archive; of several boards the public one. Columns are found by name."""
    try:
        with zipfile.ZipFile(archive) as packed:
            names = [name for name in packed.namelist() if name.lower().endswith(".csv")]
            if not names:
                raise KaggleError("the leaderboard's archive holds no table", hint="try again later")
            name = next((one for one in names if "public" in one.lower()), names[0])
            if packed.getinfo(name).file_size > _MOST_BYTES:
                raise KaggleError("the leaderboard is larger than 128 MiB", hint="this is not a leaderboard")
            with packed.open(name) as file:
                return _rows(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
    except _NOT_READABLE as error:
        raise KaggleError(f"the leaderboard cannot be read ({error})", hint="try again later") from error


def _rows(text: io.TextIOWrapper) -> list[BoardTeam]:
    reader = csv.reader(text)
    header = [name.strip().lower() for name in next(reader, [])]
    place = {name: header.index(name) for name in header}
    if "teamname" not in place or "score" not in place:
        raise KaggleError(f"the leaderboard has other columns: {', '.join(header)}", hint="update comind")

    def cell(row: list[str], name: str) -> str:
        index = place.get(name)
        return row[index].strip() if index is not None and index < len(row) else ""

    teams = []
    for position, row in enumerate(filter(None, reader), start=1):
        score = score_value(cell(row, "score"))
        members = cell(row, "teammemberusernames")
        teams.append(
            BoardTeam(
                rank=_number(cell(row, "rank")) or position,
                team_id=_number(cell(row, "teamid")) or 0,
                team=cell(row, "teamname"),
                members=tuple(name for part in members.split(",") if (name := part.strip())),
                score=math.nan if score is None else score,
                submitted_at=_moment(cell(row, "lastsubmissiondate")),
                submissions=_number(cell(row, "submissioncount")),
            )
        )
    return teams


def _number(text: str) -> int | None:
    """A count or an id; None for what is none, or is larger than any database takes."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
    return number if number is None or number <= _LARGEST_NUMBER else None


def _moment(text: str) -> datetime | None:
    """`2026-11-21 20:44:25` or ISO 8601, in UTC."""
    try:
        return parse_moment(text)
    except ValueError:
        return None
