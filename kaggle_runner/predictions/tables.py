"""Tables of predictions and labels as they are read: a CSV in blocks of rows, and what its columns hold."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from kaggle_runner.errors import BadCompetition
from kaggle_runner.predictions.columns import Column, Kind

_BLOCK = 128
_LONGEST_FIELD = 2**30
_ONE_READER = threading.RLock()
_MOST_CLASSES = 10_000


class Ragged(Exception):
    """A row is shorter or longer than the header."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row + 1} is not as long as the header")
        self.row = row


@contextmanager
def rows_of(file: BinaryIO) -> Iterator[tuple[list[str], Iterator[list[list[str]]]]]:
    """The header, empty in an empty file, and blocks of rows; Ragged, csv.Error, UnicodeDecodeError.

    A column without a name is called as pandas calls it. A mask may be longer than the 128 kB that Python
    allows a field. That limit is the whole process's, so it is lifted for one reader at a time.
    """
    with _ONE_READER:
        usual = csv.field_size_limit(_LONGEST_FIELD)
        try:
            rows = filter(None, csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""), strict=True))
            header = [name if name.strip() else f"Unnamed: {n}" for n, name in enumerate(next(rows, []))]
            yield header, _blocks(rows, len(header))
        finally:
            csv.field_size_limit(usual)


def _blocks(rows: Iterator[list[str]], width: int) -> Iterator[list[list[str]]]:
    done = 0
    while block := list(islice(rows, _BLOCK)):
        if set(map(len, block)) != {width}:
            raise Ragged(next(n for n, row in enumerate(block, done) if len(row) != width))
        yield block
        done += len(block)


@contextmanager
def host_table(path: Path) -> Iterator[tuple[list[str], Iterator[list[list[str]]]]]:
    """`rows_of` a host's table; BadCompetition when it is none."""
    try:
        with path.open("rb") as file, rows_of(file) as table:
            yield table
    except (OSError, csv.Error, UnicodeDecodeError, Ragged) as error:
        raise BadCompetition(f"{path} is not a readable CSV: {error}", hint="mend or replace it") from error


class Contents:
    """What a column of a host's table holds."""

    def __init__(self) -> None:
        self._numeric, self._blank = True, False
        self._seen: dict[str, None] = {}

    def look(self, texts: Sequence[str]) -> None:
        filled = [text for text in texts if text.strip()]
        self._blank = self._blank or len(filled) < len(texts)
        if self._numeric:
            column = Column("number")
            column.extend(filled)
            self._numeric = column.fault() is None
        if len(self._seen) <= _MOST_CLASSES:
            self._seen.update(dict.fromkeys(filled))

    @property
    def kind(self) -> Kind:
        """Numbers where all values but blanks are, and some are; a text beside blanks may be empty itself."""
        if not self._seen:
            return "label"
        return "number" if self._numeric else "text" if self._blank else "label"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that occur; none where they are too many to be classes."""
        return tuple(self._seen) if len(self._seen) <= _MOST_CLASSES else ()


def contents_of(path: Path, names: Sequence[str]) -> dict[str, Contents]:
    """Those of the columns that a host's table has."""
    with host_table(path) as (header, blocks):
        found = {name: Contents() for name in names if name in header}
        places = {name: header.index(name) for name in found}
        for block in blocks:
            for name, level in found.items():
                level.look([row[places[name]] for row in block])
    return found
