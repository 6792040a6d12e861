"""What a file beside the data holds, as tables of text, whatever its form. Nothing is unpickled or run.

A file that cannot be read in full, or takes too much to read, raises: nobody knows what it tells.
"""

from __future__ import annotations

import io
import json
import re
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from kaggle_runner.errors import BadCompetition
from mle_live.layout.folders import AUDIO_SUFFIXES, IMAGE_SUFFIXES
from mle_live.layout.formats import dialect_of, opened, read_text, table_format

if TYPE_CHECKING:
    import pandas as pd

TEXTS = frozenset(
    {
        ".md",
        ".txt",
        ".html",
        ".htm",
        ".py",
        ".r",
        ".ipynb",
        ".yaml",
        ".yml",
        ".xml",
        ".svg",
        ".rtf",
        ".xyz",
        "",
    }
)
_DATABASES = frozenset({".sqlite", ".sqlite3", ".db"})
_ARRAYS = frozenset({".npy", ".npz"})
_COLUMNAR = frozenset({".parquet", ".pq", ".feather"})
_RECORDS = frozenset({".json", ".jsonl", ".ndjson"})
ROWS_READ = 1_000_000
_TEXT_BYTES = 64_000_000
_DOCUMENT_BYTES = 256_000_000
_ARRAY_BYTES = 2_000_000_000
_STEPS = 100_000
"""Thousands of SQLite's instructions that one database may take."""
_FEWEST = 12
_WIDEST_PRINTED = 60
_NODES = 200_000
"""Lists and mappings of one document that are looked into."""
_BETWEEN = re.compile(r"[\s,;|\"'\[\]{}()=<>:]+")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_NEAR = (-4, -3, -2, -1, 1, 2, 3, 4, 5, 6)
_MEDIA = "|".join(
    one[1:] for one in sorted(IMAGE_SUFFIXES | AUDIO_SUFFIXES | {".npy", ".csv", ".json", ".parquet"})
)
_FILE = re.compile(rf"(?:.*/)?([^/]+)\.(?:{_MEDIA})", re.IGNORECASE)
_CUT = re.compile(r"[_\-. ]+")
_ENDS, _STARTS = re.compile(r"[_\-. ][^_\-. ]*$"), re.compile(r"^[^_\-. ]*[_\-. ]")
_WORDS = re.compile(r"[^\W_]+")
_WORDS_OF_A_NAME = 8
_LONGEST_NOTE = 200
_PARTS, _PART_BYTES = 4, 20_000_000


def plain(text: str) -> str:
    """One way to write what names a row: others say 1.0 or 001 where the host says 1, or name its file."""
    try:
        return repr(float(text))
    except ValueError:
        pass
    file = _FILE.fullmatch(text)
    return plain(file.group(1)) if file else text.strip()


def tables_of(path: Path, ids: Collection[str]) -> Iterator[pd.DataFrame]:
    """Every table that can be made of the file. `ids` are the rows' own, written as by `plain`.

    Raises BadCompetition, OSError, ValueError or sqlite3.Error with the reason where it cannot be read.
    """
    suffix, kind = path.suffix.lower(), table_format(path.name)
    if suffix in _DATABASES:
        yield from _of_database(path)
    elif suffix in _ARRAYS:
        yield from _of_arrays(path)
    elif kind in _COLUMNAR:
        yield read_text(path)
        yield from _of_text(_notes_of_columns(path), ids)
    elif kind in _RECORDS:
        yield from _of_records(path, kind, ids)
    elif kind and kind != ".txt":
        yield from _of_separated(path, ids)
    elif suffix in TEXTS or kind:
        yield from _of_text(_text(path), ids)
    else:
        raise ValueError("it cannot be read here, so nobody knows what it tells")


def table_of_names(paths: Sequence[PurePath]) -> pd.DataFrame:
    """A row a file: its stem, the folders above it, and the words of its name from either end."""
    import pandas as pd

    rows = []
    for path in paths:
        words = _WORDS.findall(path.stem)
        row = {"file": path.stem, "before": _CUT.split(path.stem)[0], "after": _CUT.split(path.stem)[-1]}
        row["all before"], row["all after"] = _ENDS.sub("", path.stem), _STARTS.sub("", path.stem)
        row |= {f"folder {number}": part for number, part in enumerate(path.parts[:-1])}
        row |= {f"word {number}": one for number, one in enumerate(words[:_WORDS_OF_A_NAME])}
        row |= {f"word -{number}": one for number, one in enumerate(words[::-1][:_WORDS_OF_A_NAME], 1)}
        rows.append(row)
    return pd.DataFrame(rows, dtype=str).fillna("")


