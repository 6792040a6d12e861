"""Tables in every format that competitions come in, read as text: each value as it stands in the file.

CSV with any of four separators and in any of four encodings, packed by gzip and its kin, Parquet, Feather,
JSON and JSON lines. What a format types (Parquet's numbers) is written as Python writes it: 7 stays `7`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from kaggle_runner.errors import BadCompetition

if TYPE_CHECKING:
    import pandas as pd

_COMPRESSED = frozenset({".gz", ".bz2", ".xz"})
_SEPARATED = frozenset({".csv", ".tsv", ".txt", ".dat", ".data"})
_FORMATS = _SEPARATED | {".parquet", ".pq", ".feather", ".json", ".jsonl", ".ndjson"}
_SEPARATORS = ",;\t|"
_HEAD_BYTES = 1 << 18
_HEAD_ROWS = 50
_LONGEST_LINE = 1 << 26
_MOST_JSON_BYTES = 2 << 30
_BEYOND = "\0"
"""A column for what stands after a row's last separator."""


class Dialect(NamedTuple):
    """How a CSV is written."""

    separator: str
    encoding: str
    trailing: bool = False
    """Every row ends with one separator more than the header has."""


def table_format(name: str) -> str | None:
    """`.csv`, `.parquet` … for a file that may be a table, compressed or not; None for others."""
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in _FORMATS else None


def read_text(path: Path, *, columns: Sequence[str] | None = None, rows: int | None = None) -> pd.DataFrame:
    """A table's columns (all without `columns`), its first `rows` rows, with every value as text.

    An empty field, a missing value and a null are an empty text; names lose blanks around them. Raises
    BadCompetition when the file cannot be read as a table.
    """
    kind = table_format(path.name)
    try:
        if kind in (None, *_SEPARATED):
            table = _read_separated(path, rows)
        elif kind in (".json", ".jsonl", ".ndjson"):
            table = _as_text(_read_json(path, lines=kind != ".json", rows=rows))
        else:
            table = _as_text(_read_columnar(path, feather=kind == ".feather"))
    except BadCompetition:
        raise
    except Exception as error:  # readers of other people's files fail in ways of their own
        raise BadCompetition(f"{path} is not a readable table ({error})", hint="correct the file") from error
    if rows is not None:
        table = table.head(rows)
    if columns is None:
        return table
    absent = [name for name in columns if name not in table.columns]
    if absent:
        raise BadCompetition(f"{path} has no column {absent[0]!r}", hint="correct the file")
    return table[list(columns)]


def dialect_of(path: Path) -> Dialect:
    """The separator that cuts the first rows into the most columns, each row into as many."""
    head, encoding = _head(path)
    lines = head.splitlines(keepends=True)
    rows_by = {one: _rows(lines, one) for one in _SEPARATORS}
    best = "\t" if table_format(path.name) == ".tsv" else ","
    for separator, rows in rows_by.items():
        if _is_regular(rows) and (not _is_regular(rows_by[best]) or len(rows[0]) > len(rows_by[best][0])):
            best = separator
    rows = rows_by[best]
    body = [row for row in rows[1:] if row]
    trailing = bool(body) and all(len(row) == len(rows[0]) + 1 and not row[-1] for row in body)
    return Dialect(best, encoding, trailing)


def _head(path: Path) -> tuple[str, str]:
    """The first lines as text, the last of them dropped where it may be cut, and their encoding."""
    with opened(path) as file:
        data = file.read(_HEAD_BYTES)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
        data = data[: len(data) - len(data) % 2]
    else:
        encoding = "utf-8-sig"
        if len(data) == _HEAD_BYTES:
            data = data[: data.rfind(b"\n") + 1] or data
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            encoding = "cp1252" if _decodes(data, "cp1252") else "latin-1"
    return data.decode(encoding, errors="replace"), encoding


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def opened(path: Path) -> Any:
    """The file's bytes, unpacked where its ending says that it is packed."""
    import bz2
    import gzip
    import lzma

    match path.suffix.lower():
        case ".gz":
            return gzip.open(path)
        case ".bz2":
            return bz2.open(path)
        case ".xz":
            return lzma.open(path)
        case _:
            return path.open("rb")


def _rows(lines: list[str], separator: str) -> list[list[str]]:
    try:
        return list(islice(csv.reader(lines, delimiter=separator), _HEAD_ROWS))
    except csv.Error:
        return []


