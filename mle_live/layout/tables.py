"""The profile of a competition's tables: what names a row, what is to be predicted, what the inputs are.

Tables are read as text, every value as it stands in the file: an id `007` stays one, and a class may be
called `None`. Nothing is drawn at random, and a profile rests on the first rows and on whole label columns
only, so that whoever profiles a folder finds the same.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from kaggle_runner.errors import BadCompetition
from kaggle_runner.texts import one_line, shortened
from mle_live.layout.folders import AUDIO_SUFFIXES, IMAGE_SUFFIXES, holds_data
from mle_live.layout.formats import read_text
from mle_live.layout.pixels import INPUT, PixelRows, pixel_rows

if TYPE_CHECKING:
    import pandas as pd

Modality = Literal["tabular", "text", "image", "audio", "image-to-image"]
ColumnKind = Literal["integer", "number", "boolean", "text", "prose"]
"""What a column holds; prose is free text, as against names and categories."""

MISSING = frozenset({"na", "n/a", "<na>", "#n/a", "nan", "-nan", "null", "none"})
"""Words for a missing value among numbers, in lower case. Among names they are names."""
_TRUTHS = {word: word.lower() == "true" for word in ("True", "TRUE", "true", "False", "FALSE", "false")}
_PROSE_ROWS = 1000
_PROSE_WORDS, _PROSE_LETTERS = 5, 25
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\d_]\w*")
"""Something that begins with a letter; in scripts without blanks each letter is taken for a word."""
_CELLS_READ = 5_000_000
_FILES_LOOKED = 200_000
_LEVELS, _PLACES = 3, 50
"""Folders that are looked into, below one at the top and on each level."""
_ANSWERS = re.compile(r"mask|label|annotation|clean|target|truth|segmentation", re.IGNORECASE)
_LONGEST_FILE_NAME = 200
_EXAMPLE = 60


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV: its first rows in memory, as text, the others where they lie."""

    path: Path
    head: pd.DataFrame
    whole: bool
    """`head` is all of it."""

    @property
    def columns(self) -> list[str]:
        return [str(name) for name in self.head.columns]

    def read(self, columns: Sequence[str]) -> pd.DataFrame:
        """All rows of some columns."""
        return self.head[list(columns)] if self.whole else read_text(self.path, columns=columns)

    def count_rows(self) -> int:
        return len(self.read(self.columns[:1]))


class Tables(NamedTuple):
    """The three tables of a competition's folder."""

    train: Table
    test: Table | None
    sample: Table

    @property
    def folder(self) -> Path:
        return self.train.path.parent

    @property
    def inputs(self) -> list[str]:
        """Columns of test.csv; empty where there is none."""
        return [] if self.test is None else self.test.columns