def table_of_texts(paths: Sequence[Path]) -> pd.DataFrame:
    """A row a file that holds the text of one row: its stem and its first words."""
    import pandas as pd

    rows = []
    for path in paths:
        with path.open("rb") as file:
            text = file.read(4000).decode("utf-8", errors="replace")
        words = [word for word in _BETWEEN.split(_TAG.sub(" ", text)) if word]
        rows.append({"file": path.stem} | {f"word {n}": word for n, word in enumerate(words[:40])})
    return pd.DataFrame(rows, dtype=str).fillna("")


def table_of_notes(paths: Sequence[Path]) -> pd.DataFrame:
    """A row a picture: its stem, and what is noted in it beside its pixels (comments, EXIF)."""
    import pandas as pd
    from PIL import Image

    rows = []
    for path in paths:
        row, notes = {"file": path.stem}, dict[Any, Any]()
        try:
            with Image.open(path) as picture:
                notes = dict(picture.info) | dict(picture.getexif())
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            pass  # no picture to us: its pixels are another matter
        row |= {str(name): _noted(note) for name, note in notes.items()}
        rows.append(row)
    return pd.DataFrame(rows, dtype=str).fillna("")


def _noted(note: Any) -> str:
    text = note.decode("utf-8", errors="replace") if isinstance(note, bytes) else str(note)
    return text.strip("\0 ")[:_LONGEST_NOTE]


def _text(path: Path) -> str:
    if path.stat().st_size > _TEXT_BYTES:
        raise ValueError("it is too long a text to be looked through")
    data = path.read_bytes()
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if wide else "utf-8", errors="replace")


def _of_text(text: str, ids: Collection[str]) -> Iterator[pd.DataFrame]:
    """Lines of as many words each, taken for rows of a table; and what stands near the ids anywhere."""
    import pandas as pd

    text = text.replace("\\n", "\n").replace("\\t", " ")  # ends of lines within a notebook's strings
    for said in (text, _TAG.sub(" ", text)) if "<" in text else (text,):
        by_width: dict[int, list[list[str]]] = {}
        for line in islice(said.splitlines(), ROWS_READ):
            words = [word for word in _BETWEEN.split(line) if word]
            if 2 <= len(words) <= _WIDEST_PRINTED:
                by_width.setdefault(len(words), []).append(words)
        for rows in by_width.values():
            if len(rows) >= _FEWEST:
                yield pd.DataFrame(rows, dtype=str).rename(columns=lambda number: f"word {number + 1}")
        words = [word for word in _BETWEEN.split(said) if word]
        places = [number for number, word in enumerate(words) if plain(word) in ids]
        if len(places) >= 2:
            near = {f"word {n:+d}": [_at(words, place + n) for place in places] for n in (0, *_NEAR)}
            yield pd.DataFrame(near, dtype=str)


def _at(words: Sequence[str], place: int) -> str:
    return words[place] if 0 <= place < len(words) else ""


def _of_separated(path: Path, ids: Collection[str]) -> Iterator[pd.DataFrame]:
    try:
        table = read_text(path, rows=ROWS_READ)
    except BadCompetition:
        if table_format(path.name) != path.suffix.lower():
            raise
        yield from _of_text(_text(path), ids)  # no table to anybody, but a text like others
        return
    yield table
    if table_format(path.name) != path.suffix.lower():
        return
    if len(table) == ROWS_READ:
        yield from _further_parts(path, table)
    if len(table) < _FEWEST <= len(table.columns):  # a column lies as a row
        yield table.T.reset_index().rename(columns=str)
    cells = max((len(cell) for name in table.columns for cell in table[name].head(_FEWEST)), default=0)
    if len(table.columns) == 1 or (len(table) < _FEWEST and cells > _LONGEST_NOTE):
        yield from _of_text(_text(path), ids)