def _is_regular(rows: list[list[str]]) -> bool:
    """More than one column, and as many in every row (one more where rows end with a separator)."""
    width = len(rows[0]) if rows else 0
    return width > 1 and all(
        len(row) in (width, 0) or (len(row) == width + 1 and not row[-1]) for row in rows
    )


def _read_separated(path: Path, rows: int | None) -> pd.DataFrame:
    import pandas as pd

    _insist_on_lines(path)
    how = dialect_of(path)

    def read(encoding: str, names: list[str] | None = None, rows: int | None = rows) -> pd.DataFrame:
        return pd.read_csv(
            path, sep=how.separator, encoding=encoding, dtype=str, na_filter=False, nrows=rows,
            names=names, header=0,
        )  # fmt: skip

    def read_all(encoding: str) -> pd.DataFrame:
        if not how.trailing:
            return read(encoding)
        names = list(map(str, pd.read_csv(path, sep=how.separator, encoding=encoding, nrows=0).columns))
        table = read(encoding, [*names, _BEYOND])
        return table if (table[_BEYOND] != "").any() else table.drop(columns=_BEYOND)

    try:
        table = read_all(how.encoding)
    except UnicodeDecodeError:
        table = read_all("latin-1")  # a letter of another encoding after the first lines
    if not isinstance(table.index, pd.RangeIndex) or _BEYOND in table:
        raise BadCompetition(
            f"{path} has more values in a row than columns in its first line",
            hint="name every column",
        )
    return _stripped(table)


def _insist_on_lines(path: Path) -> None:
    """A table's first line ends somewhere: pandas would read gigabytes to find out."""
    with opened(path) as file:
        start = file.read(_LONGEST_LINE)
    if len(start) == _LONGEST_LINE and b"\n" not in start and b"\r" not in start:
        raise ValueError(f"its first {_LONGEST_LINE:,} bytes are one line")


def _stripped(table: pd.DataFrame) -> pd.DataFrame:
    names = [str(name).strip() for name in table.columns]
    if len(set(names)) == len(names):
        table.columns = names
    return table


def _read_json(path: Path, *, lines: bool, rows: int | None) -> pd.DataFrame:
    import pandas as pd

    if lines:
        with opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig") as text:
            return pd.DataFrame.from_records([json.loads(line) for line in islice(_full(text), rows)])
    if path.stat().st_size > _MOST_JSON_BYTES:
        raise ValueError(f"{path.stat().st_size:,} bytes are too many for one JSON document")
    try:
        with opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig") as text:
            document = json.load(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # a record a line, as many hosts call a `.json`
            return _read_json(path, lines=True, rows=rows)
        raise
    if isinstance(document, dict) and all(isinstance(value, dict) for value in document.values()):
        frame = pd.DataFrame.from_dict(document)  # {column: {row: value}}, as pandas writes it
        return frame.reset_index(drop=True)
    if isinstance(document, dict) and (pictures := _annotated(document)):
        document = pictures
    if isinstance(document, dict):
        document = next((value for value in document.values() if isinstance(value, list)), document)
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise ValueError("the JSON document is no list of records")
    return pd.DataFrame.from_records(document)


def _annotated(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The records of a document that lists `images` and, by their ids, `annotations`: a row an annotation."""
    images, notes = document.get("images"), document.get("annotations")
    listed = [
        one for one in (images, notes) if isinstance(one, list) and all(isinstance(x, dict) for x in one)
    ]
    if len(listed) < 2 or not all("id" in one for one in listed[0]) or not listed[1]:
        return None
    by_id = {one["id"]: one for one in listed[0]}
    if not all(note.get("image_id") in by_id for note in listed[1]):
        return None
    own = {"id", "image_id"}
    return [
        by_id[note["image_id"]] | {name: one for name, one in note.items() if name not in own}
        for note in listed[1]
    ]


def _full(text: IO[str]) -> Iterator[str]:
    return (line for line in text if line.strip())


def _read_columnar(path: Path, *, feather: bool) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_feather(path) if feather else pd.read_parquet(path)
    named = table.index.names != [None] or not isinstance(table.index, pd.RangeIndex)
    return table.reset_index() if named else table  # ids that somebody set as the index are a column


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    texts = {str(name).strip(): [_written(value) for value in table[name].tolist()] for name in table.columns}
    return pd.DataFrame(texts, dtype=str)


def _written(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, (list, dict, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if hasattr(value, "isoformat"):
        return "" if str(value) == "NaT" else str(value)
    return str(value)