def read_tables(folder: Path, *, rows: int = _PROSE_ROWS) -> Tables:
    """Open train.csv, sample_submission.csv and, if there is one, test.csv with their first `rows` rows.

    Of very wide tables fewer rows are kept. Raises BadCompetition where a table is missing or unreadable.
    """

    def opened(name: str) -> Table:
        path = table_file(folder, name)
        width = len(read_text(path, rows=0).columns)
        most = max(_PROSE_ROWS, min(rows, _CELLS_READ // width))
        head = read_text(path, rows=most)
        return Table(path, head, whole=len(head) < most)

    test = opened("test.csv") if (folder / "test.csv").is_file() else None
    return Tables(opened("train.csv"), test, opened("sample_submission.csv"))


def table_file(folder: Path, name: str) -> Path:
    if not (folder / name).is_file():
        raise BadCompetition(
            f"{folder} has no {name}",
            hint="a competition folder holds train, test, sample_submission (.csv) and a description",
        )
    return folder / name


class Levels(NamedTuple):
    """The distinct values of a column that are there."""

    kind: ColumnKind
    counts: dict[str, int]
    """How often each occurs, as it stands in the file, in the order of the file."""
    values: list[Any]
    """The same as numbers, truths or texts."""


def levels(column: pd.Series[str]) -> Levels:
    """`kind` is never prose here: distinct values do not tell where they stand."""
    counts = Counter(column.tolist())
    counts.pop("", None)
    said = {text: n for text, n in counts.items() if len(text) > 4 or text.lower() not in MISSING}
    if said and set(islice(said, 7)) <= _TRUTHS.keys():
        return Levels("boolean", said, [_TRUTHS[text] for text in said])
    for number in (int, float):
        try:
            values = [number(text) for text in said]
        except ValueError:
            continue
        if values and "_" not in "".join(said):  # Python's numbers, not a file's
            return Levels("integer" if all(value % 1 == 0 for value in values) else "number", said, values)
    return Levels("text", counts, list(counts))


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Columns of text as numbers or truths where all their values are; what is missing is NaN."""
    import pandas as pd

    found = {name: levels(table[name]) for name in table.columns}
    return pd.DataFrame(
        {
            name: table[name].astype(object).map(dict(zip(one.counts, one.values, strict=True)))
            for name, one in found.items()
        }
    )


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column; `missing` is a share of the rows looked at, `examples` are cut to fit a prompt."""

    name: str
    kind: ColumnKind
    missing: float
    unique: int
    examples: tuple[str, ...]
    in_test: bool


def describe(column: pd.Series[str], *, in_test: bool) -> ColumnProfile:
    found = levels(column)
    return ColumnProfile(
        name=str(column.name),
        kind="prose" if found.kind == "text" and _is_prose(column) else found.kind,
        missing=1 - sum(found.counts.values()) / max(len(column), 1),
        unique=len(set(found.values)),
        examples=tuple(shortened(one_line(text), _EXAMPLE) for text in islice(found.counts, 3)),
        in_test=in_test,
    )


def _is_prose(column: pd.Series[str]) -> bool:
    """Five words and 25 characters on average in the first rows, and rarely the same twice."""
    texts = [text for text in column.head(_PROSE_ROWS).tolist() if text]
    return (
        sum(map(len, texts)) >= _PROSE_LETTERS * max(len(texts), 1)
        and 2 * len(set(texts)) >= len(texts)
        and sum(len(_WORD.findall(text)) for text in texts) >= _PROSE_WORDS * len(texts)
    )


@dataclass(frozen=True, slots=True)
class Stated:
    """What a competition.yaml says of the tables; what it leaves empty is found in them."""

    id_column: str = ""
    group_column: str = ""
    modality: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Stated:
        """From a competition.yaml, or from what the server that serves it says."""
        return cls(*(str(settings.get(name) or "") for name in ("id_column", "group_column", "modality")))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """The facts on which the competition of a folder and its evaluator must agree."""

    modality: Modality
    id_column: str
    target_columns: tuple[str, ...]
    label_column: str | None
    """Where the targets are class names with a column each: the column of train.csv that holds the names.
    None when the targets themselves are columns of train.csv."""
    group_column: str | None
    """Rows with the same value belong together."""
    image_folder: str | None
    test_image_folder: str | None
    image_pattern: str | None
    """How a row finds its image (or sound), for instance `train_images/{id}.png`."""
    pixels: PixelRows | None = None
    """Where a submission has a row a pixel, and the tables a row an image."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Where train.csv says what is to be predicted."""
        return (self.label_column,) if self.label_column else self.target_columns


def profile_tables(tables: Tables, stated: Stated, *, hidden: Collection[Path] = ()) -> TableProfile:
    """`hidden` are paths in the folder that are not data (see Competition).

    Raises BadCompetition where what is stated is not there, and for a sample without a target.
    """
    if pixels := pixel_rows(tables.train.columns, tables.inputs, tables.sample.head):
        return _profile_pixels(tables, pixels)
    _check_stated("id_column", stated.id_column, tables.sample)
    _check_stated("group_column", stated.group_column, tables.train)
    id_column = stated.id_column or tables.sample.columns[0]
    targets = tuple(name for name in tables.sample.columns if name != id_column)
    if not targets:
        raise BadCompetition(f"{tables.sample.path} has one column only", hint="it needs an id and a target")
    label_column = _label_column(tables, id_column, targets)
    apart = {path.resolve() for path in hidden}
    pictures = _media_folders(tables.folder, apart, IMAGE_SUFFIXES)
    images = pictures or _media_folders(tables.folder, apart, AUDIO_SUFFIXES)
    test_images = next((name for name in images if "test" in name.lower()), None)
    of_train = [name for name in images if name != test_images]
    image_folder, pattern = _find_images(tables, of_train, id_column)
    features = set(tables.inputs or tables.train.columns) - {id_column, label_column, *targets}
    media: Modality = "image" if pictures else "audio"
    found: Modality = media if images else "text" if _has_prose(tables.train, features) else "tabular"
    return TableProfile(
        modality=cast(Modality, stated.modality or found),
        id_column=id_column,
        target_columns=targets,
        label_column=label_column,
        group_column=stated.group_column or None,
        image_folder=image_folder,
        test_image_folder=_find_test_images(tables, images, id_column, image_folder),
        image_pattern=pattern,
    )


def profile_sample(folder: Path, id_column: str) -> TableProfile:
    """What a sample submission alone tells: ids and targets; of the other files what most of them are."""
    columns = list(read_text(table_file(folder, "sample_submission.csv"), rows=0).columns)
    kinds = Counter(
        modality
        for name in islice((file.lower() for _, _, files in os.walk(folder) for file in files), _FILES_LOOKED)
        for modality, suffixes in (("image", IMAGE_SUFFIXES), ("audio", AUDIO_SUFFIXES))
        if name.endswith(tuple(suffixes))
    )
    found = kinds.most_common(1)
    return TableProfile(
        modality=cast(Modality, found[0][0] if found else "tabular"),
        id_column=id_column,
        target_columns=tuple(name for name in columns if name != id_column),
        label_column=None,
        group_column=None,
        image_folder=None,
        test_image_folder=None,
        image_pattern=None,
    )


def _profile_pixels(tables: Tables, pixels: PixelRows) -> TableProfile:
    """Images are whole: their pixels belong together."""
    id_column, *targets = tables.sample.columns
    folders = [str(Path(table.head[INPUT].iloc[0]).parent) for table in (tables.train, tables.test) if table]
    return TableProfile(
        modality="image-to-image",
        id_column=id_column,
        target_columns=tuple(targets),
        label_column=None,
        group_column=pixels.unit,
        image_folder=folders[0],
        test_image_folder=folders[1],
        image_pattern=f"{{{INPUT}}}",
        pixels=pixels,
    )


def _check_stated(setting: str, column: str, table: Table) -> None:
    if column and column not in table.columns:
        raise BadCompetition(
            f"{table.path.parent}/competition.yaml: `{setting}` is {shortened(column, 60)!r}, "
            f"which is no column of {table.path.name}",
            hint=f"{table.path.name} has {', '.join(table.columns[:8])}",
        )


def _has_prose(train: Table, columns: Collection[str]) -> bool:
    head = train.head.head(_PROSE_ROWS)
    return any(_is_prose(head[name]) for name in head if name in columns)


def _label_column(tables: Tables, id_column: str, targets: Sequence[str]) -> str | None:
    """The column that only train.csv has and whose values name the targets, most of them where several do."""
    train = tables.train
    if len(targets) < 2 or set(targets) & set(train.columns):
        return None
    found = {}
    for name in train.columns:
        if name not in (id_column, *tables.inputs) and set(train.head[name].tolist()) <= {*targets, ""}:
            classes = set(train.read([name])[name].tolist()) - {""}
            if classes and classes <= set(targets):
                found[name] = len(classes)
    return max(found, key=lambda name: found[name], default=None)


def _media_folders(folder: Path, hidden: set[Path], suffixes: frozenset[str]) -> list[str]:
    """Top-level folders of data whose files are images, or sounds, for the most part."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path.name for path in folders if holds_data(path, hidden) and _holds_media(path, suffixes)]


def _holds_media(folder: Path, suffixes: frozenset[str]) -> bool:
    names = (name.lower() for _, _, files in os.walk(folder) for name in files)
    images = [name.endswith(tuple(suffixes)) for name in islice(names, _FILES_LOOKED)]
    return any(images) and 2 * sum(images) >= len(images)


def _find_images(tables: Tables, tops: Sequence[str], id_column: str) -> tuple[str | None, str | None]:
    """The folder where training rows find their images, one of `tops` or below, and how.

    A folder at the top is told alone where no row finds its own, or finds it from above; None where none is.
    """
    tops = sorted(tops, key=lambda name: "train" not in name.lower())
    places = [place for top in tops for place in _places(tables.folder, top)]
    top = next(iter(tops), None)
    for folder in sorted(places, key=lambda place: bool(_ANSWERS.search(place))):
        if pattern := _image_pattern(tables, folder, id_column):
            return folder, pattern
    return top, _image_pattern(tables, "", id_column) if top else None


def _find_test_images(tables: Tables, tops: Sequence[str], id_column: str, train: str | None) -> str | None:
    """The folder called after tests that holds files of the rows to predict, else the first called so."""
    places = [
        one for top in tops for one in _places(tables.folder, top) if "test" in one.lower() and one != train
    ]
    ids = set(tables.sample.head[id_column].head(5)) if id_column in tables.sample.columns else set[str]()
    for place in places:
        with os.scandir(tables.folder / place) as files:
            if any(file.name in ids or Path(file.name).stem in ids for file in islice(files, _FILES_LOOKED)):
                return place
    return places[0] if places else None


def _places(folder: Path, top: str) -> list[str]:
    """A folder and those below it, level by level."""
    found = [top]
    for _ in range(_LEVELS):
        found += [
            f"{one}/{path.name}"
            for one in found
            for path in sorted((folder / one).iterdir())
            if path.is_dir() and f"{one}/{path.name}" not in found
        ][:_PLACES]
    return found


def _image_pattern(tables: Tables, folder: str, id_column: str) -> str | None:
    """The path of a row's image as a pattern over one column of train.csv, tried on the first rows."""
    place, head = tables.folder / folder, tables.train.head
    suffixes = {path.suffix for path in islice(place.iterdir(), _FILES_LOOKED)}
    endings = ["", *sorted(one for one in suffixes if one.lower() in IMAGE_SUFFIXES | AUDIO_SUFFIXES)]
    for column in sorted(tables.train.columns, key=lambda name: name != id_column):
        values = head.loc[head[column] != "", column].head(5).tolist()
        if not values or max(map(len, values)) > _LONGEST_FILE_NAME or "\0" in "".join(values):
            continue  # no names of files
        for ending in endings:
            if all((place / f"{value}{ending}").is_file() for value in values):
                return f"{folder}/{{{column}}}{ending}".removeprefix("/")
    return None