def _further_parts(path: Path, table: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Pieces of a table that is too long to be read in full, up to its end."""
    import pandas as pd

    how, size = dialect_of(path), path.stat().st_size
    with path.open("rb") as file:
        for part in range(1, _PARTS + 1):
            file.seek(max(0, size * part // _PARTS - _PART_BYTES))
            file.readline()
            piece = io.BytesIO(file.read(_PART_BYTES))
            yield pd.read_csv(
                piece, sep=how.separator, encoding=how.encoding, encoding_errors="replace", dtype=str,
                na_filter=False, names=list(table.columns), on_bad_lines="skip", index_col=False,
            )  # fmt: skip


def _of_records(path: Path, kind: str, ids: Collection[str]) -> Iterator[pd.DataFrame]:
    with opened(path) as file:
        data = file.read(_DOCUMENT_BYTES + 1)
    if len(data) > _DOCUMENT_BYTES:
        raise ValueError("it is too long a document to be looked through")
    text = data.decode("utf-8-sig", errors="replace")
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        try:
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (json.JSONDecodeError, RecursionError):
            yield from _of_text(text, ids)
            return
    yield from tables_of_document(document)


def tables_of_document(document: Any) -> Iterator[pd.DataFrame]:
    """Every list of records, mapping and list of values in a JSON document, as a table."""
    waiting, seen = [document], 0
    while waiting and seen < _NODES:
        node = waiting.pop()
        seen += 1
        if len(node) >= _FEWEST if isinstance(node, (dict, list)) else False:
            yield from _tables_of_node(node)
        inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        if isinstance(node, dict) and (lists := _equal_lists(node)):
            yield _frame(lists)
        waiting += [one for one in inside if isinstance(one, (dict, list)) and one]
    if waiting:
        raise ValueError("it is too deep a document to be looked through")


def _equal_lists(node: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Lists of values side by side: the columns of a table."""
    lists = {name: one for name, one in node.items() if isinstance(one, list) and len(one) >= _FEWEST}
    lists = {
        name: one for name, one in lists.items() if not any(isinstance(v, (dict, list)) for v in one[:3])
    }
    return lists if len(lists) > 1 and len({len(one) for one in lists.values()}) == 1 else {}


def _tables_of_node(node: Any) -> Iterator[pd.DataFrame]:
    """Records named by key, records in a list, keys with values, lists of lists, and bare values in order."""
    pairs = list(node.items()) if isinstance(node, dict) else [("", one) for one in node]
    records = [{"key": key, **_flat(value)} for key, value in pairs if isinstance(value, dict)]
    rows = [[key, *value] for key, value in pairs if isinstance(value, list)]
    single = [item for record in records if len(record) == 2 for item in record.items() if item[0] != "key"]
    values = [(key, one) for key, one in pairs if not isinstance(one, (dict, list))]
    if len(records) >= _FEWEST:
        yield _frame_of_records(records)
    if len(single) >= _FEWEST:
        yield _frame({"key": [key for key, _ in single], "value": [one for _, one in single]})
    if len(rows) >= _FEWEST and max(map(len, rows)) <= _WIDEST_PRINTED:
        yield _frame_of_records([{str(n): one for n, one in enumerate(row)} for row in rows])
    if len(values) >= _FEWEST:
        yield _frame({"key": [key for key, _ in values], "value": [one for _, one in values]})


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's values, and those of records in it."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and len(value) <= _WIDEST_PRINTED:
            found |= {
                f"{name}.{inner}": one for inner, one in value.items() if not isinstance(one, (dict, list))
            }
        else:
            found[str(name)] = value
    return found


def _frame(columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: list(map(_written, values)) for name, values in columns.items()}, dtype=str)


def _frame_of_records(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    names = list(dict.fromkeys(name for record in records for name in record))
    return _frame({name: [record.get(name) for record in records] for name in names})


def _written(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)


def _notes_of_columns(path: Path) -> str:
    """What stands in a Parquet file beside its columns."""
    if table_format(path.name) == ".feather":
        return ""
    from fastparquet import ParquetFile

    notes = ParquetFile(str(path)).key_value_metadata
    return "\n".join(f"{name}\n{text}" for name, text in notes.items() if name != "pandas")


def _of_database(path: Path) -> Iterator[pd.DataFrame]:
    import pandas as pd

    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    steps = iter(range(_STEPS))
    connection.set_progress_handler(lambda: next(steps, None) is None, 1000)
    try:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        ).fetchall()
        for (name,) in names:
            quoted = '"' + str(name).replace('"', '""') + '"'
            rows = connection.execute(f"SELECT * FROM {quoted} LIMIT {ROWS_READ}")
            columns = [one[0] for one in rows.description]
            if len(set(columns)) < len(columns):
                columns = [f"{one} {number}" for number, one in enumerate(columns)]
            yield pd.DataFrame([list(map(_written, row)) for row in rows], columns=columns, dtype=str)
    finally:
        connection.close()


def _of_arrays(path: Path) -> Iterator[pd.DataFrame]:
    """Arrays as tables of numbers; of more than two dimensions a row is what stands at one first index."""
    import zipfile

    import numpy as np
    import pandas as pd

    packed = path.suffix.lower() == ".npz"
    size = sum(one.file_size for one in zipfile.ZipFile(path).infolist()) if packed else path.stat().st_size
    if size > _ARRAY_BYTES:
        raise ValueError("it is too large an array to be looked through")
    loaded = np.load(path, allow_pickle=False)
    for array in [loaded[name] for name in loaded.files] if packed else [loaded]:
        if array.dtype.names:
            yield pd.DataFrame(array.ravel()).astype(str)
        elif array.ndim and array.size:
            yield pd.DataFrame(array.reshape(len(array), -1)).rename(columns=str)
            if array.ndim == 2 and len(array) < _FEWEST:
                yield pd.DataFrame(array.T).rename(columns=str)  # a row that holds a column
